//! Running a program with a time limit, keeping all it says.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a program may run where nothing else is said.
const LIMIT: Duration = Duration::from_mins(2);
/// How often a running program is looked at.
const TICK: Duration = Duration::from_millis(10);

/// A program about to run.
#[derive(Debug, Clone)]
pub struct Command {
    words: Vec<OsString>,
    environment: BTreeMap<OsString, Option<OsString>>,
    folder: Option<PathBuf>,
    limit: Duration,
    group: bool,
}

impl Command {
    /// The program; standard input is empty.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            words: vec![program.as_ref().to_owned()],
            environment: BTreeMap::new(),
            folder: None,
            limit: LIMIT,
            group: false,
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, words: I) -> Self {
        self.words
            .extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Run by another program: its words come first.
    #[must_use]
    pub fn through<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, words: I) -> Self {
        let before = words.into_iter().map(|word| word.as_ref().to_owned());
        self.words.splice(0..0, before);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().to_owned());
        self.environment.insert(name.as_ref().to_owned(), value);
        self
    }

    /// The folder it runs in.
    #[must_use]
    pub fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// How long it may run.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// As the first of a process group of its own.
    #[must_use]
    pub const fn group(mut self) -> Self {
        self.group = true;
        self
    }

    /// Starts it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests are about running programs"
    )]
    pub fn start(&self) -> Result<Running> {
        let stdout = tempfile::tempfile().context("no file for what it prints")?;
        let stderr = tempfile::tempfile().context("no file for what it prints")?;
        let (program, arguments) = self.words.split_first().context("no program")?;
        let mut command = std::process::Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if self.group {
            command.process_group(0);
        }
        let child = command
            .spawn()
            .with_context(|| format!("{} does not start", self.line()))?;
        Ok(Running {
            child,
            line: self.line(),
            stdout,
            stderr,
            started: Instant::now(),
            limit: self.limit,
        })
    }

    /// Runs it to its end, whatever that is.
    pub fn run(&self) -> Result<Output> {
        self.start()?.finish()
    }

    /// Runs it; it must succeed.
    pub fn ok(&self) -> Result<Output> {
        let output = self.run()?;
        ensure!(output.status.success(), "it failed: {output}");
        Ok(output)
    }

    /// Runs it; it must fail with this exit code.
    pub fn fails(&self, code: i32) -> Result<Output> {
        let output = self.run()?;
        ensure!(
            output.status.code() == Some(code),
            "it should end with {code}: {output}"
        );
        Ok(output)
    }

    fn line(&self) -> String {
        let words: Vec<_> = self
            .words
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        words.join(" ")
    }
}

/// A program that runs; killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    line: String,
    stdout: File,
    stderr: File,
    started: Instant,
    limit: Duration,
}

impl Running {
    /// Its process.
    pub fn pid(&self) -> Result<Pid> {
        Pid::from_raw(i32::try_from(self.child.id())?).context("process 0")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid()?, signal)?)
    }

    /// Sends a signal to its process group, which [`Command::group`] made.
    pub fn signal_group(&self, signal: Signal) -> Result<()> {
        Ok(kill_process_group(self.pid()?, signal)?)
    }

    /// What it printed so far.
    pub fn printed(&self) -> Result<String> {
        read_all(&self.stdout)
    }

    /// What it said to standard error so far.
    pub fn said(&self) -> Result<String> {
        read_all(&self.stderr)
    }

    /// Waits until it has said something to standard error.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        while !self.said()?.contains(text) {
            let ended = self.child.try_wait()?;
            ensure!(
                ended.is_none() || self.said()?.contains(text),
                "{} ended and never said {text:?}: {}",
                self.line,
                self.said()?
            );
            ensure!(
                self.started.elapsed() < self.limit,
                "{} never says {text:?}",
                self.line
            );
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Result<Output> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if self.started.elapsed() > self.limit {
                self.child.kill()?;
                self.child.wait()?;
                let said = format!("{}{}", read_all(&self.stdout)?, self.said()?);
                bail!("{} ran longer than {:?}: {said}", self.line, self.limit);
            }
            std::thread::sleep(TICK);
        };
        Ok(Output {
            status,
            line: self.line.clone(),
            stdout: read_all(&self.stdout)?,
            stderr: self.said()?,
            elapsed: self.started.elapsed(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a program did.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
    line: String,
}

impl Output {
    /// Whether a signal ended it.
    pub fn was_killed(&self) -> bool {
        // Programs that run others pass a signal on as 128 and its number.
        self.status.signal().is_some() || self.status.code() == Some(128 + Signal::KILL.as_raw())
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self}"))
    }

    /// Everything it printed and said contains this.
    pub fn says(&self, text: &str) -> Result<()> {
        ensure!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "it should say {text:?}: {self}"
        );
        Ok(())
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        write!(text, "{}\n{}\n", self.line, self.status)?;
        write!(
            text,
            "--- printed\n{}\n--- said\n{}",
            self.stdout, self.stderr
        )?;
        f.write_str(&text)
    }
}

/// A file from its start, without moving a position that a running program shares.
fn read_all(file: &File) -> Result<String> {
    use std::os::unix::fs::FileExt as _;
    let size = usize::try_from(file.metadata()?.len())?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
