//! Removal of whole directories, whatever a build left in them: any depth, any mode.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, RenameFlags, renameat_with, unlinkat};
use rustix::io::Errno;

use super::{FileKind, sys};

/// Directories nested deeper than this are moved up and removed from there, so that no depth
/// exhausts open files or the stack.
const MAX_DEPTH: u32 = 64;
/// So many directories next to each other are worth all threads.
const MANY: usize = 64;
/// No deeper are they looked for.
const MAX_LEVELS: u32 = 8;

/// Removes a name and everything beneath it. Nothing there is fine.
pub(super) fn remove(dir: &impl AsFd, name: &[u8]) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // Linux says the first, POSIX allows the second, which has other reasons as well.
        Err(Errno::ISDIR) => {}
        Err(Errno::PERM) if sys::stat_at(dir, name)?.kind == FileKind::Dir => {}
        Err(other) => return Err(other),
    }
    let top = open(dir, name)?;
    let moved = AtomicU64::new(0);
    // What goes wrong here goes wrong below as well, and is told there.
    let _told_below = empty_at_once(&top, &moved);
    empty(&top, &top, &moved, 0)?;
    unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// Goes down to where many directories are next to each other, and has all threads remove them.
fn empty_at_once(top: &OwnedFd, moved: &AtomicU64) -> Result<(), Errno> {
    let mut level = vec![top.try_clone().map_err(|_| Errno::MFILE)?];
    for depth in 1..MAX_LEVELS {
        let mut below = Vec::new();
        for here in &level {
            let names = sys::names(here)?.into_iter();
            let dirs = names.filter(|(_, kind)| *kind == FileKind::Dir);
            below.extend(dirs.map(|(name, _)| (here, name)));
        }
        if below.len() >= MANY {
            return below.par_iter().try_for_each(|(here, name)| {
                empty(top, &open(here, name)?, moved, depth)?;
                unlinkat(here, name.as_slice(), AtFlags::REMOVEDIR)
            });
        }
        let opened = below.iter().map(|(here, name)| open(here, name));
        level = opened.collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// Removes everything in a directory; `moved` counts what was moved up to the top.
fn empty(top: &OwnedFd, here: &OwnedFd, moved: &AtomicU64, depth: u32) -> Result<(), Errno> {
    loop {
        let names = sys::names(here)?;
        if names.is_empty() {
            return Ok(());
        }
        for (name, kind) in names {
            if kind != FileKind::Dir {
                unlinkat(here, name.as_slice(), AtFlags::empty())?;
                continue;
            }
            let child = open(here, &name)?;
            if depth >= MAX_DEPTH {
                move_up(top, here, &name, moved)?;
                continue;
            }
            empty(top, &child, moved, depth + 1)?;
            unlinkat(here, name.as_slice(), AtFlags::REMOVEDIR)?;
        }
        if depth > 0 {
            return Ok(());
        }
    }
}

fn move_up(top: &OwnedFd, here: &OwnedFd, name: &[u8], moved: &AtomicU64) -> Result<(), Errno> {
    loop {
        let count = moved.fetch_add(1, Ordering::Relaxed);
        let target = format!(".tmp-deep-{count}");
        match renameat_with(here, name, top, target.as_str(), RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            result => return result,
        }
    }
}

/// Opens a directory, never one that is mounted here, giving its owner every right first where that is needed to empty it.
fn open(dir: &impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let handle = sys::open_here(dir, name, sys::HANDLE)?;
    let stat = sys::fstat(&handle)?;
    if stat.kind == FileKind::Dir && stat.mode & 0o700 != 0o700 {
        rustix::fs::chmod(sys::proc_path(&handle), Mode::from_raw_mode(0o700))?;
    }
    sys::open_here(dir, name, sys::DIR)
}
