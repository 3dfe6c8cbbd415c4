//! Control groups: the strongest limits there are, where the machine lets us use them.
//!
//! Version 2 where the memory and pids controllers are open to us in our own group or the one
//! above it (root, or a user to whom systemd delegated a slice); else version 1, for root; else
//! none, and the caller falls back to rlimits. Our groups lie beside or beneath our own, are named
//! `boltworks-<pid>-<number>`, and are removed at the end of each run; those of a factory that was
//! killed are removed by the next.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use boltworks_fsx::{Limit, RelPath, Root};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::Limits;
use crate::helper::OWN_PROCESSES;

/// How the names of our groups begin.
const PREFIX: &str = "boltworks-";

/// How often a group that is still emptying is tried again, and how long between.
const REMOVE_TRIES: u32 = 500;
const REMOVE_PAUSE: Duration = Duration::from_millis(2);

/// Where groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// One tree for everything.
    V2 { parent: PathBuf },
    /// One tree for each controller.
    V1 {
        memory: PathBuf,
        pids: PathBuf,
        cpu: PathBuf,
    },
}

impl Hierarchy {
    /// The word for reports.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::V2 { .. } => "cgroup v2",
            Self::V1 { .. } => "cgroup v1",
        }
    }

    /// The hierarchies in which a group can be made and limited, the best first, each with such a
    /// group. Whether it can be entered, only a process that tries knows.
    pub(crate) fn usable() -> impl Iterator<Item = (Self, Group)> {
        let limits = Limits {
            memory: Some(1 << 30),
            processes: Some(64),
            ..Limits::default()
        };
        let found = found().unwrap_or_default().into_iter();
        found.filter_map(move |candidate| {
            candidate.sweep();
            let group = candidate.group(&limits).ok()?;
            Some((candidate, group))
        })
    }

    /// Makes a group with these limits.
    pub(crate) fn group(&self, limits: &Limits) -> io::Result<Group> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let memory = limits.memory.map(|bytes| bytes.to_string());
        let processes = limits
            .processes
            .map(|count| count.saturating_add(OWN_PROCESSES).to_string());
        let mut group = Group {
            parts: Vec::new(),
            name,
            version2: false,
        };
        match self {
            Self::V2 { parent } => {
                group.version2 = true;
                let part = group.add(parent)?;
                if let Some(bytes) = memory {
                    write(part, "memory.max", &bytes)?;
                    optional(write(part, "memory.swap.max", "0"))?;
                    optional(write(part, "memory.oom.group", "1"))?;
                }
                if let Some(count) = processes {
                    write(part, "pids.max", &count)?;
                }
            }
            Self::V1 {
                memory: memory_dir,
                pids,
                cpu,
            } => {
                let part = group.add(memory_dir)?;
                if let Some(bytes) = memory {
                    write(part, "memory.limit_in_bytes", &bytes)?;
                    optional(write(part, "memory.memsw.limit_in_bytes", &bytes))?;
                }
                let part = group.add(pids)?;
                if let Some(count) = processes {
                    write(part, "pids.max", &count)?;
                }
                group.add(cpu)?;
            }
        }
        Ok(group)
    }

    /// Removes groups that a factory left behind when it was killed.
    fn sweep(&self) {
        let folders = match self {
            Self::V2 { parent } => vec![parent],
            Self::V1 { memory, pids, cpu } => vec![memory, pids, cpu],
        };
        for folder in folders {
            let Ok(root) = Root::open(folder) else {
                continue;
            };
            for entry in root.list().unwrap_or_default() {
                if is_left_behind(&entry.name) {
                    // One that is in use, or was removed by another factory, stays or is gone.
                    let _removed = rustix::fs::unlinkat(&root, &entry.name, AtFlags::REMOVEDIR);
                }
            }
        }
    }
}

/// Where groups might be made on this machine, the best first.
fn found() -> Option<Vec<Hierarchy>> {
    let proc = Root::open("/proc/self".as_ref()).ok()?;
    let read = |name: &str| {
        let path = RelPath::try_from(name).ok()?;
        proc.read_text(&path, Limit::mib(4)).ok()
    };
    Some(candidates(&read("cgroup")?, &read("mountinfo")?))
}

/// Whether a name is that of a group whose factory is gone.
fn is_left_behind(name: &[u8]) -> bool {
    std::str::from_utf8(name)
        .ok()
        .and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok())
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(Errno::SRCH))
}

/// The groups of one run, one in each hierarchy it needs.
#[derive(Debug)]
pub(crate) struct Group {
    parts: Vec<Part>,
    name: String,
    version2: bool,
}

/// A group in one hierarchy.
#[derive(Debug)]
struct Part {
    own: OwnedFd,
    /// The folder it lies in.
    parent: OwnedFd,
    path: PathBuf,
}

/// What a group counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Whether the kernel killed a process of the group for want of memory.
    pub(crate) out_of_memory: bool,
    /// Most bytes of memory at one time, where it is counted.
    pub(crate) peak_memory: Option<u64>,
    /// Processor time.
    pub(crate) cpu: Option<Duration>,
}

impl Group {
    /// Makes the group in one more hierarchy, unless it is there already (controllers that share
    /// one).
    fn add(&mut self, folder: &Path) -> io::Result<&OwnedFd> {
        let parent = rustix::fs::open(folder, DIRECTORY, Mode::empty())?;
        match rustix::fs::mkdirat(&parent, &self.name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let own = rustix::fs::openat(&parent, &self.name, DIRECTORY, Mode::empty())?;
        let path = folder.join(&self.name);
        self.parts.push(Part { own, parent, path });
        let last = self.parts.last().map(|part| &part.own);
        last.ok_or_else(|| Errno::NOENT.into())
    }

    /// The files into which a process of one thread writes `0` to enter.
    ///
    /// It enters by itself, because whoever moves another makes the kernel wait until no processor
    /// looks at any process any more: some 10 ms. In version 1, the file that moves threads is
    /// free of that.
    pub(crate) fn doors(&self) -> Vec<PathBuf> {
        let name = if self.version2 {
            "cgroup.procs"
        } else {
            "tasks"
        };
        let paths = self.parts.iter().map(|part| part.path.join(name));
        paths.collect()
    }

    /// What was used so far.
    pub(crate) fn counted(&self) -> Counted {
        let read = |name: &str| self.parts.iter().find_map(|part| read(&part.own, name));
        let number = |text: String| text.trim().parse::<u64>().ok();
        if self.version2 {
            Counted {
                out_of_memory: read("memory.events").is_some_and(|text| oom_kills(&text) > 0),
                peak_memory: read("memory.peak").and_then(number),
                cpu: read("cpu.stat")
                    .and_then(|text| field(&text, "usage_usec"))
                    .map(Duration::from_micros),
            }
        } else {
            Counted {
                out_of_memory: read("memory.oom_control").is_some_and(|text| oom_kills(&text) > 0),
                peak_memory: read("memory.max_usage_in_bytes").and_then(number),
                cpu: read("cpuacct.usage")
                    .and_then(number)
                    .map(Duration::from_nanos),
            }
        }
    }

    /// Removes the groups. What is still in them is on its way out: its process namespace is gone.
    pub(crate) fn remove(self) -> io::Result<()> {
        let mut parts = self.parts.iter();
        parts.try_for_each(|part| remove(&part.parent, &self.name))
    }
}

fn remove(parent: &OwnedFd, name: &str) -> io::Result<()> {
    for _ in 0..REMOVE_TRIES {
        match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY) => std::thread::sleep(REMOVE_PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::BUSY.into())
}

impl Drop for Group {
    fn drop(&mut self) {
        for part in &self.parts {
            // After `remove` there is nothing left. What cannot be removed the next factory sweeps.
            let _removed = remove(&part.parent, &self.name);
        }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

fn write(group: &OwnedFd, name: &str, value: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(group, name, flags, Mode::empty())?;
    rustix::io::write(file, value.as_bytes())?;
    Ok(())
}

/// A setting that not every kernel has.
fn optional(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A file of a group: the kernel writes a page at most.
fn read(group: &OwnedFd, name: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(group.as_fd(), name, flags, Mode::empty()).ok()?;
    let mut page = vec![0; 4096];
    let read = rustix::io::read(file, &mut page).ok()?;
    page.truncate(read);
    String::from_utf8(page).ok()
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn oom_kills(text: &str) -> u64 {
    field(text, "oom_kill ").unwrap_or_default()
}

/// Where groups might be made, the best first, from `/proc/self/cgroup` and `mountinfo`
/// (cgroups(7), proc(5)).
fn candidates(groups: &str, mounts: &str) -> Vec<Hierarchy> {
    let own = |is: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            is(controllers).then_some(path)
        })
    };
    let mut found = Vec::new();
    let unified = own(&|controllers| controllers.is_empty())
        .and_then(|path| place(mounts, "cgroup2", None, path));
    if let Some((point, beneath)) = unified {
        // Beside our group first: one that holds processes can have no controllers beneath it.
        let above = beneath.parent().map(|above| Hierarchy::V2 {
            parent: point.join(above),
        });
        found.extend(above);
        found.push(Hierarchy::V2 {
            parent: point.join(beneath),
        });
    }
    let controller = |name: &str| {
        let path = own(&|controllers| controllers.split(',').any(|each| each == name))?;
        place(mounts, "cgroup", Some(name), path).map(|(point, beneath)| point.join(beneath))
    };
    if let (Some(memory), Some(pids), Some(cpu)) = (
        controller("memory"),
        controller("pids"),
        controller("cpuacct"),
    ) {
        found.push(Hierarchy::V1 { memory, pids, cpu });
    }
    found
}

/// Where a hierarchy is seen, and the path of a group in what is seen of it.
fn place<'a>(
    mounts: &'a str,
    kind: &str,
    controller: Option<&str>,
    group: &'a str,
) -> Option<(&'a Path, &'a Path)> {
    mounts.lines().find_map(|line| {
        let (place, file_system) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (shown, point) = (place.next()?, place.next()?);
        let mut file_system = file_system.split(' ');
        let (type_name, options) = (file_system.next()?, file_system.nth(1)?);
        let fits = type_name == kind
            && controller.is_none_or(|name| options.split(',').any(|option| option == name));
        let beneath = Path::new(group).strip_prefix(shown).ok()?;
        fits.then_some((Path::new(point), beneath))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systemd_session_has_two_places_of_version_2() {
        let groups = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n";
        let mounts =
            "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let folder = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice";
        let beside = Hierarchy::V2 {
            parent: folder.into(),
        };
        let beneath = Hierarchy::V2 {
            parent: Path::new(folder).join("x.scope"),
        };
        assert_eq!(candidates(groups, mounts), [beside, beneath]);
        // The root group has nothing beside it.
        let only = Hierarchy::V2 {
            parent: "/sys/fs/cgroup/".into(),
        };
        assert_eq!(candidates("0::/\n", mounts), [only]);
    }

    #[test]
    fn version_1_is_found_through_shared_hierarchies_and_bind_mounts() {
        let groups =
            "5:memory:/docker/abc/run\n3:cpu,cpuacct:/docker/abc\n2:pids:/\n1:name=systemd:/\n";
        let mounts = "\
            1 0 0:1 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            2 0 0:2 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            3 0 0:3 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        let expected = Hierarchy::V1 {
            memory: "/sys/fs/cgroup/memory/run".into(),
            pids: "/sys/fs/cgroup/pids".into(),
            cpu: "/sys/fs/cgroup/cpu,cpuacct".into(),
        };
        assert_eq!(candidates(groups, mounts), [expected]);
    }

    #[test]
    fn without_the_controllers_there_is_no_place() {
        assert_eq!(candidates("1:name=systemd:/\n", ""), []);
        assert_eq!(candidates("garbage\n:::\n", "also - garbage\n"), []);
    }

    #[test]
    fn only_groups_of_dead_factories_are_left_behind() {
        let living = format!("{PREFIX}{}-0", std::process::id());
        assert!(!is_left_behind(living.as_bytes()));
        assert!(!is_left_behind(b"boltworks-x-0"));
        assert!(!is_left_behind(b"user.slice"));
        // Above the kernel's highest pid.
        assert!(is_left_behind(b"boltworks-4194305-0"));
    }

    #[test]
    fn counters_are_read_by_name() {
        assert_eq!(oom_kills("oom 3\noom_kill 2\noom_group_kill 1\n"), 2);
        assert_eq!(
            oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            1
        );
        assert_eq!(
            field("usage_usec 17\nuser_usec 9\n", "usage_usec"),
            Some(17)
        );
    }
}
