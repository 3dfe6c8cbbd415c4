//! What `up` says and does, from nothing and again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::Report;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Folder, Server};

use crate::once::Demo;

/// A second `up` says that nothing is stale within this time.
const AGAIN: Duration = Duration::from_secs(2);
/// And `plan`, in a program that is not optimised.
const PLAN: Duration = Duration::from_secs(1);

const EVERYTHING: &[&str] = &[
    "recipe baselayout",
    "recipe ca-certificates",
    "recipe lighttpd",
    "recipe musl",
    "recipe pcre2",
    "recipe zlib",
    "image static",
    "image web",
];

#[test]
fn everything_is_made_judged_and_released() -> Result<()> {
    let demo = Demo::get()?;
    for subject in EVERYTHING {
        demo.first.says(&format!("✓ {subject} "))?;
    }
    let channels: BTreeSet<String> = demo.factory.channels()?.into_keys().collect();
    ensure!(channels == boltworks_tests::factory::names(&["os/x86_64", "static:1", "web:1.4"]));
    let lines: Vec<_> = demo.first.stdout.lines().collect();
    for (channel, digest) in demo.factory.channels()? {
        let line = lines
            .iter()
            .find(|line| line.starts_with(&format!("released {channel}: ")));
        let line = line.with_context(|| format!("{channel}: {}", demo.first))?;
        for part in ["packages", "MB", digest.as_str()] {
            ensure!(line.contains(part), "{line} should name {part}");
        }
    }
    demo.first
        .says("judged: materials, sbom, signature, origin")?;
    demo.first.says("not judged: ")?;
    let missing = lines.iter().find(|line| line.starts_with("not judged: "));
    let missing = missing.context("nothing is not judged")?;
    ensure!(
        missing.contains("vulnerabilities") && missing.contains("malware"),
        "{missing}"
    );
    demo.factory.verify_store()
}

#[test]
fn a_second_run_finds_nothing_stale_at_once() -> Result<()> {
    let demo = Demo::get()?;
    demo.second.says("nothing is stale")?;
    ensure!(
        demo.second.elapsed < AGAIN,
        "it took {:?}",
        demo.second.elapsed
    );
    demo.plan.says("nothing is stale")?;
    ensure!(demo.plan.elapsed < PLAN, "it took {:?}", demo.plan.elapsed);
    Ok(())
}

#[test]
fn what_was_made_can_be_made_offline() -> Result<()> {
    let (_folder, copy) = Demo::get()?.factory.copy()?;
    // As if the records were lost: everything is built again, from sources in the store.
    Command::new("sh")
        .args([
            "-c",
            "rm -f .boltworks/records.sqlite*; cd recipes && rm -r lighttpd* musl* pcre2* zlib*",
        ])
        .dir(copy.path())
        .ok()?;
    Command::new("rm")
        .arg(copy.path().join("images/web.yaml"))
        .ok()?;
    copy.edit("boltworks.yaml", "  \"web:1.4\": { image: web }\n", "")?;
    let output = copy.command(["--offline", "up", "--json"])?.ok()?;
    let made = Report::of(&output)?.with("made");
    let wanted = [
        "recipe baselayout",
        "recipe ca-certificates",
        "image static",
    ];
    ensure!(made == boltworks_tests::factory::names(&wanted), "{output}");
    let before = Demo::get()?.factory.channels()?;
    ensure!(
        copy.channels()?["static:1"] == before["static:1"],
        "the image is another one"
    );
    Ok(())
}

#[test]
fn other_peoples_validators_accept_the_documents() -> Result<()> {
    let demo = Demo::get()?;
    let server = Server::of(&demo.factory)?;
    let repository = boltworks_tests::program::repository();
    for (name, tag) in [("web", "1.4"), ("static", "1")] {
        let folder = Folder::new()?;
        let fetched = Command::new(need("python3")?)
            .arg(repository.join("scripts/fetch-sboms"))
            .args([&format!("http://{}", server.address), name, tag])
            .arg(folder.path())
            .ok()?;
        let documents: Vec<_> = fetched
            .stdout
            .lines()
            .filter_map(|line| line.split_once(' '))
            .collect();
        let kinds: BTreeSet<_> = documents.iter().map(|(kind, _)| *kind).collect();
        ensure!(
            kinds == BTreeSet::from(["cyclonedx", "spdx", "spdx3"]),
            "{fetched}"
        );
        for (kind, file) in documents {
            Command::new(need("python3")?)
                .arg(repository.join("tests/kit/validate_sbom.py"))
                .args([kind, file])
                .limit(Duration::from_mins(5))
                .ok()
                .with_context(|| format!("the {kind} document of {name} is not valid"))?;
        }
    }
    server.stop()
}

#[test]
fn materials_name_both_addresses_and_the_compiler() -> Result<()> {
    let demo = Demo::get()?;
    let explained = demo.factory.explain("zlib")?;
    let materials = explained[0]["materials"]
        .as_array()
        .context("no materials")?;
    let source = materials
        .iter()
        .find(|material| material["type"] == "source");
    let source = source.context("no source")?;
    ensure!(
        source["uri"] == "https://zlib.net/fossils/zlib-1.3.1.tar.gz",
        "{source}"
    );
    ensure!(source["kind"] == "debian-orig-repacked", "{source}");
    let from = source["fetched-from"]
        .as_str()
        .or(source["fetched_from"].as_str());
    ensure!(
        from.is_some_and(|from| from.ends_with(".orig.tar.gz")),
        "{source}"
    );
    let compiler = materials.iter().any(|material| {
        let name = material["name"].as_str().unwrap_or_default();
        material["repository"] == "stage0" && name.starts_with("gcc-")
    });
    ensure!(compiler, "the compiler is not among the materials");
    let text = demo.factory.command(["explain", "zlib"])?.ok()?;
    text.says("stage 0's compiler puts its own start files and libgcc into programs")
}
