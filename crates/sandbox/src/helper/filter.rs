//! Which system calls a guest may use (seccomp-bpf, seccomp(2)).
//!
//! Four filters are stacked; the strictest answer holds, among equals the newest filter's:
//!
//! 1. what is not on the list of known calls does not exist (`ENOSYS`), so that programs fall
//!    back as on an older kernel: above all `clone3`, whose flags a filter cannot see;
//! 2. sockets of other families than unix, internet and netlink do not exist: some of them, such
//!    as vsock, are in no network namespace and would reach the host;
//! 3. calls of the x32 interface kill the process, as calls of another architecture do in every
//!    filter;
//! 4. what would build, enter or inspect namespaces, mounts, other processes, keys, modules,
//!    kernel programs or terminals is forbidden (`EPERM`).

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use super::calls::{FORBIDDEN, KNOWN};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Socket families that stay in the guest's own network namespace.
const FAMILIES: &[i32] = &[
    libc::AF_UNIX,
    libc::AF_INET,
    libc::AF_INET6,
    libc::AF_NETLINK,
];

/// Flags of `clone` that make namespaces.
const NAMESPACE_FLAGS: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Terminal requests that feed input to another program or change how a terminal works.
const TERMINAL_REQUESTS: &[u64] = &[
    0x5412, // TIOCSTI: type for somebody else
    0x541c, // TIOCLINUX: the console's selection, the same
    0x541d, // TIOCCONS: take the console's output
    0x5423, // TIOCSETD: load a line discipline
];

/// Personalities that change nothing for security: Linux, 32-bit `uname`, the 2.6 version number,
/// both of these, no address randomisation, and the query.
const PERSONALITIES: &[u64] = &[0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff];

/// The bit that marks calls of the x32 interface.
const X32_BIT: u32 = 0x4000_0000;

/// The filters, in the order in which they are to be installed.
pub(super) fn programs() -> Result<Vec<BpfProgram>, seccompiler::Error> {
    let known = KNOWN.iter().map(|call| (*call, Vec::new())).collect();
    let known = SeccompFilter::new(
        known,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        SeccompAction::Allow,
        TargetArch::x86_64,
    )?;
    Ok(vec![
        known.try_into()?,
        refuse(socket_rules()?, libc::EAFNOSUPPORT)?,
        no_x32(),
        refuse(forbidden_rules()?, libc::EPERM)?,
    ])
}

/// A filter that answers what matches with an error and allows the rest.
fn refuse(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::Error> {
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, TargetArch::x86_64)?;
    Ok(filter.try_into()?)
}

/// One rule: all these arguments compare as said.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, seccompiler::Error> {
    let conditions = conditions
        .iter()
        .map(|(argument, operator, value)| {
            // The kernel takes these arguments as 32-bit numbers and ignores what is above.
            let length = SeccompCmpArgLen::Dword;
            SeccompCondition::new(*argument, length, operator.clone(), *value)
        })
        .collect::<Result<_, _>>()?;
    Ok(SeccompRule::new(conditions)?)
}

fn socket_rules() -> Result<Rules, seccompiler::Error> {
    let other: Vec<_> = FAMILIES
        .iter()
        .map(|family| (0, SeccompCmpOp::Ne, number(*family)))
        .collect();
    // Of netlink, only what asks for interfaces and routes.
    let other_netlink = [
        (0, SeccompCmpOp::Eq, number(libc::AF_NETLINK)),
        (2, SeccompCmpOp::Ne, number(libc::NETLINK_ROUTE)),
    ];
    Ok(Rules::from([
        (libc::SYS_socket, vec![rule(&other)?, rule(&other_netlink)?]),
        (libc::SYS_socketpair, vec![rule(&other)?]),
    ]))
}

fn forbidden_rules() -> Result<Rules, seccompiler::Error> {
    let mut rules: Rules = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    let mut forbid = |call: i64, conditions: &[(u8, SeccompCmpOp, u64)]| {
        rules.entry(call).or_default().push(rule(conditions)?);
        Ok::<(), seccompiler::Error>(())
    };
    for flag in NAMESPACE_FLAGS {
        let flag = number(*flag);
        forbid(libc::SYS_clone, &[(0, SeccompCmpOp::MaskedEq(flag), flag)])?;
    }
    for request in TERMINAL_REQUESTS {
        forbid(libc::SYS_ioctl, &[(1, SeccompCmpOp::Eq, *request)])?;
    }
    let format = u64::from(libc::S_IFMT);
    for device in [libc::S_IFCHR, libc::S_IFBLK] {
        let device = u64::from(device);
        forbid(
            libc::SYS_mknod,
            &[(1, SeccompCmpOp::MaskedEq(format), device)],
        )?;
        forbid(
            libc::SYS_mknodat,
            &[(2, SeccompCmpOp::MaskedEq(format), device)],
        )?;
    }
    let odd: Vec<_> = PERSONALITIES
        .iter()
        .map(|known| (0, SeccompCmpOp::Ne, *known))
        .collect();
    forbid(libc::SYS_personality, &odd)?;
    Ok(rules)
}

/// Kills what calls the kernel by the x32 interface, whose numbers the other filters do not know.
fn no_x32() -> BpfProgram {
    let statement = |code: u32, jt: u8, jf: u8, k: u32| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    vec![
        // The call's number is the first word of `seccomp_data`.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32_BIT),
        statement(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_KILL_PROCESS,
        ),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// A flag as the kernel's filter sees it.
fn number(flag: i32) -> u64 {
    u64::from(flag.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_stay_within_the_kernels_limit() {
        let programs = programs().unwrap();
        assert_eq!(programs.len(), 4);
        // BPF_MAXINSNS
        assert!(
            programs
                .iter()
                .all(|program| !program.is_empty() && program.len() <= 4096)
        );
    }

    #[test]
    fn what_makes_namespaces_or_rings_is_on_no_list_of_known_calls() {
        for call in FORBIDDEN.iter().filter(|call| **call != libc::SYS_seccomp) {
            assert!(
                !KNOWN.contains(call),
                "call {call} is both known and forbidden"
            );
        }
        assert!(!KNOWN.contains(&libc::SYS_clone3));
    }
}
