//! Whether a traced run wrote in an order that a power cut cannot hurt.
//!
//! | what | rule |
//! |---|---|
//! | a name is given (`rename`) | every byte beneath the old name was synced before |
//! | an action is acknowledged (its transaction is synced) | the folder of every name given or made before was synced after it |
//!
//! A thread acknowledges what it named itself, and what was named by those that acknowledge nothing: of
//! what another one is about to acknowledge it says nothing.
//!
//! Three folders are excused: `builds`, whose content is thrown away at the start of the next
//! build, the names in `trees/pool`, which are made again where they are missing, and `choices`,
//! whose notes are held against their digests when they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use boltworks_tests::trace::{Call, parse};

/// The file whose sync acknowledges.
const JOURNAL: &str = "records.sqlite-wal";

/// Everything in the trace that breaks a rule; the number of names given, too.
#[derive(Debug, Default)]
pub(crate) struct Durability {
    unsynced_files: BTreeSet<PathBuf>,
    /// Each with the thread that gave it.
    unsynced_names: BTreeMap<PathBuf, u32>,
    /// Those that acknowledge something.
    acknowledging: BTreeSet<u32>,
    /// What breaks a rule.
    pub(crate) faults: Vec<String>,
    /// How many names were given.
    pub(crate) renames: usize,
    /// How many times something was acknowledged.
    pub(crate) acknowledgements: usize,
}

impl Durability {
    /// Judges a trace.
    pub(crate) fn of(calls: &[Call]) -> Self {
        let calls = || calls.iter().filter(|call| !call.has_failed());
        let syncs = calls().filter(|call| matches!(call.name.as_str(), "fsync" | "fdatasync"));
        let acknowledging = syncs.filter(|call| call.file(0).is_some_and(|file| is_journal(&file)));
        let mut durability = Self {
            acknowledging: acknowledging.map(|call| call.thread).collect(),
            ..Self::default()
        };
        for call in calls() {
            durability.take(call);
        }
        durability
    }

    fn take(&mut self, call: &Call) {
        match call.name.as_str() {
            "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" | "fallocate"
            | "sendfile" => {
                self.wrote(call.file(0));
            }
            "copy_file_range" => self.wrote(call.file(1)),
            "mkdirat" => self.named(call.path(0), call.thread),
            "openat" | "openat2" if call.is_write() => self.named(call.path(0), call.thread),
            "rename" | "renameat" | "renameat2" => self.renamed(call),
            "fsync" | "fdatasync" => self.synced(call.file(0), call.thread),
            "syncfs" => {
                self.unsynced_files.clear();
                self.unsynced_names.clear();
            }
            _ => {}
        }
    }

    fn wrote(&mut self, file: Option<PathBuf>) {
        self.unsynced_files
            .extend(file.filter(|path| is_state(path)));
    }

    /// A name begins to be there.
    fn named(&mut self, path: Option<PathBuf>, thread: u32) {
        if let Some(path) = path.filter(|path| is_state(path) && !is_draft(path)) {
            self.unsynced_names.insert(path, thread);
        }
    }

    fn renamed(&mut self, call: &Call) {
        let (Some(from), Some(to)) = (call.path(0), call.path(1)) else {
            self.faults.push(format!("cannot be judged: {call:?}"));
            return;
        };
        if !is_state(&to) {
            return;
        }
        self.renames += 1;
        let beneath = |path: &&PathBuf| path.starts_with(&from);
        for path in self.unsynced_files.iter().filter(beneath) {
            let name = to.display();
            self.faults.push(format!(
                "{} was not synced when {name} was named",
                path.display()
            ));
        }
        self.unsynced_names
            .retain(|path, _| !path.starts_with(&from));
        self.named(Some(to), call.thread);
    }

    fn synced(&mut self, file: Option<PathBuf>, thread: u32) {
        let Some(file) = file else { return };
        let was_written = self.unsynced_files.remove(&file);
        self.unsynced_names
            .retain(|path, _| path.parent() != Some(&file));
        if was_written && is_journal(&file) {
            self.acknowledgements += 1;
            let acknowledging = &self.acknowledging;
            let named = self.unsynced_names.iter();
            let acknowledged =
                named.filter(|(_, by)| **by == thread || !acknowledging.contains(by));
            for (path, _) in acknowledged {
                let folder = path.parent().unwrap_or(path).display();
                let name = path.display();
                self.faults.push(format!(
                    "acknowledged before {folder} was synced, for {name}"
                ));
            }
        }
    }
}

fn is_journal(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == JOURNAL)
}

/// Whether it is part of the factory's state, and not excused.
fn is_state(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let state = text.split_once("/.boltworks/").map(|(_, beneath)| beneath);
    state.is_some_and(|beneath| {
        let excused = ["builds/", "trees/pool/", "choices", "records.sqlite-shm"];
        !text.ends_with("(deleted)") && !excused.iter().any(|excuse| beneath.starts_with(excuse))
    })
}

/// Whether the name is one that nobody looks for after a crash: a draft, or a lock, or a note that
/// is checked when it is read.
fn is_draft(path: &Path) -> bool {
    let text = path.to_string_lossy();
    [
        "/.tmp-",
        "/new-",
        "/locks/",
        "/stock/",
        "/lock",
        "/records.sqlite",
    ]
    .iter()
    .any(|draft| text.contains(draft))
}

#[test]
fn a_name_without_a_sync_is_a_fault() -> Result<()> {
    const NAMED: &str = "1 write(3</f/.boltworks/store/.tmp-1>, \"\", 1) = 1
1 renameat2(4</f/.boltworks/store>, \".tmp-1\", 4</f/.boltworks/store>, \"a\", 0) = 0
";
    let acknowledged = |thread: u32| {
        format!(
            "{thread} write(5</f/.boltworks/records.sqlite-wal>, \"\", 1) = 1
{thread} fsync(5</f/.boltworks/records.sqlite-wal>) = 0
"
        )
    };
    let faults = |threads: &[u32]| {
        let all = threads.iter().map(|thread| acknowledged(*thread));
        let calls = parse(&all.fold(NAMED.to_owned(), |text, more| text + &more))?;
        anyhow::Ok(Durability::of(&calls).faults.len())
    };
    // The bytes, and the name: of who named it, of another one for who acknowledges nothing, and not of
    // another one for who does so later.
    assert_eq!((faults(&[1])?, faults(&[2])?, faults(&[2, 1])?), (2, 2, 2));
    Ok(())
}
