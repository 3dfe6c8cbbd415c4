//! A person at a guest: a terminal of the guest's own, and what passes between it and theirs.
//!
//! A guest never gets the terminal of whoever started the program. It gets one end of another, of
//! which this end is ours; bytes are carried between the two while a person is to have the guest.
//! So nothing in a guest can type for that person, read what they type elsewhere, or change how
//! their terminal works. What it prints reaches that terminal as it is, as with any shell. When the
//! guest is gone, what a terminal may have been made to answer is thrown away.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, Termios, Winsize};

use crate::wire::Outcome;
use crate::{End, StepSpec, conclusion};

/// How much is carried at once.
const CHUNK: usize = 4096;
/// No greeting is longer.
const GREETING: usize = 1024;
/// What a terminal's input ends with.
const END_OF_INPUT: &[u8] = b"\x04";

/// A person's terminal.
#[derive(Debug, Clone, Copy)]
pub struct Seat<'a> {
    /// Where what they type comes from.
    pub input: BorrowedFd<'a>,
    /// Where they look.
    pub output: BorrowedFd<'a>,
}

impl Seat<'_> {
    /// Whether both are a terminal.
    pub fn is_terminal(self) -> bool {
        rustix::termios::isatty(self.input) && rustix::termios::isatty(self.output)
    }
}

/// A step, and what a person gets when it fails.
pub struct Rescue<'a> {
    /// The step.
    pub step: &'a StepSpec,
    /// Where they sit.
    pub seat: Seat<'a>,
    /// The shell, looked up in the `PATH` of its environment, and its arguments. It starts in the
    /// step's working folder.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// What is done before they have it, with how the step ended: whoever else writes to that terminal
    /// must stop.
    pub opened: &'a mut dyn FnMut(End),
}

/// The guest's end of a new terminal, and what carries bytes to and from ours.
pub(crate) fn open(seat: Seat<'_>) -> io::Result<(OwnedFd, Relay<'_>)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&ours)?;
    let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    let mut relay = Relay {
        seat,
        ours: Some(ours),
        size: None,
        typed: Vec::new(),
        listens: true,
        before: None,
        greeting: Vec::new(),
    };
    relay.follow_size()?;
    Ok((theirs, relay))
}

/// Carries bytes between a person's terminal and a guest's. Dropped, it puts the person's terminal
/// back as it was.
#[derive(Debug)]
pub(crate) struct Relay<'a> {
    seat: Seat<'a>,
    /// Our end; none once the guest's is closed everywhere.
    ours: Option<OwnedFd>,
    size: Option<Winsize>,
    /// What was typed and the guest has not taken.
    typed: Vec<u8>,
    /// Whether the person's input goes on.
    listens: bool,
    /// How the person's terminal was, while the guest has it.
    before: Option<Termios>,
    /// What came of the [`greeting`].
    greeting: Vec<u8>,
}

/// The line that a guest's terminal shows first: how the step ended.
pub(crate) fn greeting(outcome: &Outcome) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(outcome)?;
    line.push(b'\n');
    Ok(line)
}

/// What of a relay can go on.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Moves {
    shown: bool,
    taken: bool,
    typed: bool,
}

impl Relay<'_> {
    /// Whether the guest's end may still be open.
    pub(crate) const fn is_open(&self) -> bool {
        self.ours.is_some()
    }

    /// Whether the guest is about to be the person's.
    pub(crate) const fn is_opened_by(&self, moves: Moves) -> bool {
        moves.shown && !self.is_active()
    }

    /// Whether the person has the guest now.
    const fn is_active(&self) -> bool {
        self.before.is_some()
    }

    /// Hands the guest to the person, who types to it from now on.
    pub(crate) fn activate(&mut self) -> io::Result<()> {
        if self.is_active() {
            return Ok(());
        }
        let before = rustix::termios::tcgetattr(self.seat.input)?;
        let mut raw = before.clone();
        raw.make_raw();
        self.before = Some(before);
        // What was typed while nobody asked for it is not meant for the guest.
        rustix::termios::tcsetattr(self.seat.input, OptionalActions::Flush, &raw)?;
        self.follow_size()
    }

    /// Tells the guest how large the person's terminal is.
    pub(crate) fn follow_size(&mut self) -> io::Result<()> {
        let Some(ours) = &self.ours else {
            return Ok(());
        };
        let now = rustix::termios::tcgetwinsize(self.seat.output)?;
        if self.size.as_ref().is_none_or(|size| !is_same(*size, now)) {
            rustix::termios::tcsetwinsize(ours, now)?;
            self.size = Some(now);
        }
        Ok(())
    }

    /// What to wait for.
    pub(crate) fn waits(&self) -> Vec<PollFd<'_>> {
        let mut waits = Vec::with_capacity(2);
        if let Some(ours) = &self.ours {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, !self.typed.is_empty());
            waits.push(PollFd::from_borrowed_fd(ours.as_fd(), flags));
            if self.is_active() && self.listens && self.typed.is_empty() {
                waits.push(PollFd::from_borrowed_fd(self.seat.input, PollFlags::IN));
            }
        }
        waits
    }

    /// What has come of [`Relay::waits`].
    pub(crate) fn moves(waits: &[PollFd<'_>]) -> Moves {
        let has = |at: usize, flags: PollFlags| {
            waits
                .get(at)
                .is_some_and(|wait| wait.revents().intersects(flags))
        };
        let ended = PollFlags::HUP | PollFlags::ERR;
        Moves {
            shown: has(0, PollFlags::IN | ended),
            taken: has(0, PollFlags::OUT),
            typed: has(1, PollFlags::IN | ended),
        }
    }

    /// Carries what can be carried. `opened` is called before the first byte that the guest shows:
    /// only what a person is to have shows any, and before that its [`greeting`].
    pub(crate) fn carry(&mut self, moves: Moves, opened: &mut dyn FnMut(End)) -> io::Result<()> {
        if moves.shown {
            self.show(opened)?;
        }
        if moves.typed {
            self.hear()?;
        }
        if moves.taken || moves.typed {
            self.hand_over()?;
        }
        Ok(())
    }

    fn show(&mut self, opened: &mut dyn FnMut(End)) -> io::Result<()> {
        let Some(ours) = &self.ours else {
            return Ok(());
        };
        let mut chunk = [0; CHUNK];
        match rustix::io::read(ours, &mut chunk) {
            // Nobody has the guest's end open any more.
            Ok(0) | Err(Errno::IO) => self.ours = None,
            Ok(read) => {
                let mut shown = chunk.get(..read).unwrap_or_default();
                if !self.is_active() {
                    let Some((end, rest)) = self.greeted(shown)? else {
                        return Ok(());
                    };
                    opened(end);
                    self.activate()?;
                    shown = rest;
                }
                write_all(self.seat.output, shown)?;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// How the step ended, and what was shown after that; nothing, before that is told.
    fn greeted<'b>(&mut self, shown: &'b [u8]) -> io::Result<Option<(End, &'b [u8])>> {
        let end = shown.iter().position(|byte| *byte == b'\n');
        let (line, rest) = shown.split_at(end.unwrap_or(shown.len()));
        let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        self.greeting.extend_from_slice(line);
        if end.is_none() && self.greeting.len() < GREETING {
            return Ok(None);
        }
        let outcome: Outcome = serde_json::from_slice(&self.greeting)?;
        Ok(Some((conclusion::end(&outcome), rest)))
    }

    fn hear(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        match rustix::io::read(self.seat.input, &mut chunk) {
            Ok(0) | Err(Errno::IO) => {
                self.listens = false;
                self.typed.extend_from_slice(END_OF_INPUT);
            }
            Ok(read) => self
                .typed
                .extend_from_slice(chunk.get(..read).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let Some(ours) = &self.ours else {
            return Ok(());
        };
        match rustix::io::write(ours, &self.typed) {
            Ok(written) => drop(self.typed.drain(..written.min(self.typed.len()))),
            // What a guest that is gone does not take is nobody's.
            Err(Errno::IO) => self.typed.clear(),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            // Flush: what a guest made the terminal answer is nothing that the person typed.
            let _restored =
                rustix::termios::tcsetattr(self.seat.input, OptionalActions::Flush, &before);
        }
    }
}

const fn is_same(one: Winsize, other: Winsize) -> bool {
    one.ws_row == other.ws_row && one.ws_col == other.ws_col
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // A terminal that somebody else made not to wait.
            Err(Errno::AGAIN) => {
                let mut waits = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
                match poll(&mut waits, None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
