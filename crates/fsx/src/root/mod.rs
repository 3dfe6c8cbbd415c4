//! An open directory that everything else goes through.

mod batch;
mod draft;
mod lock;
mod remove;
mod stat;
pub(crate) mod sys;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use boltworks_model::visible_path;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

pub use batch::Batch;
pub use draft::{Draft, Durable};
pub use lock::Lock;
pub use stat::{DirEntry, FileKind, Stat};

use crate::{Bounded, Error, Limit, RelPath};
use sys::failed;

/// An open directory. Nothing that is named through it is outside of it: paths are resolved
/// beneath it, and no symbolic link is followed on the way (`openat2`, Linux 5.6).
#[derive(Debug)]
pub struct Root(OwnedFd);

/// The directory of a path: the root itself, or one beneath that had to be opened.
pub(crate) enum Parent<'a> {
    Here(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Here(fd) => *fd,
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

/// Opening, reading and looking.
impl Root {
    /// Opens a directory by the path that a person gave.
    pub fn open(path: &Path) -> Result<Self, Error> {
        rustix::fs::open(path, sys::DIR | OFlags::CLOEXEC, Mode::empty())
            .map(Self)
            .map_err(|source| ambient("open the directory", path, source))
    }

    /// Opens a directory by the path that a person gave; makes it and those above as needed.
    pub fn create(path: &Path) -> Result<Self, Error> {
        match Self::open(path) {
            Err(error) if error.is_not_found() => {}
            result => return result,
        }
        let above = match path.parent() {
            Some(above) if above == Path::new("") => Self::open(Path::new("."))?,
            Some(above) => Self::create(above)?,
            None => return Self::open(path),
        };
        match rustix::fs::mkdir(path, Mode::from_raw_mode(0o777)) {
            Ok(()) => above.sync()?,
            Err(Errno::EXIST) => {}
            Err(source) => return Err(ambient("make the directory", path, source)),
        }
        Self::open(path)
    }

    /// The same directory, opened once more.
    pub fn try_clone(&self) -> Result<Self, Error> {
        rustix::io::fcntl_dupfd_cloexec(&self.0, 3)
            .map(Self)
            .map_err(|source| failed("open once more", self, b"", source))
    }

    /// A directory beneath.
    pub fn dir(&self, path: &RelPath) -> Result<Self, Error> {
        self.open_beneath("open the directory", path, sys::DIR)
            .map(Self)
    }

    /// Opens a regular file to read at most so many bytes.
    pub fn read(&self, path: &RelPath, limit: Limit) -> Result<Bounded<File>, Error> {
        let file = self.open_file(path)?;
        let size = sys::fstat(&file).map_or(0, |stat| stat.size);
        Ok(Bounded::new(file, limit).expecting(size))
    }

    /// A file's content.
    pub fn read_vec(&self, path: &RelPath, limit: Limit) -> Result<Vec<u8>, Error> {
        self.read(path, limit)?
            .read_all()
            .map_err(|source| self.unreadable(path, source))
    }

    /// A file's content as UTF-8 text.
    pub fn read_text(&self, path: &RelPath, limit: Limit) -> Result<String, Error> {
        self.read(path, limit)?
            .read_text()
            .map_err(|source| self.unreadable(path, source))
    }

    /// Opens a regular file, for reading at positions.
    pub fn open_file(&self, path: &RelPath) -> Result<File, Error> {
        let fd = self.open_beneath("open", path, sys::READ)?;
        Ok(self.regular(fd, path.as_bytes())?.0)
    }

    /// The same for a file of which the length is known: another one is an error.
    pub(crate) fn open_of_length(&self, path: &RelPath, len: u64) -> Result<File, Error> {
        let fd = self.open_beneath("open", path, sys::READ)?;
        let (file, stat) = self.regular(fd, path.as_bytes())?;
        if stat.size == len {
            return Ok(file);
        }
        let reason = "it changed its length while it was used";
        Err(Error::entry("read", path, reason))
    }

    /// Opens a regular file as a process whose root directory this is would: links are followed,
    /// absolute ones start here and `..` ends here. The path may be absolute.
    pub fn open_in_root(&self, path: &[u8]) -> Result<File, Error> {
        let fd = sys::open_in_root(self, path, sys::READ)
            .map_err(|source| failed("open", self, path, source))?;
        Ok(self.regular(fd, path)?.0)
    }

    /// What a path names for a process whose root directory this is: links are followed. A path
    /// that leads nowhere names nothing.
    pub fn stat_in_root(&self, path: &[u8]) -> Result<Option<Stat>, Error> {
        let found = sys::open_in_root(self, path, OFlags::PATH).and_then(sys::fstat);
        present(found).map_err(|source| failed("look at", self, path, source))
    }

    /// What a path names, or nothing. A link is not followed.
    pub fn stat(&self, path: &RelPath) -> Result<Option<Stat>, Error> {
        let bytes = path.as_bytes();
        // A name alone can lead nowhere else, and is never `..`.
        let found = match path.parent() {
            None => sys::stat_at(self, bytes),
            Some(_) => sys::open_beneath(self, bytes, sys::HANDLE).and_then(sys::fstat),
        };
        present(found).map_err(|source| failed("look at", self, path.as_bytes(), source))
    }

    /// What the directory itself is.
    pub fn stat_self(&self) -> Result<Stat, Error> {
        sys::fstat(self).map_err(|source| failed("look at", self, b"", source))
    }

    /// Whether a path names a regular file that only its owner can write, and whose owner is who runs
    /// this program.
    pub fn is_own_file(&self, path: &RelPath) -> Result<bool, Error> {
        let own = rustix::process::geteuid().as_raw();
        let is_own =
            |stat: Stat| stat.kind == FileKind::File && stat.uid == own && stat.mode & 0o022 == 0;
        Ok(self.stat(path)?.is_some_and(is_own))
    }

    /// Whether a path names anything.
    pub fn exists(&self, path: &RelPath) -> Result<bool, Error> {
        Ok(self.stat(path)?.is_some())
    }

    /// The names in the directory, ordered by their bytes.
    pub fn list(&self) -> Result<Vec<DirEntry>, Error> {
        let names = sys::names(self).map_err(|source| failed("list", self, b"", source))?;
        let mut entries: Vec<DirEntry> = names
            .into_iter()
            .map(|(name, kind)| DirEntry { name, kind })
            .collect();
        entries.sort_unstable();
        Ok(entries)
    }

    /// Where a symbolic link points.
    pub fn read_link(&self, path: &RelPath) -> Result<Vec<u8>, Error> {
        self.at_parent("read the link", path, |dir, name| {
            rustix::fs::readlinkat(dir, name, Vec::new())
        })
        .map(std::ffi::CString::into_bytes)
    }

    /// The directory's path at this moment, for handing to programs.
    pub fn path_for_children(&self) -> Result<PathBuf, Error> {
        let path = sys::real_path(self).map_err(|source| failed("name", self, b"", source))?;
        let same = rustix::fs::stat(&path).is_ok_and(|named| {
            sys::fstat(self).is_ok_and(|own| (own.dev, own.inode) == (named.st_dev, named.st_ino))
        });
        if same {
            Ok(path)
        } else {
            Err(failed("name", self, b"", Errno::NOENT))
        }
    }
}

/// Changing.
impl Root {
    /// A directory beneath, made with those above it as needed (mode `0o777` less the umask).
    /// What is made is durable.
    pub fn make_dir(&self, path: &RelPath) -> Result<Self, Error> {
        match sys::open_beneath(self, path.as_bytes(), sys::DIR) {
            Ok(fd) => return Ok(Self(fd)),
            Err(Errno::NOENT) => {}
            Err(source) => return Err(failed("make the directory", self, path.as_bytes(), source)),
        }
        let mut here = self.try_clone()?;
        for name in path.components() {
            here = here
                .make_child(name)
                .map_err(|source| failed("make the directory", &here, name, source))?;
        }
        Ok(here)
    }

    fn make_child(&self, name: &[u8]) -> Result<Self, Errno> {
        match rustix::fs::mkdirat(self, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => rustix::fs::fsync(self)?,
            Err(Errno::EXIST) => {}
            Err(other) => return Err(other),
        }
        sys::open_beneath(self, name, sys::DIR).map(Self)
    }

    /// Begins a file that appears, whole and durable, when it is committed. Directories above
    /// must exist. The mode is exact: no umask.
    pub fn draft(&self, path: &RelPath, mode: u32) -> Result<Draft, Error> {
        let dir = match path.parent() {
            Some(parent) => self.dir(&parent)?,
            None => self.try_clone()?,
        };
        Draft::begin(dir, path.file_name().to_vec(), mode)
    }

    /// Writes a whole file durably, replacing what had the name.
    pub fn write(&self, path: &RelPath, bytes: &[u8], mode: u32) -> Result<Durable, Error> {
        self.draft_of(path, bytes, mode)?.commit()
    }

    fn draft_of(&self, path: &RelPath, bytes: &[u8], mode: u32) -> Result<Draft, Error> {
        let mut draft = self.draft(path, mode)?;
        draft.write_all(bytes).map_err(|source| Error::Io {
            action: "write",
            path: path.to_string(),
            source,
        })?;
        Ok(draft)
    }

    /// An unnamed file that is gone when it is closed, for what is too big for memory.
    pub fn scratch(&self) -> Result<File, Error> {
        let flags = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        if let Ok(fd) = rustix::fs::openat(self, ".", flags, Mode::RUSR | Mode::WUSR) {
            return Ok(fd.into());
        }
        // Some file systems have no files without a name.
        let (name, file) = draft::temporary(self)?;
        rustix::fs::unlinkat(self, &name, AtFlags::empty())
            .map_err(|source| failed("unlink", self, name.as_bytes(), source))?;
        Ok(file)
    }

    /// Removes a name that is not a directory. A name that is not there is an error.
    pub fn remove_file(&self, path: &RelPath) -> Result<(), Error> {
        self.at_parent("remove", path, |dir, name| {
            rustix::fs::unlinkat(dir, name, AtFlags::empty())
        })
    }

    /// Removes a directory with everything in it, or a file. Nothing there is fine.
    pub fn remove_tree(&self, path: &RelPath) -> Result<(), Error> {
        match self.parent("remove", path) {
            Ok((dir, name)) => remove::remove(&dir, name)
                .map_err(|source| failed("remove", self, path.as_bytes(), source)),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives something another name, replacing what had it. Not durable before both directories
    /// are synced.
    pub fn rename(&self, from: &RelPath, to_root: &Self, to: &RelPath) -> Result<(), Error> {
        self.rename_with(from, (to_root, to), RenameFlags::empty())
    }

    /// Like [`Root::rename`], but an error of kind `AlreadyExists` where something has the name.
    pub fn rename_new(&self, from: &RelPath, to_root: &Self, to: &RelPath) -> Result<(), Error> {
        self.rename_with(from, (to_root, to), RenameFlags::NOREPLACE)
    }

    fn rename_with(
        &self,
        from: &RelPath,
        (to_root, to): (&Self, &RelPath),
        flags: RenameFlags,
    ) -> Result<(), Error> {
        let (to_dir, to_name) = to_root.parent("rename to", to)?;
        self.at_parent("rename", from, |dir, name| {
            rustix::fs::renameat_with(dir, name, &to_dir, to_name, flags)
        })
    }

    /// Gives a file a further name. A symbolic link is linked itself.
    pub fn hard_link(&self, from: &RelPath, to_root: &Self, to: &RelPath) -> Result<(), Error> {
        let (to_dir, to_name) = to_root.parent("link to", to)?;
        self.at_parent("link", from, |dir, name| {
            rustix::fs::linkat(dir, name, &to_dir, to_name, AtFlags::empty())
        })
    }

    /// Makes a symbolic link.
    pub fn symlink(&self, target: &[u8], path: &RelPath) -> Result<(), Error> {
        self.at_parent("make the link", path, |dir, name| {
            rustix::fs::symlinkat(target, dir, name)
        })
    }

    /// Sets permission bits (`0o7777`) of a file or directory. A link is an error.
    pub fn set_mode(&self, path: &RelPath, mode: u32) -> Result<(), Error> {
        let handle = self.open_beneath("set the mode of", path, sys::HANDLE)?;
        sys::fstat(&handle)
            .and_then(|stat| {
                if stat.kind == FileKind::Symlink {
                    Err(Errno::LOOP)
                } else {
                    Ok(())
                }
            })
            .and_then(|()| {
                rustix::fs::chmod(sys::proc_path(&handle), Mode::from_raw_mode(mode & 0o7777))
            })
            .map_err(|source| failed("set the mode of", self, path.as_bytes(), source))
    }

    /// Makes the names in the directory durable.
    pub fn sync(&self) -> Result<(), Error> {
        rustix::fs::fsync(self).map_err(|source| failed("sync", self, b"", source))
    }

    /// Makes everything on the directory's file system durable.
    pub fn sync_filesystem(&self) -> Result<(), Error> {
        rustix::fs::syncfs(self)
            .map_err(|source| failed("sync the file system of", self, b"", source))
    }

    /// Removes drafts that dead processes left in this directory; how many.
    pub fn sweep(&self) -> Result<usize, Error> {
        draft::sweep(self)
    }

    /// Takes an exclusive lock on a file, which is made if needed and never removed. `waiting` is
    /// called once if somebody else has it.
    pub fn lock(&self, path: &RelPath, waiting: impl FnOnce()) -> Result<Lock, Error> {
        Lock::take(self, path, waiting)
    }

    /// Takes the lock only if nobody has it.
    pub fn try_lock(&self, path: &RelPath) -> Result<Option<Lock>, Error> {
        Lock::attempt(self, path)
    }
}

/// Shared steps.
impl Root {
    pub(crate) fn open_beneath(
        &self,
        action: &'static str,
        path: &RelPath,
        flags: OFlags,
    ) -> Result<OwnedFd, Error> {
        sys::open_beneath(self, path.as_bytes(), flags)
            .map_err(|source| failed(action, self, path.as_bytes(), source))
    }

    /// The directory a path is in, and its name there.
    pub(crate) fn parent<'a>(
        &'a self,
        action: &'static str,
        path: &'a RelPath,
    ) -> Result<(Parent<'a>, &'a [u8]), Error> {
        let (above, name) = path.split();
        let Some(above) = above else {
            return Ok((Parent::Here(self.as_fd()), name));
        };
        sys::open_beneath(self, above, OFlags::PATH | OFlags::DIRECTORY)
            .map(|fd| (Parent::Below(fd), name))
            .map_err(|source| failed(action, self, path.as_bytes(), source))
    }

    fn at_parent<T>(
        &self,
        action: &'static str,
        path: &RelPath,
        operation: impl FnOnce(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> Result<T, Error> {
        let (dir, name) = self.parent(action, path)?;
        operation(dir.as_fd(), name).map_err(|source| failed(action, self, path.as_bytes(), source))
    }

    fn regular(&self, fd: OwnedFd, path: &[u8]) -> Result<(File, Stat), Error> {
        match sys::fstat(&fd) {
            Ok(stat) if stat.kind == FileKind::File => Ok((File::from(fd), stat)),
            Ok(stat) if stat.kind == FileKind::Dir => {
                Err(failed("open as a file", self, path, Errno::ISDIR))
            }
            Ok(_) => Err(failed("open as a regular file", self, path, Errno::INVAL)),
            Err(source) => Err(failed("look at", self, path, source)),
        }
    }

    fn unreadable(&self, path: &RelPath, source: std::io::Error) -> Error {
        let path = match sys::real_path(self) {
            Ok(above) => format!("{}/{path}", visible_path(&above)),
            Err(_) => path.to_string(),
        };
        Error::Io {
            action: "read",
            path,
            source,
        }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn present(found: Result<Stat, Errno>) -> Result<Option<Stat>, Errno> {
    match found {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(other) => Err(other),
    }
}

fn ambient(action: &'static str, path: &Path, source: Errno) -> Error {
    Error::Io {
        action,
        path: visible_path(path),
        source: source.into(),
    }
}
