//! What is wrong with a package's files, as far as it can be seen.
//!
//! An ordered list of plain functions ([`LINTERS`]) looks at what the [`survey`](crate::survey)
//! saw. Each has a level: an error stops the build, a warning is told and recorded, and some are
//! off. What a recipe lists in `checks.disabled` only warns, for that one package.

mod contents;
mod hardening;
mod list;
mod names;
mod places;
mod python;
mod report;

use std::collections::BTreeMap;

use boltworks_apk::PackageFile;
use boltworks_fsx::{RelPath, Root, Tree};
use rayon::prelude::*;

pub use list::LINTERS;
pub use report::{Finding, Refused, Report, Spot, document};

use crate::Error;
use crate::survey::{Family, FileFacts, Survey, survey};

/// What becomes of what a linter finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The linter is not asked.
    Off,
    /// It is told and recorded.
    Warn,
    /// The package is not made.
    Error,
}

impl Level {
    /// The word in documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warning",
            Self::Error => "error",
        }
    }
}

/// One linter.
pub struct Linter {
    /// Its name in `checks.disabled`.
    pub name: &'static str,
    /// What becomes of what it finds, unless something else is said.
    pub level: Level,
    /// What to do about it.
    pub advice: &'static str,
    /// The linter itself.
    pub check: fn(&Subject<'_>, &Survey<'_>) -> Vec<Spot>,
}

/// What linters may ask of the package that they look into.
#[derive(Debug, Clone, Default)]
pub struct Subject<'a> {
    /// The package's name.
    pub name: &'a str,
    /// `checks.disabled` of this package.
    pub disabled: &'a [String],
    /// The pipelines that its test uses; nothing where the recipe is not at hand.
    pub tested_with: Option<Vec<&'a str>>,
    /// Other levels than the linters' own, by name.
    pub levels: BTreeMap<String, Level>,
}

impl Subject<'_> {
    fn is_disabled(&self, linter: &Linter) -> bool {
        self.disabled.iter().any(|name| name == linter.name)
    }

    fn level(&self, linter: &Linter) -> Level {
        let level = self.levels.get(linter.name).copied();
        let level = level.unwrap_or(linter.level);
        if self.is_disabled(linter) {
            level.min(Level::Warn)
        } else {
            level
        }
    }
}

/// Asks every linter that is not off. The result does not depend on the number of threads.
pub fn lint(subject: &Subject<'_>, survey: &Survey<'_>) -> Report {
    let findings = LINTERS.par_iter().filter_map(|linter| {
        let level = subject.level(linter);
        if level == Level::Off {
            return None;
        }
        let spots = (linter.check)(subject, survey);
        (!spots.is_empty()).then(|| Finding {
            linter: linter.name,
            level,
            is_disabled: subject.is_disabled(linter),
            advice: linter.advice,
            spots,
        })
    });
    let is_known = |name: &&String| LINTERS.iter().any(|linter| linter.name == name.as_str());
    let unknown = subject.disabled.iter().filter(|name| !is_known(name));
    Report {
        package: subject.name.to_owned(),
        findings: findings.collect(),
        unknown: unknown.cloned().collect(),
    }
}

/// Lints the files of a package that lie in a tree of their own.
pub fn lint_tree(subject: &Subject<'_>, tree: &Tree) -> Result<Report, Error> {
    let family = Family::new(&[tree])?;
    Ok(lint(subject, &survey(tree, &family)?))
}

/// Lints a finished package, whose files are unpacked into a scratch file beneath `scratch`. Of
/// its recipe nothing is known but what the subject says.
pub fn lint_package(
    subject: &Subject<'_>,
    package: &PackageFile,
    scratch: &Root,
) -> Result<Report, Error> {
    lint_tree(subject, &package.tree(scratch)?)
}

/// A spot for each path that fits.
fn spots(survey: &Survey<'_>, fits: impl Fn(&FileFacts<'_>) -> bool) -> Vec<Spot> {
    let files = survey.files.iter();
    files
        .filter(|facts| fits(facts))
        .map(|facts| Spot::at(facts.path))
        .collect()
}

impl Spot {
    fn at(path: &RelPath) -> Self {
        Self {
            path: Some(path.clone()),
            note: String::new(),
        }
    }

    fn noted(path: &RelPath, note: impl Into<String>) -> Self {
        Self {
            path: Some(path.clone()),
            note: note.into(),
        }
    }
}
