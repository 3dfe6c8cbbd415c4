//! What a guest is, what runs in it, and how it ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A folder or file of the host that is seen inside a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// The host's folder or file, by a path without symbolic links, such as
    /// [`boltworks_fsx::Root::path_for_children`] gives: a step may have put one where a folder
    /// was. Only this one file system: what is mounted beneath is not seen.
    pub source: PathBuf,
    /// Where it appears: an absolute path without `.` and `..`. Missing folders are made.
    pub target: String,
    /// Whether the guest may change it. Then it must belong to [`crate::Local::build_uid`].
    pub writable: bool,
}

/// The one user and the one group that there are in a guest, by the numbers they have inside. The
/// host's is [`crate::Local::build_uid`] whichever they are, and no number gives a right: the
/// guest's root is an ordinary user too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// The user's, at most `u32::MAX - 1`.
    pub uid: u32,
    /// The group's, at most `u32::MAX - 1`.
    pub gid: u32,
}

impl Ids {
    /// The guest's root.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

impl Default for Ids {
    /// `build`, who is 1000 in every guest.
    fn default() -> Self {
        Self {
            uid: 1000,
            gid: 1000,
        }
    }
}

/// What a guest is made of. The host's paths lead through no symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestSpec {
    /// The trees that together are its root, the topmost first; at least one. Never changed. Their
    /// files should belong to [`crate::Local::build_uid`], which the guest sees as its own user.
    pub lowers: Vec<PathBuf>,
    /// An existing folder for what the guest changes of its root: `upper` is kept there from one
    /// run to the next, `work` only during a run. One run at a time may use it.
    pub scratch: PathBuf,
    /// Folders of the host, mounted in this order.
    pub binds: Vec<Bind>,
    /// The name the guest sees as its own.
    pub hostname: String,
    /// Who its processes are inside, and whose its files are.
    #[serde(default)]
    pub ids: Ids,
}

/// A program that runs in a guest beside the step, at a root of its own. All else the two share: the
/// one user, processes, the loopback and what it is called. It ends with the step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// Its trees, as [`GuestSpec::lowers`].
    pub lowers: Vec<PathBuf>,
    /// A folder of its own, as [`GuestSpec::scratch`].
    pub scratch: PathBuf,
    /// The program and its arguments, as [`StepSpec::argv`].
    pub argv: Vec<String>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Its working folder.
    pub cwd: String,
    /// TCP ports that it must listen at before the step starts.
    pub ports: Vec<u16>,
    /// How long that may take.
    pub patience: Duration,
}

/// How much a step may use. `None` is no limit of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time from the start of the guest to its end.
    pub wall: Option<Duration>,
    /// Bytes of memory, `/tmp` and `/dev/shm` included; per process where only rlimits exist.
    pub memory: Option<u64>,
    /// Processes and threads at once.
    pub processes: Option<u64>,
    /// Bytes of the largest file that can be written.
    pub file_size: Option<u64>,
}

/// What runs in a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSpec {
    /// The program, looked up in the `PATH` of `environment` unless it holds a slash, and its
    /// arguments. Linux takes at most 128 KiB in one argument.
    pub argv: Vec<String>,
    /// The whole environment: nothing is added.
    pub environment: BTreeMap<String, String>,
    /// The working folder inside the guest, absolute.
    pub cwd: String,
    /// How much it may use.
    pub limits: Limits,
}

/// Which of a step's two outputs a chunk comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Why a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its main process exited with this code.
    Code(i32),
    /// Its main process was ended by this signal.
    Signal(i32),
    /// It ran longer than [`Limits::wall`] and was killed.
    Timeout,
    /// The kernel killed one of its processes for want of memory. Seen only where a control group
    /// holds the limit; elsewhere the step's own allocations fail.
    OutOfMemory,
}

/// How a step ended and what it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Why it ended.
    pub end: End,
    /// Most bytes of memory at one time: of all processes and the files they cached where a
    /// control group counted, of the largest process elsewhere.
    pub peak_memory: u64,
    /// Processor time of all its processes.
    pub cpu: Duration,
    /// Time from start to end.
    pub wall: Duration,
    /// What held the limits: `cgroup v2`, `cgroup v1` or `rlimits`.
    pub limits: &'static str,
}

/// Whether a description makes sense.
pub(crate) fn check(
    guest: &GuestSpec,
    step: &StepSpec,
    beside: Option<&Beside>,
) -> Result<(), Error> {
    let program = step.argv.first().map_or("", String::as_str);
    // Beside another there need be none: then it ends when that is ready.
    let is_needed = beside.is_none() || !step.argv.is_empty();
    require(
        !is_needed || !program.is_empty(),
        "a program is needed",
        program,
    )?;
    if let Some(beside) = beside {
        let own = GuestSpec {
            lowers: beside.lowers.clone(),
            scratch: beside.scratch.clone(),
            binds: Vec::new(),
            ..guest.clone()
        };
        let program = StepSpec {
            argv: beside.argv.clone(),
            environment: beside.environment.clone(),
            cwd: beside.cwd.clone(),
            limits: Limits::default(),
        };
        check(&own, &program, None)?;
    }
    for word in &step.argv {
        require(!word.contains('\0'), "no NUL may be in an argument", word)?;
    }
    for (name, value) in &step.environment {
        let sound = !name.is_empty() && !name.contains(['=', '\0']);
        require(sound, "a variable's name has no '=' and no NUL", name)?;
        require(!value.contains('\0'), "no NUL may be in a variable", name)?;
    }
    require(is_clean(&step.cwd) || step.cwd == "/", ABSOLUTE, &step.cwd)?;
    let host = &guest.hostname;
    let sound = !host.is_empty()
        && host.len() <= 64
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    require(
        sound,
        "a host name is 1 to 64 letters, digits, '-' and '.'",
        host,
    )?;
    let Ids { uid, gid } = guest.ids;
    require(
        uid.max(gid) < u32::MAX,
        "a user and a group have numbers below 4294967295",
        &format!("{uid}:{gid}"),
    )?;
    for target in guest.binds.iter().map(|bind| bind.target.as_str()) {
        require(is_clean(target), ABSOLUTE, target)?;
        let top = target.split('/').nth(1).unwrap_or_default();
        let own = ["proc", "sys", "dev"].contains(&top);
        require(!own, "nothing can be shown in /proc, /sys and /dev", target)?;
    }
    let sources = guest.binds.iter().map(|bind| &bind.source);
    let own = guest.lowers.iter().chain([&guest.scratch]);
    let many = guest.lowers.len();
    require(
        (1..=MOST_LOWERS).contains(&many),
        "a guest has 1 to 100 trees",
        &many.to_string(),
    )?;
    for path in sources.chain(own) {
        // A last slash would follow a link.
        let bytes = path.as_os_str().as_encoded_bytes();
        let sound = path.is_absolute()
            && path.to_str().is_some_and(|text| !text.contains('\0'))
            && !bytes.ends_with(b"/")
            && !bytes.ends_with(b"/.");
        require(sound, HOST_PATH, &path.to_string_lossy())?;
    }
    Ok(())
}

/// The kernel takes 500.
const MOST_LOWERS: usize = 100;
const ABSOLUTE: &str = "a path of the guest is absolute and without '.', '..' and empty parts";
const HOST_PATH: &str = "a path of the host is absolute, UTF-8 and without a last '/' or '.'";

fn is_clean(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|rest| {
        !rest.contains('\0') && rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
    })
}

fn require(sound: bool, what: &'static str, text: &str) -> Result<(), Error> {
    if sound {
        Ok(())
    } else {
        Err(Error::Invalid {
            what,
            text: boltworks_model::visible_start(text, 160),
        })
    }
}

impl Exit {
    /// Whether the step did what it should.
    pub fn is_success(&self) -> bool {
        self.end == End::Code(0)
    }
}
