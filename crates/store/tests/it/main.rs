//! The store through its public methods, on real files.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "these tests damage files and kill processes"
)]

mod blobs;
mod crash;
mod disk;

use std::path::PathBuf;

use boltworks_fsx::Root;
use boltworks_model::Sha256;
use boltworks_store::Store;
use tempfile::TempDir;

/// A folder that goes away, and a fresh store in it.
fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = reopened(&folder);
    (folder, store)
}

/// The same store as another process would see it.
fn reopened(folder: &TempDir) -> Store {
    Store::open(&Root::open(folder.path()).unwrap()).unwrap()
}

fn file_of(folder: &TempDir, digest: &Sha256) -> PathBuf {
    folder.path().join("blobs/sha256").join(digest.to_string())
}

/// The names in the blobs' directory.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
