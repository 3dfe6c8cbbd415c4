//! What there is to choose from, and what may be chosen.

use std::collections::BTreeSet;

use boltworks_apk::{Index, IndexEntry};
use boltworks_model::Architecture;

/// The packages of some repositories.
#[derive(Debug, Default)]
pub struct Universe {
    pub(crate) repositories: Vec<Repository>,
}

/// One repository: its name, how much it is preferred, its packages.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) preference: i32,
    pub(crate) entries: Vec<IndexEntry>,
}

impl Universe {
    /// Without any repository.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the packages of one repository (`os`, `stage0`).
    ///
    /// Of two equally good packages, the one of the repository with the higher `preference`
    /// is taken.
    pub fn add_repository(&mut self, name: &str, index: &Index, preference: i32) {
        self.repositories.push(Repository {
            name: name.to_owned(),
            preference,
            entries: index.entries.clone(),
        });
    }
}

/// What may be chosen.
#[derive(Debug, Clone)]
pub struct Options {
    /// The architecture of the packages; those for every architecture (`noarch`, `all`) fit too.
    pub arch: Architecture,
    /// The only repositories to take from; every one, where it is `None`.
    pub allow: Option<BTreeSet<String>>,
    /// Repositories to take nothing from, even if they are allowed: `stage0`, for an image.
    ///
    /// Their packages still serve to explain a failure.
    pub deny: BTreeSet<String>,
}

impl Options {
    /// Everything for one architecture.
    pub fn new(arch: Architecture) -> Self {
        Self {
            arch,
            allow: None,
            deny: BTreeSet::new(),
        }
    }

    /// Takes nothing from `repository`.
    #[must_use]
    pub fn without(mut self, repository: &str) -> Self {
        self.deny.insert(repository.to_owned());
        self
    }

    pub(crate) fn takes_from(&self, repository: &str) -> bool {
        !self.deny.contains(repository)
            && self
                .allow
                .as_ref()
                .is_none_or(|allowed| allowed.contains(repository))
    }

    pub(crate) fn fits(&self, arch: &str) -> bool {
        arch == self.arch.apk() || matches!(arch, "noarch" | "all" | "")
    }
}
