//! The few system calls that resolve a path, each with its safety rule.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use boltworks_model::visible_path;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, openat2, readlinkat};
use rustix::io::Errno;

use super::{FileKind, Stat};
use crate::Error;

/// Stays beneath the directory and follows no link.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);
/// Links are followed as if the directory were the root.
const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);
/// A concurrent rename makes the kernel give up on a look-up; another try helps.
const TRIES: u32 = 64;
/// So many bytes of a directory are read at once.
const NAMES: usize = 32 * 1024;

pub(crate) const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
/// Opening a pipe or device must not block; on regular files this changes nothing.
pub(crate) const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// A handle to the name itself, even where it is a symbolic link.
pub(crate) const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW);

fn open(
    dir: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: u32,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let mut tries = 0;
    loop {
        match openat2(
            dir,
            path,
            flags | OFlags::CLOEXEC,
            Mode::from_raw_mode(mode),
            resolve,
        ) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Opens beneath a directory, through no link.
pub(crate) fn open_beneath(dir: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open(dir.as_fd(), path, flags, 0, BENEATH)
}

/// Opens beneath a directory, through no link and into nothing that is mounted there.
pub(crate) fn open_here(dir: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open(
        dir.as_fd(),
        path,
        flags,
        0,
        BENEATH.union(ResolveFlags::NO_XDEV),
    )
}

/// Makes a file that was not there.
pub(crate) fn create_beneath(dir: impl AsFd, path: &[u8], mode: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    open(dir.as_fd(), path, flags, mode, BENEATH)
}

/// Opens a file that is there or makes it.
pub(crate) fn ensure_beneath(dir: impl AsFd, path: &[u8], mode: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    open(dir.as_fd(), path, flags, mode, BENEATH)
}

/// Opens as a process with that root directory would.
pub(crate) fn open_in_root(dir: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open(dir.as_fd(), path, flags, 0, IN_ROOT)
}

/// Where an open file is, for messages and for programs.
pub(crate) fn real_path(fd: impl AsFd) -> Result<PathBuf, Errno> {
    use std::os::unix::ffi::OsStringExt;
    let target = readlinkat(CWD, proc_path(fd), Vec::new())?;
    Ok(PathBuf::from(std::ffi::OsString::from_vec(
        target.into_bytes(),
    )))
}

/// A path that stands for an open file in this process.
pub(crate) fn proc_path(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

pub(crate) fn fstat(fd: impl AsFd) -> Result<Stat, Errno> {
    rustix::fs::fstat(fd).map(|raw| stat(&raw))
}

/// What a name in a directory is, without following it.
pub(crate) fn stat_at(dir: impl AsFd, name: &[u8]) -> Result<Stat, Errno> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(|raw| stat(&raw))
}

fn stat(raw: &rustix::fs::Stat) -> Stat {
    Stat {
        kind: kind(FileType::from_raw_mode(raw.st_mode)),
        mode: raw.st_mode & 0o7777,
        uid: raw.st_uid,
        gid: raw.st_gid,
        size: u64::try_from(raw.st_size).unwrap_or(0),
        mtime: raw.st_mtime,
        inode: raw.st_ino,
        nlink: raw.st_nlink,
        dev: raw.st_dev,
        device: (
            rustix::fs::major(raw.st_rdev),
            rustix::fs::minor(raw.st_rdev),
        ),
    }
}

pub(crate) fn kind(raw: FileType) -> FileKind {
    match raw {
        FileType::Directory => FileKind::Dir,
        FileType::Symlink => FileKind::Symlink,
        FileType::CharacterDevice => FileKind::CharDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::RegularFile | FileType::Unknown => FileKind::File,
    }
}

/// The names in a directory with what they stand for, unordered.
pub(crate) fn names(dir: impl AsFd) -> Result<Vec<(Vec<u8>, FileKind)>, Errno> {
    names_with(dir, b"")
}

/// The same, of names that begin so.
pub(crate) fn names_with(
    dir: impl AsFd,
    beginning: &[u8],
) -> Result<Vec<(Vec<u8>, FileKind)>, Errno> {
    let mut names = Vec::new();
    // Opened anew, because whoever else reads the same open directory moves its position.
    let own = open_beneath(&dir, b".", DIR)?;
    let mut buffer = Vec::with_capacity(NAMES);
    let mut entries = RawDir::new(own, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !name.starts_with(beginning) || matches!(name, b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => stat_at(&dir, name)?.kind,
            known => kind(known),
        };
        names.push((name.to_vec(), kind));
    }
    Ok(names)
}

/// An error on a path beneath an open directory, with the directory's own path in front.
pub(crate) fn failed(action: &'static str, dir: impl AsFd, path: &[u8], source: Errno) -> Error {
    let below = crate::path::shown(path);
    let path = match real_path(dir) {
        Ok(above) if path.is_empty() => visible_path(&above),
        Ok(above) => format!("{}/{below}", visible_path(&above)),
        Err(_) => below,
    };
    Error::Io {
        action,
        path,
        source: explained(source),
    }
}

/// The system's words for a refusal of ours are misleading: a link in the way is not a loop.
fn explained(source: Errno) -> io::Error {
    let text = match source {
        Errno::LOOP => "a symbolic link is in the way",
        Errno::XDEV => "it leads out of the directory or file system",
        Errno::NOSYS => "the kernel is too old: Linux 5.6 is needed",
        other => return other.into(),
    };
    let kind = match source {
        Errno::LOOP => io::ErrorKind::InvalidInput,
        other => io::Error::from(other).kind(),
    };
    io::Error::new(kind, text)
}
