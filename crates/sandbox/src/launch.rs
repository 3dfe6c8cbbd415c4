//! Starting a guest's first process, and listening to it until it is gone.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use boltworks_model::Cancel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags};

use crate::terminal::{self, Moves, Relay, Seat};
use crate::wire::{self, MESSAGE_LIMIT, Order, Report};
use crate::{End, HELPER_WORD, Stream, sys};

/// How much output is taken at once.
const CHUNK: usize = 64 * 1024;

/// How often the stop button is looked at.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// How many ticks a guest has to end after the button was pressed, before its first process is
/// killed, which takes the rest along.
const GRACE_TICKS: u32 = 100;

/// The program, where no guest can change it.
///
/// A guest's processes begin as copies of its first process; one that runs `#!/proc/self/exe`
/// reaches that program's file before it becomes something else. What it reaches is this: the file
/// in a mount of its own that is read-only, or, where no mount can be made, a copy in sealed memory.
#[derive(Debug)]
pub(crate) struct SealedProgram(OwnedFd);

impl SealedProgram {
    /// Seals a program.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        // Why it cannot be mounted does not matter: the copy is as good, and 20 ms dearer.
        Self::mount(path).or_else(|_| Self::copy(path))
    }

    /// The program's file in a read-only mount that lies nowhere. This takes the right to mount.
    fn mount(path: &Path) -> io::Result<Self> {
        let file = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        let mount = rustix::mount::open_tree(file, "", flags)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV;
        sys::restrict_mount(mount.as_fd(), attributes.bits().into())?;
        Ok(Self(mount))
    }

    /// A copy of the program that cannot be written to.
    fn copy(path: &Path) -> io::Result<Self> {
        let from = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let to = match rustix::fs::memfd_create("boltworks", flags | MemfdFlags::EXEC) {
            // Kernels before 6.3 do not know the flag and allow execution anyway.
            Err(Errno::INVAL) => rustix::fs::memfd_create("boltworks", flags),
            result => result,
        }?;
        while rustix::fs::sendfile(&to, &from, None, 1 << 30)? > 0 {}
        rustix::fs::fcntl_add_seals(
            &to,
            SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
        )?;
        // What is executed must not be open for writing: keep a reader only.
        let path = format!("/proc/self/fd/{}", to.as_raw_fd());
        Ok(Self(rustix::fs::open(
            path,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?))
    }
}

/// How often a busy program is tried again, and how long between.
const BUSY_TRIES: u32 = 100;
const BUSY_PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 2_000_000,
};

/// A guest's first process, waiting for its order or carrying it out. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Guest {
    child: Child,
    control: UnixStream,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// How a guest's first process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its report, unless it was killed.
    pub(crate) report: Option<Report>,
    /// How the process ended.
    pub(crate) status: ExitStatus,
}

impl Guest {
    /// Starts the first process. It does nothing before its order comes.
    pub(crate) fn start(program: &SealedProgram) -> io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let path = format!("/proc/self/fd/{}", program.0.as_raw_fd());
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where guests are started"
        )]
        let mut command = Command::new(path);
        command
            .arg0("boltworks")
            .arg(HELPER_WORD)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = spawn(&mut command)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Self {
            child,
            control,
            stdout,
            stderr,
        })
    }

    /// Gives the order, and the terminal it comes with. A process that is gone already takes none:
    /// how it ended says more.
    pub(crate) fn order(&self, order: &Order, terminal: Option<OwnedFd>) -> io::Result<()> {
        let sent = wire::send(&self.control, order).and_then(|()| match terminal {
            Some(terminal) => wire::send_file(&self.control, terminal.as_fd()),
            None => Ok(()),
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Hands output on until the guest is gone. Holds at most one chunk of it.
    pub(crate) fn listen(
        mut self,
        cancel: &Cancel,
        visit: &mut Visit<'_>,
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> io::Result<Ended> {
        let mut chunk = vec![0; CHUNK];
        let mut message = Vec::new();
        let mut hears = true;
        let mut ticks = 0;
        while hears || self.stdout.is_some() || self.stderr.is_some() || visit.is_open() {
            if cancel.is_pressed() {
                self.stop(ticks)?;
            }
            let ready = self.wait(hears, visit.relay.as_ref())?;
            if !ready.any() && cancel.is_pressed() {
                ticks += 1;
            }
            if ready.stdout {
                forward(&mut self.stdout, &mut chunk, |bytes| {
                    output(Stream::Stdout, bytes);
                })?;
            }
            if ready.stderr {
                forward(&mut self.stderr, &mut chunk, |bytes| {
                    output(Stream::Stderr, bytes);
                })?;
            }
            if visit.is_opened_by(ready.moves) {
                self.catch_up(&mut chunk, output)?;
            }
            visit.go_on(ready.moves)?;
            if ready.control {
                let read = read_some(&mut &self.control, &mut chunk)?;
                message.extend_from_slice(chunk.get(..read).unwrap_or_default());
                hears = read > 0 && message.len() as u64 <= MESSAGE_LIMIT;
            }
        }
        let status = self.child.wait()?;
        Ok(Ended {
            report: wire::receive(message.as_slice()).ok(),
            status,
        })
    }

    /// Hands on what the step printed before a shell is opened.
    fn catch_up(
        &mut self,
        chunk: &mut [u8],
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> io::Result<()> {
        let has_more = |from: Option<BorrowedFd<'_>>| -> io::Result<bool> {
            let Some(from) = from else { return Ok(false) };
            let mut wait = [PollFd::from_borrowed_fd(from, PollFlags::IN)];
            match poll(&mut wait, Some(&Timespec::default())) {
                Ok(ready) => Ok(ready > 0),
                Err(Errno::INTR) => Ok(false),
                Err(error) => Err(error.into()),
            }
        };
        // No pipe holds more than a chunk, and what the step left running may print for ever.
        if has_more(self.stdout.as_ref().map(AsFd::as_fd))? {
            forward(&mut self.stdout, chunk, |bytes| {
                output(Stream::Stdout, bytes);
            })?;
        }
        if has_more(self.stderr.as_ref().map(AsFd::as_fd))? {
            forward(&mut self.stderr, chunk, |bytes| {
                output(Stream::Stderr, bytes);
            })?;
        }
        Ok(())
    }

    /// Asks for the end; after a while, brings it about.
    fn stop(&mut self, ticks: u32) -> io::Result<()> {
        match self.control.shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if ticks > GRACE_TICKS {
            self.child.kill()
        } else {
            Ok(())
        }
    }

    /// Waits, for one tick at most, until there is something to read.
    fn wait(&self, hears: bool, relay: Option<&Relay<'_>>) -> io::Result<Ready> {
        let mut waits = Vec::with_capacity(3);
        if hears {
            waits.push(self.control.as_fd());
        }
        let control_at = waits.len().checked_sub(1);
        waits.extend(self.stdout.as_ref().map(AsFd::as_fd));
        let stdout_at = self.stdout.as_ref().and(waits.len().checked_sub(1));
        waits.extend(self.stderr.as_ref().map(AsFd::as_fd));
        let stderr_at = self.stderr.as_ref().and(waits.len().checked_sub(1));
        let mut waits: Vec<_> = waits
            .into_iter()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let own = waits.len();
        waits.extend(relay.map(Relay::waits).unwrap_or_default());
        match poll(&mut waits, Some(&TICK)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error.into()),
        }
        let is = |at: Option<usize>| {
            at.and_then(|at| waits.get(at))
                .is_some_and(|wait| !wait.revents().is_empty())
        };
        Ok(Ready {
            control: is(control_at),
            stdout: is(stdout_at),
            stderr: is(stderr_at),
            moves: Relay::moves(waits.get(own..).unwrap_or_default()),
        })
    }
}

/// Starts a program. While another thread starts one, that child may for a moment hold the
/// descriptor the program was copied with, which was open for writing: then it is busy.
fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                poll(&mut [], Some(&BUSY_PAUSE))?;
            }
            result => return result,
        }
    }
    command.spawn()
}

impl Drop for Guest {
    fn drop(&mut self) {
        // After `listen` it is gone already; otherwise both can only fail if it is.
        let _killed = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What can be read.
#[derive(Debug, Default)]
struct Ready {
    control: bool,
    stdout: bool,
    stderr: bool,
    moves: Moves,
}

impl Ready {
    const fn any(&self) -> bool {
        self.control || self.stdout || self.stderr
    }
}

/// The person at a guest, if there is one.
pub(crate) struct Visit<'a> {
    /// What carries bytes between them.
    pub(crate) relay: Option<Relay<'a>>,
    /// What is done before they have the guest.
    pub(crate) opened: &'a mut dyn FnMut(End),
}

impl<'a> Visit<'a> {
    /// Gives a guest a terminal, and the person at this one the guest: at once, or when it shows
    /// something. Answers the guest's end.
    pub(crate) fn seat(&mut self, seat: Seat<'a>, at_once: bool) -> io::Result<OwnedFd> {
        let (theirs, mut relay) = terminal::open(seat)?;
        if at_once {
            relay.activate()?;
        }
        self.relay = Some(relay);
        Ok(theirs)
    }

    fn is_open(&self) -> bool {
        self.relay.as_ref().is_some_and(Relay::is_open)
    }

    /// Whether the guest is about to be the person's.
    fn is_opened_by(&self, moves: Moves) -> bool {
        let relay = self.relay.as_ref();
        relay.is_some_and(|relay| relay.is_opened_by(moves))
    }

    fn go_on(&mut self, moves: Moves) -> io::Result<()> {
        let Some(relay) = &mut self.relay else {
            return Ok(());
        };
        relay.follow_size()?;
        relay.carry(moves, self.opened)
    }
}

/// Reads once and hands on, or closes at the end.
fn forward(
    from: &mut Option<impl Read>,
    chunk: &mut [u8],
    mut output: impl FnMut(&[u8]),
) -> io::Result<()> {
    let Some(reader) = from else { return Ok(()) };
    match read_some(reader, chunk)? {
        0 => *from = None,
        read => output(chunk.get(..read).unwrap_or_default()),
    }
    Ok(())
}

fn read_some(from: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A process that is killed before it reads its order resets the socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use boltworks_fsx::{Limit, RelPath, Root};

    use super::*;

    #[test]
    fn the_sealed_program_cannot_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("program");
        let name = |name: &str| RelPath::try_from(name).unwrap();
        let system = Root::open("/usr/bin".as_ref()).unwrap();
        let bytes = system.read_vec(&name("true"), Limit::mib(64)).unwrap();
        let root = Root::open(folder.path()).unwrap();
        root.write(&name("program"), &bytes, 0o755).unwrap();
        let copied = SealedProgram::copy(&file).unwrap();
        // An ordinary user cannot make the other.
        let mounted = SealedProgram::mount(&file);
        assert!(mounted.is_ok() || !rustix::process::geteuid().is_root());
        // As its user could try from inside, by way of /proc/self/exe.
        let open = |program: &SealedProgram| {
            let path = format!("/proc/self/fd/{}", program.0.as_raw_fd());
            OpenOptions::new().write(true).open(path)
        };
        let mut file = open(&copied).unwrap();
        let refused = |result: io::Result<()>| {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        };
        refused(file.write_all(b"x"));
        refused(file.set_len(0));
        refused(file.set_len(1 << 30));
        drop(file);
        if let Ok(program) = &mounted {
            let error = open(program).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
        }
        for program in mounted.iter().chain([&copied]) {
            let mut nobody = Visit {
                relay: None,
                opened: &mut |_| {},
            };
            let guest = Guest::start(program).unwrap();
            let ended = guest.listen(&Cancel::default(), &mut nobody, &mut |_, _| {});
            assert!(ended.unwrap().status.success());
        }
    }
}
