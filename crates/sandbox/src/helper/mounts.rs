//! The guest's file system.
//!
//! Everything the guest sees is one of: an overlay of its tree and its scratch folder; one
//! temporary file system, of which `/tmp`, `/dev` and `/dev/shm` are parts; a new `/proc` with
//! what is not about processes hidden or read-only; a new `/dev/pts`; and the binds that were asked
//! for. Mounts are made from descriptors, never from paths that are looked up twice: the host's
//! side is opened through no symbolic link, the guest's side is looked up as a process inside
//! would, so that no link of a tree or workspace leads out.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, major, minor};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

use crate::wire::{At, Failure, GuestRoot, Order, Stage};
use crate::{host, sys};

/// Devices a guest has: name, major and minor number.
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Links in `/dev`.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// What of `/proc` can be read but not written.
const READ_ONLY: [&str; 6] = ["bus", "fs", "irq", "sys", "sysrq-trigger", "mtrr"];

/// What of `/proc` is empty: it tells about the host or reaches into it.
const HIDDEN: [&str; 30] = [
    "acpi",
    "asound",
    "cmdline",
    "config.gz",
    "diskstats",
    "driver",
    "dynamic_debug",
    "interrupts",
    "iomem",
    "ioports",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "modules",
    "partitions",
    "pressure",
    "sched_debug",
    "schedstat",
    "scsi",
    "slabinfo",
    "timer_list",
    "timer_stats",
    "vmallocinfo",
    "vmcore",
];

/// The most that a guest's temporary files may hold when no limit was given.
const DEFAULT_TEMPORARY: &str = "50%";

const PLAIN: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);
const FROZEN: MountAttrFlags = PLAIN.union(MountAttrFlags::MOUNT_ATTR_RDONLY);
const NOT_EXECUTED: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);
const DEVICE: MountAttrFlags = NOT_EXECUTED.union(MountAttrFlags::MOUNT_ATTR_RDONLY);

/// Everything of the host that a guest is made of: mounts of its own, not yet in any place.
pub(super) struct Sources {
    /// The trees, the topmost first, and the scratch folder.
    root: Option<(Vec<OwnedFd>, OwnedFd)>,
    /// Folders and files, with the place each is for.
    binds: Vec<(OwnedFd, String)>,
    /// Device nodes.
    devices: Vec<(&'static str, OwnedFd)>,
    /// The same of what runs beside the step.
    pub(super) beside: Option<Box<Self>>,
}

impl Sources {
    /// Opens what the order names.
    pub(super) fn open(order: &Order) -> Result<Self, Failure> {
        let root = match &order.root {
            GuestRoot::Empty => None,
            GuestRoot::Tree { lowers, scratch } => Some(open_root(lowers, scratch)?),
        };
        let beside = order.beside.as_ref().map(|beside| {
            Ok::<_, Failure>(Box::new(Self {
                root: Some(open_root(&beside.lowers, &beside.scratch)?),
                binds: Vec::new(),
                devices: open_devices()?,
                beside: None,
            }))
        });
        let binds = order.binds.iter().map(|bind| {
            let attributes = if bind.writable { PLAIN } else { FROZEN };
            Ok((
                copy_from_host(&bind.source, attributes)?,
                bind.target.clone(),
            ))
        });
        Ok(Self {
            root,
            binds: binds.collect::<Result<_, _>>()?,
            devices: open_devices()?,
            beside: beside.transpose()?,
        })
    }
}

/// Trees, the topmost first, and a scratch folder.
fn open_root(lowers: &[PathBuf], scratch: &Path) -> Result<(Vec<OwnedFd>, OwnedFd), Failure> {
    let lowers = lowers.iter().map(|lower| copy_from_host(lower, FROZEN));
    let lowers = lowers.collect::<Result<_, _>>()?;
    Ok((lowers, copy_from_host(scratch, PLAIN)?))
}

fn open_devices() -> Result<Vec<(&'static str, OwnedFd)>, Failure> {
    let devices = DEVICES.iter().map(|(name, major, minor)| {
        let path = format!("/dev/{name}");
        let node = copy_from_host(path.as_ref(), DEVICE)?;
        let right = is_device(&node, (*major, *minor)).at_path(Stage::Devices, &path)?;
        let right = if right { Ok(()) } else { Err(Errno::NODEV) };
        right.at_path(Stage::Devices, &path).map(|()| (*name, node))
    });
    devices.collect()
}

fn is_device(node: &OwnedFd, number: (u32, u32)) -> rustix::io::Result<bool> {
    let stat = rustix::fs::fstat(node)?;
    Ok(
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && (major(stat.st_rdev), minor(stat.st_rdev)) == number,
    )
}

/// A mount of our own of a folder or file of the host.
fn copy_from_host(path: &Path, attributes: MountAttrFlags) -> Result<OwnedFd, Failure> {
    let shown = path.display();
    let source = host::open(path, OFlags::PATH).map_err(|error| {
        let why = if error == Errno::LOOP {
            ": it leads through a symbolic link"
        } else {
            ""
        };
        let detail = format!("{shown}{why}");
        Failure {
            stage: Stage::Source,
            detail,
            errno: error.raw_os_error(),
        }
    })?;
    copy(source, "", attributes).at_path(Stage::Source, shown)
}

/// A mount of what a mount shows at some place.
fn copy(
    dir: impl AsFd,
    path: impl rustix::path::Arg,
    attributes: MountAttrFlags,
) -> std::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW
        | OpenTreeFlags::AT_NO_AUTOMOUNT;
    let mount = rustix::mount::open_tree(dir, path, flags)?;
    sys::restrict_mount(mount.as_fd(), attributes.bits().into())?;
    Ok(mount)
}

/// A new file system. An empty value is a flag.
fn new(
    stage: Stage,
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Failure> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).at_path(stage, kind)?;
    let mount = || {
        for (name, value) in options {
            match *value {
                "" => rustix::mount::fsconfig_set_flag(&context, *name)?,
                value => rustix::mount::fsconfig_set_string(&context, *name, value)?,
            }
        }
        rustix::mount::fsconfig_create(&context)?;
        rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    mount().map_err(|error: Errno| {
        let mut said = [0; 1000];
        // What the file system has to say about it, if anything: one message for each read.
        let length = rustix::io::read(&context, &mut said).unwrap_or_default();
        let said = String::from_utf8_lossy(said.get(..length).unwrap_or_default());
        let detail = format!("{kind} {}", said.trim_end());
        Failure {
            stage,
            detail: detail.trim_end().into(),
            errno: error.raw_os_error(),
        }
    })
}

/// Puts a mount in its place: on what the descriptor stands for.
fn attach(mount: &OwnedFd, place: impl AsFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", place, "", flags)
}

/// A folder that is there or is made, reached through no link.
fn folder(dir: &OwnedFd, name: &str, mode: u32) -> rustix::io::Result<OwnedFd> {
    match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode)) {
        Ok(()) => rustix::fs::chmodat(dir, name, Mode::from_raw_mode(mode), AtFlags::empty())?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// Builds the guest's file system and moves this process, and its parent, into it. Nothing of the
/// host stays open.
pub(super) fn build(order: &Order, sources: Sources) -> Result<(), Failure> {
    let size = order
        .limits
        .temporary
        .map_or(DEFAULT_TEMPORARY.into(), |size| size.to_string());
    let base = new(
        Stage::Skeleton,
        "tmpfs",
        &[("mode", "0755"), ("size", &size)],
        PLAIN,
    )?;
    let host =
        rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at(Stage::Skeleton)?;
    attach(&base, &host).at(Stage::Skeleton)?;
    let root = overlay(&base, sources.root)?;
    let temporary = |name: &str, mode: u32| -> std::io::Result<OwnedFd> {
        folder(&base, name, mode)?;
        copy(&base, name, PLAIN)
    };
    let place = folder(&root, "tmp", 0o1777).at(Stage::Skeleton)?;
    attach(&temporary("tmp", 0o1777).at(Stage::Skeleton)?, place).at(Stage::Skeleton)?;
    let (dev, shm) = temporary("dev", 0o755)
        .and_then(|dev| Ok((dev, temporary("shm", 0o1777)?)))
        .at(Stage::Devices)?;
    let terminals = [("ptmxmode", "0666"), ("mode", "0620")];
    let terminals = new(Stage::Devices, "devpts", &terminals, NOT_EXECUTED)?;
    let mounts = [("pts", terminals), ("shm", shm)];
    devices(&root, &dev, &mounts, sources.devices).at(Stage::Devices)?;
    let fresh = new(Stage::Proc, "proc", &[], PLAIN | NOT_EXECUTED)?;
    proc(&base, &root, &fresh).at(Stage::Proc)?;
    for (mount, target) in sources.binds {
        bind(&root, &mount, &target).at_path(Stage::Bind, target)?;
    }
    pivot(&root).at(Stage::Pivot)
}

/// The root: what changes over the trees. `volatile`, because nothing of it needs to survive a
/// power cut, and because without it the end of a guest would write out the host's file system.
fn overlay(base: &OwnedFd, sources: Option<(Vec<OwnedFd>, OwnedFd)>) -> Result<OwnedFd, Failure> {
    let stage = Stage::Overlay;
    let mut lowers = Vec::new();
    let mut lower = || {
        let name = format!("lower{}", lowers.len());
        let place = folder(base, &name, 0o755).at(stage);
        lowers.push(name);
        place
    };
    let scratch = folder(base, "scratch", 0o755).at(stage)?;
    if let Some((lower_mounts, scratch_mount)) = sources {
        for mount in &lower_mounts {
            attach(mount, lower()?).at(stage)?;
        }
        attach(&scratch_mount, scratch).at(stage)?;
    } else {
        lower()?;
        folder(&scratch, "upper", 0o755).at(stage)?;
        folder(&scratch, "work", 0o755).at(stage)?;
    }
    let lowers = lowers.join(":");
    // Relative paths need no escapes.
    rustix::process::fchdir(base).at(stage)?;
    let options = [
        ("source", "guest"),
        ("lowerdir", lowers.as_str()),
        ("upperdir", "scratch/upper"),
        ("workdir", "scratch/work"),
        ("userxattr", ""),
        ("volatile", ""),
    ];
    let root = new(stage, "overlay", &options, PLAIN)?;
    attach(&root, folder(base, "root", 0o755).at(stage)?).at(stage)?;
    Ok(root)
}

fn devices(
    root: &OwnedFd,
    dev: &OwnedFd,
    mounts: &[(&str, OwnedFd)],
    nodes: Vec<(&'static str, OwnedFd)>,
) -> std::io::Result<()> {
    attach(dev, folder(root, "dev", 0o755)?)?;
    for (name, node) in nodes {
        attach(&node, file(dev, name)?)?;
    }
    for (name, target) in DEVICE_LINKS {
        rustix::fs::symlinkat(target, dev, name)?;
    }
    for (name, mount) in mounts {
        attach(mount, folder(dev, name, 0o755)?)?;
    }
    sys::restrict_mount(dev.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into())
}

/// An empty file that was not there.
fn file(dir: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o644))
}

fn proc(base: &OwnedFd, root: &OwnedFd, proc: &OwnedFd) -> std::io::Result<()> {
    attach(proc, folder(root, "proc", 0o555)?)?;
    for name in READ_ONLY {
        if let Some(place) = existing(proc, name)? {
            attach(&copy(proc, name, FROZEN | NOT_EXECUTED)?, place)?;
        }
    }
    let blank = file(base, "blank")?;
    let empty = folder(base, "empty", 0o555)?;
    for name in HIDDEN {
        if let Some(place) = existing(proc, name)? {
            let stat = rustix::fs::fstat(&place)?;
            let cover = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => copy(&empty, "", FROZEN)?,
                _ => copy(&blank, "", FROZEN)?,
            };
            attach(&cover, place)?;
        }
    }
    Ok(())
}

/// A name in a folder, if it is there.
fn existing(dir: &OwnedFd, name: &str) -> rustix::io::Result<Option<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, name, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Shows a mount at a path of the guest. Links are followed as inside the guest; what is missing
/// is made.
fn bind(root: &OwnedFd, mount: &OwnedFd, target: &str) -> rustix::io::Result<()> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(mount)?.st_mode);
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let mut above = rustix::fs::openat2(root, ".", flags, Mode::empty(), resolve)?;
    let target = target.trim_start_matches('/');
    let ends = target
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([target.len()]);
    for end in ends {
        let (path, _) = target.split_at(end);
        let name = path.rsplit('/').next().unwrap_or(path);
        above = match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Ok(found) => found,
            Err(Errno::NOENT) if end == target.len() && kind != FileType::Directory => {
                file(&above, name)?
            }
            Err(Errno::NOENT) => folder(&above, name, 0o755)?,
            Err(error) => return Err(error),
        };
    }
    attach(mount, above)
}

/// Makes the guest's root the root, and lets go of the host's.
fn pivot(root: &OwnedFd) -> rustix::io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    // On top of the new root lies the old one, and on top of that the skeleton.
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}
