//! The binary under test, found or built; the repository's own files.
//!
//! Cargo tells a test of the program's own package where the program is, but not a test of
//! another package. So: the tests run from `target/<profile>/deps`, and the program lies one folder
//! above. `cargo test --workspace` puts it there, because the package `boltworks-cli` has tests of
//! its own. Where it is missing, or older than a file it was made from (cargo writes that list to
//! `boltworks.d` beside it), `cargo build` makes it, in the same target folder and profile.
//! `BOLTWORKS_PROGRAM` names another program to test, as it is.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow};

use crate::Command;

/// Compiling everything takes that long at most.
const COMPILING: Duration = Duration::from_mins(20);

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The program under test.
pub fn program() -> Result<&'static Path> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    match found {
        Ok(path) => Ok(path),
        Err(reason) => Err(anyhow!("there is no program to test: {reason}")),
    }
}

/// The folder that cargo builds into: `target`.
pub fn target() -> Result<PathBuf> {
    let folder = profile_folder()?;
    Ok(folder.parent().context("no target folder")?.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests look around before they start"
)]
fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("BOLTWORKS_PROGRAM") {
        return Ok(std::fs::canonicalize(path)?);
    }
    let folder = profile_folder()?;
    let program = folder.join("boltworks");
    if is_stale(&program).unwrap_or(true) {
        build(&folder)?;
    }
    Ok(program)
}

/// `target/<profile>`.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests look around before they start"
)]
fn profile_folder() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent);
    Ok(folder.context("this test runs from nowhere")?.to_owned())
}

/// Whether a file it was made from is newer.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests look around before they start"
)]
fn is_stale(program: &Path) -> Result<bool> {
    let made = std::fs::metadata(program)?.modified()?;
    let list = std::fs::read_to_string(program.with_extension("d"))?;
    let (_, sources) = list.split_once(": ").context("no list of sources")?;
    // Spaces in names are written as "\ ".
    let sources = sources.trim_end().replace("\\ ", "\0");
    let newest: Option<SystemTime> = sources
        .split(' ')
        .map(|name| std::fs::metadata(name.replace('\0', " ")).and_then(|about| about.modified()))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .max();
    Ok(newest.is_some_and(|newest| newest > made))
}

#[expect(clippy::disallowed_methods, reason = "cargo says which cargo it is")]
fn build(profile_folder: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = profile_folder.parent().context("no target folder")?;
    let mut command = Command::new(cargo)
        .args(["build", "--locked", "--quiet", "--package", "boltworks-cli"])
        .env("CARGO_TARGET_DIR", target)
        .dir(repository())
        .limit(COMPILING);
    if profile_folder
        .file_name()
        .is_some_and(|name| name == "release")
    {
        command = command.arg("--release");
    }
    command.ok()?;
    Ok(())
}
