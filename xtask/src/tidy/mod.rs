//! The tidy test: what prose and structure claim, proven.
//!
//! Each check is a function from the repository to a list of faults; all are run, and all faults
//! are shown.

#![expect(
    clippy::disallowed_methods,
    reason = "a chore reads files and starts programs itself"
)]

mod dependencies;
mod documents;
mod rooms;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What every check looks at.
pub(crate) struct Repository {
    /// Its folder.
    pub(crate) root: PathBuf,
    /// The files git knows, relative to the folder.
    pub(crate) files: Vec<PathBuf>,
    /// `cargo metadata` of the workspace.
    pub(crate) metadata: Value,
}

impl Repository {
    fn open(root: &Path) -> Result<Self> {
        let listing = output(
            root,
            "git",
            &[
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
        )?;
        let mut files: Vec<PathBuf> = listing
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            .collect();
        files.retain(|file| root.join(file).is_file());
        files.sort();
        let metadata = output(
            root,
            "cargo",
            &["metadata", "--format-version", "1", "--locked"],
        )?;
        Ok(Self {
            root: root.to_owned(),
            files,
            metadata: serde_json::from_str(&metadata).context("cargo metadata")?,
        })
    }

    /// The text of a tracked file; empty where it is not UTF-8.
    pub(crate) fn text(&self, file: &Path) -> String {
        std::fs::read(self.root.join(file))
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// The tracked files with this ending.
    pub(crate) fn with_ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a Path> {
        self.files
            .iter()
            .map(PathBuf::as_path)
            .filter(move |file| file.extension().is_some_and(|found| found == ending))
    }
}

/// A check: from the repository to its faults.
type Check = fn(&Repository) -> Vec<String>;

/// Runs every check.
pub(crate) fn run(root: &Path) -> Result<()> {
    let repository = Repository::open(root)?;
    let checks: &[(&str, Check)] = &[
        ("rooms", rooms::check),
        ("dependencies", dependencies::check),
        ("sources", sources::check),
        ("documents", documents::check),
    ];
    let mut faults = Vec::new();
    for (name, check) in checks {
        faults.extend(
            check(&repository)
                .into_iter()
                .map(|fault| format!("{name}: {fault}")),
        );
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{}\ntidy: {} faults", faults.join("\n"), faults.len());
}

pub(crate) fn output(root: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .with_context(|| format!("start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
