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
    let source = folder.join("source-2.txt");
    let other = folder.join("other-2.txt");
    std::fs::write(&source, "from upstream\n")?;
    std::fs::write(&other, "from there too\n")?;
    let arm = folder.join("arm-2-aarch64.txt");
    std::fs::write(&arm, "from there for another machine\n")?;
    std::fs::write(folder.join("always.txt"), "as ever\n")?;
    let (_server, port) = upstream(&folder)?;
    let (known, always) = ("0".repeat(64), hash(&folder.join("always.txt"))?);
    fetching(&small, port, &known, "one # two")?;
    let recipe = small.path().join("recipes/two.yaml");
    let upstream = format!("http://127.0.0.1:{port}");
    let more = [
        "  - uses: fetch".to_owned(),
        "    with:".to_owned(),
        format!("      uri: {upstream}/other-${{{{package.version}}}}.txt"),
        format!("      expected-sha256: {known}"),
        "      extract: false".to_owned(),
        "  - uses: fetch".to_owned(),
        format!("    with: {{ uri: '{upstream}/always.txt', extract: false,"),
        format!("      expected-sha256: '{always}' }} # never another"),
        "  - if: ${{build.arch}} == 'aarch64'".to_owned(),
        "    uses: fetch".to_owned(),
        format!(
            "    with: {{ uri: '{upstream}/arm-${{{{package.version}}}}-${{{{build.arch}}}}.txt',"
        ),
        format!("      expected-sha256: {known} }}"),
        "  - if: ${{package.name}} == 'another'".to_owned(),
        "    pipeline:".to_owned(),
        "      - uses: fetch".to_owned(),
        format!("        with: {{ uri: '{upstream}/other-${{{{package.version}}}}.txt',"),
        format!("          expected-sha256: {known} }}"),
        String::new(),
    ]
    .join("\n");
    let before = std::fs::read_to_string(&recipe)?
        .replace("epoch: 0", "epoch: 7 # again")
        .replace("/source.txt", "/source-${{package.version}}.txt")
        .replace("cp source.txt", "cp source-*.txt")
        + &more;
    std::fs::write(&recipe, &before)?;
    for version in ["1$", "3"] {
        let refused = small
            .command(["recipe", "bump", "recipes/two.yaml", version])?
            .run()?;
        ensure!(!refused.status.success(), "{refused}");
        ensure!(
            std::fs::read_to_string(&recipe)? == before,
            "a refused bump changes nothing"
        );
    }
    let commit = [
        "recipe",
        "bump",
        "recipes/two.yaml",
        "2",
        "--expected-commit",
        "cafe",
    ];
    let refused = small.command(commit)?.fails(2)?;
    refused.says("the recipe checks nothing out")?;
    let bumped = small
        .command(["recipe", "bump", "recipes/two.yaml", "2", "--json"])?
        .ok()?;
    let after = before
        .replace("version: \"1\"", "version: \"2\"")
        .replace("epoch: 7 # again", "epoch: 0 # again")
        .replacen(&known, &hash(&source)?, 1)
        .replacen(&known, &hash(&other)?, 1)
        .replacen(&known, &hash(&arm)?, 1)
        .replacen(&known, &hash(&other)?, 1);
    ensure!(std::fs::read_to_string(&recipe)? == after, "{bumped}");
    ensure!(bumped.json()?["left"][0] == always, "{bumped}");
    small.up()?;
    Ok(())
}
