//! Licences that a recipe declares, held against an archive of sources that xz packed.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::program::program;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Folder, layout::hash};
use serde_json::Value;

use crate::offline::upstream;

/// SPDX's Zlib licence.
const ZLIB: &str = "\
This software is provided 'as-is', without any express or implied warranty. In no event will the authors be
held liable for any damages arising from the use of this software.

Permission is granted to anyone to use this software for any purpose, including commercial applications, and
to alter it and redistribute it freely, subject to the following restrictions:

1. The origin of this software must not be misrepresented; you must not claim that you wrote the original
software. If you use this software in a product, an acknowledgment in the product documentation would be
appreciated but is not required.

2. Altered source versions must be plainly marked as such, and must not be misrepresented as being the
original software.

3. This notice may not be removed or altered from any source distribution.
";

const RECIPE: &str = "\
# A recipe.
package:
  name: one
  version: \"1\"
  epoch: 0
  description: one
  copyright:
    # Comments stay.
    - license: MIT # so they say
pipeline:
  - uses: fetch
    with:
      uri: http://127.0.0.1:PORT/one-1.tar.xz
      expected-sha256: DIGEST
";

#[test]
fn what_sources_show_is_declared() -> Result<()> {
    let folder = Folder::new()?;
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("one-1/src/deep"))?;
    std::fs::write(at("one-1/LICENCE"), ZLIB)?;
    std::fs::write(at("one-1/src/COPYING.odd"), "Ask me.\n")?;
    let tagged = "/* SPDX-License-Identifier: MIT */\n";
    std::fs::write(at("one-1/src/a.c"), tagged)?;
    std::fs::write(at("one-1/src/b.c"), tagged)?;
    let deep = "// SPDX-License-Identifier: ISC OR MIT\n// SPDX-License-Identifier: BSL-1.0\n";
    std::fs::write(at("one-1/src/deep/c.c"), deep)?;
    let tar = Command::new(need("tar")?).args(["-cJf", "one-1.tar.xz", "one-1"]);
    tar.dir(folder.path()).ok()?;
    let (server, port) = upstream(folder.path())?;
    let digest = hash(&at("one-1.tar.xz"))?;
    let digest = digest.strip_prefix("sha256:").unwrap_or(&digest);
    let text = RECIPE
        .replace("PORT", &port.to_string())
        .replace("DIGEST", digest);
    std::fs::write(at("one.yaml"), &text)?;
    let check = |words: &str| -> Result<Command> {
        let command = Command::new(program()?).dir(folder.path());
        let command = command.env("XDG_CACHE_HOME", at("cache"));
        let command = command.env("no_proxy", "127.0.0.1");
        let words = words.split_whitespace();
        Ok(command
            .args(["recipe", "license-check", "one.yaml"])
            .args(words))
    };
    let output = check("")?.fails(1)?;
    output.says("NOT DECLARED")?;
    output.says("src/a.c and 1 more  MIT")?;
    // It is fetched once.
    drop(server);
    let document = check("--json --scan-type deep")?.fails(1)?.json()?;
    let files = document["files"].as_array().context("no files")?;
    let seen: Vec<String> = files
        .iter()
        .map(|file| {
            let licence = &file["licences"][0];
            let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let (kind, path) = (word(&file["kind"]), word(&file["path"]));
            let name = word(&licence["licence"]);
            format!("{kind} {path} {name} {}", licence["declared"])
        })
        .collect();
    let expected = [
        "text LICENCE Zlib false",
        "unknown src/COPYING.odd - null",
        "tag src/deep/c.c BSL-1.0 false",
        "tag src/deep/c.c ISC OR MIT true",
        "tag src/a.c MIT true",
    ];
    let mut sorted = seen.clone();
    sorted.sort();
    let mut wanted = expected.map(str::to_owned);
    wanted.sort();
    ensure!(sorted == wanted, "{seen:?}");
    check("--fix")?.ok()?.says("one.yaml: corrected")?;
    let added = "    - license: Zlib\n      license-path: LICENCE\n";
    let corrected = text.replace("# so they say\n", &format!("# so they say\n{added}"));
    ensure!(std::fs::read_to_string(at("one.yaml"))? == corrected);
    check("")?.ok()?;
    // Nothing was unpacked.
    let left = Command::new(need("find")?).arg(at("cache"));
    let left = left.args(["-name", "LICENCE"]).ok()?;
    ensure!(left.stdout.is_empty(), "{left}");
    Ok(())
}
