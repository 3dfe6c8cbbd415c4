//! What the program learns from the process it is: arguments, environment, its own path, the
//! folder it stands in, how many processors there are. Read here and nowhere else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use boltworks_factory::Host;

/// The command line, the program's name first.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// The variables that are text.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read here, once"
)]
pub(crate) fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// A path from the command line, absolute.
#[expect(
    clippy::disallowed_methods,
    reason = "relative paths are made absolute here, once"
)]
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::env::current_dir().map_or_else(|_| path.to_owned(), |folder| folder.join(path))
}

/// The folder for what lasts no longer than a command.
pub(crate) fn temporary() -> PathBuf {
    let named = environment().remove("TMPDIR").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// The machine, as rooms want to know it.
#[expect(clippy::disallowed_methods, reason = "read here, once, and passed on")]
pub(crate) fn host(jobs: Option<usize>, offline: bool) -> Host {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Host {
        exe: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe")),
        program: concat!("boltworks ", env!("CARGO_PKG_VERSION")).to_owned(),
        jobs: jobs.unwrap_or(processors).max(1),
        environment: environment(),
        offline,
    }
}
