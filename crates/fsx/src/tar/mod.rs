//! Tar archives: a strict reader and a deterministic writer (POSIX.1-2001 pax and ustar).

mod entry;
mod header;
mod pax;
mod reader;
mod writer;

use std::collections::BTreeMap;

pub use reader::{Policy, Reader, read_tree};
pub use writer::{Names, Owner, Writer};

use crate::{Content, Kind, Meta, Node, RelPath};

/// What an archive's entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Dir,
    /// A regular file; its bytes follow.
    File,
    /// A symbolic link to these bytes.
    Symlink(Vec<u8>),
    /// Another name of an earlier entry.
    Hardlink(RelPath),
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// One entry of an archive, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path, without `./` in front or `/` at the end.
    pub path: RelPath,
    /// The attributes.
    pub meta: Meta,
    /// What it is.
    pub kind: EntryKind,
    /// How many bytes follow: 0 for anything but a file.
    pub size: u64,
    /// Where its bytes begin in the archive.
    pub offset: u64,
    /// The owner's name, if the archive gives one.
    pub uname: Vec<u8>,
    /// The group's name, if the archive gives one.
    pub gname: Vec<u8>,
    /// Its PAX records, global ones included.
    pub pax: BTreeMap<String, Vec<u8>>,
}

impl Entry {
    /// The entry as a tree's node; the content is used for files only.
    pub fn into_node(self, content: impl FnOnce() -> Content) -> Node {
        let kind = match self.kind {
            EntryKind::Dir => Kind::Dir,
            EntryKind::File => Kind::File(content()),
            EntryKind::Symlink(target) => Kind::Symlink(target),
            EntryKind::Hardlink(target) => Kind::Hardlink(target),
            EntryKind::CharDevice { major, minor } => Kind::CharDevice { major, minor },
            EntryKind::BlockDevice { major, minor } => Kind::BlockDevice { major, minor },
            EntryKind::Fifo => Kind::Fifo,
        };
        Node {
            meta: self.meta,
            kind,
        }
    }
}
