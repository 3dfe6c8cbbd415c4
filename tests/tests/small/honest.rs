//! What is released is what was judged, and what is recorded is what was built.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::Report;
use boltworks_tests::factory::names;
use boltworks_tests::small::{Small, recipe, writes};
use serde_json::Value;

const IN_RESULTS: &str = "mkdir -p ${{targets.destdir}}/opt\n";

#[test]
fn no_image_holds_a_package_that_the_gate_refuses() -> Result<()> {
    let small = Small::new()?;
    let steals = format!("{IN_RESULTS}cp /usr/bin/true ${{{{targets.destdir}}}}/opt/mine");
    let thief = recipe("thief", "", &steals);
    let thief = thief.replace("epoch: 0", "epoch: 0\n  options: { no-depends: true }");
    small.write("recipes/thief.yaml", &thief)?;
    small.write(
        "images/loot.yaml",
        "contents: { packages: [one, thief] }\narchs: [x86_64]\n",
    )?;
    small.edit(
        "boltworks.yaml",
        "channels:\n",
        "channels:\n  \"loot:1\": { image: loot }\n",
    )?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("✗ os/x86_64 was not moved")?;
    output.says("✗ loot:1 was not moved")?;
    output.says("opt/mine is stage 0's usr/bin/true of coreutils, byte for byte")?;
    output.says("released small:1")?;
    ensure!(!small.channels()?.contains_key("loot:1"), "{output}");
    let explained = small.command(["explain", "loot"])?.ok()?;
    explained.says("origin       fail")?;
    // It stays known after the run.
    small
        .command(["status"])?
        .ok()?
        .says("✗ loot:1 was not moved")?;
    let explained = small.command(["explain", "loot:1"])?.run()?;
    explained.says("the channel loot:1 was not moved by the last run")
}

#[test]
fn what_was_refused_once_comes_no_other_way() -> Result<()> {
    let small = Small::new()?;
    let copies = |from: &str| format!("{IN_RESULTS}cp {from} ${{{{targets.destdir}}}}/opt/mine");
    let quiet = "epoch: 0\n  options: { no-depends: true }";
    let thief = recipe("thief", "", &copies("/usr/bin/true")).replace("epoch: 0", quiet);
    small.write("recipes/thief.yaml", &thief)?;
    let fence = recipe("fence", "thief", &format!("{}2", copies("/opt/mine")));
    small.write("recipes/fence.yaml", &fence.replace("epoch: 0", quiet))?;
    small.edit("images/small.yaml", "[one,", "[fence, one,")?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("✗ small:1 was not moved")?;
    output.says("opt/mine2 is stage 0's usr/bin/true of coreutils, byte for byte")?;
    // Built apart, nobody speaks for it: the factory's own might have the same bytes.
    let apart = [
        "build",
        "recipes/thief.yaml",
        "--package-append",
        "one",
        "--out-dir",
        "out",
    ];
    small.command(apart)?.ok()?;
    let explained = small.explain("recipe thief (apart)")?;
    let built = explained.first().context("nothing is known of it")?;
    ensure!(built["evidence"] == Value::Array(Vec::new()), "{built}");
    small
        .command(["up"])?
        .fails(1)?
        .says("✗ os/x86_64 was not moved")
}

#[test]
fn a_script_of_the_environment_is_no_ones_own() -> Result<()> {
    let small = Small::new()?;
    let quiet = "epoch: 0\n  options: { no-depends: true }";
    small.recipe("own", "", &writes("own"))?;
    let copies = format!("{IN_RESULTS}cp /usr/bin/bashbug ${{{{targets.destdir}}}}/opt/mine");
    let thief = recipe("thief", "own", &copies).replace("epoch: 0", quiet);
    small.write("recipes/thief.yaml", &thief)?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("opt/mine is stage 0's usr/bin/bashbug, byte for byte")
}

#[test]
fn a_file_that_is_edited_meanwhile_is_not_built_as_what_it_was() -> Result<()> {
    let small = Small::new()?;
    let file = small.path().join("recipes/q/f");
    std::fs::create_dir(small.path().join("recipes/q"))?;
    std::fs::write(&file, "old")?;
    small.recipe("one", "", &format!("sleep 2\n{}", writes("one")))?;
    let copies = format!("{IN_RESULTS}cp f ${{{{targets.destdir}}}}/opt/f");
    small.recipe("q", "one", &copies)?;
    let mut run = small.command(["up", "--json"])?.start()?;
    run.wait_for("… recipe one")?;
    std::fs::write(&file, "new")?;
    let output = run.finish()?;
    ensure!(
        Report::of(&output)?.with("failed") == names(&["recipe q"]),
        "{output}"
    );
    output.says("'q/f' beside the recipe was changed")?;
    let made = small.up()?.with("made");
    ensure!(made == names(&["recipe q"]), "{made:?}");
    std::fs::write(&file, "old")?;
    ensure!(
        !small.fresh()?.contains("recipe q"),
        "'old' was never built"
    );
    Ok(())
}

#[test]
fn only_the_first_run_makes_a_key() -> Result<()> {
    let small = Small::new()?;
    let keys = small.path().join("keys");
    std::fs::remove_dir_all(&keys)?;
    small
        .command(["plan"])?
        .ok()?
        .says("stage 0 is not made yet")?;
    ensure!(!keys.exists(), "a plan makes nothing");

    let small = Small::new()?;
    small.up()?;
    let (private, public) = ("keys/small.rsa", "keys/small.rsa.pub");
    let away = small.path().join("away");
    std::fs::rename(small.path().join(private), &away)?;
    for command in ["plan", "up"] {
        let output = small.command([command])?.fails(2)?;
        output.says("keys/small.rsa is not there")?;
        output.says("put it back")?;
    }
    ensure!(
        !small.path().join(private).exists(),
        "no new key is made in its place"
    );
    std::fs::rename(&away, small.path().join(private))?;
    ensure!(
        small.up()?.with("made").is_empty(),
        "with the key all is as before"
    );

    let strange = Small::new()?;
    strange.command(["apk", "keygen", "other.rsa"])?.ok()?;
    std::fs::rename(
        strange.path().join("other.rsa.pub"),
        strange.path().join(public),
    )?;
    strange
        .command(["up"])?
        .fails(2)?
        .says("keys/small.rsa.pub is the public key of another key")
}

#[test]
fn what_always_failed_is_explained_and_leaves_nothing_for_ever() -> Result<()> {
    let small = Small::new()?;
    small.recipe("two", "", "echo no luck\nexit 3")?;
    small.command(["up"])?.fails(1)?;
    let output = small.command(["explain", "two"])?.run()?;
    output.says("recipe two is not made: its last run failed")?;
    output.says("log: ")?;
    small.command(["plan"])?.ok()?.says("its last run failed")?;
    let left = small.state().join("builds/build-two");
    ensure!(left.exists(), "it can be looked at");
    std::fs::remove_file(small.path().join("recipes/two.yaml"))?;
    small.write(
        "images/small.yaml",
        "contents: { packages: [one] }\narchs: [x86_64]\n",
    )?;
    small.up()?;
    ensure!(!left.exists(), "no build could ever replace it");
    Ok(())
}
