//! Why no guest can be made here, in words, with what to do about it.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use boltworks_fsx::{Limit, RelPath, Root};
use rustix::io::Errno;

use crate::wire::{Failure, Outcome, Stage};
use crate::{HELPER_WORD, Refused};

/// How long the trivial guest of a probe may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Settings of the kernel that keep ordinary users from making namespaces.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// `kernel.unprivileged_userns_clone` (Debian's kernels).
    unprivileged_userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu's kernels).
    apparmor_restricts: Option<u64>,
    /// `user.max_user_namespaces`.
    max_user_namespaces: Option<u64>,
}

impl Facts {
    /// Reads them.
    pub(crate) fn gather() -> Self {
        let read = |path: &str| {
            let root = Root::open("/proc/sys".as_ref()).ok()?;
            let text = root
                .read_text(&RelPath::try_from(path).ok()?, Limit::kib(4))
                .ok()?;
            text.trim().parse().ok()
        };
        Self {
            unprivileged_userns_clone: read("kernel/unprivileged_userns_clone"),
            apparmor_restricts: read("kernel/apparmor_restrict_unprivileged_userns"),
            max_user_namespaces: read("user/max_user_namespaces"),
        }
    }
}

fn refused(reason: impl Into<String>, fix: impl Into<String>) -> Refused {
    Refused {
        reason: reason.into(),
        fix: fix.into(),
    }
}

/// What a trivial guest's end means.
pub(crate) fn explain(outcome: &Outcome, facts: &Facts) -> Refused {
    match outcome {
        Outcome::Failed(failure) => explain_failure(failure, facts),
        other => refused(
            format!("a trivial guest did not end as it should ({other:?})"),
            "try again; if it stays so, report it with this message",
        ),
    }
}

fn explain_failure(failure: &Failure, facts: &Facts) -> Refused {
    let said = io::Error::from_raw_os_error(failure.errno);
    let reason = |why: &str| format!("cannot {failure}: {said}: {why}");
    let denied = [Errno::PERM, Errno::ACCESS]
        .map(Errno::raw_os_error)
        .contains(&failure.errno);
    let is = |errno: Errno| failure.errno == errno.raw_os_error();
    if denied && facts.unprivileged_userns_clone == Some(0) {
        return refused(
            reason("the kernel lets only root make user namespaces"),
            "run 'sysctl -w kernel.unprivileged_userns_clone=1' as root (and keep it in /etc/sysctl.d)",
        );
    }
    if denied && facts.apparmor_restricts.is_some_and(|value| value != 0) {
        return refused(
            reason("AppArmor takes an ordinary user's namespaces their rights"),
            "give the program an AppArmor profile with the rule 'userns,' (flags=(unconfined)), or \
             run 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0' as root",
        );
    }
    let namespaces = failure.stage == Stage::Namespaces;
    if namespaces && (is(Errno::NOSPC) || facts.max_user_namespaces == Some(0)) {
        return refused(
            reason("no more user namespaces are allowed"),
            "run 'sysctl -w user.max_user_namespaces=10000' as root",
        );
    }
    match failure.stage {
        Stage::Namespaces if is(Errno::INVAL) => refused(
            reason("the kernel was built without one of the namespaces"),
            "use a kernel with user, mount, pid, ipc, uts, cgroup and network namespaces",
        ),
        Stage::Namespaces | Stage::Become | Stage::Identity if denied => refused(
            reason("whatever runs this program, perhaps a container, forbids it"),
            "run it outside the container, or start that with a seccomp and AppArmor profile that \
             allows user namespaces and mounts ('--security-opt seccomp=unconfined --security-opt \
             apparmor=unconfined')",
        ),
        Stage::Proc if denied => refused(
            reason("parts of this system's own /proc are hidden, so the kernel gives no new one"),
            "start the container with an unmasked /proc (podman '--security-opt unmask=ALL', docker \
             '--security-opt systempaths=unconfined')",
        ),
        Stage::Overlay if is(Errno::NODEV) => refused(
            reason("the kernel has no overlay file system"),
            "run 'modprobe overlay' as root",
        ),
        Stage::Pivot if is(Errno::INVAL) => refused(
            reason("the root of this system is the kernel's first, which cannot be left"),
            "run it in a root that is mounted, not in an initramfs",
        ),
        _ if is(Errno::NOSYS) => refused(
            reason("the kernel is too old or forbids the call"),
            "use Linux 5.12 or newer, outside of containers that filter system calls",
        ),
        Stage::SelfCheck => refused(
            format!("a trivial guest is not confined: {}", failure.detail),
            "report it with this message and the kernel's version; steps are not run like this",
        ),
        _ => refused(reason("the kernel refused"), "report it with this message"),
    }
}

/// The program cannot be copied.
pub(crate) fn no_program(exe: &Path, error: &io::Error) -> Refused {
    refused(
        format!(
            "the program {} can neither be mounted nor copied into memory: {error}",
            exe.display()
        ),
        "make it readable, and leave memory for it",
    )
}

/// The first process did not start.
pub(crate) fn no_start(error: &io::Error) -> Refused {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return refused(
            format!("the program's copy in memory cannot be executed: {error}"),
            "run 'sysctl -w vm.memfd_noexec=0' as root, or allow it in the security module",
        );
    }
    refused(
        format!("a trivial guest could not be started: {error}"),
        "report it with this message",
    )
}

/// The program is no helper.
pub(crate) fn no_helper(status: ExitStatus, said: &[u8]) -> Refused {
    let said = String::from_utf8_lossy(said);
    refused(
        format!(
            "the guest's first process ended without a report ({status}): {}",
            said.trim()
        ),
        format!("name a program that calls `boltworks_sandbox::helper` for '{HELPER_WORD}'"),
    )
}

/// Root would be root.
pub(crate) fn root_as_build_user() -> Refused {
    refused(
        "steps would run as the host's root",
        "choose another build uid than 0",
    )
}

/// The ids of this process are not known.
pub(crate) fn no_proc(error: &boltworks_fsx::Error) -> Refused {
    refused(
        format!("/proc/self/uid_map cannot be read: {error}"),
        "mount /proc",
    )
}

/// Root has no other uid to give to steps.
pub(crate) fn unmapped_build_user(build_uid: u32) -> Refused {
    refused(
        format!(
            "uid {build_uid}, which steps are to run as, does not exist in this user namespace"
        ),
        "run as an ordinary user, or in a namespace that maps that uid",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stage: Stage, errno: Errno, facts: &Facts, expect: &str) {
        let failure = Failure {
            stage,
            detail: String::new(),
            errno: errno.raw_os_error(),
        };
        let refused = explain(&Outcome::Failed(failure), facts);
        assert!(refused.to_string().contains(expect), "{refused}");
    }

    #[test]
    fn each_obstacle_names_its_setting() {
        let none = Facts::default();
        let debian = Facts {
            unprivileged_userns_clone: Some(0),
            ..Facts::default()
        };
        check(
            Stage::Namespaces,
            Errno::PERM,
            &debian,
            "kernel.unprivileged_userns_clone=1",
        );
        let ubuntu = Facts {
            apparmor_restricts: Some(1),
            ..Facts::default()
        };
        check(
            Stage::Skeleton,
            Errno::ACCESS,
            &ubuntu,
            "apparmor_restrict_unprivileged_userns=0",
        );
        check(
            Stage::Namespaces,
            Errno::NOSPC,
            &none,
            "user.max_user_namespaces",
        );
        check(Stage::Namespaces, Errno::PERM, &none, "seccomp=unconfined");
        check(Stage::Proc, Errno::PERM, &none, "unmask=ALL");
        check(Stage::Overlay, Errno::NODEV, &none, "modprobe overlay");
        check(Stage::Source, Errno::NOSYS, &none, "Linux 5.12");
    }

    #[test]
    fn an_open_sysctl_is_not_blamed() {
        let open = Facts {
            unprivileged_userns_clone: Some(1),
            apparmor_restricts: Some(0),
            max_user_namespaces: Some(9),
        };
        check(Stage::Namespaces, Errno::PERM, &open, "container");
    }
}
