//! A directory on disk as a tree.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use rustix::fs::{lgetxattr, llistxattr, llistxattr_query};
use rustix::io::Errno;

use super::{Content, Kind, Meta, Node, Ownership, Tree};
use crate::root::sys::{self, failed};
use crate::{Error, FileKind, RelPath, Root, Stat};

/// A directory with more names than this is not something that anybody packages.
const MAX_ENTRIES: usize = 4_000_000;
/// The kernel's own limit for one attribute's value (`XATTR_SIZE_MAX`).
const MAX_XATTR: usize = 64 * 1024;

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
    /// one file become hard links to the first of them in byte order; those of a symbolic link,
    /// a pipe or a device, which mean the same apart, become as many. Sockets are refused.
    ///
    /// Of the extended attributes, `security.capability` and `user.…` are kept: the others (labels,
    /// access lists, an overlay's own) are this machine's, or seen only by its administrator.
    pub fn read_from(root: &Arc<Root>, options: ScanOptions) -> Result<Self, Error> {
        let scan = Scan {
            root,
            options,
            count: AtomicUsize::new(0),
        };
        let mut found = BTreeMap::new();
        let mut open: Vec<Option<RelPath>> = vec![None];
        while !open.is_empty() {
            // As many directories are open as there are threads.
            let read = open.par_iter().map(|dir| scan.directory(dir.as_ref()));
            // Of several errors always the same one is told: the first.
            let read: Vec<Result<_, Error>> = read.collect();
            let read = read.into_iter().collect::<Result<Vec<_>, Error>>()?;
            open.clear();
            for (path, (node, stat)) in read.into_iter().flatten() {
                if node.is_dir() {
                    open.push(Some(path.clone()));
                }
                found.insert(path, (node, stat));
            }
        }
        Ok(tree(found))
    }
}

struct Scan<'a> {
    root: &'a Arc<Root>,
    options: ScanOptions,
    /// How many names were found.
    count: AtomicUsize,
}

/// What is at a path.
type Found = (Node, Stat);

impl Scan<'_> {
    /// Reads one directory, without those in it.
    fn directory(&self, path: Option<&RelPath>) -> Result<Vec<(RelPath, Found)>, Error> {
        let dir = match path {
            Some(path) => self.root.dir(path)?,
            None => self.root.try_clone()?,
        };
        let mut names = sys::names(&dir).map_err(|source| failed("list", &dir, b"", source))?;
        let count = self.count.fetch_add(names.len(), Ordering::Relaxed);
        if count.saturating_add(names.len()) > MAX_ENTRIES {
            let source = std::io::Error::other("there are more than 4,000,000 names");
            return Err(Error::Stream {
                action: "read the directory",
                source,
            });
        }
        names.sort_unstable();
        let found = names.into_iter().map(|(name, _)| {
            let child = match path {
                Some(path) => path.push(&name)?,
                None => RelPath::new(name.as_slice())?,
            };
            let found = self.node(&dir, &name, &child)?;
            Ok((child, found))
        });
        found.collect()
    }

    fn node(&self, dir: &Root, name: &[u8], path: &RelPath) -> Result<(Node, Stat), Error> {
        let refused = |source| failed("read", dir, name, source);
        let stat = sys::stat_at(dir, name).map_err(refused)?;
        let (major, minor) = stat.device;
        let kind = match stat.kind {
            FileKind::Dir => Kind::Dir,
            FileKind::File => Kind::File(Content::Path {
                root: Arc::clone(self.root),
                path: path.clone(),
                len: stat.size,
            }),
            FileKind::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new()).map_err(refused)?;
                Kind::Symlink(target.into_bytes())
            }
            FileKind::CharDevice => Kind::CharDevice { major, minor },
            FileKind::BlockDevice => Kind::BlockDevice { major, minor },
            FileKind::Fifo => Kind::Fifo,
            FileKind::Socket => return Err(Error::entry("read", path, "it is a socket")),
        };
        let xattrs = if self.options.skip_xattrs {
            BTreeMap::new()
        } else {
            xattrs(dir, name).map_err(refused)?
        };
        let (uid, gid) = match self.options.ownership {
            Ownership::Keep => (stat.uid, stat.gid),
            Ownership::All { uid, gid } => (uid, gid),
        };
        let meta = Meta {
            mode: stat.mode,
            uid,
            gid,
            mtime: stat.mtime,
            xattrs,
        };
        Ok((Node { meta, kind }, stat))
    }
}

fn tree(found: BTreeMap<RelPath, Found>) -> Tree {
    let mut first_names: BTreeMap<(u64, u64), RelPath> = BTreeMap::new();
    let mut tree = BTreeMap::new();
    for (path, (mut node, stat)) in found {
        if stat.nlink > 1 && matches!(node.kind, Kind::File(_)) {
            let inode = (stat.dev, stat.inode);
            match first_names.get(&inode) {
                Some(first) => node.kind = Kind::Hardlink(first.clone()),
                None => {
                    first_names.insert(inode, path.clone());
                }
            }
        }
        tree.insert(path, node);
    }
    Tree(tree)
}

fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability"
        || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

fn xattrs(dir: impl AsFd, name: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
    let path = [sys::proc_path(dir).as_bytes(), name].join(&b'/');
    let size = match llistxattr_query(path.as_slice()) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(BTreeMap::new()),
        Ok(size) => size,
        Err(other) => return Err(other),
    };
    let mut names = vec![0; size];
    let length = llistxattr(path.as_slice(), names.as_mut_slice())?;
    names.truncate(length);
    let mut found = BTreeMap::new();
    for name in names.split(|&byte| byte == 0).filter(|name| is_kept(name)) {
        let mut value = vec![0; MAX_XATTR];
        let length = lgetxattr(path.as_slice(), name, value.as_mut_slice())?;
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}
