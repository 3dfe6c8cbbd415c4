//! A person at a guest: they have it as they would any shell, and it has nothing of theirs.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use boltworks_model::Ambient;
use boltworks_sandbox::{End, Exit, Rescue, Seat};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, Winsize};

use crate::world::{Now, World, local};

/// The longest a guest is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A terminal, and who sits at it.
struct Desk {
    keyboard_and_screen: OwnedFd,
    terminal: OwnedFd,
}

impl Desk {
    fn new() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&person).unwrap();
        let terminal = rustix::pty::ioctl_tiocgptpeer(&person, flags).unwrap();
        let size = Winsize {
            ws_row: 33,
            ws_col: 77,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&person, size).unwrap();
        Self {
            keyboard_and_screen: person,
            terminal,
        }
    }

    fn seat(&self) -> Seat<'_> {
        Seat {
            input: self.terminal.as_fd(),
            output: self.terminal.as_fd(),
        }
    }

    /// Waits for each text to be shown, then types what goes with it. Answers all that was shown.
    fn converse(&self, turns: &[(&str, &str)]) -> String {
        let began = Instant::now();
        let mut shown = String::new();
        for (awaited, typed) in turns {
            while !shown.contains(awaited) {
                assert!(began.elapsed() < PATIENCE, "no {awaited:?} in {shown:?}");
                shown.push_str(&self.look(Duration::from_millis(100)));
            }
            rustix::io::write(&self.keyboard_and_screen, typed.as_bytes()).unwrap();
        }
        shown
    }

    /// What is shown within a while.
    fn look(&self, wait: Duration) -> String {
        let mut waits = [PollFd::new(&self.keyboard_and_screen, PollFlags::IN)];
        let wait = Timespec::try_from(wait).unwrap();
        if poll(&mut waits, Some(&wait)).unwrap() == 0 {
            return String::new();
        }
        let mut bytes = [0; 4096];
        let read = rustix::io::read(&self.keyboard_and_screen, &mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    fn is_cooked(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.terminal)
            .unwrap()
            .local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }
}

fn environment() -> BTreeMap<String, String> {
    [("PATH", "/bin"), ("PS1", "ready> "), ("TERM", "dumb")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Runs a script that fails, and lets a person type. How both ended, and what was shown.
fn rescued(
    world: &World,
    desk: &Desk,
    script: &str,
    turns: &[(&str, &str)],
) -> (Exit, Option<End>, String) {
    let ambient = Ambient {
        clock: &Now,
        entropy: &Now,
        sink: &(),
        cancel: &world.cancel,
    };
    let opened = OnceLock::new();
    let (exit, shell, shown) = thread::scope(|scope| {
        let person = scope.spawn(|| desk.converse(turns));
        let step = world.step(&["/bin/sh", "-c", script]);
        let mut rescue = Rescue {
            step: &step,
            seat: desk.seat(),
            argv: ["/bin/sh", "-i"].map(str::to_owned).into(),
            environment: environment(),
            opened: &mut |end| opened.set(end).unwrap(),
        };
        let guest = world.guest();
        let ran = local().run_with_rescue(&guest, &mut rescue, &mut |_, _| {}, &ambient);
        let (exit, shell) = ran.unwrap();
        (exit, shell, person.join().unwrap())
    });
    // Who opens it knows how the step ended.
    assert_eq!(opened.get().copied(), shell.map(|_| exit.end));
    (exit, shell, shown)
}

pub(crate) fn who_has_a_failed_guest_finds_it_as_it_stood() {
    let mut world = World::new();
    world.limits.wall = Some(Duration::from_secs(3));
    let desk = Desk::new();
    let script = "echo left >/tmp/file; echo more >/etc/more; sleep 1000 & echo $! >pid; exit 3";
    let turns = [
        (
            "ready> ",
            "echo $(cat /tmp/file /etc/more) $PWD $(stty size)\r",
        ),
        (
            "left more /home/build 33 77",
            "kill -0 $(cat pid) && echo a\"\"live\r",
        ),
        // Longer than the step may run, and ended by the key for it.
        ("alive", "sleep 100\r"),
        ("sleep 100", ""),
    ];
    let (exit, shell, shown) = thread::scope(|scope| {
        let interrupt = scope.spawn(|| {
            thread::sleep(Duration::from_secs(4));
            rustix::io::write(&desk.keyboard_and_screen, b"\x03").unwrap();
            thread::sleep(Duration::from_millis(200));
            rustix::io::write(&desk.keyboard_and_screen, b"echo $?; exit 7\r").unwrap();
        });
        let ended = rescued(&world, &desk, script, &turns);
        interrupt.join().unwrap();
        ended
    });
    let rest = desk.look(Duration::from_millis(100));
    let shown = shown + &rest;
    assert_eq!(exit.end, End::Code(3), "{shown}");
    assert_eq!(shell, Some(End::Code(7)), "{shown}");
    assert!(shown.contains("130"), "{shown}");
    assert!(!shown.contains("job control turned off"), "{shown}");
    assert!(desk.is_cooked(), "the terminal is not as it was");
}

pub(crate) fn a_step_that_succeeds_opens_nothing() {
    let world = World::new();
    let desk = Desk::new();
    let (exit, shell, shown) = rescued(&world, &desk, "test ! -t 0; exit 0", &[]);
    assert_eq!((exit.end, shell), (End::Code(0), None));
    assert_eq!(shown + &desk.look(Duration::from_millis(50)), "");
    assert!(desk.is_cooked());
}

pub(crate) fn a_guest_types_nothing_for_the_person() {
    let world = World::new();
    let desk = Desk::new();
    // It asks the terminal for an answer, and is gone before that comes.
    let turns = [
        ("ready> ", "attack type\r"),
        ("TIOCSTI: ", "printf '\\033[6n'; exit 1\r"),
        ("\u{1b}[6n", "\u{1b}[33;1R"),
    ];
    let (_, shell, shown) = rescued(&world, &desk, "exit 1", &turns);
    assert!(shown.contains("TIOCSTI: EPERM"), "{shown}");
    assert_eq!(shell, Some(End::Code(1)), "{shown}");
    let mut input = [PollFd::new(&desk.terminal, PollFlags::IN)];
    let ready = poll(&mut input, Some(&Timespec::default())).unwrap();
    assert_eq!(ready, 0, "the answer waits for the person's own shell");
}

pub(crate) fn a_step_runs_at_a_terminal() {
    let world = World::new();
    let desk = Desk::new();
    let ambient = Ambient {
        clock: &Now,
        entropy: &Now,
        sink: &(),
        cancel: &world.cancel,
    };
    let exit = thread::scope(|scope| {
        scope.spawn(|| desk.converse(&[("ready> ", "test -t 0 && : </dev/tty && exit 5\r")]));
        let mut step = world.step(&["/bin/sh", "-i"]);
        step.environment = environment();
        local().run_at(desk.seat(), &world.guest(), &step, &ambient)
    });
    assert_eq!(exit.unwrap().end, End::Code(5));
    assert!(desk.is_cooked());
}
