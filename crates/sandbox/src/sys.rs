//! The system calls no safe library offers. All `unsafe` of this room is here.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// Turns C's `-1` into the error behind it.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Closes every file descriptor above standard error.
///
/// Only for the start of a process, before it has opened anything of its own.
pub(crate) fn close_inherited() -> io::Result<()> {
    #[expect(unsafe_code, reason = "rustix has no close_range")]
    // SAFETY: takes three numbers. The caller has opened nothing yet, so that no owned
    // descriptor is closed behind its owner's back.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    check(result).map(drop)
}

/// Gives every signal its default effect and blocks none, whatever the parent had ignored.
pub(crate) fn reset_signals() -> io::Result<()> {
    for signal in 1..=64 {
        #[expect(unsafe_code, reason = "rustix has no signal dispositions")]
        // SAFETY: SIG_DFL installs no handler. Signals that cannot be changed give an error.
        let _ = unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    #[expect(unsafe_code, reason = "rustix has no signal masks")]
    // SAFETY: the set is initialised by sigemptyset before it is read; no old mask is asked for.
    let result = unsafe {
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut())
    };
    check(result.into()).map(drop)
}

/// Moves this process into new namespaces.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    debug_assert!(
        !flags.contains(UnshareFlags::FILES),
        "descriptors must stay shared"
    );
    #[expect(unsafe_code, reason = "unsafe for the sake of UnshareFlags::FILES")]
    // SAFETY: the descriptor table stays as it is: only namespaces are asked for.
    let result = unsafe { rustix::thread::unshare_unsafe(flags) };
    Ok(result?)
}

/// Splits the process: `None` in the child, the child's id in the parent.
///
/// Only for the guest's helper, which has one thread.
pub(crate) fn fork() -> io::Result<Option<Pid>> {
    #[expect(unsafe_code, reason = "rustix has no fork")]
    // SAFETY: the helper has one thread, so that no lock is held by a thread the child lacks.
    let result = unsafe { libc::fork() };
    check(result.into())?;
    Ok(Pid::from_raw(result))
}

/// Ends this process at once.
///
/// Only for the child of [`fork`]: what its parent would do at its end is not for it to do.
pub(crate) fn leave(code: i32) -> ! {
    #[expect(unsafe_code, reason = "std's exit runs what is registered for the end")]
    // SAFETY: takes a number and does not return.
    unsafe {
        libc::_exit(code)
    }
}

/// Adds flags (`MOUNT_ATTR_*`) to one mount and keeps mounts beneath it from spreading.
pub(crate) fn restrict_mount(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    let change = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    #[expect(unsafe_code, reason = "rustix has no mount_setattr")]
    // SAFETY: the path is a C string, the structure lives through the call and its own size is
    // given; the kernel only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(&change),
            size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}

/// Switches the loopback interface of this network namespace on.
pub(crate) fn raise_loopback(socket: BorrowedFd<'_>) -> io::Result<()> {
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 },
    };
    for (slot, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *slot = libc::c_char::from_ne_bytes([byte]);
    }
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).unwrap_or_default();
    #[expect(unsafe_code, reason = "rustix has no interface flags")]
    // SAFETY: SIOCSIFFLAGS reads an ifreq, which lives through the call.
    let result = unsafe {
        libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS,
            std::ptr::from_ref(&request),
        )
    };
    check(result.into()).map(drop)
}

/// What this process's ended and awaited descendants used.
pub(crate) struct Used {
    /// Processor time of all of them.
    pub(crate) cpu: Duration,
    /// Most bytes of memory one of them had.
    pub(crate) peak_memory: u64,
}

/// What this process's ended and awaited descendants used.
pub(crate) fn used_by_children() -> io::Result<Used> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[expect(unsafe_code, reason = "rustix has no getrusage")]
    // SAFETY: the kernel fills a structure of exactly this type; all zeros is a valid value of it.
    let usage = unsafe {
        check(libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()).into())?;
        usage.assume_init()
    };
    let time = |value: libc::timeval| {
        let micros = u64::try_from(value.tv_usec).unwrap_or_default();
        Duration::from_secs(u64::try_from(value.tv_sec).unwrap_or_default())
            + Duration::from_micros(micros)
    };
    Ok(Used {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_memory: u64::try_from(usage.ru_maxrss)
            .unwrap_or_default()
            .saturating_mul(1024),
    })
}
