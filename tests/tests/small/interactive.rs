//! A person where a step fails: a shell in its guest as it stands, and later in what was kept of it.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::program::repository;
use boltworks_tests::small::Small;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Output};
use serde_json::{Value, json};

/// A recipe whose first step fails unless something is mended, and its package.
const BROKEN: &str = "\
package:
  name: broken
  version: \"1\"
  epoch: 0
  description: it fails
  copyright: [{ license: Apache-2.0 }]
environment:
  contents: { packages: [shell] }
  environment: { WORD: said }
  accounts: { users: [{ username: web, uid: 33 }], run-as: web }
pipeline:
  - name: prepare
    runs: |
      echo left >/tmp/left
      echo over >>/etc/passwd
  - name: breaks
    working-directory: /home/build/deep
    environment: { STEPS: own }
    runs: |
      echo here >/tmp/here
      test -e mended
  - name: finish
    runs: |
      mkdir -p ${{targets.destdir}}/usr/share
      cp deep/mended ${{targets.destdir}}/usr/share
test:
  environment: { contents: { packages: [shell] } }
  pipeline:
    - name: looks
      runs: test -s /usr/share/mended
";

/// What a person asks of the guest, on one line.
const LOOK: &str = "echo \"=$PWD=$WORD=$STEPS=$(cat /tmp/here)=$(tail -n 1 /etc/passwd)=$(id -u)\"; \
    ls /sys/class/net /root 2>&1 | head -n 1; stty -a >/dev/null && echo se\"\"en\r";

fn broken() -> Result<Small> {
    let small = Small::new()?;
    small.write("recipes/broken.yaml", BROKEN)?;
    Ok(small)
}

/// Runs the program at a terminal, where somebody types.
fn attended(small: &Small, words: &[&str], turns: &[(&str, &str)]) -> Result<Command> {
    let turns: Vec<_> = turns
        .iter()
        .map(|(wait, typed)| json!([wait, typed]))
        .collect();
    let script = repository().join("tests/kit/at_terminal.py");
    let before = [
        need("python3")?.into_os_string(),
        script.into_os_string(),
        Value::from(turns).to_string().into(),
    ];
    Ok(small.command(words)?.through(before))
}

#[test]
fn who_mends_a_step_goes_on_with_the_next() -> Result<()> {
    let small = broken()?;
    let build = ["build", "-i", "recipes/broken.yaml", "--out-dir", "out"];
    let turns = [
        ("guest$ ", LOOK),
        (
            "tty",
            "printf \"%s\" \"$STEP\"; echo mended >mended; exit 0\r",
        ),
    ];
    let output = attended(&small, &build, &turns)?.ok()?;
    let why = "the build of broken failed at step 'breaks' (2 of 3): exit code 1, at or after line 2 of \
               its script: test -e mended";
    output.says(why)?;
    // It is told before the shell is there.
    let order = ["at or after line 2", "a shell in its guest", "guest$ "];
    let places = order.map(|words| output.stdout.find(words));
    ensure!(places.is_sorted() && places[0].is_some(), "{output}");
    output.says("=/home/build/deep=said=own=here=over=33")?;
    output.says("test -e mended")?;
    output.says("goes on by hand: step 'breaks' was finished in a shell")?;
    ensure!(!output.stdout.contains("job control"), "{output}");
    let package = small.path().join("out/x86_64/broken-1-r0.apk");
    ensure!(package.exists(), "nothing was delivered: {output}");
    // What a person made is nothing that the factory made, nor ever takes for it.
    let explained = small.explain("recipe broken (apart)")?;
    let made = explained.first().context("it is not recorded")?;
    ensure!(made["evidence"] == json!([]), "{made}");
    ensure!(made["because"].to_string().contains("never made"), "{made}");
    ensure!(!small.fresh()?.contains("recipe broken"), "it is fresh");
    let again = ["build", "recipes/broken.yaml", "--package-append", "shell"];
    small.command(again)?.fails(1)?.says("step 'breaks'")?;
    Ok(())
}

#[test]
fn who_gives_up_ends_it() -> Result<()> {
    let small = broken()?;
    let build = ["build", "--interactive", "recipes/broken.yaml"];
    let turns = [("guest$ ", "echo x >deep; exit 1\r")];
    let output = attended(&small, &build, &turns)?.fails(1)?;
    output.says("failed at step 'breaks': exit code 1")?;
    output.says("at or after line 2 of its script: test -e mended")?;
    // The end of input is `exit` alone: what was done last counts.
    let turns = [("guest$ ", "false\r"), ("guest$ ", "\u{4}")];
    let output = attended(&small, &build, &turns)?.fails(1)?;
    output.says("failed at step 'breaks': exit code 1")?;
    // Who does nothing has mended nothing.
    let output = attended(&small, &build, &[("guest$ ", "\u{4}")])?.fails(1)?;
    output.says("failed at step 'breaks': exit code 1")?;
    ensure!(!output.stdout.contains("by hand"), "{output}");
    // Where nobody is, nobody is asked.
    let output = small.command(build)?.fails(2)?;
    output.says("--interactive needs a terminal")?;
    output.says("boltworks shell")
}

/// What is over its limit is ended with all that ran in the guest, and its files are left.
#[test]
fn a_step_that_took_too_long_is_mended_too() -> Result<()> {
    let small = broken()?;
    let slow = BROKEN.replace("test -e mended", "echo waits >waits; sleep 60");
    small.write("recipes/broken.yaml", &slow)?;
    let build = ["build", "-i", "recipes/broken.yaml", "--timeout", "1s"];
    let turns = [("guest$ ", "test ! -e /tmp/here && mv waits mended; exit\r")];
    let output = attended(&small, &build, &turns)?.ok()?;
    output.says("over its time limit")?;
    output.says("as it was left: what ran there and /tmp are gone")?;
    output.says("goes on by hand: step 'breaks' was finished in a shell")?;
    let output = attended(&small, &build, &[("guest$ ", "\u{4}")])?.fails(1)?;
    output.says("over its time limit")
}

#[test]
fn what_was_kept_is_entered_later() -> Result<()> {
    let small = broken()?;
    small
        .command(["shell"])?
        .ok()?
        .says("no failed build or test")?;
    let failed = small.command(["build", "recipes/broken.yaml"])?.fails(1)?;
    let shell = failed
        .stderr
        .lines()
        .find_map(|line| line.split_once("boltworks shell "))
        .context("no shell is offered")?
        .1;
    small
        .command(["shell"])?
        .ok()?
        .says("build-broken  step 'breaks': exit code 1")?;
    small
        .command(["shell", shell])?
        .fails(2)?
        .says("needs a terminal")?;
    let turns = [
        ("guest$ ", LOOK),
        // What it shows, it shows when it has the terminal.
        ("seen", "sh -c 'echo wai\"\"ting; exec sleep 100'\r"),
        ("waiting", "\u{3}"),
        (
            "guest$ ",
            "echo \"ends $?\"; cat /proc/net/dev | wc -l; touch again; exit 5\r",
        ),
    ];
    let output = attended(&small, &["shell", "build-broken"], &turns)?.fails(5)?;
    output.says("build of broken failed at step 'breaks'")?;
    // What was in memory is gone.
    output.says("=/home/build/deep=said=own==over=33")?;
    output.says("ends 130")?;
    let turns = [("guest$ ", "ls; exit 0\r")];
    attended(&small, &["shell", shell], &turns)?
        .ok()?
        .says("again")?;
    attended(&small, &["shell", "build-other"], &[])?
        .fails(2)?
        .says("there is no workspace")?;
    std::fs::rename(small.state().join("trees"), small.path().join("away"))?;
    let gone = attended(&small, &["shell", "build-broken"], &[])?.fails(2)?;
    gone.says("the environment of build of broken is gone")
}

#[test]
fn a_test_is_mended_too() -> Result<()> {
    let small = broken()?;
    let whole = BROKEN.replace("test -e mended", "touch mended");
    small.write("recipes/broken.yaml", &whole)?;
    let failed = small.command(["build", "recipes/broken.yaml"])?.fails(1)?;
    failed.says("test of broken failed at step 'looks'")?;
    let build = ["build", "-i", "recipes/broken.yaml"];
    let mends = [("guest$ ", "exit 0\r")];
    attended(&small, &build, &mends)?.ok()?;
    // It was no success of the recipe's.
    let ends = [("guest$ ", "exit 1\r")];
    attended(&small, &build, &ends)?.fails(1)?;
    let good = whole.replace("test -s", "test -e");
    small.write("recipes/broken.yaml", &good)?;
    small.command(["build", "recipes/broken.yaml"])?.ok()?;
    small.write("recipes/broken.yaml", &whole)?;
    let turns = [("guest$ ", "ls /usr/share/mended && exit 0\r")];
    let test = ["test", "-i", "recipes/broken.yaml"];
    passed(&attended(&small, &test, &turns)?.ok()?)?;
    attended(&small, &test, &[("guest$ ", "exit 9\r")])?
        .fails(1)?
        .says("1 of 1 test failed")
}

fn passed(output: &Output) -> Result<()> {
    output.says("/usr/share/mended")?;
    output.says("1 test passed")
}
