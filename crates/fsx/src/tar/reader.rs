//! The strict reader.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use super::Entry;
use crate::{Error, Limit, Tree};

/// What an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How many entries.
    pub max_entries: u64,
    /// How many bytes one file has.
    pub max_file: Limit,
    /// How many bytes the whole archive has, headers included.
    pub max_total: Limit,
    /// How many bytes the extended headers of one entry have.
    pub max_extended: Limit,
    /// Whether device nodes are taken; otherwise one is an error.
    pub devices: bool,
    /// Whether a path may come twice; otherwise that is an error.
    pub duplicates: bool,
    /// Whether the archive must end in two blocks of zeros, and not just end.
    pub end_required: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_entries: 1_000_000,
            max_file: Limit::gib(16),
            max_total: Limit::gib(64),
            max_extended: Limit::mib(1),
            devices: false,
            duplicates: false,
            end_required: false,
        }
    }
}

/// Reads an archive entry by entry. As a [`Read`] it gives the bytes of the current entry.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    policy: Policy,
}

impl<R: Read> Reader<R> {
    /// Reads an archive from its beginning.
    pub fn new(inner: R, policy: Policy) -> Self {
        Self { inner, policy }
    }

    /// Goes to the next entry, past what was not read of the current one. `None` at the end,
    /// which is checked: nothing but zeros follows.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        let _ = (&self.inner, &self.policy);
        todo!()
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _ = buffer;
        todo!()
    }
}

/// Reads a whole uncompressed archive on disk into a tree whose contents stay in the file.
pub fn read_tree(file: &Arc<File>, policy: Policy) -> Result<Tree, Error> {
    let _ = (file, policy);
    todo!()
}
