//! What runs beside a step at a root of its own: a second child of process 1, in a mount namespace of
//! its own, behind the same walls.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use boltworks_fsx::{Bounded, Limit};
use rustix::event::{Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};
use rustix::thread::UnshareFlags;

use super::inner::Words;
use super::mounts::{self, Sources};
use super::walls;
use crate::wire::{At, Failure, Order, Outcome, Stage};
use crate::{Beside, sys};

/// Where the kernel lists sockets.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// The longest such list that is read.
const TABLE_LIMIT: Limit = Limit(4 << 20);
/// How such a list has a socket that listens.
const LISTENS: &str = "0A";
/// How often it is looked for.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};
/// What a step answers beside which nothing came to be ready.
pub const NOT_READY: i32 = 125;

/// Something that was started beside the step.
pub(super) struct Running<'a> {
    main: Pid,
    beside: &'a Beside,
}

/// Starts what the order has beside its step, before process 1 leaves the host's file system and when
/// the guest has its name and its loopback.
pub(super) fn start(
    order: &Order,
    sources: Option<Box<Sources>>,
) -> Result<Option<Running<'_>>, Failure> {
    let (Some(beside), Some(sources)) = (&order.beside, sources) else {
        return Ok(None);
    };
    if let Some(main) = sys::fork().at(Stage::Start)? {
        return Ok(Some(Running { main, beside }));
    }
    let failed = match enter(order, beside, *sources) {
        Ok(error) => format!("{}: {error}", beside.argv.join(" ")),
        Err(failure) => {
            let error = io::Error::from_raw_os_error(failure.errno);
            format!("cannot {failure}: {error}")
        }
    };
    say(&failed);
    sys::leave(NOT_READY)
}

/// Becomes the program; answers why it could not be started.
fn enter(order: &Order, beside: &Beside, sources: Sources) -> Result<io::Error, Failure> {
    rustix::process::setsid().at(Stage::Start)?;
    sys::unshare(UnshareFlags::NEWNS).at(Stage::Namespaces)?;
    mounts::build(order, sources)?;
    let cwd = beside.cwd.as_str();
    rustix::process::chdir(cwd).at_path(Stage::Enter, cwd)?;
    walls::raise(&order.limits)?;
    let words = Words {
        argv: &beside.argv,
        environment: &beside.environment,
    };
    let mut command = words.command().at(Stage::Start)?;
    Ok(command.exec())
}

impl Running<'_> {
    /// Waits until all its ports are listened at; how the step ends before it starts, where that does
    /// not come.
    pub(super) fn wait_until_ready(&self) -> Result<Option<Outcome>, Failure> {
        let Beside {
            ports, patience, ..
        } = self.beside;
        #[expect(
            clippy::disallowed_methods,
            reason = "the guest's own clock: nothing of it is kept"
        )]
        let began = Instant::now();
        loop {
            let listening = listening()?;
            let Some(port) = ports.iter().find(|port| !listening.contains(port)) else {
                return Ok(None);
            };
            if let Some(how) = self.ended()? {
                say(&format!(
                    "the container ended ({how}) before it listened at port {port}"
                ));
                return Ok(Some(Outcome::Code(NOT_READY)));
            }
            if began.elapsed() >= *patience {
                let patience = Duration::as_secs(patience);
                say(&format!(
                    "the container does not listen at port {port} after {patience} s"
                ));
                return Ok(Some(Outcome::Code(NOT_READY)));
            }
            match poll(&mut [], Some(&TICK)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).at(Stage::Supervise),
            }
        }
    }

    fn ended(&self) -> Result<Option<String>, Failure> {
        match rustix::process::waitpid(Some(self.main), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => Ok(Some(describe(status))),
            Ok(None) | Err(Errno::INTR) => Ok(None),
            Err(error) => Err(error).at(Stage::Supervise),
        }
    }
}

fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}

/// The TCP ports that are listened at.
fn listening() -> Result<Vec<u16>, Failure> {
    let mut ports = Vec::new();
    for table in TABLES {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file: OwnedFd = match rustix::fs::open(table, flags, Mode::empty()) {
            Ok(file) => file,
            // A kernel without the one has no such sockets.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error).at_path(Stage::Supervise, table),
        };
        let bytes = Bounded::new(std::fs::File::from(file), TABLE_LIMIT).read_all();
        let text = bytes.at_path(Stage::Supervise, table)?;
        ports.extend(ports_in(&String::from_utf8_lossy(&text)));
    }
    Ok(ports)
}

/// Those of a table of the kernel's: number, local address, remote address, state (proc(5)).
fn ports_in(table: &str) -> impl Iterator<Item = u16> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next()?;
        let is_open = fields.nth(1)? == LISTENS;
        let (_, port) = local.rsplit_once(':')?;
        is_open.then_some(u16::from_str_radix(port, 16).ok()?)
    })
}

/// Says something where the step's own output goes.
fn say(text: &str) {
    let line = format!("{text}\n");
    // Where nobody listens any more, nobody needs to know.
    let _said = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_told_from_who_talks() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
             1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000\n\
             2: broken\n\
             3: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 0\n";
        assert_eq!(ports_in(table).collect::<Vec<_>>(), [8080, 22]);
    }
}
