//! The first process's own look around, when a machine is probed: is it confined?

use std::collections::BTreeSet;
use std::fs::File;

use boltworks_fsx::{Bounded, Limit, RelPath, Root};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, UnshareFlags};

use super::inner::reap;
use crate::Ids;
use crate::sys;
use crate::wire::{Failure, Outcome, Stage};

/// Everything that must hold in every guest, whoever its processes are inside. It is asked of root,
/// who would get capabilities back with each program that starts, did nothing stand against it.
pub(super) fn confined(ids: Ids) -> Result<(), Failure> {
    require("it is not the guest's user", || {
        let own = Ids {
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
        };
        Ok(own == ids)
    })?;
    require("capabilities are left", || {
        let sets = rustix::thread::capabilities(None)?;
        Ok((sets.effective | sets.permitted | sets.inheritable) == CapabilitySet::empty())
    })?;
    require("a program could get capabilities", || {
        let bits = rustix::thread::capabilities_secure_bits()?;
        let mut bounding =
            (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
        let kept = bounding.find(|one| {
            // The kernel does not know those above its own.
            rustix::thread::capability_is_in_bounding_set(*one).unwrap_or(false)
        });
        Ok(bits.contains(NO_ROOT) && kept.is_none())
    })?;
    require("new privileges are not ruled out", || {
        Ok(rustix::thread::no_new_privs()?)
    })?;
    require("the system call filter is not active", || {
        Ok(proc_file("1/status")?
            .lines()
            .any(|line| line == "Seccomp:\t2"))
    })?;
    require("a mount succeeded", || {
        let result = rustix::mount::mount("none", "/tmp", "tmpfs", MountFlags::empty(), None);
        Ok(result == Err(Errno::PERM))
    })?;
    require("a namespace could be made", || {
        let result = sys::unshare(UnshareFlags::NEWUSER);
        Ok(result.is_err_and(|error| error.raw_os_error() == Some(Errno::PERM.raw_os_error())))
    })?;
    require("the host's file system is visible", only_own_files)?;
    require("there is another network than loopback", || {
        let links = proc_file("1/net/dev")?;
        let names: Vec<_> = links
            .lines()
            .filter_map(|line| line.split_once(':'))
            .collect();
        Ok(matches!(names.as_slice(), [(name, _)] if name.trim() == "lo"))
    })?;
    require(
        "a process could not be run and reaped",
        || match sys::fork()? {
            None => std::process::abort(),
            Some(child) => Ok(matches!(reap(child), Ok(Outcome::Signal(_)))),
        },
    )
}

/// That root is a user like others.
const NO_ROOT: CapabilitiesSecureBits =
    CapabilitiesSecureBits::NO_ROOT.union(CapabilitiesSecureBits::NO_ROOT_LOCKED);

/// Turns a check that does not hold, or could not be made, into a failure.
fn require(
    wrong: &str,
    check: impl FnOnce() -> Result<bool, Box<dyn std::error::Error>>,
) -> Result<(), Failure> {
    let detail = match check() {
        Ok(true) => return Ok(()),
        Ok(false) => wrong.to_owned(),
        Err(error) => format!("{wrong}: {error}"),
    };
    Err(Failure {
        stage: Stage::SelfCheck,
        detail,
        errno: 0,
    })
}

/// Whether the root and the table of mounts hold what was put there, and nothing else.
fn only_own_files() -> Result<bool, Box<dyn std::error::Error>> {
    let names: BTreeSet<_> = Root::open("/".as_ref())?
        .list()?
        .into_iter()
        .map(|e| e.name)
        .collect();
    let expected = ["dev", "proc", "tmp"].map(|name| name.as_bytes().to_vec());
    let mounts = proc_file("1/mountinfo")?;
    let own = |point: &str| {
        ["/dev", "/proc", "/tmp"]
            .iter()
            .filter_map(|top| point.strip_prefix(top))
            .any(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    Ok(names.into_iter().eq(expected)
        && mounts
            .lines()
            .filter_map(|line| line.split_ascii_whitespace().nth(4))
            .all(|point| point == "/" || own(point)))
}

fn proc_file(path: &str) -> Result<String, Box<dyn std::error::Error>> {
    let file: File = Root::open("/proc".as_ref())?.open_file(&RelPath::try_from(path)?)?;
    Ok(Bounded::new(file, Limit::mib(1)).read_text()?)
}
