//! What may still be taken, what will do, and what stands for a name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Choice;
use super::shelf::{Constraint, Item, NameIx, PackageIx, Shelf, Wanted};
use super::version::Version;

/// Candidates looked at before it is given up; real worlds need some ten thousand.
const MAX_STEPS: usize = 50_000_000;
/// Packages that are out, listed in an error.
const MAX_LISTED: usize = 6;

/// What went wrong, the innermost line last.
pub(super) type Failure = Vec<String>;

/// How far the choice has come.
pub(super) struct Walk<'s, 'u> {
    pub(super) shelf: &'s Shelf<'u>,
    /// Why a package may not be taken any more; `None` while it may.
    pub(super) out: Vec<Option<String>>,
    /// Who stands for a name, of those whose dependencies are being followed or were.
    pub(super) selected: HashMap<NameIx, PackageIx>,
    pub(super) because: BTreeMap<PackageIx, Vec<String>>,
    pub(super) choices: Vec<Choice>,
    pub(super) steps: usize,
}

impl<'s, 'u> Walk<'s, 'u> {
    pub(super) fn item(&self, package: PackageIx) -> &'s Item<'u> {
        &self.shelf.packages[package]
    }

    pub(super) fn providers(&self, name: NameIx) -> &'s [PackageIx] {
        &self.shelf.names[name]
    }

    pub(super) fn put_out(&mut self, package: PackageIx, why: impl FnOnce() -> String) {
        self.out[package].get_or_insert_with(why);
    }

    /// The providers of a name that are not out, may be used, and have a version that will do:
    /// their own, or any that they provide, whatever the name.
    pub(super) fn fitting(
        &mut self,
        constraint: &Constraint<'_>,
        name: NameIx,
        pin: &str,
        present: Option<PackageIx>,
    ) -> Result<Vec<PackageIx>, Failure> {
        let providers = self.providers(name);
        self.steps += providers.len();
        if self.steps > MAX_STEPS {
            return Err(vec![format!(
                "no choice was made in {MAX_STEPS} steps: the repositories are too entangled"
            )]);
        }
        if matches!(
            (constraint.op, &constraint.version),
            (Some(_), Wanted::Unreadable)
        ) {
            return Ok(Vec::new());
        }
        let fits = |&package: &PackageIx| {
            let item = self.item(package);
            let may_use = item.tag().is_empty()
                || item.tag() == pin
                || present.is_some_and(|present| self.item(present).is_file_of(item));
            self.out[package].is_none() && may_use && self.has_version(item, constraint)
        };
        Ok(providers.iter().copied().filter(fits).collect())
    }

    fn has_version(&self, item: &Item<'_>, constraint: &Constraint<'_>) -> bool {
        if constraint.op.is_none() {
            return true;
        }
        // A package whose own version cannot be read provides nothing either.
        let Some(own) = &self.shelf.versions[item.version] else {
            return false;
        };
        let provided = item.provides.iter().filter_map(|&(_, version)| version);
        let mut provided = provided.filter_map(|version| self.shelf.versions[version].as_ref());
        constraint.is_met(own) || provided.any(|version| constraint.is_met(version))
    }

    /// Puts out who has or provides one of the names in a version that is not meant, and who
    /// is meant by a conflict.
    pub(super) fn constrain(&mut self, constraints: &[Constraint<'_>]) -> Result<(), Failure> {
        for constraint in constraints {
            let Some(name) = constraint.name else {
                continue;
            };
            if constraint.dependency.conflict {
                for package in self.fitting(constraint, name, constraint.pin(), None)? {
                    self.put_out(package, || format!("{} forbids it", constraint.text));
                }
                continue;
            }
            if constraint.op.is_none() {
                continue;
            }
            if let Wanted::Unreadable = constraint.version {
                return Err(vec![format!(
                    "the version of {} cannot be read",
                    constraint.text
                )]);
            }
            for &package in self.providers(name) {
                if !self.is_within(self.item(package), name, constraint) {
                    self.put_out(package, || format!("{} does not mean it", constraint.text));
                }
            }
        }
        Ok(())
    }

    fn is_within(&self, item: &Item<'_>, name: NameIx, constraint: &Constraint<'_>) -> bool {
        let meets = |version: &Option<Version>| {
            version
                .as_ref()
                .is_some_and(|version| constraint.is_met(version))
        };
        if item.name == name {
            return meets(&self.shelf.versions[item.version]);
        }
        let provided = item.provides.iter().filter(|(other, _)| *other == name);
        let mut versions = provided.filter_map(|&(_, version)| version);
        versions.all(|version| meets(&self.shelf.versions[version]))
    }

    /// Puts out everybody else who has or provides a name that the package provides; where it
    /// has no version, only those who have or first provide it with one.
    pub(super) fn put_out_rivals(&mut self, package: PackageIx) {
        let item = self.item(package);
        for &(name, version) in &item.provides {
            for &other in self.providers(name) {
                let rival = self.item(other);
                let stands_aside = version.is_none() && rival.version_of(name).is_none();
                if other != package && !stands_aside {
                    let text = self.shelf.texts[name];
                    self.put_out(other, || format!("{item} provides {text} already"));
                }
            }
        }
    }

    /// Lets the package stand for its name and for what it provides with a version.
    pub(super) fn select(&mut self, package: PackageIx) -> Result<(), Failure> {
        let item = self.item(package);
        let conflict = |other: PackageIx, name: &dyn std::fmt::Display| {
            vec![format!(
                "{item} and {} both stand for {name}",
                self.item(other)
            )]
        };
        if let Some(&other) = self.selected.get(&item.name) {
            let is_same = other == package;
            return if is_same {
                Ok(())
            } else {
                Err(conflict(other, &item.entry.name))
            };
        }
        let mut added = HashMap::from([(item.name, package)]);
        for (&(name, version), provide) in item.provides.iter().zip(&item.entry.provides) {
            if let Some(&other) = self.selected.get(&name).or_else(|| added.get(&name)) {
                return Err(conflict(other, &provide.name));
            }
            if version.is_some() {
                added.insert(name, package);
            }
        }
        self.selected.extend(added);
        Ok(())
    }

    /// Whether nobody needs to be found for a dependency: it is a conflict, the package itself
    /// or something selected satisfies it.
    pub(super) fn is_satisfied(
        &self,
        package: PackageIx,
        constraint: &Constraint<'_>,
    ) -> Result<bool, Failure> {
        let Some(name) = constraint.name.filter(|_| !constraint.dependency.conflict) else {
            return Ok(constraint.dependency.conflict);
        };
        let item = self.item(package);
        if item.provides.iter().any(|&(other, _)| other == name) {
            return Ok(true);
        }
        let own = self.shelf.versions[item.version].as_ref();
        let wants_readable =
            constraint.op.is_none() || !matches!(constraint.version, Wanted::Unreadable);
        if item.name == name && wants_readable && own.is_some_and(|own| constraint.is_met(own)) {
            return Ok(true);
        }
        let Some(&picked) = self.selected.get(&name) else {
            return Ok(false);
        };
        if let Wanted::Any = constraint.version {
            return Ok(true);
        }
        let picked = self.item(picked);
        let (Some(own), Wanted::Version(wanted)) =
            (&self.shelf.versions[picked.version], &constraint.version)
        else {
            return Err(vec![format!(
                "a version of {picked} or {} cannot be read",
                constraint.text
            )]);
        };
        for &(_, version) in picked.provides.iter().filter(|(other, _)| *other == name) {
            match version.map(|version| &self.shelf.versions[version]) {
                Some(None) => {
                    return Err(vec![format!(
                        "a version that {picked} provides cannot be read"
                    )]);
                }
                Some(Some(provided)) if provided == wanted => return Ok(true),
                _ => {}
            }
        }
        if constraint.is_met(own) {
            return Ok(true);
        }
        Err(vec![
            format!("{item} needs {}", constraint.text),
            format!("{picked} is chosen already"),
        ])
    }

    pub(super) fn none_left(&self, name: NameIx) -> String {
        let reasons = self.providers(name).iter().filter_map(|&package| {
            let why = self.out[package].as_ref()?;
            Some(format!("{} is out: {why}", self.item(package)))
        });
        let reasons: BTreeSet<String> = reasons.collect();
        if reasons.is_empty() {
            return "no version of it fits".to_owned();
        }
        let more = reasons.len().saturating_sub(MAX_LISTED);
        let mut lines: Vec<_> = reasons.into_iter().take(MAX_LISTED).collect();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines.join("\n")
    }
}
