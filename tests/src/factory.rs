//! A factory in a folder, driven through the program.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::program::program;
use crate::{Command, Folder, Output};

/// The longest `up`.
const UP: Duration = Duration::from_mins(12);

/// A factory.
#[derive(Debug, Clone)]
pub struct Factory {
    path: PathBuf,
    program: Option<PathBuf>,
    through: Vec<OsString>,
}

impl Factory {
    /// The factory in this folder.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            program: None,
            through: Vec::new(),
        }
    }

    /// The same factory, driven through another program: as another user, in another namespace.
    #[must_use]
    pub fn through<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, words: I) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        self.through = words.collect();
        self
    }

    /// The same factory, driven by this copy of the program.
    #[must_use]
    pub fn by(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its state folder.
    pub fn state(&self) -> PathBuf {
        self.path.join(".boltworks")
    }

    /// `boltworks` with some arguments, on this factory: in its folder, or told of its file where
    /// the folder may be another one for the program.
    pub fn command<I: IntoIterator<Item: AsRef<OsStr>>>(&self, words: I) -> Result<Command> {
        let program = match &self.program {
            Some(program) => program,
            None => program()?,
        };
        let command = Command::new(program).limit(UP);
        if self.through.is_empty() {
            return Ok(command.dir(&self.path).args(words));
        }
        let file = self.path.join("boltworks.yaml");
        Ok(command
            .arg("--factory")
            .arg(file)
            .args(words)
            .through(&self.through))
    }

    /// `boltworks up`, which must make everything.
    pub fn up(&self) -> Result<Report> {
        Report::of(&self.command(["up", "--json"])?.ok()?)
    }

    /// `boltworks plan`: every recipe and image with its state (`fresh`, `stale`, `pending`,
    /// `blocked`).
    pub fn plan(&self) -> Result<BTreeMap<String, String>> {
        let plan = self.command(["plan", "--json"])?.ok()?.json()?;
        let items = plan["items"].as_array().context("no items")?;
        Ok(items
            .iter()
            .map(|item| (word(item, "subject"), word(item, "state")))
            .collect())
    }

    /// What the plan says is fresh.
    pub fn fresh(&self) -> Result<BTreeSet<String>> {
        let fresh = |(subject, state): (String, String)| (state == "fresh").then_some(subject);
        Ok(self.plan()?.into_iter().filter_map(fresh).collect())
    }

    /// What each channel points at: `sha256:…`.
    pub fn channels(&self) -> Result<BTreeMap<String, String>> {
        let status = self.command(["status", "--json"])?.ok()?.json()?;
        let channels = status["channels"].as_array().context("no channels")?;
        Ok(channels
            .iter()
            .map(|channel| (word(channel, "channel"), word(channel, "digest")))
            .collect())
    }

    /// `boltworks explain`: what the text names, newest first.
    pub fn explain(&self, text: &str) -> Result<Vec<Value>> {
        let explained = self.command(["explain", "--json", text])?.ok()?.json()?;
        Ok(explained.as_array().context("no list")?.clone())
    }

    /// The store is whole, and nobody left a half-written file in it.
    pub fn verify_store(&self) -> Result<()> {
        let report = self.command(["store", "verify", "--json"])?.ok()?.json()?;
        ensure!(
            report["bad"] == serde_json::json!([]),
            "bad blobs: {report}"
        );
        ensure!(
            report["checked"].as_u64() > Some(0),
            "nothing was checked: {report}"
        );
        ensure!(is_nothing(&report["stray"]), "stray files: {report}");
        Ok(())
    }

    /// The file of a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.state().join("store/blobs/sha256").join(hex)
    }

    /// Writes one of the factory's files.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        self.write_bytes(file, text.as_bytes())
    }

    /// Writes one of the factory's files, which may be no text.
    pub fn write_bytes(&self, file: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(file);
        std::fs::create_dir_all(path.parent().context("no folder")?)?;
        std::fs::write(&path, bytes).with_context(|| format!("{} is not written", path.display()))
    }

    /// Replaces a text in one of the factory's files; it must be there exactly once.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let path = self.path.join(file);
        let text = std::fs::read_to_string(&path)?;
        let count = text.matches(from).count();
        ensure!(count == 1, "{file} holds {from:?} {count} times");
        Ok(std::fs::write(&path, text.replace(from, to))?)
    }

    /// Another factory with the same files and state, in a folder beside the first. Finished blobs
    /// and trees are linked, because nobody writes into them; everything else is copied.
    pub fn copy(&self) -> Result<(Folder, Self)> {
        let parent = self.path.parent().context("no folder")?;
        let folder = Folder::inside(parent)?;
        let copy = Self::at(folder.path().join("factory"));
        let links = Command::new("cp")
            .arg("-al")
            .arg(&self.path)
            .arg(&copy.path);
        links.ok()?;
        for changing in ["boltworks.yaml", "recipes", "images", "keys"] {
            unshare(&self.path.join(changing), &copy.path.join(changing))?;
        }
        for entry in std::fs::read_dir(self.state())? {
            let name = entry?.file_name();
            let is_kept = name == "store" || name == "trees";
            if !is_kept {
                unshare(&self.state().join(&name), &copy.state().join(&name))?;
            }
        }
        // A lock is its inode: a linked one would be the other factory's lock.
        let locks = Path::new("trees/locks");
        if self.state().join(locks).exists() {
            unshare(&self.state().join(locks), &copy.state().join(locks))?;
        }
        Ok((folder, copy))
    }
}

/// Replaces linked files by copies.
fn unshare(from: &Path, to: &Path) -> Result<()> {
    Command::new("rm").arg("-rf").arg(to).ok()?;
    Command::new("cp").arg("-a").arg(from).arg(to).ok()?;
    Ok(())
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        other => other.as_u64() == Some(0),
    }
}

/// A text in a JSON object; empty if there is none.
fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// What `boltworks up --json` says.
#[derive(Debug, Clone)]
pub struct Report(Value);

impl Report {
    /// Reads what the program printed, however it ended.
    pub fn of(output: &Output) -> Result<Self> {
        let report = output.json()?;
        ensure!(report["rows"].is_array(), "no report: {output}");
        Ok(Self(report))
    }

    /// The whole document.
    pub const fn document(&self) -> &Value {
        &self.0
    }

    /// Recipes and images with this outcome: `made`, `fresh`, `failed`, `skipped`.
    pub fn with(&self, outcome: &str) -> BTreeSet<String> {
        self.rows()
            .filter(|row| row["outcome"] == outcome)
            .map(|row| word(row, "subject"))
            .collect()
    }

    /// The row of one recipe or image.
    pub fn row(&self, subject: &str) -> Result<&Value> {
        match self.rows().find(|row| row["subject"] == subject) {
            Some(row) => Ok(row),
            None => bail!("there is no row of '{subject}': {}", self.0),
        }
    }

    fn rows(&self) -> impl Iterator<Item = &Value> {
        self.0["rows"].as_array().into_iter().flatten()
    }
}

/// A set of names, for comparing.
pub fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
