//! Where a file's bytes are.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::{Limit, RelPath, Root};

/// The bytes of a regular file, wherever they are.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// A part of an open file.
    Span {
        /// The open file; it is read at positions, so clones do not disturb each other.
        file: Arc<File>,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
    /// A file on disk, opened when it is read.
    Path {
        /// The directory it is beneath.
        root: Arc<Root>,
        /// Where.
        path: RelPath,
        /// How long it was when it was found; another length is an error.
        len: u64,
    },
}

impl Content {
    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Span { len, .. } | Self::Path { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader that gives exactly [`Content::len`] bytes, or an error.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        todo!()
    }

    /// Writes exactly [`Content::len`] bytes.
    pub fn copy_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let _ = out;
        todo!()
    }

    /// All bytes, if they are no more than the limit.
    pub fn read_vec(&self, limit: Limit) -> io::Result<Vec<u8>> {
        let _ = limit;
        todo!()
    }

    /// The first bytes, at most so many: to tell what a file is.
    pub fn read_head(&self, count: usize) -> io::Result<Vec<u8>> {
        let _ = count;
        todo!()
    }
}
