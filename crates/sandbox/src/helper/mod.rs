//! The guest's first process, in two halves.
//!
//! `outer`: started by the factory in the host's namespaces, it makes the new ones and stays
//! outside their process namespace, to kill the guest when time is up, when the factory says so or
//! when the factory is gone, and to report. `inner`: its child, process 1 of the guest, lays out
//! the file system (`mounts`), gives up every privilege (`walls`, `filter`, `calls`), starts the
//! step and reaps what it leaves. When the step's main process ends, process 1 ends, and the kernel
//! kills every other process of the guest. What an order has `beside` its step is one of these.
//!
//! Neither half lets the guest look at it: both are not dumpable, so that `/proc/1/mem`, `environ`,
//! `exe` and `fd` are closed even to the same uid. The program itself runs from a read-only mount
//! of its file or a sealed copy in memory (see [`crate::Local`]), so that no guest can change it.

mod beside;
mod calls;
mod check;
mod filter;
mod inner;
mod mounts;
mod outer;
mod walls;

pub use beside::NOT_READY;
pub(crate) use walls::OWN_PROCESSES;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The first argument that makes the program a guest's first process.
pub const HELPER_WORD: &str = "sandbox-init";

/// Builds a guest, runs a step in it and reports. `main` must call this, before any thread, when
/// its first argument is [`HELPER_WORD`]; `args` are the arguments after that word.
///
/// Only [`crate::Local`] can talk to it: what to do comes over a socket in place of standard input.
pub fn helper(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    if args.next().is_some() {
        return refuse("takes no arguments");
    }
    match outer::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => refuse(&reason.to_string()),
    }
}

/// Says on standard error why nothing was done: whoever reads it started this by hand.
fn refuse(reason: &str) -> ExitCode {
    let text = format!("{HELPER_WORD}: {reason}; it is started by the factory only\n");
    match std::io::stderr().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => ExitCode::from(2),
    }
}
