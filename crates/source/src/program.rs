//! The one place that starts programs: with nothing of our environment, and no input but what is
//! given.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use boltworks_fsx::{Bounded, Limit};

use crate::Error;

/// Where programs are looked for unless told otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of what a program complains about is kept: the end.
const MAX_COMPLAINT: usize = 4096;

/// A program to start: `LC_ALL=C`, `PATH`, and only the environment that is given.
#[derive(Debug, Clone)]
pub struct Program {
    name: &'static str,
    package: &'static str,
    args: Vec<OsString>,
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
}

impl Program {
    /// A program by its name, and the package to name when it is missing.
    pub fn new(name: &'static str, package: &'static str) -> Self {
        let environment = [
            ("PATH", PATH),
            ("LC_ALL", "C"),
            ("HOME", "/nonexistent"),
            ("TZ", "UTC"),
        ];
        Self {
            name,
            package,
            args: Vec::new(),
            environment: environment
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            directory: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(key.into(), value.into());
        self
    }

    /// Sets variables.
    #[must_use]
    pub fn envs(mut self, variables: &BTreeMap<String, String>) -> Self {
        self.environment.extend(variables.clone());
        self
    }

    /// Sets the directory it starts in.
    #[must_use]
    pub fn directory(mut self, path: &Path) -> Self {
        self.directory = Some(path.to_owned());
        self
    }

    /// Runs it to its end without input and returns what it printed.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its complaint if it ends with an error; [`Error::Program`]
    /// if it prints more than the limit.
    pub fn output(&self, limit: Limit) -> Result<Vec<u8>, Error> {
        self.stream(Stdio::null(), |stdout| {
            Bounded::new(stdout, limit)
                .read_all()
                .map_err(|source| Error::Program {
                    program: self.name,
                    source,
                })
        })
    }

    /// Runs it to its end without input and returns the text it printed.
    pub fn text(&self, limit: Limit) -> Result<String, Error> {
        String::from_utf8(self.output(limit)?).map_err(|_| Error::Malformed {
            index: format!("the output of {}", self.name),
            reason: "it is not UTF-8".to_owned(),
        })
    }

    /// Runs it with an open file as its input; what it prints is read by `read`, at whose error
    /// it is stopped.
    pub fn stream_from<T, E: From<Error>>(
        &self,
        input: File,
        read: impl FnOnce(&mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        self.stream(Stdio::from(input), read)
    }

    fn stream<T, E: From<Error>>(
        &self,
        input: Stdio,
        read: impl FnOnce(&mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut child = self.start(input)?;
        let broken = || Error::Program {
            program: self.name,
            source: io::Error::other("no pipe"),
        };
        let mut stdout = child.0.stdout.take().ok_or_else(broken)?;
        let mut stderr = child.0.stderr.take().ok_or_else(broken)?;
        let (value, complaint) = thread::scope(|scope| {
            let complaint = scope.spawn(move || tail(&mut stderr));
            let value = read(&mut stdout);
            if value.is_err() {
                child.stop();
            }
            // A program that still writes now would wait for ever.
            drop(stdout);
            (value, complaint.join().unwrap_or_default())
        });
        let value = match value {
            Ok(value) => value,
            // What the program complained about explains a short output better than the reader.
            Err(error) => {
                return Err(self
                    .ended(&mut child, &complaint, false)
                    .err()
                    .map_or(error, E::from));
            }
        };
        self.ended(&mut child, &complaint, true)?;
        Ok(value)
    }

    fn start(&self, input: Stdio) -> Result<Running, Error> {
        tracing::debug!(program = self.name, args = ?self.args, "start");
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where this room starts programs"
        )]
        let mut command = Command::new(self.name);
        command
            .args(&self.args)
            .env_clear()
            .envs(&self.environment)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
            .spawn()
            .map(Running)
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => Error::Missing {
                    program: self.name,
                    package: self.package,
                },
                _ => Error::Program {
                    program: self.name,
                    source,
                },
            })
    }

    /// Waits for the end. `is_whole`: its output was read to the end, so that only success will
    /// do; otherwise only an end of its own with a complaint is an error.
    fn ended(&self, child: &mut Running, complaint: &[u8], is_whole: bool) -> Result<(), Error> {
        let status = child.0.wait().map_err(|source| Error::Program {
            program: self.name,
            source,
        })?;
        let is_own_end = status.code().is_some();
        if status.success() || (!is_whole && (!is_own_end || complaint.is_empty())) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(complaint);
        let said = said
            .trim_end()
            .lines()
            .fold(String::new(), |text, line| text + "\n    " + line);
        Err(Error::Failed {
            program: self.name,
            status: status.to_string(),
            said,
        })
    }
}

/// A started program: stopped and waited for when it is dropped.
struct Running(Child);

impl Running {
    fn stop(&mut self) {
        if let Err(error) = self.0.kill() {
            tracing::debug!(%error, "a program had ended before it was stopped");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        self.stop();
        if let Err(error) = self.0.wait() {
            tracing::warn!(%error, "a stopped program could not be waited for");
        }
    }
}

/// Reads to the end and keeps only the end.
fn tail(reader: &mut dyn Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let excess = kept.len().saturating_sub(MAX_COMPLAINT);
        kept.drain(..excess);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program::new("sh", "dash").args(["-c", script])
    }

    #[test]
    fn a_program_has_only_the_environment_it_is_given() {
        let text = shell("env").env("GIVEN", "1").text(Limit::kib(64)).unwrap();
        let mut names: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name)
            .collect();
        names.retain(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD"));
        names.sort_unstable();
        assert_eq!(names, ["GIVEN", "HOME", "LC_ALL", "PATH", "TZ"]);
    }

    #[test]
    fn a_failure_carries_the_complaint() {
        let error = shell("echo out; echo 'no such thing' >&2; exit 3")
            .output(Limit::kib(1))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "run sh: it ended with exit status: 3\n    no such thing"
        );
    }

    #[test]
    fn much_output_and_much_complaint_neither_block_nor_fill_memory() {
        let endless = "while :; do echo 0123456789012345678901234567890123456789; done";
        assert!(shell(endless).output(Limit::kib(64)).is_err());
        let loud = "i=0; while [ $i -lt 9000 ]; do echo 01234567890123456789 >&2; i=$((i+1)); done; exit 1";
        let error = shell(loud).output(Limit::kib(1)).unwrap_err();
        assert!(error.to_string().len() < 8192);
    }

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let error = Program::new("no-such-program", "some-package")
            .output(Limit(1))
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("install the package some-package")
        );
    }
}
