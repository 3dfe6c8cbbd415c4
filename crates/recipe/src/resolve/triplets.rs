//! What machines are called: GNU's and Rust's triplets.

use boltworks_model::Architecture;

use super::Libc;

/// The triplet of GNU configure scripts, as apko spells it.
pub(super) fn gnu_triplet(arch: Architecture, libc: Libc) -> String {
    let libc = match libc {
        Libc::Glibc => "gnu",
        Libc::Musl => "musl",
    };
    match arch {
        Architecture::X86 => format!("i486-pc-linux-{libc}"),
        Architecture::X86_64 => format!("x86_64-pc-linux-{libc}"),
        Architecture::Aarch64 => format!("aarch64-unknown-linux-{libc}"),
        Architecture::Armhf => format!("arm-unknown-linux-{libc}eabihf"),
        Architecture::Armv7 => format!("armv7l-unknown-linux-{libc}eabihf"),
        Architecture::Loongarch64 => format!("loongarch64-unknown-linux-{libc}"),
        Architecture::Ppc64le => format!("powerpc64le-unknown-linux-{libc}"),
        Architecture::Riscv64 => format!("riscv64-unknown-linux-{libc}"),
        Architecture::S390x => format!("s390x-ibm-linux-{libc}"),
    }
}

/// The triplet of the Rust compiler.
pub(super) fn rust_triplet(arch: Architecture, libc: Libc) -> String {
    let libc = match libc {
        Libc::Glibc => "gnu",
        Libc::Musl => "musl",
    };
    let processor = match arch {
        Architecture::X86 => "i686",
        Architecture::X86_64 => "x86_64",
        Architecture::Aarch64 => "aarch64",
        Architecture::Armhf => return format!("arm-unknown-linux-{libc}eabihf"),
        Architecture::Armv7 => return format!("armv7-unknown-linux-{libc}eabihf"),
        Architecture::Loongarch64 => "loongarch64",
        Architecture::Ppc64le => "powerpc64le",
        Architecture::Riscv64 => "riscv64gc",
        Architecture::S390x => "s390x",
    };
    format!("{processor}-unknown-linux-{libc}")
}
