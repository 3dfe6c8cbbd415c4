//! An open directory that everything else goes through.

mod draft;
mod lock;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub use draft::{Draft, Durable, commit_all};
pub use lock::Lock;

use crate::{Bounded, Error, Limit, RelPath};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A directory.
    Dir,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// What the file system knows of a name, without following a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it stands for.
    pub kind: FileKind,
    /// Permission bits with setuid, setgid and sticky (`0o7777`).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Last change of the content, in seconds since 1970.
    pub mtime: i64,
    /// The inode's number.
    pub inode: u64,
    /// How many names the inode has.
    pub nlink: u64,
    /// The file system's number.
    pub dev: u64,
    /// A device's major and minor number.
    pub device: (u32, u32),
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name.
    pub name: Vec<u8>,
    /// What it stands for.
    pub kind: FileKind,
}

/// An open directory. Nothing that is named through it is outside of it: paths are resolved
/// beneath it, and no symbolic link is followed on the way (`openat2`, Linux 5.6).
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Opens a directory by the path that a person gave.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }

    /// Opens a directory by the path that a person gave; makes it and those above as needed.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }

    /// The same directory, opened once more.
    pub fn try_clone(&self) -> Result<Self, Error> {
        todo!()
    }

    /// A directory beneath.
    pub fn dir(&self, path: &RelPath) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }

    /// A directory beneath, made with those above it as needed (mode `0o755` less the umask).
    pub fn make_dir(&self, path: &RelPath) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }

    /// Opens a regular file to read at most so many bytes.
    pub fn read(&self, path: &RelPath, limit: Limit) -> Result<Bounded<File>, Error> {
        Ok(Bounded::new(self.open_file(path)?, limit))
    }

    /// A file's content.
    pub fn read_vec(&self, path: &RelPath, limit: Limit) -> Result<Vec<u8>, Error> {
        let _ = (path, limit);
        todo!()
    }

    /// A file's content as UTF-8 text.
    pub fn read_text(&self, path: &RelPath, limit: Limit) -> Result<String, Error> {
        let _ = (path, limit);
        todo!()
    }

    /// Opens a regular file, for reading at positions.
    pub fn open_file(&self, path: &RelPath) -> Result<File, Error> {
        let _ = path;
        todo!()
    }

    /// Opens a regular file as a process whose root directory this is would: links are followed,
    /// absolute ones start here and `..` ends here. The path may be absolute.
    pub fn open_in_root(&self, path: &[u8]) -> Result<File, Error> {
        let _ = path;
        todo!()
    }

    /// What a path names for a process whose root directory this is: links are followed.
    pub fn stat_in_root(&self, path: &[u8]) -> Result<Option<Stat>, Error> {
        let _ = path;
        todo!()
    }

    /// What a path names, or nothing. A link is not followed.
    pub fn stat(&self, path: &RelPath) -> Result<Option<Stat>, Error> {
        let _ = path;
        todo!()
    }

    /// What the directory itself is.
    pub fn stat_self(&self) -> Result<Stat, Error> {
        todo!()
    }

    /// Whether a path names anything.
    pub fn exists(&self, path: &RelPath) -> Result<bool, Error> {
        Ok(self.stat(path)?.is_some())
    }

    /// The names in the directory, ordered by their bytes.
    pub fn list(&self) -> Result<Vec<DirEntry>, Error> {
        todo!()
    }

    /// Where a symbolic link points.
    pub fn read_link(&self, path: &RelPath) -> Result<Vec<u8>, Error> {
        let _ = path;
        todo!()
    }

    /// Begins a file that appears, whole and durable, when it is committed. Directories above
    /// must exist. The mode is exact: no umask.
    pub fn draft(&self, path: &RelPath, mode: u32) -> Result<Draft, Error> {
        let _ = (path, mode);
        todo!()
    }

    /// Writes a whole file durably, replacing what had the name.
    pub fn write(&self, path: &RelPath, bytes: &[u8], mode: u32) -> Result<Durable, Error> {
        let _ = (path, bytes, mode);
        todo!()
    }

    /// An unnamed file that is gone when it is closed, for what is too big for memory.
    pub fn scratch(&self) -> Result<File, Error> {
        todo!()
    }

    /// Removes a name that is not a directory. A name that is not there is an error.
    pub fn remove_file(&self, path: &RelPath) -> Result<(), Error> {
        let _ = path;
        todo!()
    }

    /// Removes a directory with everything in it, or a file. Nothing there is fine.
    pub fn remove_tree(&self, path: &RelPath) -> Result<(), Error> {
        let _ = path;
        todo!()
    }

    /// Gives something another name, replacing what had it. Not durable before both directories
    /// are synced.
    pub fn rename(&self, from: &RelPath, to_root: &Self, to: &RelPath) -> Result<(), Error> {
        let _ = (from, to_root, to);
        todo!()
    }

    /// Like [`Root::rename`], but an error of kind `AlreadyExists` where something has the name.
    pub fn rename_new(&self, from: &RelPath, to_root: &Self, to: &RelPath) -> Result<(), Error> {
        let _ = (from, to_root, to);
        todo!()
    }

    /// Gives a file a further name. A symbolic link is linked itself.
    pub fn hard_link(&self, from: &RelPath, to_root: &Self, to: &RelPath) -> Result<(), Error> {
        let _ = (from, to_root, to);
        todo!()
    }

    /// Makes a symbolic link.
    pub fn symlink(&self, target: &[u8], path: &RelPath) -> Result<(), Error> {
        let _ = (target, path);
        todo!()
    }

    /// Sets permission bits (`0o7777`) of a file or directory.
    pub fn set_mode(&self, path: &RelPath, mode: u32) -> Result<(), Error> {
        let _ = (path, mode);
        todo!()
    }

    /// Makes the names in the directory durable.
    pub fn sync(&self) -> Result<(), Error> {
        todo!()
    }

    /// Makes everything on the directory's file system durable.
    pub fn sync_filesystem(&self) -> Result<(), Error> {
        todo!()
    }

    /// Removes drafts that dead processes left in this directory; how many.
    pub fn sweep(&self) -> Result<usize, Error> {
        todo!()
    }

    /// Takes an exclusive lock on a file, which is made if needed. `waiting` is called once if
    /// somebody else has it.
    pub fn lock(&self, path: &RelPath, waiting: impl FnOnce()) -> Result<Lock, Error> {
        let _ = (path, waiting);
        todo!()
    }

    /// Takes the lock only if nobody has it.
    pub fn try_lock(&self, path: &RelPath) -> Result<Option<Lock>, Error> {
        let _ = path;
        todo!()
    }

    /// A path by which this process (and threads of it) reach the directory: `/proc/self/fd/N`,
    /// for handing to programs. Good as long as this value lives.
    pub fn path_for_children(&self) -> PathBuf {
        todo!()
    }
}

impl std::os::fd::AsFd for Root {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
