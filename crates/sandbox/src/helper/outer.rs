//! The half of the first process that stays outside the guest.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{
    DumpableBehavior, Gid, Pid, PidfdFlags, Signal, Uid, WaitOptions, WaitStatus,
};
use rustix::thread::UnshareFlags;

use super::inner::{self, Inner};
use super::mounts::Sources;
use super::walls;
use crate::sys;
use crate::wire::{self, At, Failure, Order, Outcome, Report, Stage};

/// Takes the order, carries it out in either half, and reports from the outer.
pub(super) fn main() -> io::Result<()> {
    sys::close_inherited()?;
    let control = take_control()?;
    sys::reset_signals()?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::setsid()?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let order: Order = wire::receive(&control)?;
    let terminal = order
        .has_terminal()
        .then(|| wire::receive_file(&control))
        .transpose()?;
    let report = match enter(&order, terminal) {
        Ok(Half::Inner(inner)) => {
            drop(control);
            return inner::main(&order, inner);
        }
        Ok(Half::Outer { guest, outcome }) => watch(&order, &control, guest, outcome),
        Err(failure) => Err(failure),
    };
    let report = report.unwrap_or_else(|failure| Report {
        outcome: Outcome::Failed(failure),
        shell: None,
        timed_out: false,
        cpu: Duration::ZERO,
        peak_memory: 0,
    });
    wire::send(&control, &report)
}

/// Takes the socket out of the place of standard input and puts nothing there.
fn take_control() -> io::Result<UnixStream> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::net::sockopt::socket_type(&control)?;
    rustix::stdio::dup2_stdin(nothing()?)?;
    Ok(control.into())
}

/// The null device.
fn nothing() -> rustix::io::Result<OwnedFd> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

/// The process after its split.
enum Half {
    Inner(Inner),
    Outer { guest: Pid, outcome: File },
}

/// Enters its control group, before there is anything of the guest; becomes the build user in new
/// namespaces, and splits.
fn enter(order: &Order, terminal: Option<OwnedFd>) -> Result<Half, Failure> {
    for door in &order.groups {
        let file = rustix::fs::open(door, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        file.and_then(|file| rustix::io::write(file, b"0"))
            .at_path(Stage::Group, door.display())?;
    }
    let early = order
        .become_uid
        .map(|uid| become_user(order, uid, terminal.as_ref()))
        .transpose()?;
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    sys::unshare(
        UnshareFlags::NEWUSER
            | UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS
            | UnshareFlags::NEWCGROUP
            | UnshareFlags::NEWNET,
    )
    .at(Stage::Namespaces)?;
    write_proc("/proc/self/setgroups", "deny")?;
    let inside = order.ids;
    let one = |inside: u32, outside: u32| format!("{inside} {outside} 1");
    write_proc("/proc/self/uid_map", &one(inside.uid, uid.as_raw()))?;
    write_proc("/proc/self/gid_map", &one(inside.gid, gid.as_raw()))?;
    keep_mounts_here(Stage::Namespaces)?;
    let sources = early.map_or_else(|| Sources::open(order), Ok)?;

    let own = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        .at(Stage::Start)?;
    let quiet = nothing().at(Stage::Start)?;
    let (read, write) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at(Stage::Start)?;
    match sys::fork().at(Stage::Start)? {
        None => Ok(Half::Inner(Inner {
            sources,
            outer: own,
            outcome: write.into(),
            terminal,
        })),
        Some(guest) => {
            rustix::stdio::dup2_stdout(&quiet).at(Stage::Start)?;
            rustix::stdio::dup2_stderr(&quiet).at(Stage::Start)?;
            Ok(Half::Outer {
                guest,
                outcome: read.into(),
            })
        }
    }
}

/// Opens what only root can reach, then becomes an ordinary user for good: a process with the
/// host's uid 0 may write sysctls even without capabilities.
fn become_user(order: &Order, uid: u32, terminal: Option<&OwnedFd>) -> Result<Sources, Failure> {
    sys::unshare(UnshareFlags::NEWNS).at(Stage::Become)?;
    keep_mounts_here(Stage::Become)?;
    let sources = Sources::open(order)?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
    // A step may open /dev/stdout anew: the pipes must be its own.
    let outputs = [rustix::stdio::stdout(), rustix::stdio::stderr()];
    for output in outputs.into_iter().chain(terminal.map(AsFd::as_fd)) {
        rustix::fs::fchown(output, Some(uid), Some(gid)).at(Stage::Become)?;
    }
    rustix::thread::set_thread_groups(&[]).at(Stage::Become)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).at(Stage::Become)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).at(Stage::Become)?;
    // The change of user took both of these away: the first is needed to write the id maps.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).at(Stage::Become)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).at(Stage::Become)?;
    Ok(sources)
}

/// Keeps what is mounted from here on from showing elsewhere.
fn keep_mounts_here(stage: Stage) -> Result<(), Failure> {
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .at(stage)
}

fn write_proc(path: &str, text: &str) -> Result<(), Failure> {
    let file = rustix::fs::openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .at_path(Stage::Identity, path)?;
    File::from(file)
        .write_all(text.as_bytes())
        .at_path(Stage::Identity, path)
}

/// Waits for the guest's end, or brings it about, and reports.
fn watch(
    order: &Order,
    control: &UnixStream,
    guest: Pid,
    mut outcome: File,
) -> Result<Report, Failure> {
    walls::drop_privileges()?;
    let handle = rustix::process::pidfd_open(guest, PidfdFlags::empty()).at(Stage::Supervise)?;
    let why = wait_for_end(control, &handle, &outcome, order.limits.wall);
    if !matches!(why, Ok(Why::Ended)) {
        rustix::process::pidfd_send_signal(&handle, Signal::KILL).at(Stage::Supervise)?;
    }
    let status = loop {
        match rustix::process::waitpid(Some(guest), WaitOptions::empty()) {
            Ok(Some((_, status))) => break status,
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).at(Stage::Supervise),
        }
    };
    let mut told = wire::read_all(&mut outcome).unwrap_or_default().into_iter();
    let outcome = told.next().unwrap_or_else(|| Outcome::Killed {
        status: describe(status),
    });
    let shell = told.next();
    let used = sys::used_by_children().at(Stage::Supervise)?;
    Ok(Report {
        outcome,
        shell,
        timed_out: matches!(why?, Why::Late),
        cpu: used.cpu,
        peak_memory: used.peak_memory,
    })
}

/// Why waiting is over.
enum Why {
    Ended,
    Late,
    Unwanted,
}

/// Waits for the guest's end. Its time is up to the step alone: who has a shell is not hurried.
fn wait_for_end(
    control: &UnixStream,
    guest: &OwnedFd,
    outcome: &File,
    wall: Option<Duration>,
) -> Result<Why, Failure> {
    let mut wall = wall.map(Timespec::try_from).transpose().unwrap_or_default();
    let mut is_told = false;
    loop {
        let wait = |file| PollFd::from_borrowed_fd(file, PollFlags::IN);
        let mut waits = vec![wait(guest.as_fd()), wait(control.as_fd())];
        if !is_told {
            waits.push(wait(outcome.as_fd()));
        }
        let ready = match poll(&mut waits, wall.as_ref()) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error).at(Stage::Supervise),
        };
        let is = |at: usize| waits.get(at).is_some_and(|wait| !wait.revents().is_empty());
        let (guest, control) = (is(0), is(1));
        if ready > 0 && !guest && !control {
            is_told = true;
            wall = None;
            continue;
        }
        return Ok(match (ready, guest) {
            (0, _) => Why::Late,
            (_, true) => Why::Ended,
            // The factory sends nothing after the order: this is its end of the line.
            _ => Why::Unwanted,
        });
    }
}

fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "an unknown status".into(),
    }
}
