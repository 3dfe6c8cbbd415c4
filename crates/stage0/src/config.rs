//! Which packages stage 0 has.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::Architecture;

use crate::Error;

/// Debian calls these essential: they are there without anybody depending on them. Every
/// environment gets them, through the package [`BASE`](crate::plan::BASE).
///
/// Of Debian's own list, what only a machine that boots or installs needs is missing.
pub const ESSENTIAL: &[&str] = &[
    "bash",
    "coreutils",
    "diffutils",
    "findutils",
    "gawk",
    "grep",
    "gzip",
    "hostname",
    "libc-bin",
    "perl-base",
    "sed",
    "tar",
];

/// Which packages stage 0 has, and which further names stand for several of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names of Debian's packages; whatever they need comes along, and so do the [`ESSENTIAL`].
    pub packages: Vec<String>,
    /// Further packages that only stand for others: `build-base` for gcc, make and so on.
    pub provides: BTreeMap<String, Vec<String>>,
    /// For which architecture.
    pub architecture: Architecture,
}

impl Config {
    /// The names to resolve, each once, ordered.
    pub fn wanted(&self) -> BTreeSet<String> {
        let essential = ESSENTIAL.iter().map(|&name| name.to_owned());
        self.packages.iter().cloned().chain(essential).collect()
    }

    /// Debian's name of the architecture.
    ///
    /// # Errors
    /// [`Error::Config`] for one that Debian does not have.
    pub fn debian_architecture(&self) -> Result<&'static str, Error> {
        debian_architecture(self.architecture).ok_or_else(|| Error::Config {
            field: "debian",
            reason: format!("Debian has no binary packages for {}", self.architecture),
        })
    }
}

/// Debian's name of an architecture, if Debian has it.
pub const fn debian_architecture(architecture: Architecture) -> Option<&'static str> {
    match architecture {
        Architecture::Aarch64 => Some("arm64"),
        Architecture::Armv7 => Some("armhf"),
        Architecture::Ppc64le => Some("ppc64el"),
        Architecture::Riscv64 => Some("riscv64"),
        Architecture::S390x => Some("s390x"),
        Architecture::X86 => Some("i386"),
        Architecture::X86_64 => Some("amd64"),
        Architecture::Armhf | Architecture::Loongarch64 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_essential_come_along_once() {
        let config = Config {
            packages: vec!["gcc".into(), "bash".into(), "gcc".into()],
            provides: BTreeMap::new(),
            architecture: Architecture::X86_64,
        };
        let wanted = config.wanted();
        assert_eq!(wanted.len(), ESSENTIAL.len() + 1);
        assert_eq!(config.debian_architecture().unwrap(), "amd64");
        let armhf = Config {
            architecture: Architecture::Armhf,
            ..config
        };
        assert!(armhf.debian_architecture().is_err());
    }
}
