//! Sources: a wrong digest is refused, and what was fetched once is never fetched again.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::small::Small;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Running, factory::names, layout::hash};

/// Python's server starts within this time.
const STARTING: Duration = Duration::from_secs(20);

/// Python's own web server over a folder, and its port.
pub(crate) fn upstream(folder: &Path) -> Result<(Running, u16)> {
    let running = Command::new(need("python3")?)
        .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"])
        .dir(folder)
        .start()?;
    let since = Instant::now();
    loop {
        let printed = running.printed()?;
        let port = printed
            .split_once(" port ")
            .and_then(|(_, rest)| rest.split(' ').next());
        if let Some(port) = port {
            return Ok((running, port.parse()?));
        }
        ensure!(
            since.elapsed() < STARTING,
            "no server: {printed}{}",
            running.said()?
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A recipe that installs a fetched file.
fn fetching(small: &Small, port: u16, digest: &str, word: &str) -> Result<()> {
    let text = format!(
        "\
package:
  name: two
  version: \"1\"
  epoch: 0
  description: {word}
  copyright:
    - license: Apache-2.0
environment:
  contents:
    packages: [shell]
pipeline:
  - uses: fetch
    with:
      uri: http://127.0.0.1:{port}/source.txt
      expected-sha256: {digest}
      extract: false
  - runs: |
      mkdir -p ${{{{targets.destdir}}}}/usr/share
      cp source.txt ${{{{targets.destdir}}}}/usr/share/two
"
    );
    small.write("recipes/two.yaml", &text)
}

#[test]
fn a_wrong_digest_is_refused_and_a_fetched_source_is_kept() -> Result<()> {
    let small = Small::new()?;
    let folder = small.folder().path().join("upstream");
    std::fs::create_dir(&folder)?;
    let source = folder.join("source.txt");
    std::fs::write(&source, "from upstream\n")?;
    let (server, port) = upstream(&folder)?;
    let right = hash(&source)?;
    let wrong = right.chars().rev().collect::<String>();

    fetching(&small, port, &wrong, "wrong")?;
    let output = small.command(["up"])?.fails(1)?;
    for word in ["✗ recipe two", wrong.as_str(), right.as_str(), "source.txt"] {
        output.says(word)?;
    }
    small.verify_store()?;

    fetching(&small, port, &right, "right")?;
    small.up()?;
    drop(server);
    fetching(&small, port, &right, "other words")?;
    let report = small.command(["--offline", "up", "--json"])?.ok()?;
    let report = boltworks_tests::Report::of(&report)?;
    let made = names(&["image small", "recipe two"]);
    ensure!(report.with("made") == made, "{}", report.document());

    let materials = small.explain("two")?;
    let material = materials[0]["materials"]
        .as_array()
        .context("no materials")?;
    let source = material
        .iter()
        .find(|material| material["type"] == "source");
    let source = source.context("the source is not among the materials")?;
    ensure!(source["sha256"] == right.as_str(), "{source}");

    let other = right.replace(['0', '1', '2', '3'], "a");
    fetching(&small, port, &other, "never fetched")?;
    let output = small.command(["--offline", "up"])?.fails(1)?;
    output.says("offline")
}

#[test]
fn a_bump_changes_what_it_must() -> Result<()> {
    let small = Small::new()?;
    let folder = small.folder().path().join("upstream");
    std::fs::create_dir(&folder)?;
    let source = folder.join("source.txt");
    std::fs::write(&source, "from upstream\n")?;
    let (_server, port) = upstream(&folder)?;
    let known = "0".repeat(64);
    fetching(&small, port, &known, "one # two")?;
    let recipe = small.path().join("recipes/two.yaml");
    let before = std::fs::read_to_string(&recipe)?.replace("epoch: 0", "epoch: 7 # again");
    std::fs::write(&recipe, &before)?;
    let missing = small
        .command(["recipe", "bump", "recipes/two.yaml", "1$"])?
        .run()?;
    ensure!(!missing.status.success(), "{missing}");
    ensure!(
        std::fs::read_to_string(&recipe)? == before,
        "a refused bump changes nothing"
    );

    let bumped = small
        .command(["recipe", "bump", "recipes/two.yaml", "2", "--json"])?
        .ok()?;
    let now = hash(&source)?;
    let after = before
        .replace("version: \"1\"", "version: \"2\"")
        .replace("epoch: 7 # again", "epoch: 0 # again")
        .replace(&known, &now);
    ensure!(std::fs::read_to_string(&recipe)? == after, "{bumped}");
    ensure!(bumped.json()?["renewed"][0]["now"] == now, "{bumped}");
    small.up()?;
    Ok(())
}
