//! What `strace` saw, parsed.
//!
//! The lines come from `strace -f -y -b execve`: threads of the program itself, but none of the
//! programs it starts; open files with their paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::Command;
use crate::tools::need;

/// One finished system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The thread.
    pub thread: u32,
    /// The system call.
    pub name: String,
    /// Everything between its parentheses.
    pub arguments: String,
    /// Everything after `= `.
    pub result: String,
}

impl Call {
    /// Whether it failed.
    pub fn has_failed(&self) -> bool {
        self.result.starts_with('-') || self.result.starts_with('?')
    }

    /// Whether it changes something on disk: opening does if it makes the file.
    pub fn is_write(&self) -> bool {
        match self.name.as_str() {
            "openat" | "openat2" => self.arguments.contains("O_CREAT"),
            _ => true,
        }
    }

    /// The path of the n-th argument that is an open file, `3</path>`.
    pub fn file(&self, n: usize) -> Option<PathBuf> {
        let starts = self.arguments.match_indices('<');
        let paths = starts.filter_map(|(start, _)| {
            let rest = self.arguments.get(start + 1..)?;
            Some(PathBuf::from(rest.split('>').next()?))
        });
        paths.filter(|path| path.is_absolute()).nth(n)
    }

    /// The n-th text in quotation marks.
    pub fn text(&self, n: usize) -> Option<&str> {
        self.arguments.split('"').nth(2 * n + 1)
    }

    /// The n-th pair of an open folder and a name beneath it.
    pub fn path(&self, n: usize) -> Option<PathBuf> {
        Some(self.file(n)?.join(self.text(n)?))
    }
}

/// Runs a program under `strace`, which writes the named calls into a file.
pub fn traced(command: Command, calls: &[&str], file: &Path) -> Result<Command> {
    let trace = format!("trace={}", calls.join(","));
    let words: Vec<_> = [need("strace")?.as_os_str(), "-f".as_ref(), "-y".as_ref()]
        .into_iter()
        .chain(["-b", "execve", "-s", "0", "-e"].map(AsRef::as_ref))
        .chain([trace.as_ref(), "-o".as_ref(), file.as_os_str()])
        .map(std::ffi::OsStr::to_owned)
        .collect();
    Ok(command.through(words))
}

/// Runs a program under `strace`, which kills the first thread to begin the call for the n-th time,
/// and so the whole program. Those that the program starts are let be.
pub fn killed_at(command: Command, call: &str, n: usize) -> Result<Command> {
    let inject = format!("inject={call}:signal=SIGKILL:when={n}");
    let words: Vec<_> = [need("strace")?.as_os_str(), "-f".as_ref()]
        .into_iter()
        .chain(["-b", "execve", "-o", "/dev/null", "-e"].map(AsRef::as_ref))
        .chain([
            format!("trace={call}").as_ref(),
            "-e".as_ref(),
            inject.as_ref(),
        ])
        .map(std::ffi::OsStr::to_owned)
        .collect();
    Ok(command.through(words))
}

/// Reads the lines of a trace. Calls that another thread's interrupted are joined again, and stand
/// where they ended.
pub fn parse(text: &str) -> Result<Vec<Call>> {
    let mut begun: BTreeMap<u32, String> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let (thread, rest) = line.split_once(' ').context("a line without a thread")?;
        let thread = thread
            .parse()
            .with_context(|| format!("not a thread: {line}"))?;
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, start.trim_end().to_owned());
            continue;
        }
        let whole = match rest
            .strip_prefix("<... ")
            .and_then(|rest| rest.split_once(" resumed>"))
        {
            Some((_, end)) => begun.remove(&thread).unwrap_or_default() + end,
            None => rest.to_owned(),
        };
        let (name, rest) = whole
            .split_once('(')
            .with_context(|| format!("no call: {line}"))?;
        let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
        calls.push(Call {
            thread,
            name: name.to_owned(),
            arguments: arguments.trim_end().trim_end_matches(')').to_owned(),
            result: result.to_owned(),
        });
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_calls() {
        let text = "\
11 fsync(3</a/b>)  = 0
11 renameat2(7</a>, \"x\", 8</b>, \"y\", 0 <unfinished ...>
12 openat(AT_FDCWD</a>, \"q\", O_RDONLY) = -1 ENOENT (No such file or directory)
11 <... renameat2 resumed>) = 0
12 +++ exited with 0 +++
";
        let calls = parse(text).unwrap();
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["fsync", "openat", "renameat2"]);
        assert_eq!(calls[0].file(0), Some(PathBuf::from("/a/b")));
        assert!(calls[1].has_failed() && !calls[1].is_write());
        assert_eq!(calls[2].path(0), Some(PathBuf::from("/a/x")));
        assert_eq!(calls[2].path(1), Some(PathBuf::from("/b/y")));
        assert!(!calls[2].has_failed());
    }

    #[test]
    fn a_line_of_something_else_is_an_error() {
        assert!(parse("strace: something is wrong\n").is_err());
    }
}
