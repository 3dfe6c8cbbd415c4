//! The one place that starts programs: with nothing of our environment, and no input but what is
//! given.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use boltworks_fsx::{Bounded, Limit};
use boltworks_model::Clock;
use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group,
    prlimit, waitid,
};

use crate::Error;

/// Where programs are looked for unless told otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of what a program complains about is kept: the end.
const MAX_COMPLAINT: usize = 4096;
/// How often a watched program is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A program to start: `LC_ALL=C`, `PATH`, and only the environment that is given.
#[derive(Debug, Clone)]
pub struct Program {
    name: &'static str,
    package: &'static str,
    args: Vec<OsString>,
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    memory: Option<u64>,
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
            memory: None,
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

    /// Sets the most bytes of memory that it may take, and each program that it starts.
    #[must_use]
    pub const fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Runs it to its end without input and returns what it printed.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its complaint if it ends with an error; [`Error::Program`]
    /// if it prints more than the limit.
    pub fn output(&self, limit: Limit) -> Result<Vec<u8>, Error> {
        self.stream((Stdio::null(), None), |_, stdout| {
            Bounded::new(stdout, limit)
                .read_all()
                .map_err(|source| self.broken(source))
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
        self.stream((Stdio::from(input), None), |_, stdout| read(stdout))
    }

    /// Runs it in a conversation: what is written to it, until that is dropped, and what it answers.
    /// At an error it is stopped.
    pub fn talk<T, E: From<Error>>(
        &self,
        talk: impl FnOnce(Box<dyn Write>, &mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        self.stream((Stdio::piped(), None), talk)
    }

    /// The same, and every now and then `look` is told a number that grows while bytes go to and fro,
    /// while it complains or reports, and while it is not waited for. At its error the program is
    /// stopped, and so are all that it has started.
    pub fn talk_watched<T>(
        &self,
        clock: &dyn Clock,
        look: &mut Look<'_>,
        talk: impl FnOnce(Box<dyn Write>, &mut dyn Read) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.stream((Stdio::piped(), Some((clock, look))), talk)
    }

    /// Runs it to its end without input and returns what it printed; every now and then `look` is
    /// told how much it has complained or reported so far, in bytes. At its error the program is
    /// stopped, and so are all that it has started.
    pub fn watched(
        &self,
        limit: Limit,
        clock: &dyn Clock,
        look: &mut dyn FnMut(u64) -> Result<(), Error>,
    ) -> Result<Vec<u8>, Error> {
        let mut child = self.start(Stdio::null(), true)?;
        let broken = || self.broken(io::Error::other("no pipe"));
        let stdout = child.0.stdout.take().ok_or_else(broken)?;
        let stderr = child.0.stderr.take().ok_or_else(broken)?;
        let (said, is_too_much) = (AtomicU64::new(0), AtomicBool::new(false));
        let (outcome, output, complaint) = thread::scope(|scope| {
            let output = scope.spawn(|| {
                let output = Bounded::new(stdout, limit).read_all();
                is_too_much.store(output.is_err(), Ordering::Relaxed);
                output
            });
            let complaint = scope.spawn(|| tail(&mut Counted(stderr, &said)));
            let outcome = loop {
                match child.has_ended() {
                    Ok(false) if !is_too_much.load(Ordering::Relaxed) => {}
                    Ok(_) => break Ok(()),
                    Err(source) => break Err(self.broken(source)),
                }
                if let Err(error) = look(said.load(Ordering::Relaxed)) {
                    break Err(error);
                }
                clock.sleep(LOOK);
            };
            child.stop();
            let output = output.join().unwrap_or_else(|_| Ok(Vec::new()));
            (outcome, output, complaint.join().unwrap_or_default())
        });
        outcome?;
        let output = output.map_err(|source| self.broken(source))?;
        self.ended(&mut child, &complaint, true)?;
        Ok(output)
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Program {
            program: self.name,
            source,
        }
    }

    fn stream<T, E: From<Error>>(
        &self,
        (input, watch): (Stdio, Option<(&dyn Clock, &mut Look<'_>)>),
        talk: impl FnOnce(Box<dyn Write>, &mut dyn Read) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut child = self.start(input, watch.is_some())?;
        let broken = || self.broken(io::Error::other("no pipe"));
        let meter = Arc::new(Meter::default());
        let stdin: Box<dyn Write> = match child.0.stdin.take() {
            Some(stdin) => Box::new(Metered(stdin, Arc::clone(&meter))),
            None => Box::new(io::sink()),
        };
        let stdout = child.0.stdout.take().ok_or_else(broken)?;
        let mut stdout = Metered(stdout, Arc::clone(&meter));
        let stderr = child.0.stderr.take().ok_or_else(broken)?;
        let (meter, running) = (&*meter, &child);
        let (value, complaint, seen) = thread::scope(|scope| {
            let complaint = scope.spawn(move || tail(&mut Counted(stderr, &meter.moved)));
            let watcher = watch.map(|(clock, look)| {
                scope.spawn(move || meter.watch(clock, look).inspect_err(|_| running.stop()))
            });
            let value = talk(stdin, &mut stdout);
            if value.is_err() {
                running.stop();
            }
            // A program that still writes now would wait for ever.
            drop(stdout);
            meter.is_waited_for.store(true, Ordering::Relaxed);
            let complaint = complaint.join().unwrap_or_default();
            meter.is_over.store(true, Ordering::Relaxed);
            let seen = watcher.map_or(Ok(()), |watcher| watcher.join().unwrap_or(Ok(())));
            (value, complaint, seen)
        });
        // What was stopped because of this ended in some other error, too.
        seen?;
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

    /// `is_apart`: in a process group of its own, which is stopped as a whole.
    fn start(&self, input: Stdio, is_apart: bool) -> Result<Running, Error> {
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
        if is_apart {
            command.process_group(0);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let running = command.spawn().map(|child| Running(child, is_apart));
        let running = running.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::Missing {
                program: self.name,
                package: self.package,
            },
            _ => self.broken(source),
        })?;
        self.bound(&running.0)
            .map_err(|source| self.broken(source))?;
        Ok(running)
    }

    /// Bounds the memory of a program that was just started and has no input yet.
    fn bound(&self, child: &Child) -> io::Result<()> {
        let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (Some(bytes), Some(child)) = (self.memory, child) else {
            return Ok(());
        };
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        // Until it is waited for, its number is nobody else's.
        match prlimit(Some(child), Resource::Data, limit) {
            Err(error) if error != Errno::SRCH => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Waits for the end. `is_whole`: its output was read to the end, so that only success will
    /// do; otherwise only an end of its own with a complaint is an error.
    fn ended(&self, child: &mut Running, complaint: &[u8], is_whole: bool) -> Result<(), Error> {
        let status = child.0.wait().map_err(|source| self.broken(source))?;
        let is_own_end = status.code().is_some();
        if status.success() || (!is_whole && (!is_own_end || complaint.is_empty())) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(complaint);
        let said = said
            .lines()
            .filter_map(left)
            .fold(String::new(), |text, line| text + "\n    " + line);
        Err(Error::Failed {
            program: self.name,
            status: status.to_string(),
            said,
        })
    }
}

/// Who looks at a program while it runs: told a number that grows as long as something goes on.
pub type Look<'a> = dyn FnMut(u64) -> Result<(), Error> + Send + 'a;

/// A started program, and whether it is a process group of its own: stopped and waited for when it is
/// dropped.
struct Running(Child, bool);

impl Running {
    fn id(&self) -> Option<Pid> {
        i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
    }

    /// Whether it has ended. It is not waited for: its number stays its own, and its group's.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match self.id() {
            Some(id) => Ok(waitid(WaitId::Pid(id), options)?.is_some()),
            None => Ok(true),
        }
    }

    /// Stops it. Only before it is waited for: afterwards its number may be another program's.
    fn stop(&self) {
        let stopped = match self.id() {
            Some(group) if self.1 => kill_process_group(group, Signal::KILL),
            Some(program) => kill_process(program, Signal::KILL),
            None => Ok(()),
        };
        if let Err(error) = stopped {
            tracing::debug!(%error, "a program had ended before it was stopped");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that was waited for is known to have ended, and another's number is not touched.
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        self.stop();
        if let Err(error) = self.0.wait() {
            tracing::warn!(%error, "a stopped program could not be waited for");
        }
    }
}

/// What is known of a conversation while it goes on.
#[derive(Default)]
struct Meter {
    moved: AtomicU64,
    /// Whether we can do nothing but wait for the program.
    is_waited_for: AtomicBool,
    is_over: AtomicBool,
}

impl Meter {
    fn watch(&self, clock: &dyn Clock, look: &mut Look<'_>) -> Result<(), Error> {
        while !self.is_over.load(Ordering::Relaxed) {
            if !self.is_waited_for.load(Ordering::Relaxed) {
                self.moved.fetch_add(1, Ordering::Relaxed);
            }
            look(self.moved.load(Ordering::Relaxed))?;
            clock.sleep(LOOK);
        }
        Ok(())
    }

    fn wait(&self, act: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.is_waited_for.store(true, Ordering::Relaxed);
        let count = act();
        self.is_waited_for.store(false, Ordering::Relaxed);
        let count = count?;
        self.moved.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// One end of a conversation.
struct Metered<T>(T, Arc<Meter>);

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.wait(|| self.0.read(buffer))
    }
}

impl<W: Write> Write for Metered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.wait(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What is left of a line that was written over itself: the last.
fn left(line: &str) -> Option<&str> {
    line.rsplit('\r').find(|part| !part.trim().is_empty())
}

/// Counts what is read.
struct Counted<'a, R>(R, &'a AtomicU64);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
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

    /// Real time.
    struct Real;

    impl Clock for Real {
        fn now(&self) -> boltworks_model::Timestamp {
            boltworks_model::Timestamp(0)
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, duration: Duration) {
            thread::sleep(duration);
        }
    }

    #[test]
    fn a_watched_program_is_stopped_with_all_it_started() {
        let script = "sleep 1000 & echo begun >&2; printf '10%%\\r20%%\\r' >&2; echo it; wait";
        let mut looks = 0;
        let outcome = shell(script).watched(Limit::kib(1), &Real, &mut |said| {
            looks += 1;
            if said < 6 {
                Ok(())
            } else {
                Err(Error::NoArchive)
            }
        });
        assert!(matches!(outcome, Err(Error::NoArchive)), "{outcome:?}");
        assert!(looks > 0);
        let quick = shell("echo it; echo said >&2").watched(Limit::kib(1), &Real, &mut |_| Ok(()));
        assert_eq!(quick.unwrap(), b"it\n");
        let failing = shell("printf '1%%\\r2%%\\rat last\n' >&2; exit 3");
        let failing = failing.watched(Limit::kib(1), &Real, &mut |_| Ok(()));
        assert_eq!(
            failing.unwrap_err().to_string(),
            "run sh: it ended with exit status: 3\n    at last"
        );
        let loud = shell("while :; do echo 0123456789; done");
        let loud = loud.watched(Limit::kib(1), &Real, &mut |_| Ok(()));
        assert!(matches!(loud, Err(Error::Program { .. })), "{loud:?}");
    }

    #[test]
    fn a_program_can_be_talked_with() {
        let echoed = Program::new("cat", "coreutils").talk(|mut input, output| {
            let mut answer = [0; 3];
            input
                .write_all(b"one")
                .and_then(|()| output.read_exact(&mut answer))
                .unwrap();
            Ok::<_, Error>(answer)
        });
        assert_eq!(&echoed.unwrap(), b"one");
    }

    #[test]
    fn a_program_that_falls_silent_in_a_conversation_is_stopped() {
        let talk = |script: &str, most: u64| {
            let mut same = (0, 0);
            let mut look = |moved: u64| {
                same = if same.0 == moved {
                    (moved, same.1 + 1)
                } else {
                    (moved, 0)
                };
                (same.1 < most).then_some(()).ok_or(Error::NoArchive)
            };
            shell(script).talk_watched(&Real, &mut look, |mut input, output| {
                // What we do ourselves meanwhile is not its silence.
                thread::sleep(LOOK * 8);
                input
                    .write_all(b"one\n")
                    .map_err(|error| shell("").broken(error))?;
                drop(input);
                let answer = Bounded::new(output, Limit::kib(1)).read_all();
                answer.map_err(|error| shell("").broken(error))
            })
        };
        assert_eq!(talk("read it; echo $it", 4).unwrap(), b"one\n");
        let slow = "read it; for i in 1 2 3 4 5 6; do sleep 0.1; echo $i >&2; done; echo $it";
        assert_eq!(talk(slow, 6).unwrap(), b"one\n");
        for silent in [
            "read it; sleep 1000",
            "read it; sleep 1000 & wait",
            "sleep 1000 & exec >&-; wait",
        ] {
            let outcome = talk(silent, 4);
            assert!(
                matches!(outcome, Err(Error::NoArchive)),
                "{silent}: {outcome:?}"
            );
        }
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
