//! The deterministic writer.

use std::io::Write;

use crate::{Error, Node, RelPath, Tree};

/// What stands in the fields for the names of owner and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Nothing.
    #[default]
    Empty,
    /// `root`, whatever the number.
    Root,
}

/// Writes an archive: the same entries give the same bytes.
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
    names: Names,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub fn new(inner: W) -> Self {
        Self { inner, names: Names::Empty }
    }

    /// Begins an archive with names of owner and group.
    pub fn with_names(inner: W, names: Names) -> Self {
        Self { inner, names }
    }

    /// Writes an entry: ustar when it fits, a PAX header in front otherwise, which also carries
    /// extended attributes (`SCHILY.xattr.…`) and the extra records.
    pub fn append(
        &mut self,
        path: &RelPath,
        node: &Node,
        extra_pax: &[(String, Vec<u8>)],
    ) -> Result<(), Error> {
        let _ = (path, node, extra_pax, &self.inner, self.names);
        todo!()
    }

    /// Writes all nodes of a tree in byte order.
    pub fn append_tree(&mut self, tree: &Tree) -> Result<(), Error> {
        tree.iter().try_for_each(|(path, node)| self.append(path, node, &[]))
    }

    /// Ends the archive with two blocks of zeros.
    pub fn finish_with_end(self) -> Result<W, Error> {
        todo!()
    }

    /// Ends the archive without the two blocks of zeros, as parts that are concatenated need it.
    pub fn finish_without_end(self) -> Result<W, Error> {
        todo!()
    }
}
