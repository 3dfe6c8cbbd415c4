//! The packages as apko sees them: in the order of the repositories, under every name they
//! have or provide, with the texts of versions read its way.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;

use boltworks_apk::IndexEntry;
use boltworks_version::apk::{Dependency, Op};

use super::version::Version;
use crate::universe::{Options, Repository, Universe};

/// A row of [`Shelf::packages`].
pub(super) type PackageIx = usize;
/// A row of [`Shelf::names`].
pub(super) type NameIx = usize;
/// A row of [`Shelf::versions`]: equal rows are equal texts.
pub(super) type VersionIx = usize;

/// All packages, and who has or provides which name.
#[derive(Default)]
pub(super) struct Shelf<'u> {
    pub(super) packages: Vec<Item<'u>>,
    /// For each name everybody who has it, then everybody who provides it, once for each time.
    pub(super) names: Vec<Vec<PackageIx>>,
    /// The text of each name.
    pub(super) texts: Vec<&'u str>,
    pub(super) versions: Vec<Option<Version>>,
    name_index: HashMap<&'u str, NameIx>,
    version_index: HashMap<String, VersionIx>,
    /// The packages whose `install_if` has a text: a name, or a name and its exact version.
    triggers: HashMap<(NameIx, Option<&'u str>), Vec<PackageIx>>,
}

/// One package.
pub(super) struct Item<'u> {
    pub(super) entry: &'u IndexEntry,
    pub(super) repository: &'u Repository,
    pub(super) name: NameIx,
    pub(super) version: VersionIx,
    pub(super) provides: Vec<(NameIx, Option<VersionIx>)>,
}

impl Item<'_> {
    /// The tag of its repository; empty for none.
    pub(super) fn tag(&self) -> &str {
        self.repository.tag.as_deref().unwrap_or_default()
    }

    pub(super) fn priority(&self) -> u32 {
        self.entry.provider_priority.unwrap_or(0)
    }

    /// Whether both are the same file.
    pub(super) fn is_file_of(&self, other: &Self) -> bool {
        std::ptr::eq(self.repository, other.repository)
            && (self.name, self.version) == (other.name, other.version)
    }

    /// The version under which it goes by a name: its own, or the first that it provides.
    pub(super) fn version_of(&self, name: NameIx) -> Option<VersionIx> {
        if name == self.name {
            return Some(self.version);
        }
        let provided = self.provides.iter().find(|(other, _)| *other == name);
        provided.and_then(|&(_, version)| version)
    }
}

impl fmt::Display for Item<'_> {
    /// `zlib-1.3.1-r0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.entry.name, self.entry.version)
    }
}

/// A dependency as apko reads it.
pub(super) struct Constraint<'t> {
    pub(super) dependency: &'t Dependency,
    /// Its text, by which ties are broken.
    pub(super) text: String,
    /// `None` where nobody has the name.
    pub(super) name: Option<NameIx>,
    /// The operators that apko does not know mean any version.
    pub(super) op: Option<Op>,
    pub(super) version: Wanted,
}

/// The version that a constraint names.
pub(super) enum Wanted {
    /// None.
    Any,
    /// One that apko cannot read.
    Unreadable,
    /// This one.
    Version(Version),
}

impl Constraint<'_> {
    pub(super) fn pin(&self) -> &str {
        self.dependency.tag.as_deref().unwrap_or_default()
    }

    /// Whether a version will do.
    pub(super) fn is_met(&self, have: &Version) -> bool {
        let (Some(op), Wanted::Version(wanted)) = (self.op, &self.version) else {
            return true;
        };
        match op {
            Op::Equal => have == wanted,
            Op::Less => have < wanted,
            Op::LessOrEqual => have <= wanted,
            Op::Greater => have > wanted,
            Op::GreaterOrEqual => have >= wanted,
            Op::Fuzzy => have.is_within(wanted),
            Op::LessOrFuzzy | Op::GreaterOrFuzzy => true,
        }
    }
}

impl<'u> Shelf<'u> {
    pub(super) fn new(universe: &'u Universe, options: &Options) -> Self {
        let mut shelf = Self::default();
        let mut repositories: Vec<&Repository> = universe.repositories.iter().collect();
        repositories.sort_by_key(|repository| Reverse(repository.preference));
        for repository in repositories {
            if options.takes_from(&repository.name) {
                let entries = repository.index.entries.iter();
                for entry in entries.filter(|entry| options.fits(&entry.arch)) {
                    shelf.add(repository, entry);
                }
            }
        }
        shelf.link();
        shelf
    }

    fn add(&mut self, repository: &'u Repository, entry: &'u IndexEntry) {
        let name = self.intern(entry.name.as_str());
        let version = self.version(entry.version.as_str().to_owned());
        let mut provides = Vec::with_capacity(entry.provides.len());
        for provide in &entry.provides {
            let text = provide.version.as_ref();
            let text = text.map(|version| rewritten(provide.name.as_str(), version.as_str()));
            provides.push((
                self.intern(provide.name.as_str()),
                text.map(|text| self.version(text)),
            ));
        }
        self.packages.push(Item {
            entry,
            repository,
            name,
            version,
            provides,
        });
    }

    /// Puts the packages under their names: first everybody under the own, then under the
    /// provided, the packages of one name together.
    fn link(&mut self) {
        let mut own = vec![Vec::new(); self.names.len()];
        for (package, item) in self.packages.iter().enumerate() {
            own[item.name].push(package);
        }
        self.names.clone_from(&own);
        for (package, item) in self.packages.iter().enumerate() {
            for condition in item
                .entry
                .install_if
                .iter()
                .filter(|condition| !condition.conflict)
            {
                let version = match &condition.constraint {
                    None => None,
                    Some((Op::Equal, version)) => Some(version.as_str()),
                    Some(_) => continue,
                };
                if let Some(&name) = self.name_index.get(condition.name.as_str()) {
                    self.triggers
                        .entry((name, version))
                        .or_default()
                        .push(package);
                }
            }
        }
        for &package in own.iter().flatten() {
            for &(name, _) in &self.packages[package].provides {
                self.names[name].push(package);
            }
        }
    }

    fn intern(&mut self, text: &'u str) -> NameIx {
        let next = self.names.len();
        let name = *self.name_index.entry(text).or_insert(next);
        if name == next {
            self.names.push(Vec::new());
            self.texts.push(text);
        }
        name
    }

    fn version(&mut self, text: String) -> VersionIx {
        if let Some(&known) = self.version_index.get(&text) {
            return known;
        }
        let version = self.versions.len();
        self.versions.push(Version::parse(&text));
        self.version_index.insert(text, version);
        version
    }

    pub(super) fn name(&self, text: &str) -> Option<NameIx> {
        self.name_index.get(text).copied()
    }

    /// Reads a dependency.
    pub(super) fn constraint<'t>(&self, dependency: &'t Dependency) -> Constraint<'t> {
        let name = dependency.name.as_str();
        let mut version = Wanted::Any;
        let mut known = None;
        if let Some((op, text)) = &dependency.constraint {
            known = (!matches!(op, Op::LessOrFuzzy | Op::GreaterOrFuzzy)).then_some(*op);
            let text = match op {
                Op::Equal | Op::LessOrEqual | Op::GreaterOrEqual => rewritten(name, text.as_str()),
                _ => text.as_str().to_owned(),
            };
            version = Version::parse(&text).map_or(Wanted::Unreadable, Wanted::Version);
        }
        // apko reads no other letters in a tag, and so looks for a name that has it in it.
        let tag = dependency.tag.as_deref().unwrap_or_default();
        let is_read = tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Constraint {
            dependency,
            text: dependency.to_string(),
            name: self.name(name).filter(|_| is_read),
            op: known,
            version,
        }
    }

    /// The packages that a package may trigger: those that name it without a version, and only
    /// where there are none, those that name this version.
    pub(super) fn triggered_by<'a>(&'a self, item: &Item<'a>) -> &'a [PackageIx] {
        let version = Some(item.entry.version.as_str());
        let by_name = self.triggers.get(&(item.name, None));
        by_name
            .or_else(|| self.triggers.get(&(item.name, version)))
            .map_or(&[], Vec::as_slice)
    }

    /// The packages that are not in all of the other architectures in the same version.
    pub(super) fn missing_elsewhere(
        &self,
        others: &[(Options, &Universe)],
    ) -> Vec<(PackageIx, &'static str)> {
        let mut missing = Vec::new();
        for (options, universe) in others {
            let takes = universe
                .repositories
                .iter()
                .filter(|repository| options.takes_from(&repository.name));
            let there: HashSet<(&str, &str)> = takes
                .flat_map(|repository| &repository.index.entries)
                .filter(|entry| options.fits(&entry.arch))
                .map(|entry| (entry.name.as_str(), entry.version.as_str()))
                .collect();
            for (package, item) in self.packages.iter().enumerate() {
                let key = (item.entry.name.as_str(), item.entry.version.as_str());
                if !there.contains(&key) {
                    missing.push((package, options.arch.apk()));
                }
            }
        }
        missing
    }
}

/// A library's version that ends without a release is put below those that have one.
fn rewritten(name: &str, version: &str) -> String {
    let has_release = version.rsplit_once("-r").is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if name.starts_with("so:") && !has_release {
        format!("0.{version}")
    } else {
        version.to_owned()
    }
}
