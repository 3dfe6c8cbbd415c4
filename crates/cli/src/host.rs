//! What the program learns from the process it is: arguments, environment, its own path, the
//! folder it stands in, how many processors there are. Read here and nowhere else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use boltworks_factory::Host;
use boltworks_fsx::{Bounded, Limit};
use boltworks_model::is_unseen;

use crate::dialect;
use crate::failure::Failure;

/// Has the allocator share what threads give back: glibc keeps an arena for each of them, and what images
/// that are made side by side allocate is never the same twice.
pub(crate) fn allocate_together() {
    #[cfg(target_env = "gnu")]
    {
        /// One for each of few processors.
        const ARENAS: libc::c_int = 2;
        #[expect(unsafe_code, reason = "nothing else sets glibc's arenas from within")]
        // SAFETY: `mallopt` takes numbers, and no thread was started before.
        let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
    }
}

/// The command line, the program's name first.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// This program as a command that a shell runs: as it was called, or by its path where it was called
/// by the name of another.
pub(crate) fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    command(&called, &host(None, true).exe)
}

/// The same where it was called by the name of another.
pub(crate) fn other_name() -> Option<String> {
    let called = std::env::args_os().next()?;
    dialect::of(&called).map(|_| program())
}

fn command(called: &OsStr, exe: &Path) -> String {
    if dialect::of(called).is_none() {
        return word(called);
    }
    let path = word(exe.as_os_str());
    if dialect::of(exe.as_os_str()).is_none() {
        return path;
    }
    // The program itself bears that name.
    format!("bash -c 'exec -a boltworks \"$0\" \"$@\"' {path}")
}

/// A word as a shell takes it.
pub(crate) fn word(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    if text.contains(is_unseen) {
        return format!("$'{}'", text.chars().map(escaped).collect::<String>());
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A character within `$'…'`.
fn escaped(c: char) -> String {
    match c {
        '\n' => r"\n".to_owned(),
        '\'' | '\\' => format!(r"\{c}"),
        c if is_unseen(c) => format!(r"\U{:08x}", u32::from(c)),
        c => c.into(),
    }
}

/// The text that another program sends, up to so many bytes.
pub(crate) fn standard_input(max: u64) -> Result<String, Failure> {
    let bytes = Bounded::new(std::io::stdin(), Limit(max)).read_all();
    let text = bytes.map(String::from_utf8);
    match text {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) => Err(Failure::Usage {
            what: "what comes on standard input is no text".to_owned(),
            help: "send UTF-8".to_owned(),
        }),
        Err(reason) => Err(Failure::Usage {
            what: format!("standard input cannot be read: {reason}"),
            help: format!("send at most {max} bytes"),
        }),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_line() {
        assert_eq!(word(OsStr::new("a b")), "'a b'");
        assert_eq!(
            word(OsStr::new("it's\n\\\u{1b}")),
            r"$'it\'s\n\\\U0000001b'"
        );
    }

    #[test]
    fn a_command_is_one_that_can_be_pasted() {
        let check = |called: &str, exe: &str, expected: &str| {
            assert_eq!(command(OsStr::new(called), Path::new(exe)), expected);
        };
        check("boltworks", "/usr/bin/boltworks", "boltworks");
        check("./boltworks", "/srv/boltworks", "./boltworks");
        check("melange", "/opt/b/boltworks", "/opt/b/boltworks");
        check(
            "melange",
            "/opt/it's b/boltworks",
            r"'/opt/it'\''s b/boltworks'",
        );
        check(
            "melange",
            "/usr/bin/melange",
            r#"bash -c 'exec -a boltworks "$0" "$@"' /usr/bin/melange"#,
        );
    }
}
