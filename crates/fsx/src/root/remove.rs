//! Removal of whole directories, whatever a build left in them: any depth, any mode.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, RenameFlags, renameat_with, unlinkat};
use rustix::io::Errno;

use super::{FileKind, sys};

/// Directories nested deeper than this are moved up and removed from there, so that no depth
/// exhausts open files or the stack.
const MAX_DEPTH: u32 = 64;

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
    let mut moved = 0;
    empty(&top, &top, &mut moved, 0)?;
    unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// Removes everything in a directory; `moved` counts what was moved up to the top.
fn empty(top: &impl AsFd, here: &impl AsFd, moved: &mut u64, depth: u32) -> Result<(), Errno> {
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

fn move_up(top: &impl AsFd, here: &impl AsFd, name: &[u8], moved: &mut u64) -> Result<(), Errno> {
    loop {
        *moved += 1;
        let target = format!(".tmp-deep-{moved}");
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
