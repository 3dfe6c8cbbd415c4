//! A tree laid out on disk.

use std::borrow::Cow;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::{Content, Kind, Meta, Node, Ownership, Tree};
use crate::root::sys::{self, failed};
use crate::{Error, FileKind, RelPath, Root};

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
    /// Makes everything beneath a directory. Directories may be there already and get the tree's
    /// attributes; anything else there is an error of kind `AlreadyExists`. Directories that the
    /// tree leaves out get mode `0o755` and the time 0.
    pub fn write_to(&self, root: &Root, options: WriteOptions) -> Result<(), Error> {
        let mut tree = Cow::Borrowed(self);
        if !self.implied_dirs().is_empty() {
            tree.to_mut().ensure_dirs(&Meta::new(0o755, 0));
        }
        let mut layer = Layer {
            root,
            options,
            parent: None,
        };
        // First everything but hard links, because a link's target may come after it in order;
        // last the directories, because what is made in one changes its time.
        for (path, node) in tree.iter() {
            layer.make(path, node)?;
        }
        for (path, node) in tree.iter() {
            if matches!(node.kind, Kind::Hardlink(_)) {
                layer.link(&tree, path)?;
            }
        }
        for (path, node) in tree.iter().rev().filter(|(_, node)| node.is_dir()) {
            let dir = root.open_beneath("open the directory", path, sys::DIR)?;
            layer
                .dress(&dir, &node.meta)
                .map_err(|source| layer.failed(path, source))?;
        }
        if options.sync {
            root.sync_filesystem()
        } else {
            Ok(())
        }
    }
}

struct Layer<'a> {
    root: &'a Root,
    options: WriteOptions,
    /// The directory opened last: its neighbours in order are mostly in it.
    parent: Option<(Vec<u8>, OwnedFd)>,
}

impl Layer<'_> {
    fn make(&mut self, path: &RelPath, node: &Node) -> Result<(), Error> {
        let device = |kind, major, minor| (kind, rustix::fs::makedev(major, minor));
        match &node.kind {
            Kind::Dir => self.make_dir(path),
            Kind::File(content) => self.make_file(path, &node.meta, content),
            Kind::Symlink(target) => self.make_symlink(path, &node.meta, target),
            Kind::Hardlink(_) => Ok(()),
            Kind::Fifo => self.make_special(path, &node.meta, device(FileType::Fifo, 0, 0)),
            Kind::CharDevice { .. } | Kind::BlockDevice { .. } if !self.options.devices => Err(
                Error::entry("lay out", path, "device nodes are not allowed here"),
            ),
            &Kind::CharDevice { major, minor } => self.make_special(
                path,
                &node.meta,
                device(FileType::CharacterDevice, major, minor),
            ),
            &Kind::BlockDevice { major, minor } => self.make_special(
                path,
                &node.meta,
                device(FileType::BlockDevice, major, minor),
            ),
        }
    }

    fn make_dir(&mut self, path: &RelPath) -> Result<(), Error> {
        self.at(path, |dir, name| {
            match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o700)) {
                Err(Errno::EXIST) if sys::stat_at(dir, name)?.kind == FileKind::Dir => Ok(()),
                result => result,
            }
        })
    }

    fn make_file(&mut self, path: &RelPath, meta: &Meta, content: &Content) -> Result<(), Error> {
        let fd = self.at(path, |dir, name| sys::create_beneath(dir, name, 0o600))?;
        let mut file = File::from(fd);
        content.copy_to(&mut file).map_err(|source| Error::Io {
            action: "write",
            path: path.to_string(),
            source,
        })?;
        self.dress(&file, meta)
            .map_err(|source| self.failed(path, source))
    }

    fn make_symlink(&mut self, path: &RelPath, meta: &Meta, target: &[u8]) -> Result<(), Error> {
        let (uid, gid) = self.owner(meta);
        self.at(path, |dir, name| {
            rustix::fs::symlinkat(target, dir, name)?;
            give(dir, name, uid, gid)?;
            rustix::fs::utimensat(dir, name, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    fn make_special(
        &mut self,
        path: &RelPath,
        meta: &Meta,
        (kind, device): (FileType, u64),
    ) -> Result<(), Error> {
        let (uid, gid) = self.owner(meta);
        self.at(path, |dir, name| {
            rustix::fs::mknodat(dir, name, kind, Mode::from_raw_mode(0o600), device)?;
            give(dir, name, uid, gid)?;
            // Nobody else can replace what was just made by something that leads elsewhere: the
            // handle is opened without following, and the mode is set on the handle.
            let handle = sys::open_beneath(dir, name, sys::HANDLE)?;
            rustix::fs::chmod(
                sys::proc_path(&handle),
                Mode::from_raw_mode(meta.mode & 0o7777),
            )?;
            rustix::fs::utimensat(dir, name, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)
        })
    }

    fn link(&mut self, tree: &Tree, path: &RelPath) -> Result<(), Error> {
        let Some(target) = tree.link_target(path) else {
            return Err(Error::entry(
                "lay out",
                path,
                "it is a hard link to nothing in the tree",
            ));
        };
        self.root.hard_link(target, self.root, path)
    }

    /// Sets everything on a file or directory. Changing the owner takes away setuid and
    /// capabilities, so it comes first; the time comes last.
    fn dress(&self, file: impl AsFd, meta: &Meta) -> Result<(), Errno> {
        let (uid, gid) = self.owner(meta);
        let stat = sys::fstat(&file)?;
        if (stat.uid, stat.gid) != (uid, gid) {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        if !self.options.skip_xattrs {
            for (name, value) in &meta.xattrs {
                rustix::fs::fsetxattr(&file, name.as_slice(), value, XattrFlags::empty())?;
            }
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(meta.mode & 0o7777))?;
        rustix::fs::futimens(&file, &times(meta.mtime))
    }

    const fn owner(&self, meta: &Meta) -> (u32, u32) {
        match self.options.ownership {
            Ownership::Keep => (meta.uid, meta.gid),
            Ownership::All { uid, gid } => (uid, gid),
        }
    }

    /// Does something to a name in its directory, which stays open for the next one.
    fn at<T>(
        &mut self,
        path: &RelPath,
        operation: impl FnOnce(&OwnedFd, &[u8]) -> Result<T, Errno>,
    ) -> Result<T, Error> {
        let (above, name) = path.split();
        let above = above.unwrap_or_default();
        let dir = match self.parent.take() {
            Some((open, dir)) if open == above => dir,
            _ => self.open_parent(path, above)?,
        };
        let result = operation(&dir, name);
        self.parent = Some((above.to_vec(), dir));
        result.map_err(|source| self.failed(path, source))
    }

    fn open_parent(&self, path: &RelPath, above: &[u8]) -> Result<OwnedFd, Error> {
        let above: &[u8] = if above.is_empty() { b"." } else { above };
        sys::open_beneath(self.root, above, sys::DIR).map_err(|source| self.failed(path, source))
    }

    fn failed(&self, path: &RelPath, source: Errno) -> Error {
        failed("lay out", self.root, path.as_bytes(), source)
    }
}

/// Changes a name's owner if it has another, without following it.
fn give(dir: &OwnedFd, name: &[u8], uid: u32, gid: u32) -> Result<(), Errno> {
    let stat = sys::stat_at(dir, name)?;
    if (stat.uid, stat.gid) == (uid, gid) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

fn times(seconds: i64) -> Timestamps {
    let moment = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: moment,
        last_modification: moment,
    }
}
