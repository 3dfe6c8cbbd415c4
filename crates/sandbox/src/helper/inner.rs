//! Process 1 of the guest.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};

use super::mounts::{self, Sources};
use super::{check, walls};
use crate::sys;
use crate::wire::{At, Failure, Order, Outcome, Program, Stage};

/// What process 1 inherits.
pub(super) struct Inner {
    /// What the guest is made of.
    pub(super) sources: Sources,
    /// The outer half.
    pub(super) outer: OwnedFd,
    /// Where the outer half reads what became of the program.
    pub(super) outcome: File,
}

/// Builds the guest and runs its program. When this returns, the process ends, and with it all
/// others of the guest.
pub(super) fn main(order: &Order, inner: Inner) -> io::Result<()> {
    let Inner {
        sources,
        outer,
        outcome,
    } = inner;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if is_over(&outer)? {
        return Ok(());
    }
    drop(outer);
    let result = run(order, sources).unwrap_or_else(Outcome::Failed);
    Ok(serde_json::to_writer(outcome, &result)?)
}

/// Whether a process has ended, perhaps before it could have been told to us.
fn is_over(process: &OwnedFd) -> rustix::io::Result<bool> {
    let mut wait = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    Ok(poll(&mut wait, Some(&Timespec::default()))? > 0)
}

fn run(order: &Order, sources: Sources) -> Result<Outcome, Failure> {
    prefer_as_victim();
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Stage::Start)?;
    mounts::build(order, sources)?;
    rustix::system::sethostname(order.hostname.as_bytes()).at(Stage::Hostname)?;
    rustix::system::setdomainname(b"(none)").at(Stage::Hostname)?;
    raise_loopback().at(Stage::Loopback)?;
    if let Program::Step { cwd, .. } = &order.program {
        rustix::process::chdir(cwd.as_str()).at_path(Stage::Enter, cwd)?;
    }
    walls::set_limits(&order.limits)?;
    walls::drop_privileges()?;
    let landlock = walls::restrict_files()?;
    walls::restrict_calls()?;
    match &order.program {
        Program::SelfCheck => check::confined().map(|()| Outcome::Sound { landlock }),
        Program::Step { argv, .. } => {
            let Some((program, arguments)) = argv.split_first() else {
                return Ok(Outcome::NotStarted {
                    errno: Errno::INVAL.raw_os_error(),
                });
            };
            match start(order, program, arguments) {
                Ok(main) => reap(main),
                Err(error) => Ok(Outcome::NotStarted {
                    errno: error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error()),
                }),
            }
        }
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

fn start(order: &Order, program: &str, arguments: &[String]) -> io::Result<Pid> {
    let Program::Step { environment, .. } = &order.program else {
        return Err(Errno::INVAL.into());
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a step's program starts"
    )]
    let mut command = Command::new(program);
    let child = command
        .args(arguments)
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(Pid::from_child(&child))
}

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
