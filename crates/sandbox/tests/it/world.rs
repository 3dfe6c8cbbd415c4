//! What the tests run in: a guest tree of busybox and the attacker, folders, and a short way to
//! run a script.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use boltworks_model::{Ambient, Cancel, Clock, Entropy, Timestamp};
use boltworks_sandbox::{
    Beside, Bind, Error, Exit, GuestSpec, Ids, Limits, Local, StepSpec, Stream,
};
use tempfile::TempDir;

/// The real time.
pub(crate) struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        unreachable!("the sandbox does not ask for the time of day")
    }

    fn elapsed(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl Entropy for Now {
    fn fill(&self, _buffer: &mut [u8]) {
        unreachable!("the sandbox needs no randomness")
    }
}

/// This program, which is also the guest's first process.
pub(crate) fn own_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// The machine, probed once.
pub(crate) fn local() -> &'static Local {
    static LOCAL: OnceLock<Local> = OnceLock::new();
    LOCAL.get_or_init(|| Local::probe(&own_program()).unwrap())
}

/// Whether new guests' processes are root inside, unless a test says otherwise.
static IS_ROOT: AtomicBool = AtomicBool::new(false);

/// Says who new guests' processes are inside.
pub(crate) fn be_root(is_root: bool) {
    IS_ROOT.store(is_root, Ordering::Relaxed);
}

/// Whether limits are held by control groups.
pub(crate) fn has_groups() -> bool {
    !local().describe().ends_with("rlimits")
}

/// Who hears what a guest prints.
type Hear<'a> = dyn FnMut(Stream, &[u8]) + 'a;

/// A guest's folders, gone when dropped.
pub(crate) struct World {
    folder: TempDir,
    /// Trees above the first.
    pub(crate) above: Vec<PathBuf>,
    /// More binds than the workspace.
    pub(crate) binds: Vec<Bind>,
    /// Who its processes are inside: `build`, or root, unless a test says otherwise.
    pub(crate) ids: Ids,
    /// What steps may use: ten seconds, unless a test says otherwise.
    pub(crate) limits: Limits,
    /// The stop button.
    pub(crate) cancel: Cancel,
}

/// What a step did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // As strict as a home directory can be: a guest needs no way through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let world = Self {
            folder,
            above: Vec::new(),
            binds: Vec::new(),
            ids: if IS_ROOT.load(Ordering::Relaxed) {
                Ids::ROOT
            } else {
                Ids::default()
            },
            limits: Limits {
                wall: Some(Duration::from_secs(10)),
                ..Limits::default()
            },
            cancel: Cancel::default(),
        };
        for name in ["tree", "scratch", "other", "workspace"] {
            world.make(name);
        }
        fill_tree(&world.path("tree"));
        world
    }

    /// One whose processes have these numbers inside.
    pub(crate) fn of(ids: Ids) -> Self {
        let mut world = Self::new();
        world.ids = ids;
        world
    }

    /// A folder of the host beside the tree, belonging to the build user.
    pub(crate) fn make(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        own(&path);
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn guest(&self) -> GuestSpec {
        let workspace = Bind {
            source: self.path("workspace"),
            target: "/home/build".into(),
            writable: true,
        };
        GuestSpec {
            lowers: [&self.above[..], &[self.path("tree")]].concat(),
            scratch: self.path("scratch"),
            binds: [workspace]
                .into_iter()
                .chain(self.binds.iter().cloned())
                .collect(),
            hostname: "guest".into(),
            ids: self.ids,
        }
    }

    pub(crate) fn step(&self, argv: &[&str]) -> StepSpec {
        StepSpec {
            argv: argv.iter().map(ToString::to_string).collect(),
            environment: BTreeMap::from([("PATH".into(), "/bin".into())]),
            cwd: "/home/build".into(),
            limits: self.limits.clone(),
        }
    }

    pub(crate) fn run_step(&self, step: &StepSpec) -> Result<Done, Error> {
        self.heard(|output, ambient| local().run(&self.guest(), step, output, ambient))
    }

    /// Runs a shell script, or nothing, beside another one that listens at a port.
    pub(crate) fn run_beside(
        &self,
        other: &str,
        (port, patience): (u16, Duration),
        script: &str,
    ) -> Done {
        let beside = Beside {
            lowers: vec![self.path("tree")],
            scratch: self.path("other"),
            argv: ["/bin/sh", "-c", other].map(str::to_owned).to_vec(),
            environment: BTreeMap::from([("PATH".into(), "/bin".into())]),
            cwd: "/tmp".into(),
            ports: vec![port],
            patience,
        };
        let mut step = self.step(&["/bin/sh", "-c", script]);
        if script.is_empty() {
            step.argv.clear();
        }
        let run = |output: &mut Hear<'_>, ambient: &Ambient<'_>| {
            local().run_beside(&self.guest(), (&beside, &step), output, ambient)
        };
        self.heard(run).unwrap()
    }

    fn heard(
        &self,
        run: impl FnOnce(&mut Hear<'_>, &Ambient<'_>) -> Result<Exit, Error>,
    ) -> Result<Done, Error> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut output = |stream, bytes: &[u8]| match stream {
            Stream::Stdout => stdout.extend_from_slice(bytes),
            Stream::Stderr => stderr.extend_from_slice(bytes),
        };
        let ambient = Ambient {
            clock: &Now,
            entropy: &Now,
            sink: &(),
            cancel: &self.cancel,
        };
        let exit = run(&mut output, &ambient)?;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ok(Done {
            exit,
            stdout: text(stdout),
            stderr: text(stderr),
        })
    }

    pub(crate) fn run(&self, argv: &[&str]) -> Result<Done, Error> {
        self.run_step(&self.step(argv))
    }

    /// Runs a shell script that must not fail to start.
    pub(crate) fn script(&self, script: &str) -> Done {
        self.run(&["/bin/sh", "-c", script]).unwrap()
    }
}

/// Gives a file to the build user.
pub(crate) fn own(path: &Path) {
    let uid = local().build_uid();
    chown(path, Some(uid), Some(uid)).unwrap();
}

/// busybox under each of its names, and the attacker.
fn fill_tree(tree: &Path) {
    for name in ["bin", "etc", "proc", "dev", "tmp"] {
        fs::create_dir(tree.join(name)).unwrap();
    }
    let busybox = Path::new("/bin/busybox");
    assert!(
        is_static(busybox),
        "a static busybox is needed: apt-get install busybox-static"
    );
    fs::copy(busybox, tree.join("bin/busybox")).unwrap();
    fs::copy(attacker(), tree.join("bin/attack")).unwrap();
    let names = Command::new(busybox).arg("--list").output().unwrap().stdout;
    for name in String::from_utf8(names)
        .unwrap()
        .lines()
        .filter(|name| *name != "busybox")
    {
        symlink("busybox", tree.join("bin").join(name)).unwrap();
    }
    fs::write(
        tree.join("etc/passwd"),
        "build:x:1000:1000::/home/build:/bin/sh\n",
    )
    .unwrap();
    for entry in [
        tree,
        &tree.join("bin"),
        &tree.join("etc"),
        &tree.join("etc/passwd"),
    ] {
        own(entry);
    }
}

/// Whether a 64-bit ELF program names no interpreter (`PT_INTERP`).
fn is_static(program: &Path) -> bool {
    let Ok(bytes) = fs::read(program) else {
        return false;
    };
    let number = |at: usize, size: usize| {
        bytes[at..at + size]
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let (first, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).all(|header| number(first + header * size, 4) != 3)
}

/// `attack.c`, compiled once.
fn attacker() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("attack.c");
        fs::write(&source, include_str!("attack.c")).unwrap();
        let program = folder.path().join("attack");
        let output = Command::new("cc")
            .args(["-static", "-O1", "-Wall", "-Werror", "-o"])
            .args([&program, &source])
            .output()
            .expect("a C compiler is needed: apt-get install gcc libc6-dev");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (folder, program)
    });
    path
}
