//! Process 1 of the guest.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};

use super::mounts::{self, Sources};
use super::{beside, check, walls};
use crate::wire::{At, Failure, Order, Outcome, Program, Stage, Terminal};
use crate::{sys, terminal};

/// What process 1 inherits.
pub(super) struct Inner {
    /// What the guest is made of.
    pub(super) sources: Sources,
    /// The outer half.
    pub(super) outer: OwnedFd,
    /// Where the outer half reads what became of the program, and then of the shell.
    pub(super) outcome: File,
    /// The terminal, if the order comes with one.
    pub(super) terminal: Option<OwnedFd>,
}

/// Builds the guest and runs its program. When this returns, the process ends, and with it all
/// others of the guest.
pub(super) fn main(order: &Order, inner: Inner) -> io::Result<()> {
    let Inner {
        sources,
        outer,
        mut outcome,
        terminal,
    } = inner;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if is_over(&outer)? {
        return Ok(());
    }
    drop(outer);
    let result = run(order, sources, terminal.as_ref()).unwrap_or_else(Outcome::Failed);
    serde_json::to_writer(&outcome, &result)?;
    if let Program::Step {
        terminal: Terminal::Shell { argv, environment },
        ..
    } = &order.program
        && result.is_failure()
        && let Some(terminal) = &terminal
    {
        outcome.flush()?;
        let words = Words { argv, environment };
        let result = run_shell(&result, words, terminal).unwrap_or_else(Outcome::Failed);
        serde_json::to_writer(&outcome, &result)?;
    }
    Ok(())
}

/// Runs what a person has when a step has failed. What the step left running goes on meanwhile.
fn run_shell(step: &Outcome, words: Words<'_>, terminal: &OwnedFd) -> Result<Outcome, Failure> {
    // It says to whoever watches that the terminal is in use, and why.
    let greeting = terminal::greeting(step).at(Stage::Supervise)?;
    rustix::io::write(terminal, &greeting).at(Stage::Supervise)?;
    match start_at(terminal, words) {
        Ok(main) => reap(main),
        Err(error) => Ok(not_started(&error)),
    }
}

/// Whether a process has ended, perhaps before it could have been told to us.
fn is_over(process: &OwnedFd) -> rustix::io::Result<bool> {
    let mut wait = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    Ok(poll(&mut wait, Some(&Timespec::default()))? > 0)
}

fn run(
    order: &Order,
    mut sources: Sources,
    terminal: Option<&OwnedFd>,
) -> Result<Outcome, Failure> {
    prefer_as_victim();
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Stage::Start)?;
    // Before anything of the guest runs: what is beside the step shares them.
    rustix::system::sethostname(order.hostname.as_bytes()).at(Stage::Hostname)?;
    rustix::system::setdomainname(b"(none)").at(Stage::Hostname)?;
    raise_loopback().at(Stage::Loopback)?;
    let beside = beside::start(order, sources.beside.take())?;
    mounts::build(order, sources)?;
    if let Program::Step { cwd, .. } = &order.program {
        rustix::process::chdir(cwd.as_str()).at_path(Stage::Enter, cwd)?;
    }
    let landlock = walls::raise(&order.limits)?;
    if let Some(beside) = beside
        && let Some(outcome) = beside.wait_until_ready()?
    {
        return Ok(outcome);
    }
    match &order.program {
        Program::SelfCheck => check::confined(order.ids).map(|()| Outcome::Sound { landlock }),
        // What runs beside it is ready: there is no more to it.
        Program::Step { argv, .. } if argv.is_empty() => Ok(Outcome::Code(0)),
        Program::Step {
            argv,
            environment,
            terminal: at,
            ..
        } => {
            let words = Words { argv, environment };
            let started = match (at, terminal) {
                (Terminal::Step, Some(terminal)) => start_at(terminal, words),
                _ => start(words),
            };
            match started {
                Ok(main) => reap(main),
                Err(error) => Ok(not_started(&error)),
            }
        }
    }
}

fn not_started(error: &io::Error) -> Outcome {
    Outcome::NotStarted {
        errno: error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error()),
    }
}

/// A command line with its whole environment.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) argv: &'a [String],
    pub(super) environment: &'a BTreeMap<String, String>,
}

impl Words<'_> {
    pub(super) fn command(self) -> io::Result<Command> {
        let (program, arguments) = self.argv.split_first().ok_or(Errno::INVAL)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where a step's program starts"
        )]
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment)
            .stdin(Stdio::null());
        Ok(command)
    }
}

/// When the whole machine is out of memory, a build is to go before anything else.
fn prefer_as_victim() {
    let file = rustix::fs::open("/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty());
    // Where it cannot be said, the kernel chooses as it would have.
    let _told = file.and_then(|file| rustix::io::write(file, b"500"));
}

fn raise_loopback() -> io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    sys::raise_loopback(socket.as_fd())
}

fn start(words: Words<'_>) -> io::Result<Pid> {
    let child = words.command()?.process_group(0).spawn()?;
    Ok(Pid::from_child(&child))
}

/// Starts a program that has the terminal as its own: first of a session, and in its foreground.
fn start_at(terminal: &OwnedFd, words: Words<'_>) -> io::Result<Pid> {
    let mut command = words.command()?;
    command
        .stdin(terminal.try_clone()?)
        .stdout(terminal.try_clone()?)
        .stderr(terminal.try_clone()?);
    if let Some(main) = sys::fork()? {
        return Ok(main);
    }
    let ready = rustix::process::setsid()
        .and_then(|_| rustix::process::ioctl_tiocsctty(terminal))
        .map_err(io::Error::from);
    // This returns only with an error.
    let error = ready.map_or_else(|error| error, |()| command.exec());
    let text = format!("{}: {error}\n", words.argv.join(" "));
    let _said = rustix::io::write(terminal, text.as_bytes());
    sys::leave(NOT_STARTED)
}

/// What shells answer for a program that is not there.
const NOT_STARTED: i32 = 127;

/// Waits for the main process; waits for others that were left to process 1 on the way.
pub(super) fn reap(main: Pid) -> Result<Outcome, Failure> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == main => {
                return Ok(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Outcome::Code(code),
                    (None, Some(signal)) => Outcome::Signal(signal),
                    (None, None) => continue,
                });
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).at(Stage::Supervise),
        }
    }
}
