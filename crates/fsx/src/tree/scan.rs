//! A directory on disk as a tree.

use std::sync::Arc;

use super::{Ownership, Tree};
use crate::{Error, Root};

/// How a directory is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanOptions {
    /// Whose the files are in the tree.
    pub ownership: Ownership,
    /// Whether extended attributes are left out.
    pub skip_xattrs: bool,
}

impl Tree {
    /// Reads all names and attributes beneath a directory; contents stay on disk. The names of
    /// one inode become hard links to the first of them in byte order. Sockets are refused.
    pub fn read_from(root: &Arc<Root>, options: ScanOptions) -> Result<Self, Error> {
        let _ = (root, options);
        todo!()
    }
}
