//! Files that appear whole and durable, or not at all.

use std::io::{self, Write};

use crate::Error;

/// Proof that something survives a crash from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable(());

/// A file under a temporary name (`.tmp-…`) in the directory where it is to be. Dropped without
/// a commit, it is gone.
#[derive(Debug)]
pub struct Draft {}

impl Draft {
    /// Syncs the file, gives it its name (replacing what had it), syncs the directory.
    pub fn commit(self) -> Result<Durable, Error> {
        todo!()
    }

    /// Like [`Draft::commit`], but an error of kind `AlreadyExists` where something has the name.
    pub fn commit_new(self) -> Result<Durable, Error> {
        todo!()
    }

    /// Changes the name it will have, in the same directory.
    pub fn rename_to(&mut self, name: &[u8]) -> Result<(), Error> {
        let _ = name;
        todo!()
    }

    /// The open file, for reading back or for metadata.
    pub fn file(&self) -> &std::fs::File {
        todo!()
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = bytes;
        todo!()
    }

    fn flush(&mut self) -> io::Result<()> {
        todo!()
    }
}

/// Commits many drafts: all files are synced, then all renamed, then each directory synced once.
pub fn commit_all(drafts: Vec<Draft>) -> Result<Durable, Error> {
    let _ = drafts;
    todo!()
}
