//! The packages of a universe in one canonical order, and who provides what.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use boltworks_apk::IndexEntry;
use boltworks_version::apk::{Dependency, Version};

use crate::universe::{Options, Place, Universe};

/// A row of [`Table::packages`].
pub(crate) type PackageIx = usize;
/// A row of [`Table::names`].
pub(crate) type NameIx = usize;

/// Everything that may be chosen, sorted; and, aside, what may not, for explanations.
pub(crate) struct Table<'u> {
    pub(crate) packages: Vec<Row<'u>>,
    pub(crate) names: Vec<Name<'u>>,
    /// The packages that others bring with them.
    pub(crate) triggered: Vec<PackageIx>,
    index: BTreeMap<&'u str, NameIx>,
    denied: Vec<Row<'u>>,
    tags: BTreeSet<&'u str>,
}

/// A package and where it comes from.
pub(crate) struct Row<'u> {
    pub(crate) entry: &'u IndexEntry,
    pub(crate) repository: &'u str,
    /// The tag of its repository.
    pub(crate) tag: Option<&'u str>,
    /// Why it cannot be chosen.
    pub(crate) barrier: Option<Barrier>,
    preference: i32,
    /// Each name the package has or provides, once: the name, and its place among the providers.
    pub(crate) offers: Vec<(NameIx, usize)>,
}

/// Why a package cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// Nothing is taken from its repository.
    Repository,
    /// It is for another architecture.
    Architecture,
    /// Its repository has a tag, and nobody with that tag may need it.
    Tag,
}

/// A name and everybody who has or provides it, the best first.
pub(crate) struct Name<'u> {
    pub(crate) text: &'u str,
    pub(crate) providers: Vec<Provider<'u>>,
}

/// One package as a provider of one name.
pub(crate) struct Provider<'u> {
    pub(crate) package: PackageIx,
    /// Whether it is the package's own name.
    pub(crate) real: bool,
    /// 0 where the world wants the name from this tag, 1 without a tag, 2 with another one.
    distance: u8,
    /// The versions it is provided in; `None` is without a version. Never empty.
    versions: Vec<Option<&'u Version>>,
}

impl Provider<'_> {
    /// Whether the dependency (conflict or not) means this.
    pub(crate) fn is_meant_by(&self, dependency: &Dependency) -> bool {
        self.versions
            .iter()
            .any(|version| dependency.matches(*version))
    }

    /// Whether no other package may have or provide the name beside it.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.versions.iter().any(Option::is_some)
    }

    fn best_version(&self) -> Option<&Version> {
        self.versions.iter().copied().flatten().max()
    }
}

impl fmt::Display for Provider<'_> {
    /// The versions it is provided in: `1.2`, or `any version`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.best_version() {
            Some(version) => version.fmt(f),
            None => f.write_str("any version"),
        }
    }
}

impl fmt::Display for Row<'_> {
    /// `zlib-1.3.1-r0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.entry.name, self.entry.version)
    }
}

impl<'u> Row<'u> {
    fn order(&self, other: &Self) -> Ordering {
        let key = |row: &Self| (row.repository, row.entry.identity);
        (self.entry.name.as_str(), Reverse(&self.entry.version))
            .cmp(&(other.entry.name.as_str(), Reverse(&other.entry.version)))
            .then(other.preference.cmp(&self.preference))
            .then_with(|| key(self).cmp(&key(other)))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.order(other).is_eq()
    }

    /// Each name once with all the versions it is offered in, the package's own first.
    fn offered(&self) -> Vec<(&'u str, Vec<Option<&'u Version>>)> {
        let own = (self.entry.name.as_str(), Some(&self.entry.version));
        let provided = self.entry.provides.iter();
        let mut offered: Vec<(&str, Vec<Option<&Version>>)> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, version) in
            std::iter::once(own).chain(provided.map(|p| (p.name.as_str(), p.version.as_ref())))
        {
            let place = *places.entry(name).or_insert(offered.len());
            if let Some((_, versions)) = offered.get_mut(place) {
                versions.push(version);
            } else {
                offered.push((name, vec![version]));
            }
        }
        offered
    }
}

impl<'u> Table<'u> {
    /// Of everything, what may be chosen and what may not.
    pub(crate) fn new(universe: &'u Universe, world: &[&Dependency], options: &Options) -> Self {
        Self::of(universe, universe.all(), world, options)
    }

    /// Of these packages: those within [reach](Universe::reach) are enough where there is a solution.
    pub(crate) fn of(
        universe: &'u Universe,
        rows: impl Iterator<Item = Place<'u>>,
        world: &[&Dependency],
        options: &Options,
    ) -> Self {
        let (mut packages, mut denied) = (Vec::new(), Vec::new());
        for (repository, entry) in rows {
            let barrier = if !options.fits(&entry.arch) {
                Some(Barrier::Architecture)
            } else if !options.takes_from(&repository.name) {
                Some(Barrier::Repository)
            } else {
                None
            };
            let rows = if barrier.is_none() {
                &mut packages
            } else {
                &mut denied
            };
            rows.push(Row {
                entry,
                repository: &repository.name,
                tag: repository.tag.as_deref(),
                barrier,
                preference: repository.preference,
                offers: Vec::new(),
            });
        }
        for rows in [&mut packages, &mut denied] {
            rows.sort_by(Row::order);
            rows.dedup_by(|a, b| a.is_same(b));
        }
        let repositories = universe.repositories.iter();
        let mut table = Self {
            packages,
            names: Vec::new(),
            triggered: Vec::new(),
            index: BTreeMap::new(),
            denied,
            tags: repositories
                .filter_map(|repository| repository.tag.as_deref())
                .collect(),
        };
        table.link(world);
        if !table.tags.is_empty() {
            table.put_aside_tagged(world);
            table.link(world);
        }
        table
    }

    /// Puts aside what is of a repository with a tag and what nobody who asks for that tag,
    /// nor anything that those may need, can want.
    fn put_aside_tagged(&mut self, world: &[&Dependency]) {
        let mut wanted = BTreeSet::new();
        for &tag in &self.tags {
            let wishes = world.iter().copied();
            let asks = |wish: &&Dependency| !wish.conflict && wish.tag.as_deref() == Some(tag);
            let mut open: Vec<&Dependency> = wishes.filter(asks).collect();
            let mut seen = BTreeSet::new();
            while let Some(dependency) = open.pop() {
                let packages = self.candidates(dependency).map(|provider| provider.package);
                let may_serve = |&package: &PackageIx| {
                    let own = self.packages[package].tag;
                    own.is_none_or(|own| own == tag) && seen.insert(package)
                };
                for package in packages.filter(may_serve) {
                    let depends = self.packages[package].entry.depends.iter();
                    open.extend(depends.filter(|dependency| !dependency.conflict));
                }
            }
            wanted.append(&mut seen);
        }
        let rows = std::mem::take(&mut self.packages);
        for (package, mut row) in rows.into_iter().enumerate() {
            row.offers.clear();
            if row.tag.is_none() || wanted.contains(&package) {
                self.packages.push(row);
            } else {
                row.barrier = Some(Barrier::Tag);
                self.denied.push(row);
            }
        }
        self.denied.sort_by(Row::order);
    }

    /// Fills `names`, `index`, `triggered` and the offers of each package.
    fn link(&mut self, world: &[&Dependency]) {
        self.names.clear();
        self.index.clear();
        let triggered = self.packages.iter().enumerate();
        let triggered = triggered.filter(|(_, row)| !row.entry.install_if.is_empty());
        self.triggered = triggered.map(|(package, _)| package).collect();
        let pins = world.iter().filter(|wish| !wish.conflict);
        let pins = pins.filter_map(|wish| Some((wish.name.as_str(), wish.tag.as_deref()?)));
        let pins: BTreeSet<_> = pins.collect();
        let mut by_name: BTreeMap<&'u str, Vec<Provider<'u>>> = BTreeMap::new();
        for (package, row) in self.packages.iter().enumerate() {
            for (name, versions) in row.offered() {
                by_name.entry(name).or_default().push(Provider {
                    package,
                    real: name == row.entry.name.as_str(),
                    distance: match row.tag {
                        None => 1,
                        Some(tag) if pins.contains(&(name, tag)) => 0,
                        Some(_) => 2,
                    },
                    versions,
                });
            }
        }
        for (text, mut providers) in by_name {
            providers.sort_by(|a, b| self.preference(a, b));
            let name = self.names.len();
            for (place, provider) in providers.iter().enumerate() {
                self.packages[provider.package].offers.push((name, place));
            }
            self.index.insert(text, name);
            self.names.push(Name { text, providers });
        }
    }

    /// The better provider of one name comes first.
    fn preference(&self, a: &Provider<'_>, b: &Provider<'_>) -> Ordering {
        let (row_a, row_b) = (&self.packages[a.package], &self.packages[b.package]);
        let priority = |row: &Row<'_>| row.entry.provider_priority.unwrap_or(0);
        (a.distance.cmp(&b.distance))
            .then(b.real.cmp(&a.real))
            .then_with(|| priority(row_b).cmp(&priority(row_a)))
            .then_with(|| b.best_version().cmp(&a.best_version()))
            .then_with(|| row_b.entry.version.cmp(&row_a.entry.version))
            .then_with(|| row_b.preference.cmp(&row_a.preference))
            .then_with(|| a.package.cmp(&b.package))
    }

    /// Why `a` comes before `b` among the providers of a name.
    pub(crate) fn why_better(&self, a: &Provider<'_>, b: &Provider<'_>) -> &'static str {
        let (row_a, row_b) = (&self.packages[a.package], &self.packages[b.package]);
        let priority = |row: &Row<'_>| row.entry.provider_priority.unwrap_or(0);
        if a.distance != b.distance {
            "of a repository with another tag"
        } else if a.real != b.real {
            "that only provides the name"
        } else if priority(row_a) != priority(row_b) {
            "of lower provider priority"
        } else if a.best_version() != b.best_version() || row_a.entry.version != row_b.entry.version
        {
            "of a lower version"
        } else if row_a.preference != row_b.preference {
            "of a less preferred repository"
        } else {
            "equally good, but later in the alphabet"
        }
    }

    pub(crate) fn name(&self, text: &str) -> Option<NameIx> {
        self.index.get(text).copied()
    }

    /// Everybody who has or provides the dependency's name, in whatever version; best first.
    pub(crate) fn providers(&self, dependency: &Dependency) -> &[Provider<'u>] {
        self.name(dependency.name.as_str())
            .map_or(&[], |name| &self.names[name].providers)
    }

    /// Whether the dependency has no tag, or one that a repository has.
    pub(crate) fn knows_tag(&self, dependency: &Dependency) -> bool {
        let tag = dependency.tag.as_deref();
        tag.is_none_or(|tag| self.tags.contains(tag))
    }

    /// The tags of the repositories.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &'u str> {
        self.tags.iter().copied()
    }

    /// The packages that satisfy a dependency; best first. Nothing satisfies one with a tag
    /// that no repository has.
    pub(crate) fn candidates<'t>(
        &'t self,
        dependency: &'t Dependency,
    ) -> impl Iterator<Item = &'t Provider<'u>> + 't {
        self.providers(dependency)
            .iter()
            .filter(|provider| self.knows_tag(dependency) && provider.is_meant_by(dependency))
    }

    /// Whether a package offers something that the dependency means.
    pub(crate) fn offers(&self, package: PackageIx, dependency: &Dependency) -> bool {
        self.providers(dependency)
            .iter()
            .any(|provider| provider.package == package && provider.is_meant_by(dependency))
    }

    /// Packages that would satisfy the dependency if their repository was allowed, or if they
    /// were for this architecture.
    pub(crate) fn denied(&self, dependency: &Dependency) -> impl Iterator<Item = &Row<'u>> {
        self.denied.iter().filter(|row| {
            row.offered().iter().any(|(name, versions)| {
                *name == dependency.name.as_str()
                    && versions.iter().any(|version| dependency.matches(*version))
            })
        })
    }

    /// The name under which two different packages stand in each other's way, if one does.
    pub(crate) fn clash(&self, a: PackageIx, b: PackageIx) -> Option<&'u str> {
        if a == b {
            return None;
        }
        let of = |package: PackageIx| &self.packages[package].offers;
        let (few, many) = if of(a).len() <= of(b).len() {
            (of(a), of(b))
        } else {
            (of(b), of(a))
        };
        few.iter().find_map(|&(name, place)| {
            let at = many.binary_search_by_key(&name, |&(other, _)| other).ok()?;
            let (_, other) = *many.get(at)?;
            let Name { text, providers } = &self.names[name];
            (providers[place].is_exclusive() || providers[other].is_exclusive()).then_some(*text)
        })
    }
}
