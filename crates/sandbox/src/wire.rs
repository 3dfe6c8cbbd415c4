//! What the factory and a guest's first process tell each other: one order, one report, as JSON
//! behind its length, over one socket pair. After an order with a terminal comes that, as an open
//! file.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use boltworks_fsx::{Bounded, Limit};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Beside, Bind, Ids};

/// The longest message: a recipe's environment and script are far below.
pub(crate) const MESSAGE_LIMIT: u64 = 16 << 20;

/// What a guest is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The files into which the first process writes `0` to enter its control group.
    pub(crate) groups: Vec<PathBuf>,
    pub(crate) root: GuestRoot,
    pub(crate) binds: Vec<Bind>,
    pub(crate) hostname: String,
    /// Which numbers the one user and the one group have inside.
    pub(crate) ids: Ids,
    pub(crate) program: Program,
    /// What runs beside it, at another root.
    pub(crate) beside: Option<Beside>,
    pub(crate) limits: Ceilings,
    /// The host's uid and gid to become before anything else: `None` for an ordinary user, whose
    /// own are used.
    pub(crate) become_uid: Option<u32>,
}

/// Where a guest's files are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum GuestRoot {
    /// Trees, the topmost first, and a folder with `upper` and `work` for what changes.
    Tree {
        lowers: Vec<PathBuf>,
        scratch: PathBuf,
    },
    /// Nothing: enough for a self-check.
    Empty,
}

/// What runs in a guest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Program {
    /// A program of the guest.
    Step {
        argv: Vec<String>,
        environment: BTreeMap<String, String>,
        cwd: String,
        terminal: Terminal,
    },
    /// The first process looks around and says what is not as it should be.
    SelfCheck,
}

/// What a step has of the terminal that comes after the order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Terminal {
    /// None comes.
    None,
    /// The step runs at it.
    Step,
    /// Where the step fails, this runs at it, in the guest as it is then.
    Shell {
        argv: Vec<String>,
        environment: BTreeMap<String, String>,
    },
}

impl Order {
    /// What its step has of a terminal.
    pub(crate) const fn terminal(&self) -> &Terminal {
        match &self.program {
            Program::Step { terminal, .. } => terminal,
            Program::SelfCheck => &Terminal::None,
        }
    }

    /// Whether a terminal comes after it.
    pub(crate) const fn has_terminal(&self) -> bool {
        !matches!(self.terminal(), Terminal::None)
    }
}

/// Limits that the first process sets.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ceilings {
    /// Time until the guest is killed.
    pub(crate) wall: Option<Duration>,
    /// Bytes of the guest's temporary files.
    pub(crate) temporary: Option<u64>,
    /// Bytes of address space of one process.
    pub(crate) address_space: Option<u64>,
    /// Processes and threads of the guest's user.
    pub(crate) processes: Option<u64>,
    /// Bytes of the largest file.
    pub(crate) file_size: Option<u64>,
}

/// How a guest ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) outcome: Outcome,
    /// What became of the shell that was opened after a failure, if one was.
    pub(crate) shell: Option<Outcome>,
    pub(crate) timed_out: bool,
    pub(crate) cpu: Duration,
    pub(crate) peak_memory: u64,
}

/// What became of a guest's program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It exited.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was never started.
    NotStarted { errno: i32 },
    /// The guest was not built.
    Failed(Failure),
    /// The guest's first process was killed, and everything with it.
    Killed { status: String },
    /// The self-check found nothing wrong; the version of Landlock's interface, 0 for none.
    Sound { landlock: u32 },
}

impl Outcome {
    /// Whether a program ran and did not do what it should.
    pub(crate) const fn is_failure(&self) -> bool {
        match self {
            Self::Code(code) => *code != 0,
            Self::Signal(_) => true,
            _ => false,
        }
    }
}

/// What could not be done while a guest was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    /// The path or word that it was about, or nothing.
    pub(crate) detail: String,
    /// What the system said; 0 if it said nothing.
    pub(crate) errno: i32,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.as_str() {
            "" => f.write_str(self.stage.words()),
            detail => write!(f, "{} ({detail})", self.stage.words()),
        }
    }
}

/// The steps of building a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Start,
    Group,
    Become,
    Namespaces,
    Identity,
    Source,
    Skeleton,
    Overlay,
    Bind,
    Devices,
    Proc,
    Pivot,
    Hostname,
    Loopback,
    Limits,
    Privileges,
    Landlock,
    Seccomp,
    Enter,
    Supervise,
    SelfCheck,
}

impl Stage {
    /// What is being done, after "failed to".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Start => "start the first process",
            Self::Group => "enter the guest's control group",
            Self::Become => "become the build user",
            Self::Namespaces => "make new namespaces",
            Self::Identity => "map the build user",
            Self::Source => "open what the guest is made of",
            Self::Skeleton => "make the guest's temporary file system",
            Self::Overlay => "lay the guest's root over its tree",
            Self::Bind => "show a folder of the host in the guest",
            Self::Devices => "make the guest's devices",
            Self::Proc => "make the guest's /proc",
            Self::Pivot => "leave the host's file system",
            Self::Hostname => "name the guest",
            Self::Loopback => "raise the guest's loopback",
            Self::Limits => "set limits",
            Self::Privileges => "drop all privileges",
            Self::Landlock => "restrict the guest with Landlock",
            Self::Seccomp => "restrict the guest's system calls",
            Self::Enter => "enter the working folder",
            Self::Supervise => "watch the guest",
            Self::SelfCheck => "find the guest confined",
        }
    }
}

/// Says which step an error belongs to.
pub(crate) trait At<T> {
    /// The step.
    fn at(self, stage: Stage) -> Result<T, Failure>;
    /// The step, and what it was about.
    fn at_path(self, stage: Stage, detail: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, stage: Stage) -> Result<T, Failure> {
        self.at_path(stage, "")
    }

    fn at_path(self, stage: Stage, detail: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| {
            let error = error.into();
            let errno = error.raw_os_error().unwrap_or_default();
            let detail = detail.to_string();
            let detail = if errno == 0 {
                format!("{detail} {error}").trim().into()
            } else {
                detail
            };
            Failure {
                stage,
                detail,
                errno,
            }
        })
    }
}

/// Sends one message.
pub(crate) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    to.write_all(&u64::try_from(body.len()).unwrap_or(u64::MAX).to_le_bytes())?;
    to.write_all(&body)
}

/// Waits for one message.
pub(crate) fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MESSAGE_LIMIT {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Reads messages that are told one after the other, up to the end.
pub(crate) fn read_all<T: DeserializeOwned>(from: impl Read) -> io::Result<Vec<T>> {
    let bytes = Bounded::new(from, Limit(MESSAGE_LIMIT)).read_all()?;
    let told = serde_json::Deserializer::from_slice(&bytes).into_iter();
    told.collect::<Result<_, _>>().map_err(io::Error::from)
}

/// Sends an open file.
pub(crate) fn send_file(to: impl AsFd, file: BorrowedFd<'_>) -> io::Result<()> {
    let files = [file];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    let bytes = [IoSlice::new(b"f")];
    rustix::net::sendmsg(to, &bytes, &mut control, SendFlags::empty())?;
    Ok(())
}

/// Waits for an open file.
pub(crate) fn receive_file(from: impl AsFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(from, &mut bytes, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    let none = || io::Error::from(io::ErrorKind::UnexpectedEof);
    files.last().ok_or_else(none)
}
