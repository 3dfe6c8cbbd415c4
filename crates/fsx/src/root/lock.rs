//! Advisory locks between processes.

use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::sys::failed;
use super::{Root, sys};
use crate::{Error, RelPath};

/// An exclusive lock (`flock`), held until it is dropped or the process ends. Programs started
/// meanwhile do not inherit it.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "open is locked")] OwnedFd);

impl Lock {
    pub(super) fn take(root: &Root, path: &RelPath, waiting: impl FnOnce()) -> Result<Self, Error> {
        let fd = open(root, path)?;
        if try_flock(&fd).map_err(|source| failed("lock", root, path.as_bytes(), source))? {
            return Ok(Self(fd));
        }
        waiting();
        loop {
            match flock(&fd, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self(fd)),
                Err(Errno::INTR) => {}
                Err(source) => return Err(failed("lock", root, path.as_bytes(), source)),
            }
        }
    }

    pub(super) fn attempt(root: &Root, path: &RelPath) -> Result<Option<Self>, Error> {
        let fd = open(root, path)?;
        try_flock(&fd)
            .map(|taken| taken.then(|| Self(fd)))
            .map_err(|source| failed("lock", root, path.as_bytes(), source))
    }
}

fn open(root: &Root, path: &RelPath) -> Result<OwnedFd, Error> {
    sys::ensure_beneath(root, path.as_bytes(), 0o600)
        .map_err(|source| failed("open the lock", root, path.as_bytes(), source))
}

fn try_flock(fd: &OwnedFd) -> Result<bool, Errno> {
    match flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(other) => Err(other),
    }
}
