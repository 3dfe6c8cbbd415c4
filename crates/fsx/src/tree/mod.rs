//! Files with all their attributes, in memory.

mod bulk;
mod content;
mod lay;
mod scan;

use std::collections::{BTreeMap, BTreeSet};

pub use content::{Content, Opened};
pub use lay::WriteOptions;
pub use scan::ScanOptions;

use crate::{Error, RelPath};

/// Archives name an inode's first name in every link; longer chains than this are made to confuse.
const MAX_LINK_CHAIN: u32 = 40;

/// The attributes of a file, link, directory or device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits with setuid, setgid and sticky (`0o7777`).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Last change of the content, in seconds since 1970.
    pub mtime: i64,
    /// Extended attributes: `security.capability` and the like.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Meta {
    /// Root's, with this mode and time.
    pub const fn new(mode: u32, mtime: i64) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            mtime,
            xattrs: BTreeMap::new(),
        }
    }
}

/// What a path in a tree is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A regular file.
    File(Content),
    /// A symbolic link to these bytes.
    Symlink(Vec<u8>),
    /// Another name of a file in the same tree.
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

impl Kind {
    /// Whether both are the same, and neither has bytes to compare: links that lead to the same,
    /// devices of the same numbers, directories, pipes.
    pub fn is_same_without_bytes(&self, other: &Self) -> bool {
        let device = |kind: &Self| match kind {
            Self::CharDevice { major, minor } | Self::BlockDevice { major, minor } => {
                Some((*major, *minor))
            }
            _ => None,
        };
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && device(self) == device(other)
            && match (self, other) {
                (Self::Symlink(one), Self::Symlink(other)) => one == other,
                (Self::Hardlink(one), Self::Hardlink(other)) => one == other,
                (Self::File(_), _) => false,
                _ => true,
            }
    }
}

/// A path's attributes and content.
#[derive(Debug, Clone)]
pub struct Node {
    /// The attributes.
    pub meta: Meta,
    /// What it is.
    pub kind: Kind,
}

impl Node {
    /// A directory.
    pub const fn dir(meta: Meta) -> Self {
        Self {
            meta,
            kind: Kind::Dir,
        }
    }

    /// A file with bytes at hand.
    pub fn file(meta: Meta, bytes: impl Into<std::sync::Arc<[u8]>>) -> Self {
        Self {
            meta,
            kind: Kind::File(Content::Bytes(bytes.into())),
        }
    }

    /// A symbolic link; its mode is always `0o777`.
    pub fn symlink(meta: Meta, target: impl Into<Vec<u8>>) -> Self {
        Self {
            meta: Meta {
                mode: 0o777,
                ..meta
            },
            kind: Kind::Symlink(target.into()),
        }
    }

    /// Whether it is a directory.
    pub const fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Dir)
    }
}

/// Whose the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ownership {
    /// As they are.
    #[default]
    Keep,
    /// Everything belongs to one user and group.
    All {
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
}

/// Files by path, in byte order. No path is beneath something that is not a directory;
/// directories above a path may be left out.
#[derive(Debug, Clone, Default)]
pub struct Tree(BTreeMap<RelPath, Node>);

impl Tree {
    /// An empty tree.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Puts a node in; what was at the path is returned. An error where the path would be beneath
    /// something that is not a directory, or something that is not a directory would replace one
    /// that is not empty.
    pub fn insert(&mut self, path: RelPath, node: Node) -> Result<Option<Node>, Error> {
        let is_other = |dir| self.0.get(dir).is_some_and(|node| !node.is_dir());
        if path.above().any(is_other) {
            return Err(Error::entry(
                "place",
                &path,
                "it is beneath something that is no directory",
            ));
        }
        let is_last = self.0.last_key_value().is_none_or(|(last, _)| *last < path);
        if !node.is_dir() && !is_last && self.beneath(&path).next().is_some() {
            return Err(Error::entry(
                "place",
                &path,
                "there is a directory that is not empty",
            ));
        }
        Ok(self.0.insert(path, node))
    }

    /// The node at a path.
    pub fn get(&self, path: &RelPath) -> Option<&Node> {
        self.0.get(path)
    }

    /// The node at a path, with its attributes open to change.
    pub fn get_mut(&mut self, path: &RelPath) -> Option<&mut Node> {
        self.0.get_mut(path)
    }

    /// Whether the path is in the tree.
    pub fn contains(&self, path: &RelPath) -> bool {
        self.0.contains_key(path)
    }

    /// Takes a node out. What is beneath a directory stays.
    pub fn remove(&mut self, path: &RelPath) -> Option<Node> {
        self.0.remove(path)
    }

    /// All nodes in byte order of their paths: a directory comes before what is in it.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&RelPath, &Node)> {
        self.0.iter()
    }

    /// All nodes in byte order of their paths, with their attributes open to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&RelPath, &mut Node)> {
        self.0.iter_mut()
    }

    /// The nodes beneath a directory, without itself, in byte order.
    pub fn beneath(&self, path: &RelPath) -> impl Iterator<Item = (&RelPath, &Node)> {
        self.0.range(path.bounds_beneath())
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds every directory that is above some path and missing, with these attributes.
    pub fn ensure_dirs(&mut self, meta: &Meta) {
        for path in self.implied_dirs() {
            self.0.insert(path, Node::dir(meta.clone()));
        }
    }

    /// Whether every directory that is above some path is there.
    pub fn has_all_dirs(&self) -> bool {
        self.implied_dirs().is_empty()
    }

    /// The directories that are above some path and missing.
    pub(crate) fn implied_dirs(&self) -> BTreeSet<RelPath> {
        let mut missing = BTreeSet::new();
        let mut last: &[u8] = b"";
        for path in self.0.keys() {
            let folder = path.split().0.unwrap_or_default();
            if folder == last {
                continue;
            }
            // The folder before this one was looked up, and those above it.
            let is_new = |dir: &&[u8]| {
                let rest = last.strip_prefix(*dir);
                rest.is_none_or(|rest| !matches!(rest, [] | [b'/', ..]))
            };
            let above = path.above().filter(is_new);
            let above = above.filter(|dir| !self.0.contains_key(*dir));
            missing.extend(above.filter_map(|dir| RelPath::try_from(dir).ok()));
            last = folder;
        }
        missing
    }

    /// The path that a chain of hard links ends at: itself where it is none. `None` where the
    /// chain leads to nothing, to a directory, or in a circle.
    pub fn link_target<'a>(&'a self, path: &'a RelPath) -> Option<&'a RelPath> {
        let mut path = path;
        for hop in 0..MAX_LINK_CHAIN {
            match &self.get(path)?.kind {
                Kind::Hardlink(target) => path = target,
                Kind::Dir if hop > 0 => return None,
                _ => return Some(path),
            }
        }
        None
    }

    /// The file at a path, through hard links.
    pub fn file(&self, path: &RelPath) -> Option<&Content> {
        match &self.get(self.link_target(path)?)?.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }
}

impl IntoIterator for Tree {
    type Item = (RelPath, Node);
    type IntoIter = std::collections::btree_map::IntoIter<RelPath, Node>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
