//! What a guest's processes give up before the step starts.

use std::io;

use landlock::{
    ABI, Access, AccessFs, LandlockStatus, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr,
    Scope,
};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::filter;
use crate::wire::{At, Ceilings, Failure, Stage};

/// The two halves of the helper, which count among the guest's processes.
pub(crate) const OWN_PROCESSES: u64 = 2;

/// Puts all walls up, in their order. Answers what [`restrict_files`] does.
pub(super) fn raise(limits: &Ceilings) -> Result<u32, Failure> {
    set_limits(limits)?;
    drop_privileges()?;
    let landlock = restrict_files()?;
    restrict_calls()?;
    Ok(landlock)
}

/// Sets the limits every process has for itself. Those that the order leaves open are set to what
/// does not depend on who started the factory, as far as the inherited limits allow.
fn set_limits(limits: &Ceilings) -> Result<(), Failure> {
    let set = |resource: Resource, soft: u64, hard: u64| {
        let inherited = rustix::process::getrlimit(resource).maximum;
        let hard = inherited.map_or(hard, |most| most.min(hard));
        let limit = Rlimit {
            current: Some(soft.min(hard)),
            maximum: Some(hard),
        };
        rustix::process::setrlimit(resource, limit).at_path(Stage::Limits, format!("{resource:?}"))
    };
    // Not 0: where the host pipes core files into a program of its own, only 1 stops it (core(5)).
    set(Resource::Core, 1, 1)?;
    set(Resource::Nofile, 1 << 16, 1 << 16)?;
    set(Resource::Stack, 8 << 20, 1 << 30)?;
    set(Resource::Memlock, 8 << 20, 8 << 20)?;
    set(Resource::Rtprio, 0, 0)?;
    set(Resource::Nice, 0, 0)?;
    if let Some(bytes) = limits.file_size {
        set(Resource::Fsize, bytes, bytes)?;
    }
    if let Some(bytes) = limits.address_space {
        set(Resource::As, bytes, bytes)?;
    }
    if let Some(count) = limits.processes {
        let count = count.saturating_add(OWN_PROCESSES);
        set(Resource::Nproc, count, count)?;
    }
    Ok(())
}

/// Gives up every capability, and every way to get one again.
pub(super) fn drop_privileges() -> Result<(), Failure> {
    let stage = Stage::Privileges;
    rustix::thread::set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
    )
    .at(stage)?;
    rustix::thread::clear_ambient_capability_set().at(stage)?;
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel knows no more than these.
            Err(Errno::INVAL) if number > 0 => break,
            Err(error) => return Err(error).at(stage),
        }
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets).at(stage)?;
    rustix::thread::set_no_new_privs(true).at(stage)
}

/// Landlock as a second wall: only files beneath the guest's root, no new devices, no change of
/// mounts, no signals and abstract sockets to the outside. Answers the version of its interface,
/// 0 where the kernel has none.
fn restrict_files() -> Result<u32, Failure> {
    let all = AccessFs::from_all(ABI::V5);
    let allowed = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open("/", flags, Mode::empty()).at(Stage::Landlock)?;
    let status = Ruleset::default()
        .handle_access(all)
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rule(PathBeneath::new(root, allowed)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(io::Error::other)
        .at(Stage::Landlock)?;
    Ok(match status.landlock {
        LandlockStatus::Available {
            effective_abi,
            kernel_abi,
        } => kernel_abi.map_or(effective_abi as u32, i32::unsigned_abs),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    })
}

/// Installs the filters of system calls. Nothing after this can be taken for granted.
fn restrict_calls() -> Result<(), Failure> {
    for program in filter::programs()
        .map_err(io::Error::other)
        .at(Stage::Seccomp)?
    {
        seccompiler::apply_filter(&program)
            .map_err(io::Error::other)
            .at(Stage::Seccomp)?;
    }
    Ok(())
}
