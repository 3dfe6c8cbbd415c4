//! Files that appear whole and durable, or not at all.
//!
//! A draft is written under a temporary name in the directory where it is to be, so that its
//! commit is one rename within one directory. The name says which process made it, and the
//! process keeps it locked, so that [`sweep`] can tell a dead process's draft from a living one's.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FlockOperation, Mode, RenameFlags};
use rustix::io::Errno;

use super::{Root, sys};
use crate::{Error, RelPath};
use sys::failed;

const PREFIX: &str = ".tmp-";
const BUFFER: usize = 64 * 1024;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Proof that something survives a crash from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable(());

impl Durable {
    /// For this module's siblings, after they synced file and directory.
    pub(super) const fn promise() -> Self {
        Self(())
    }
}

/// A file under a temporary name (`.tmp-…`) in the directory where it is to be. Dropped without
/// a commit, it is gone.
#[derive(Debug)]
pub struct Draft {
    file: BufWriter<File>,
    mode: u32,
    place: Place,
}

/// A temporary name that is removed unless it got its real one.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dir: std::sync::Arc<Root>,
    pub(super) temporary: String,
    pub(super) name: Vec<u8>,
    pub(super) done: bool,
}

impl Draft {
    pub(super) fn begin(dir: Root, name: Vec<u8>, mode: u32) -> Result<Self, Error> {
        let (temporary, file) = temporary(&dir)?;
        let place = Place {
            dir: dir.into(),
            temporary,
            name,
            done: false,
        };
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER, file),
            mode,
            place,
        })
    }

    /// Syncs the file, gives it its name (replacing what had it), syncs the directory.
    pub fn commit(self) -> Result<Durable, Error> {
        self.commit_with(RenameFlags::empty())
    }

    /// Like [`Draft::commit`], but an error of kind `AlreadyExists` where something has the name.
    pub fn commit_new(self) -> Result<Durable, Error> {
        self.commit_with(RenameFlags::NOREPLACE)
    }

    fn commit_with(self, flags: RenameFlags) -> Result<Durable, Error> {
        let (file, mut place) = self.into_parts()?;
        rustix::fs::fsync(&file).map_err(|source| place.failed("sync", source))?;
        place.rename(flags)?;
        place.dir.sync()?;
        Ok(Durable::promise())
    }

    /// Changes the name it will have, in the same directory.
    pub fn rename_to(&mut self, name: &RelPath) -> Result<(), Error> {
        if name.parent().is_some() {
            return Err(Error::entry(
                "name a draft",
                name,
                "it must stay in its directory",
            ));
        }
        self.place.name = name.as_bytes().to_vec();
        Ok(())
    }

    /// The open file with everything written so far, for reading it back.
    pub fn file(&mut self) -> io::Result<&File> {
        self.file.flush()?;
        Ok(self.file.get_ref())
    }

    pub(super) fn into_parts(self) -> Result<(File, Place), Error> {
        let Self { file, mode, place } = self;
        let file = match file.into_inner() {
            Ok(file) => file,
            Err(error) => return Err(place.failed_io("write", error.into_error())),
        };
        // Writing takes setuid and setgid away, so the mode comes after it.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777))
            .map_err(|source| place.failed("set the mode of", source))?;
        Ok((file, place))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Place {
    pub(super) fn rename(&mut self, flags: RenameFlags) -> Result<(), Error> {
        rustix::fs::renameat_with(
            &*self.dir,
            self.temporary.as_str(),
            &*self.dir,
            self.name.as_slice(),
            flags,
        )
        .map_err(|source| self.failed("put in place", source))?;
        self.done = true;
        Ok(())
    }

    pub(super) fn failed(&self, action: &'static str, source: Errno) -> Error {
        failed(action, &*self.dir, &self.name, source)
    }

    fn failed_io(&self, action: &'static str, source: io::Error) -> Error {
        match self.failed(action, Errno::IO) {
            Error::Io { action, path, .. } => Error::Io {
                action,
                path,
                source,
            },
            other => other,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Err(reason) =
            rustix::fs::unlinkat(&*self.dir, self.temporary.as_str(), AtFlags::empty())
        {
            tracing::debug!(name = self.temporary, %reason, "a draft could not be removed");
        }
    }
}

/// A new, locked file under a temporary name, for nobody else's eyes yet.
pub(super) fn temporary(dir: &Root) -> Result<(String, File), Error> {
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}", std::process::id());
        match sys::create_beneath(dir, name.as_bytes(), 0o600) {
            Ok(fd) => {
                if let Err(reason) =
                    rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)
                {
                    // Some network file systems have no locks; the process number must do there.
                    tracing::debug!(name, %reason, "a draft could not be locked");
                }
                return Ok((name, File::from(fd)));
            }
            Err(Errno::EXIST) => {}
            Err(source) => return Err(failed("make a file in", dir, b"", source)),
        }
    }
}

/// Removes the drafts of dead processes from a directory.
pub(super) fn sweep(dir: &Root) -> Result<usize, Error> {
    let mut count = 0;
    // There may be a hundred thousand others.
    let names = sys::names_with(dir, PREFIX.as_bytes());
    for (name, _) in names.map_err(|source| failed("list", dir, b"", source))? {
        let Some(process) = maker(&name) else {
            continue;
        };
        let alive = rustix::fs::access(format!("/proc/{process}"), rustix::fs::Access::EXISTS);
        if process == std::process::id() || alive.is_ok() || is_locked(dir, &name) {
            continue;
        }
        match rustix::fs::unlinkat(dir, name.as_slice(), AtFlags::empty()) {
            Ok(()) => count += 1,
            Err(Errno::NOENT) => {}
            Err(source) => return Err(failed("remove the left-over", dir, &name, source)),
        }
    }
    Ok(count)
}

/// The process that made a draft of this name.
fn maker(name: &[u8]) -> Option<u32> {
    let (process, count) = std::str::from_utf8(name)
        .ok()?
        .strip_prefix(PREFIX)?
        .split_once('-')?;
    count.parse::<u64>().ok()?;
    process.parse().ok()
}

fn is_locked(dir: &Root, name: &[u8]) -> bool {
    sys::open_beneath(dir, name, sys::READ)
        .and_then(|fd| rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive))
        .is_err_and(|reason| reason == Errno::WOULDBLOCK)
}
