//! What a kill leaves: the next run finishes, the store is whole, nothing acknowledged is built
//! again, and the result is the one that an undisturbed run gives, to the bit.
//!
//! `strace` kills the first thread that begins a system call for the n-th time; it counts for each
//! thread. So a traced run is made first, and the counts are read from it. `make test` takes a
//! few positions of every call; `BOLTWORKS_CRASH_EVERY=k` takes every k-th, 1 takes all.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::small::{Small, writes};
use boltworks_tests::trace::{Call, killed_at, parse, traced};
use boltworks_tests::{Factory, Output, Report};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::durable::Durability;

/// Every call that changes something on disk.
const WRITES: &[&str] = &[
    "copy_file_range",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fdatasync",
    "fsync",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "openat",
    "openat2",
    "pwrite64",
    "pwritev",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "symlinkat",
    "sync_file_range",
    "syncfs",
    "unlink",
    "unlinkat",
    "utimensat",
    "write",
    "writev",
];

/// How often a run with two workers is killed at a random time.
const RANDOM: usize = 20;
/// More than are made by one worker before another one begins.
const IMAGES: usize = 24;
/// An undisturbed run takes no longer.
const UP: Duration = Duration::from_secs(3);

/// A factory before a run, and what the run gives when nobody disturbs it.
struct Case {
    small: Small,
    channels: BTreeMap<String, String>,
    calls: Vec<Call>,
    elapsed: Duration,
    fastest: Cell<Duration>,
    few: usize,
}

impl Case {
    /// Lets a copy of the factory run: once undisturbed, once traced. `few` positions of each call
    /// are taken where nothing else is said.
    fn of(small: Small, few: usize) -> Result<Self> {
        let (_folder, copy) = small.copy()?;
        let output = copy.command(["up", "--jobs", "1", "--json"])?.ok()?;
        let made = Report::of(&output)?.with("made");
        ensure!(!made.is_empty(), "nothing was to do: {output}");
        let channels = copy.channels()?;
        let (folder, copy) = small.copy()?;
        let trace = folder.path().join("trace");
        traced(copy.command(["up", "--jobs", "1"])?, WRITES, &trace)?.ok()?;
        ensure!(copy.channels()? == channels, "two runs differ");
        let calls = parse(&std::fs::read_to_string(trace)?)?;
        Ok(Self {
            small,
            channels,
            calls,
            elapsed: output.elapsed,
            fastest: Cell::new(output.elapsed),
            few,
        })
    }

    /// Where the program can be killed: call and number, with those left out at which the first
    /// thread that gets there only reads.
    fn positions(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut counts: BTreeMap<(u32, &str), usize> = BTreeMap::new();
        let mut highest: BTreeMap<&str, usize> = BTreeMap::new();
        let mut positions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for call in &self.calls {
            let count = counts.entry((call.thread, &call.name)).or_default();
            *count += 1;
            let highest = highest.entry(&call.name).or_default();
            if *count > *highest {
                *highest = *count;
                if call.is_write() {
                    positions.entry(&call.name).or_default().push(*count);
                }
            }
        }
        positions
    }

    /// Kills a run at each of some positions, and lets the next one finish.
    fn kill_and_finish(&self, every: Option<usize>) -> Result<usize> {
        let mut count = 0;
        for (call, positions) in self.positions() {
            let step = every
                .unwrap_or_else(|| positions.len().div_ceil(self.few))
                .max(1);
            // From the middle of the first stretch: the first call of a run is the dullest.
            for n in positions.iter().skip(step / 2).step_by(step) {
                self.kill_at(call, *n)
                    .with_context(|| format!("killed at {call} number {n}"))?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn kill_at(&self, call: &str, n: usize) -> Result<()> {
        let (_folder, copy) = self.small.copy()?;
        let killed = killed_at(copy.command(["up", "--jobs", "1"])?, call, n)?.run()?;
        ensure!(killed.was_killed(), "the run was not killed: {killed}");
        self.finish(&copy, &killed)
    }

    /// Kills a run with two workers after a share of the time that an undisturbed one takes.
    fn kill_after(&self, share: f64) -> Result<()> {
        let mut delay = self.elapsed.mul_f64(share);
        loop {
            let (_folder, copy) = self.small.copy()?;
            let running = copy.command(["up", "--jobs", "2"])?.start()?;
            std::thread::sleep(delay);
            running.signal(Signal::KILL)?;
            let killed = running.finish()?;
            if killed.was_killed() {
                return self.finish(&copy, &killed);
            }
            // It was faster than that: every run has to die.
            delay = delay.mul_f64(0.7);
        }
    }

    /// The next run after a killed one.
    fn finish(&self, copy: &Factory, killed: &Output) -> Result<()> {
        let known = copy.fresh()?;
        for subject in acknowledged(killed) {
            ensure!(
                known.contains(&subject),
                "'{subject}' was acknowledged and is lost: {killed}"
            );
        }
        let recorded = records(copy, &known)?;
        let output = copy.command(["up", "--json"])?.ok()?;
        let report = Report::of(&output)?;
        if known.is_empty() {
            self.fastest.set(self.fastest.get().min(output.elapsed));
        }
        ensure!(
            records(copy, &known)? == recorded,
            "what was recorded changed after {killed}"
        );
        let again: BTreeSet<_> = report.with("made").intersection(&known).cloned().collect();
        ensure!(again.is_empty(), "{again:?} were made again after {killed}");
        ensure!(report.with("failed").is_empty(), "{}", report.document());
        copy.verify_store()?;
        ensure!(
            copy.channels()? == self.channels,
            "the result is another one"
        );
        let left = leftovers(copy)?;
        ensure!(left.is_empty(), "left behind: {left:?}");
        Ok(())
    }
}

/// Action and time of the newest artifact of each recipe.
fn records(factory: &Factory, subjects: &BTreeSet<String>) -> Result<BTreeMap<String, Value>> {
    let recipes = subjects
        .iter()
        .filter_map(|subject| subject.strip_prefix("recipe "));
    recipes
        .map(|name| {
            let newest = factory.explain(name)?.remove(0);
            let record = json!([newest["action"], newest["finished"], newest["artifact"]]);
            Ok((name.to_owned(), record))
        })
        .collect()
}

/// What a run said it had made before it was killed.
fn acknowledged(killed: &Output) -> BTreeSet<String> {
    let lines = killed
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("✓ "));
    let subjects = lines.filter_map(|line| line.split_once(": made").map(|(subject, _)| subject));
    // The first of a series stands for all of it: they become durable together.
    let first = |subject: &str| match subject.split_once(" and ") {
        Some((first, more)) if more.ends_with(" more") => first.to_owned(),
        _ => subject.to_owned(),
    };
    subjects.map(first).collect()
}

/// Workspaces and temporary files that nobody needs any more.
fn leftovers(factory: &Factory) -> Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for folder in ["builds", "scratch"] {
        left.extend(entries(&factory.state().join(folder))?);
    }
    let trees = entries(&factory.state().join("trees"))?;
    left.extend(
        trees
            .into_iter()
            .filter(|path| name(path).starts_with("new-")),
    );
    Ok(left)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Nothing made but stage 0: the environment is laid out, everything is built, channels are new.
fn from_nothing() -> Result<Case> {
    Case::of(Small::new()?, 1)
}

/// Everything was made once and one recipe has changed since: what is released moves.
fn from_a_release() -> Result<Case> {
    let small = Small::new()?;
    small.up()?;
    small.recipe("two", "", &writes("other"))?;
    Case::of(small, 3)
}

/// Many images stand upon one package that has changed: they are made, recorded and released in series.
fn from_many_images() -> Result<Case> {
    let small = Small::new()?;
    let mut channels = "channels:\n".to_owned();
    for number in 0..IMAGES {
        let image = format!(
            "contents: {{ packages: [one, two] }}\ncmd: /bin/say {number}\narchs: [x86_64]\n"
        );
        small.write(&format!("images/many-{number}.yaml"), &image)?;
        channels.extend([format!(
            "  \"many-{number}:1\": {{ image: many-{number} }}\n"
        )]);
    }
    small.edit("boltworks.yaml", "channels:\n", &channels)?;
    small.up()?;
    small.recipe("two", "", &writes("other"))?;
    Case::of(small, 1)
}

fn every() -> Result<Option<usize>> {
    let given = std::env::var("BOLTWORKS_CRASH_EVERY").ok();
    Ok(given.map(|text| text.parse()).transpose()?)
}

#[test]
fn every_killed_run_is_finished_by_the_next() -> Result<()> {
    let case = from_nothing()?;
    let count = case.kill_and_finish(every()?)?;
    // On a busy machine one run says little.
    let fastest = case.fastest.get();
    ensure!(fastest < UP, "an undisturbed run takes {fastest:?}");
    ensure!(count >= 10, "only {count} runs were killed");
    Ok(())
}

#[test]
fn every_killed_run_after_a_release_is_finished_by_the_next() -> Result<()> {
    let count = from_a_release()?.kill_and_finish(every()?)?;
    ensure!(count >= 20, "only {count} runs were killed");
    Ok(())
}

#[test]
fn many_images_of_a_killed_run_are_finished_by_the_next() -> Result<()> {
    let case = from_many_images()?;
    ensure!(case.channels.len() > IMAGES, "{:?}", case.channels);
    let count = case.kill_and_finish(every()?)?;
    ensure!(count >= 10, "only {count} runs were killed");
    for tenth in [3, 5, 7, 9_u32] {
        let share = f64::from(tenth) / 10.0;
        case.kill_after(share)
            .with_context(|| format!("killed after {tenth} tenths"))?;
    }
    Ok(())
}

#[test]
fn two_workers_killed_at_any_time_are_finished_by_the_next() -> Result<()> {
    let cases = [from_nothing()?, from_a_release()?];
    let mut random = 0x5eed_u64;
    for (round, case) in cases.iter().cycle().take(RANDOM).enumerate() {
        // Knuth's generator: times differ, and are the same in every test run.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = f64::from(u32::try_from(random >> 32)?) / f64::from(u32::MAX);
        case.kill_after(share)
            .with_context(|| format!("round {round}"))?;
    }
    Ok(())
}

#[test]
fn what_is_renamed_was_synced() -> Result<()> {
    for case in [from_nothing()?, from_a_release()?, from_many_images()?] {
        let durability = Durability::of(&case.calls);
        ensure!(
            durability.faults.is_empty(),
            "{}",
            durability.faults.join("\n")
        );
        ensure!(
            durability.renames >= 5 && durability.acknowledgements >= 2,
            "{durability:?}"
        );
    }
    Ok(())
}
