//! Two runs at once, and runs that are stopped: by a person, by a service manager, by a kill.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::small::{Small, recipe, writes};
use boltworks_tests::{Command, Factory, Report, Running, factory::names};
use rustix::process::Signal;

use crate::melange::Desk;

/// What is left of a guest is gone within this time.
const GONE: Duration = Duration::from_secs(5);
/// A stopped run ends within this time.
const STOPPING: Duration = Duration::from_secs(10);

#[test]
fn two_at_once_take_turns() -> Result<()> {
    let small = Small::new()?;
    small.recipe("one", "", &format!("sleep 1.5\n{}", writes("one")))?;
    let mut first = small.command(["up", "--json"])?.start()?;
    first.wait_for("… recipe one")?;
    let mut second = small.command(["up", "--json"])?.start()?;
    second.wait_for("another run holds this factory: waiting for it")?;
    let (first, second) = (first.finish()?, second.finish()?);
    ensure!(
        first.status.success() && second.status.success(),
        "{first}{second}"
    );
    let everything = names(&["recipe one", "recipe two", "recipe three", "image small"]);
    ensure!(Report::of(&first)?.with("made") == everything, "{first}");
    ensure!(Report::of(&second)?.with("fresh") == everything, "{second}");
    small.verify_store()
}

#[test]
fn two_first_runs_share_one_key() -> Result<()> {
    let small = Small::new()?;
    // Another factory of the same files: nothing is known yet, not even a key. Both runs must make
    // stage 0's question with the same key, whoever made it; offline they can only refuse.
    for part in ["keys", ".boltworks"] {
        std::fs::remove_dir_all(small.path().join(part))?;
    }
    let runs = [(); 2].map(|()| small.command(["--offline", "up"]).and_then(|up| up.start()));
    for run in runs {
        run?.finish()?.says("offline")?;
    }
    let key = small.path().join("keys/small.rsa.pub");
    let public = std::fs::read_to_string(key)?;
    ensure!(public.contains("PUBLIC KEY"), "no key: {public}");
    Ok(())
}

#[test]
fn a_stopped_run_says_so_and_the_next_finishes() -> Result<()> {
    // Ctrl-C reaches every process of the group, a service manager's stop only the first.
    stop("4711.01", |running| running.signal(Signal::INT))?;
    stop("4711.02", |running| running.signal_group(Signal::INT))?;
    stop("4711.03", |running| running.signal(Signal::TERM))
}

/// Stops a run in the middle of a step that sleeps for so many seconds.
fn stop(seconds: &str, signal: impl Fn(&Running) -> Result<()>) -> Result<()> {
    let (small, running) = sleeping(seconds)?;
    signal(&running)?;
    let since = Instant::now();
    let output = running.finish()?;
    ensure!(since.elapsed() < STOPPING, "it took {:?}", since.elapsed());
    ensure!(
        output.status.code() == Some(130),
        "it should end with 130: {output}"
    );
    output.says("run the same command again")?;
    wait_until_gone(seconds)?;
    finishes(&small)
}

/// Whatever runs a step: it ends with the same code and one line, for either signal.
#[test]
fn every_command_that_is_stopped_ends_alike() -> Result<()> {
    let desk = Desk::new()?;
    let script = |seconds: &str| format!("test -e quick || sleep {seconds}");
    let text = recipe("naps", "", &script("4711.11"));
    let test = format!(
        "test:\n  environment: {{ contents: {{ packages: [shell] }} }}\n  pipeline:\n    - runs: {}\n",
        script("4711.12")
    );
    std::fs::write(desk.path("recipes/naps.yaml"), text + &test)?;
    std::fs::create_dir(desk.path("quick"))?;
    std::fs::write(desk.path("quick/quick"), "")?;
    let build = "build recipes/naps.yaml --out-dir packages";
    let ended = |command: Command, seconds: &str, signal: Signal| {
        let running = command.start()?;
        wait_until_asleep(seconds, &running)?;
        running.signal(signal)?;
        let output = running.finish()?;
        ensure!(output.status.code() == Some(130), "{output}");
        let last = output.stderr.lines().last().unwrap_or_default();
        ensure!(last.starts_with("stopped on request: "), "{output}");
        ensure!(!output.stderr.contains("error:"), "{output}");
        wait_until_gone(seconds)
    };
    ended(desk.with_os(build), "4711.11", Signal::INT)?;
    ended(desk.with_os(build), "4711.11", Signal::TERM)?;
    desk.with_os(&format!("{build} --source-dir quick")).ok()?;
    let test = "test recipes/naps.yaml -r packages --ignore-signatures";
    ended(desk.with_os(test), "4711.12", Signal::INT)?;
    let again = "rebuild packages/x86_64/naps-1-r0.apk --out-dir again";
    ended(desk.with_os(again), "4711.11", Signal::TERM)?;

    let small = Small::new()?;
    small.recipe("one", "", "sleep 4711.13")?;
    let build = small.command(["build", "recipes/one.yaml"])?;
    ended(build, "4711.13", Signal::INT)
}

#[test]
fn a_killed_run_takes_its_guests_along() -> Result<()> {
    let (small, running) = sleeping("4711.04")?;
    running.signal(Signal::KILL)?;
    ensure!(running.finish()?.was_killed(), "it lives");
    wait_until_gone("4711.04")?;
    finishes(&small)
}

/// A run whose first step sleeps, after another recipe was made.
fn sleeping(seconds: &str) -> Result<(Small, Running)> {
    let small = Small::new()?;
    small.recipe("one", "two", &format!("sleep {seconds}"))?;
    let up = small.command(["up", "--jobs", "1"])?.group();
    let mut running = up.start()?;
    running.wait_for("✓ recipe two")?;
    running.wait_for("… recipe one")?;
    wait_until_asleep(seconds, &running)?;
    Ok((small, running))
}

fn wait_until_asleep(seconds: &str, running: &Running) -> Result<()> {
    let since = Instant::now();
    while sleepers(seconds)? == 0 {
        ensure!(
            since.elapsed() < STOPPING,
            "the step never sleeps: {}",
            running.said()?
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// With the step cured, only what was not finished is made.
fn finishes(small: &Factory) -> Result<()> {
    let text = recipe("one", "two", &writes("one"));
    small.write("recipes/one.yaml", &text)?;
    let report = small.up()?;
    ensure!(report.with("failed").is_empty(), "{}", report.document());
    ensure!(
        !report.with("made").contains("recipe two"),
        "{}",
        report.document()
    );
    small.verify_store()
}

fn wait_until_gone(seconds: &str) -> Result<()> {
    let since = Instant::now();
    while sleepers(seconds)? > 0 {
        ensure!(
            since.elapsed() < GONE,
            "the guest's process survives its run"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Processes on this machine that sleep for so many seconds.
fn sleepers(seconds: &str) -> Result<usize> {
    let wanted = format!("sleep\0{seconds}\0");
    let mut count = 0;
    for entry in std::fs::read_dir("/proc").context("no processes to look at")? {
        let line = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        count += usize::from(line == wanted.as_bytes());
    }
    Ok(count)
}
