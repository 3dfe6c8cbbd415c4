//! What a package needs and what it offers, read off its files.
//!
//! One parallel walk looks at every file once (`facts`, `elf`); then an ordered list of plain
//! functions ([`RULES`]) turns what was seen into dependencies and provides. A rule sees one
//! file and adds to [`Findings`]; no rule sees another rule's result, so their order only
//! decides which of two equal reasons is kept.

mod elf;
mod facts;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::Provide;
use boltworks_fsx::{RelPath, Tree};
use boltworks_model::PackageName;
use boltworks_version::apk::{Dependency, Version};
use rayon::prelude::*;

pub use elf::ElfFacts;
pub use facts::{FileFacts, PkgConfigFacts};
pub use rules::RULES;

use crate::Error;

/// What rules may ask of the package that they look into.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The package's name.
    pub name: &'a PackageName,
    /// Its full version, `1.3.1-r0`.
    pub version: &'a Version,
    /// `no-commands`: no `cmd:` is offered.
    pub no_commands: bool,
    /// `no-provides`: nothing is offered.
    pub no_provides: bool,
    /// `no-depends`: nothing is needed.
    pub no_depends: bool,
}

/// What the files of a package say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    needs: BTreeMap<String, RelPath>,
    offers: BTreeMap<String, (Option<Version>, RelPath)>,
    vendored: BTreeMap<String, (Option<Version>, RelPath)>,
}

impl Findings {
    /// Notes that `path` needs `name`.
    pub fn need(&mut self, name: impl Into<String>, path: &RelPath) {
        self.needs
            .entry(name.into())
            .or_insert_with(|| path.clone());
    }

    /// Notes that `path` makes the package offer `name`.
    pub fn offer(&mut self, name: impl Into<String>, version: Option<Version>, path: &RelPath) {
        self.offers
            .entry(name.into())
            .or_insert_with(|| (version, path.clone()));
    }

    /// Notes a library that lies outside the loader's folders: it serves this package alone.
    pub fn vendor(&mut self, name: impl Into<String>, version: Option<Version>, path: &RelPath) {
        self.vendored
            .entry(name.into())
            .or_insert_with(|| (version, path.clone()));
    }

    fn merge(&mut self, other: Self) {
        for (name, path) in other.needs {
            self.needs.entry(name).or_insert(path);
        }
        for (name, offer) in other.offers {
            self.offers.entry(name).or_insert(offer);
        }
        for (name, offer) in other.vendored {
            self.vendored.entry(name).or_insert(offer);
        }
    }
}

/// Dependencies and provides, in the order in which `.PKGINFO` lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// What must be installed beside the package.
    pub depends: BTreeSet<Dependency>,
    /// What the package offers.
    pub provides: BTreeMap<PackageName, Provide>,
    /// Libraries it carries for its own use.
    pub vendored: BTreeMap<PackageName, Provide>,
}

/// Looks at every file of the tree and says what the package needs and offers. Links are
/// followed into `siblings`, the other packages of the same build.
///
/// Cost: each file is read once; the work is spread over rayon's current pool.
pub fn analyse(subject: &Subject<'_>, tree: &Tree, siblings: &[&Tree]) -> Result<Analysis, Error> {
    let scope = facts::Scope {
        own: tree,
        siblings,
    };
    let entries: Vec<_> = tree.iter().collect();
    let seen = entries
        .par_iter()
        .map(|(path, node)| {
            let facts = facts::look(scope, path, node)?;
            let mut findings = Findings::default();
            for rule in RULES {
                (rule.apply)(subject, &facts, &mut findings);
            }
            Ok(findings)
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let mut all = Findings::default();
    for findings in seen {
        all.merge(findings);
    }
    Ok(conclude(subject, all))
}

fn conclude(subject: &Subject<'_>, findings: Findings) -> Analysis {
    let Findings {
        needs,
        offers,
        vendored,
    } = findings;
    let mut analysis = Analysis::default();
    if !subject.no_depends {
        analysis.depends = needs
            .keys()
            .filter(|name| !offers.contains_key(*name) && !vendored.contains_key(*name))
            .filter_map(|name| name.parse().ok())
            .collect();
    }
    let named = |offers: BTreeMap<String, (Option<Version>, RelPath)>| {
        offers
            .into_iter()
            .filter_map(|(name, (version, _))| {
                let name: PackageName = name.parse().ok()?;
                Some((name.clone(), Provide { name, version }))
            })
            .collect()
    };
    if !subject.no_provides {
        analysis.provides = named(offers);
    }
    analysis.vendored = named(vendored);
    analysis
}
