//! A tree laid out on disk.

use super::{Ownership, Tree};
use crate::{Error, Root};

/// How a tree is laid out.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Whose the files are on disk.
    pub ownership: Ownership,
    /// Whether device nodes are made; otherwise one is an error.
    pub devices: bool,
    /// Whether extended attributes are left out.
    pub skip_xattrs: bool,
    /// Whether everything is durable at the end.
    pub sync: bool,
}

impl Tree {
    /// Makes everything beneath a directory. Directories may be there already; anything else is
    /// an error of kind `AlreadyExists`. Directories that the tree leaves out get mode `0o755`.
    pub fn write_to(&self, root: &Root, options: WriteOptions) -> Result<(), Error> {
        let _ = (root, options);
        todo!()
    }
}
