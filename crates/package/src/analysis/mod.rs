//! What a package needs and what it offers, read off its files.
//!
//! An ordered list of plain functions ([`RULES`]) turns what the [`survey`](crate::survey) saw
//! into dependencies and provides. A rule sees one path and adds to [`Findings`]; no rule sees
//! another rule's result, so their order only decides which of two equal reasons is kept.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::Provide;
use boltworks_fsx::RelPath;
use boltworks_model::PackageName;
use boltworks_recipe::resolved::PackageOptions;
use boltworks_version::apk::{Dependency, Version};

pub use rules::{RULES, Rule};

use crate::survey::Survey;

/// What rules may ask of the package that they look into.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The package's name.
    pub name: &'a PackageName,
    /// Its full version, `1.3.1-r0`.
    pub version: &'a Version,
    /// What the recipe says must be left out.
    pub options: PackageOptions,
    /// What the recipe itself says the package needs.
    pub declared: &'a [Dependency],
    /// The versions of the packages whose libraries it was linked with, by soname, where what it
    /// needs shall be bound to them (`so-ver:libz.so.1>=1.3.1-r0`). melange does so only when it
    /// is told; left empty, nothing is bound.
    pub libraries: &'a BTreeMap<String, Version>,
}

/// No library's version is known.
static NO_LIBRARIES: BTreeMap<String, Version> = BTreeMap::new();

impl<'a> Subject<'a> {
    /// A package of which the recipe says nothing more.
    pub fn new(name: &'a PackageName, version: &'a Version) -> Self {
        Self {
            name,
            version,
            options: PackageOptions::default(),
            declared: &[],
            libraries: &NO_LIBRARIES,
        }
    }
}

/// What the files of a package say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    needs: BTreeMap<String, RelPath>,
    offers: BTreeMap<String, (Option<Version>, RelPath)>,
    vendored: BTreeMap<String, (Option<Version>, RelPath)>,
}

impl Findings {
    /// Notes that `path` needs `name`, which may have a condition: `perl~5`.
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

    /// Notes what lies where nobody else looks for it: it serves this package alone.
    pub fn vendor(&mut self, name: impl Into<String>, version: Option<Version>, path: &RelPath) {
        self.vendored
            .entry(name.into())
            .or_insert_with(|| (version, path.clone()));
    }
}

/// Dependencies and provides, in the order in which `.PKGINFO` lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// What must be installed beside the package.
    pub depends: BTreeSet<Dependency>,
    /// What the package offers.
    pub provides: BTreeMap<PackageName, Provide>,
    /// What it carries for its own use.
    pub vendored: BTreeMap<PackageName, Provide>,
}

/// Says what the package needs and offers.
pub fn analyse(subject: &Subject<'_>, survey: &Survey<'_>) -> Analysis {
    let mut findings = Findings::default();
    for facts in &survey.files {
        for rule in RULES {
            (rule.apply)(subject, facts, &mut findings);
        }
    }
    conclude(subject, findings)
}

fn conclude(subject: &Subject<'_>, findings: Findings) -> Analysis {
    let Findings {
        needs,
        offers,
        vendored,
    } = findings;
    let mut analysis = Analysis::default();
    if !subject.options.no_depends {
        let needs = needs.keys().filter_map(|need| need.parse().ok());
        let is_own = |need: &Dependency| {
            // What it must not offer, nobody can count on: it needs that like anybody else.
            need.name == *subject.name
                || (!subject.options.no_provides && offers.contains_key(need.name.as_str()))
                || vendored.contains_key(need.name.as_str())
        };
        let is_command = |need: &Dependency| need.name.as_str().starts_with("cmd:");
        analysis.depends = needs
            .filter(|need: &Dependency| !is_own(need))
            .filter(|need| !subject.options.no_commands || !is_command(need))
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
    if !subject.options.no_provides {
        analysis.provides = named(offers);
    }
    analysis.vendored = named(vendored);
    analysis
}
