//! What a root file system says of the packages in it.
//!
//! 1. Here: [`Database`], the text `usr/lib/apk/db/installed`: packages, and who owns which path.
//! 2. [`text`]: that text, both ways.
//! 3. [`side`]: the files beside it: `scripts.tar`, `triggers`, `etc/apk/world`, `etc/apk/arch`.

pub mod side;
pub mod text;

use std::cmp::Ordering;
use std::collections::BTreeMap;

pub use text::Paragraph;

use boltworks_crypto::Sha1Hasher;
use boltworks_fsx::{Meta, Node, RelPath};
use boltworks_model::Sha1;
use boltworks_version::apk::Dependency;

use crate::control::Control;
use crate::index::IndexEntry;

/// Where the database is, beneath the root.
pub const DATABASE: &str = "usr/lib/apk/db/installed";
/// Where the scripts of installed packages are.
pub const SCRIPTS: &str = "usr/lib/apk/db/scripts.tar";
/// Where the directories are named that packages watch.
pub const TRIGGERS: &str = "usr/lib/apk/db/triggers";
/// Where the lock of the database is.
pub const LOCK: &str = "usr/lib/apk/db/lock";
/// Where the asked-for packages are named.
pub const WORLD: &str = "etc/apk/world";
/// Where the architectures are named.
pub const ARCH: &str = "etc/apk/arch";

/// Everything that is installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// The packages. What was read keeps the order of the text; what is written is sorted by name.
    pub packages: Vec<InstalledPackage>,
}

/// One installed package and the paths it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPackage {
    /// What its repository says of it.
    pub entry: IndexEntry,
    /// Packages whose files it may overwrite.
    pub replaces: Vec<Dependency>,
    /// The rank among those who replace each other's files.
    pub replaces_priority: Option<u32>,
    /// The tag of the repository it came from.
    pub tag: Option<String>,
    /// The directories it names or has files in, each once, a directory before those in it.
    pub directories: Vec<Directory>,
}

/// A directory of an installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path; none is the root itself.
    pub path: Option<RelPath>,
    /// Whose it is.
    pub owner: Owner,
    /// What the package has right in it, in byte order.
    pub files: Vec<InstalledFile>,
}

/// A file, link or device of an installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledFile {
    /// Its name in the directory.
    pub name: Vec<u8>,
    /// Whose it is.
    pub owner: Owner,
    /// Of a file's bytes or a symbolic link's target.
    pub checksum: Option<Sha1>,
}

/// Owner, mode and extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// The digest of the extended attributes, if there are any.
    pub xattrs: Option<Sha1>,
}

impl Owner {
    /// What is not written for a directory: root's, `0755`.
    pub const DIRECTORY: Self = Self {
        uid: 0,
        gid: 0,
        mode: 0o755,
        xattrs: None,
    };
    /// What is not written for a file: root's, `0644`.
    pub const FILE: Self = Self {
        uid: 0,
        gid: 0,
        mode: 0o644,
        xattrs: None,
    };

    /// The owner that attributes tell of.
    pub fn of(meta: &Meta) -> Self {
        let Meta { uid, gid, mode, .. } = *meta;
        Self {
            uid,
            gid,
            mode: mode & 0o7777,
            xattrs: xattr_digest(meta),
        }
    }
}

/// Extended attributes in byte order of their names: for name and value a length as four bytes,
/// the highest first, then the bytes.
fn xattr_digest(meta: &Meta) -> Option<Sha1> {
    if meta.xattrs.is_empty() {
        return None;
    }
    let mut hasher = Sha1Hasher::new();
    for part in meta.xattrs.iter().flat_map(|(name, value)| [name, value]) {
        // The kernel allows 64 KiB.
        hasher.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        hasher.update(part);
    }
    Some(hasher.finish())
}

impl InstalledPackage {
    /// A package without paths. `size` is that of its file.
    pub fn new(control: &Control, identity: Sha1, size: u64) -> Self {
        Self {
            entry: IndexEntry::from_control(control, identity, size),
            replaces: control.replaces.clone(),
            replaces_priority: control.replaces_priority,
            tag: None,
            directories: Vec::new(),
        }
    }

    /// Gives the package the paths that it owns, in any order, in the place of those it had.
    /// `checksum` knows the SHA-1 of files and of symbolic links' targets.
    #[must_use]
    pub fn with_paths<'n>(
        mut self,
        nodes: impl IntoIterator<Item = (&'n RelPath, &'n Node)>,
        checksum: impl Fn(&RelPath) -> Option<Sha1>,
    ) -> Self {
        let mut directories: BTreeMap<Components<'n>, Directory> = BTreeMap::new();
        for (path, node) in nodes {
            let owner = Owner::of(&node.meta);
            if node.is_dir() {
                let directory = directories.entry(Components(path.as_bytes()));
                directory
                    .or_insert_with(|| Directory::new(Some(path.clone())))
                    .owner = owner;
                continue;
            }
            let parent = path.above().next_back();
            let directory = directories.entry(Components(parent.unwrap_or_default()));
            let directory = directory.or_insert_with(|| Directory::new(path.parent()));
            directory.files.push(InstalledFile {
                name: path.file_name().to_vec(),
                owner,
                checksum: checksum(path),
            });
        }
        self.directories = directories.into_values().collect();
        for directory in &mut self.directories {
            directory
                .files
                .sort_by(|left, right| left.name.cmp(&right.name));
        }
        self
    }
}

/// A path's bytes, ordered by components: a directory's content follows it at once.
#[derive(PartialEq, Eq)]
struct Components<'p>(&'p [u8]);

impl Ord for Components<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0
            .split(|&byte| byte == b'/')
            .cmp(other.0.split(|&byte| byte == b'/'))
    }
}

impl PartialOrd for Components<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Directory {
    const fn new(path: Option<RelPath>) -> Self {
        Self {
            path,
            owner: Owner::DIRECTORY,
            files: Vec::new(),
        }
    }
}
