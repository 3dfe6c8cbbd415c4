//! A full disk, and a state folder that cannot be written: a clear error, and nothing corrupt.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use boltworks_tests::layout::hashes;
use boltworks_tests::program::program;
use boltworks_tests::small::Small;
use boltworks_tests::tools::{as_ordinary_user, give_to_ordinary_user, need};
use boltworks_tests::{Command, Factory};

/// Room on the small disk beside the factory as it is, in MiB; a run needs about sixty.
const ROOM: &[u32] = &[0, 1, 4, 16, 32, 48];
/// The size of the small disk.
const DISK: &str = "size=256m";

#[test]
fn a_full_disk_is_a_clear_error_and_hurts_nothing() -> Result<()> {
    let small = Small::new()?;
    let disk = small.folder().path().join("disk");
    let (sleeper, inside) = private_disk(&disk)?;
    let run = |words: &[&str]| Command::new(words[0]).args(&words[1..]).through(&inside);
    let place = disk.join("factory");
    run(&["cp", "-a"]).arg(small.path()).arg(&place).ok()?;
    let factory = Factory::at(&place).through(&inside);
    for room in ROOM {
        let filler = disk.join("filler");
        let free = run(&["df", "--output=avail", "-k"]).arg(&disk).ok()?;
        let free: u32 = free
            .stdout
            .lines()
            .last()
            .unwrap_or_default()
            .trim()
            .parse()?;
        let fill = format!("{}KiB", free.saturating_sub(room * 1024).max(1));
        run(&["fallocate", "--length", &fill]).arg(&filler).ok()?;
        let output = factory.command(["up"])?.fails(1)?;
        let words = ["No space left on device", "the disk is full"];
        ensure!(
            words.iter().any(|words| output.says(words).is_ok()),
            "{output}"
        );
        run(&["rm"]).arg(&filler).ok()?;
        factory.verify_store()?;
    }
    let report = factory.up()?;
    ensure!(report.with("failed").is_empty(), "{}", report.document());
    factory.verify_store()?;
    small.up()?;
    ensure!(
        factory.channels()? == small.channels()?,
        "the result is another one"
    );
    drop(sleeper);
    Ok(())
}

/// A small disk that only programs run through the given words see; gone with the first value.
fn private_disk(at: &Path) -> Result<(boltworks_tests::Running, Vec<String>)> {
    Command::new("mkdir").arg(at).ok()?;
    let mount = format!(
        "{} -t tmpfs -o {DISK} tmpfs \"$0\" && echo mounted >&2 && exec sleep 600",
        need("mount")?.display()
    );
    let mut words = vec!["--mount"];
    if !rustix::process::geteuid().is_root() {
        words.extend(["--user", "--map-root-user"]);
    }
    let mut sleeper = Command::new(need("unshare")?)
        .args(&words)
        .args(["sh", "-c", &mount])
        .arg(at)
        .start()?;
    sleeper.wait_for("mounted")?;
    let pid = sleeper.pid()?.as_raw_nonzero();
    let mut inside = vec![need("nsenter")?.display().to_string()];
    inside.extend([format!("--target={pid}"), "--mount".to_owned()]);
    if words.len() > 1 {
        inside.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
    }
    Ok((sleeper, inside))
}

#[test]
fn a_state_folder_that_cannot_be_written_is_a_clear_error() -> Result<()> {
    let small = Small::new()?;
    let user = as_ordinary_user()?;
    let copy = small.folder().path().join("boltworks");
    Command::new("cp").arg(program()?).arg(&copy).ok()?;
    give_to_ordinary_user(&small.path().join("keys"))?;
    Command::new("chmod")
        .args(["-R", "a-w"])
        .arg(small.state())
        .ok()?;
    let before = state(&small)?;
    let factory = small.factory.clone().by(&copy).through(&user);
    let recipe = small.path().join("recipes/one.yaml").display().to_string();
    for words in [&["up"][..], &["plan"], &["build", &recipe], &["stage0"]] {
        let output = factory.command(words)?.run()?;
        ensure!(
            matches!(output.status.code(), Some(1..=3)),
            "{words:?}: {output}"
        );
        output.says("Permission denied")?;
        output.says(".boltworks")?;
    }
    ensure!(state(&small)? == before, "something was written");
    Command::new("chmod")
        .args(["-R", "u+w"])
        .arg(small.state())
        .ok()?;
    Ok(())
}

/// The state folder's files. A reader of the records may touch its shared memory, which is not state.
fn state(factory: &Factory) -> Result<BTreeMap<String, String>> {
    let mut files = hashes(&factory.state())?;
    files.retain(|name, _| !name.ends_with("-shm"));
    Ok(files)
}
