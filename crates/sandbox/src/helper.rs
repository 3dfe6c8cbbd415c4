//! The guest's first process.

use std::ffi::OsString;
use std::process::ExitCode;

/// The first argument that makes the program a guest's first process.
pub const HELPER_WORD: &str = "sandbox-init";

/// Builds a guest, runs a step in it and reports. `main` must call this, before any thread, when
/// its first argument is [`HELPER_WORD`]; `args` are the arguments after that word.
pub fn helper(_args: impl Iterator<Item = OsString>) -> ExitCode {
    todo!()
}
