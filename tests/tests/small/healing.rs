//! Lost and damaged blobs: they are found, named, set aside and made anew; what they do not touch
//! goes on.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::Report;
use boltworks_tests::factory::names;
use boltworks_tests::small::{Small, writes};
use boltworks_tests::tools::need;
use rustix::process::Signal;
use serde_json::Value;

/// The text at a path in what `explain` says of the newest artifact of a name.
fn explained(small: &Small, name: &str, pointer: &str) -> Result<String> {
    let all = small.explain(name)?;
    let found = all.first().and_then(|first| first.pointer(pointer));
    let found = found.and_then(Value::as_str);
    Ok(found
        .with_context(|| format!("{name} has no {pointer}: {all:?}"))?
        .to_owned())
}

fn flip_a_byte(file: &Path) -> Result<()> {
    let mut bytes = std::fs::read(file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644))?;
    Ok(std::fs::write(file, bytes)?)
}

/// `up` makes exactly these, and afterwards everything is as it was.
fn heals(small: &Small, made: &[&str]) -> Result<()> {
    let report = small.up()?;
    ensure!(report.with("made") == names(made), "{}", report.document());
    small.command(["plan"])?.ok()?.says("nothing is stale")?;
    small.verify_store()
}

#[test]
fn what_is_damaged_is_set_aside_and_made_anew() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    let channels = small.channels()?;
    let package = explained(&small, "one", "/artifact/digest")?;
    flip_a_byte(&small.blob(&package))?;
    for flags in [
        &["store", "verify"][..],
        &["store", "verify", "--set-aside"],
    ] {
        let output = small.command(flags)?.fails(1)?;
        output.says("its bytes have the digest")?;
    }
    let output = small.command(["store", "verify"])?.fails(1)?;
    output.says("missing: artifact one-1-r0 of recipe one")?;
    let hex = package.strip_prefix("sha256:").unwrap_or(&package);
    let aside = small.state().join("store/damaged").join(hex);
    ensure!(aside.exists(), "{} is not there", aside.display());
    let plan = small.command(["plan"])?.ok()?;
    plan.says("its package one is missing from the store")?;
    heals(&small, &["recipe one"])?;
    let index = explained(&small, "two", "/documents/index")?;
    flip_a_byte(&small.blob(&index))?;
    let plan = small.command(["plan"])?.ok()?;
    plan.says("its index is damaged in the store")?;
    heals(&small, &["recipe two"])?;
    ensure!(small.channels()? == channels, "other bytes are released");
    Ok(())
}

#[test]
fn what_is_lost_is_made_anew() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    let channels = small.channels()?;
    let manifest = channels.get("small:1").context("no image is released")?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(small.blob(manifest))?)?;
    let layer = manifest["layers"][0]["digest"]
        .as_str()
        .context("no layer")?;
    let lost = [
        (layer.to_owned(), "image small"),
        (
            explained(&small, "image small", "/artifact/digest")?,
            "image small",
        ),
        (
            explained(&small, "image small", "/documents/sbom spdx")?,
            "image small",
        ),
        (explained(&small, "two", "/documents/action")?, "recipe two"),
        (
            explained(&small, "two", "/documents/sbom two")?,
            "recipe two",
        ),
        (
            explained(&small, "three", "/artifact/digest")?,
            "recipe three",
        ),
    ];
    for (digest, subject) in &lost {
        std::fs::remove_file(small.blob(digest))?;
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        let output = small.command(["store", "verify"])?.fails(1)?;
        output.says(&format!("{hex}: missing: "))?;
        small
            .command(["plan"])?
            .ok()?
            .says("is missing from the store")?;
        heals(&small, &[subject])?;
    }
    ensure!(small.channels()? == channels, "other bytes are released");
    let log = explained(&small, "one", "/log")?;
    std::fs::remove_file(small.blob(&log))?;
    let output = small.command(["store", "verify"])?.fails(1)?;
    output.says("missing: log of recipe one")
}

#[test]
fn one_bad_candidate_keeps_only_its_own_channel() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    let image = explained(&small, "image small", "/artifact/digest")?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(small.blob(&image))?)?;
    let layer = manifest["layers"][0]["digest"].as_str();
    let layer = small.blob(layer.context("it has no layer")?);
    flip_a_byte(&layer)?;
    // What is public already is hashed for who is served it, and for who asks.
    small.command(["up"])?.ok()?.says("current small:1")?;
    small.edit(
        "boltworks.yaml",
        "channels:\n",
        "channels:\n  \"other:1\": { image: small }\n",
    )?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("✗ other:1 was not moved: ")?;
    output.says("it is damaged, its bytes have the digest")?;
    output.says("current os/x86_64")?;
    output.says("current small:1")?;
    output.says("judged: materials")?;
    small
        .command(["store", "verify", "--set-aside"])?
        .fails(1)?;
    heals(&small, &["image small"])
}

#[test]
fn status_says_what_fails_still() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    small.recipe("two", "", "exit 3")?;
    let output = small.command(["up"])?.fails(1)?;
    let reason = output
        .stdout
        .lines()
        .find_map(|line| line.split_once(" failed: "));
    let (_, reason) = reason.context("no failure in the table")?;
    // Progress says the same as the table: every cause.
    ensure!(
        output
            .stderr
            .contains(&format!("✗ recipe two: failed: {reason}")),
        "{output}"
    );
    let status = small.command(["status", "--json"])?.ok()?.json()?;
    ensure!(status["failures"][0]["subject"] == "recipe two", "{status}");
    ensure!(status["store"]["blobs"].as_u64() > Some(10), "{status}");
    ensure!(status["store"]["bytes"].as_u64() > Some(10_000), "{status}");
    let status = small.command(["status"])?.ok()?;
    status.says("✗ recipe two")?;
    status.says("store: ")?;
    // Nothing is made: the files say again what was made before.
    small.recipe("two", "", &writes("two"))?;
    small.up()?;
    let status = small.command(["status", "--json"])?.ok()?.json()?;
    ensure!(status["failures"] == serde_json::json!([]), "{status}");
    Ok(())
}

#[test]
fn explain_takes_subjects_and_shows_what_is_current() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    let before = explained(&small, "one", "/artifact/digest")?;
    small.edit("recipes/one.yaml", "echo one >", "echo changed >")?;
    small.up()?;
    let now = small.explain("recipe one")?;
    ensure!(now.len() == 1, "not the newest alone: {now:?}");
    ensure!(
        now[0]["channels"] == serde_json::json!(["os/x86_64"]),
        "{now:?}"
    );
    ensure!(now[0]["artifact"]["digest"] != before.as_str(), "{now:?}");
    let all = small
        .command(["explain", "one", "--all", "--json"])?
        .ok()?
        .json()?;
    ensure!(all[1]["artifact"]["digest"] == before.as_str(), "{all}");
    ensure!(all[1]["current"] == false, "{all}");
    ensure!(all[1]["channels"] == serde_json::json!([]), "{all}");
    let image = small.explain("image small")?;
    ensure!(
        image[0]["channels"] == serde_json::json!(["small:1"]),
        "{image:?}"
    );
    let unknown = small.command(["explain", "thre"])?.run()?;
    unknown.says("did you mean 'three'?")?;
    unknown.says("recipe three")?;
    for name in ["three", "recipe three", "image small", "small:1"] {
        small
            .command(["explain", name])?
            .ok()?
            .says("  released  ")?;
    }
    Ok(())
}

#[test]
fn a_channel_that_is_no_longer_named_is_named_once_more() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    small.edit("boltworks.yaml", "\"small:1\"", "\"small:2\"")?;
    let output = small.command(["up"])?.ok()?;
    output.says("still released, no longer in boltworks.yaml: small:1\n")?;
    output.says("released small:2")
}

#[test]
fn what_is_stopped_has_not_failed() -> Result<()> {
    let small = Small::new()?;
    small.recipe("two", "", "sleep 100")?;
    let mut running = small.command(["up", "--log"])?.start()?;
    running.wait_for("= recipe two")?;
    running.signal(Signal::INT)?;
    let output = running.finish()?;
    output.says("stopped on request: run the same command again")?;
    ensure!(!output.stderr.contains("failed"), "{output}");
    ensure!(output.stderr.matches("stopped").count() == 1, "{output}");
    Ok(())
}

#[test]
fn a_failure_that_cannot_be_recorded_is_shown() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    small.recipe("two", "", "sleep 3; exit 3")?;
    let mut up = small.command(["up"])?.start()?;
    up.wait_for("… recipe two")?;
    // Whoever holds the write lock for longer than anybody waits.
    let hold = "import sqlite3, sys, time\n\
                records = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                records.execute('BEGIN IMMEDIATE')\n\
                print('held', file=sys.stderr, flush=True)\n\
                time.sleep(100)";
    let mut holder = boltworks_tests::Command::new(need("python3")?)
        .args(["-c", hold])
        .arg(small.state().join("records.sqlite"))
        .start()?;
    holder.wait_for("held")?;
    let output = up.finish()?;
    drop(holder);
    ensure!(output.status.code() == Some(1), "{output}");
    ensure!(output.stdout.contains("✗ recipe two"), "{output}");
    output.says("exit code 3")?;
    output.says("this failure could not be recorded: ")?;
    let again = small.command(["up", "--json"])?.fails(1)?;
    ensure!(
        Report::of(&again)?.with("failed") == names(&["recipe two"]),
        "{again}"
    );
    Ok(())
}
