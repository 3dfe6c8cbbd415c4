//! What there is to choose from, and what may be chosen.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use boltworks_apk::{Index, IndexEntry};
use boltworks_model::{Architecture, Sha256};
use boltworks_version::apk::Dependency;

/// Goes up when the same question has another answer than it had: 2 since `install_if` and
/// tags are followed.
const RULES: u32 = 2;

/// The packages of some repositories.
#[derive(Debug, Clone, Default)]
pub struct Universe {
    pub(crate) repositories: Vec<Repository>,
    /// Who has or provides a name, by the name's hash.
    names: HashMap<u64, Vec<Place>>,
    /// The packages that others bring with them.
    triggered: Vec<Place>,
}

/// A package: the place of its repository, and its own there.
pub(crate) type Place = (usize, usize);

/// One repository: its name, how much it is preferred, its packages.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) preference: i32,
    /// Who does not ask for it gets nothing of it.
    pub(crate) tag: Option<String>,
    pub(crate) index: Arc<Index>,
    digest: Option<Sha256>,
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
        self.add(name, Arc::new(index.clone()), preference, None);
    }

    /// The same, of an index that nobody else needs.
    pub fn give_repository(&mut self, name: &str, index: Index, preference: i32) {
        self.add(name, Arc::new(index), preference, None);
    }

    /// The same, of an index that others use too and that is the only one with this digest.
    pub fn share_repository(
        &mut self,
        name: &str,
        (index, digest): (Arc<Index>, Sha256),
        preference: i32,
    ) {
        self.add(name, index, preference, Some(digest));
    }

    fn add(&mut self, name: &str, index: Arc<Index>, preference: i32, digest: Option<Sha256>) {
        let repository = self.repositories.len();
        for (place, entry) in index.entries.iter().enumerate() {
            for name in offered(entry) {
                let places = self.names.entry(hash(name)).or_default();
                if places.last() != Some(&(repository, place)) {
                    places.push((repository, place));
                }
            }
            if !entry.install_if.is_empty() {
                self.triggered.push((repository, place));
            }
        }
        self.repositories.push(Repository {
            name: name.to_owned(),
            preference,
            tag: None,
            index,
            digest,
        });
    }

    /// What the repositories have.
    pub fn indexes(&self) -> impl Iterator<Item = &Index> {
        let repositories = self.repositories.iter();
        repositories.map(|repository| repository.index.as_ref())
    }

    /// Gives the repositories of this name a tag: they serve wishes with that tag
    /// (`web@edge`) and what those need, and nobody else.
    pub fn tag_repository(&mut self, name: &str, tag: &str) {
        let named = self
            .repositories
            .iter_mut()
            .filter(|repository| repository.name == name);
        for repository in named {
            repository.tag = Some(tag.to_owned());
        }
    }

    /// Every package that a solution for `world` can have, or can be kept from having: those that
    /// may be chosen for it, for what these need, and for what they bring with them. In order.
    pub(crate) fn reach<'a>(
        &'a self,
        world: impl IntoIterator<Item = &'a Dependency>,
        options: &Options,
    ) -> BTreeSet<Place> {
        let mut reach = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = wanted(world).collect();
        loop {
            while let Some(name) = open.pop() {
                if !seen.insert(name) {
                    continue;
                }
                let new = self.places(name, options);
                for place in new.filter(|place| reach.insert(*place)) {
                    open.extend(self.needs_of(place));
                }
            }
            let is_near = |name: &str| {
                let mut places = self.places(name, options);
                places.any(|place| reach.contains(&place))
            };
            let brought: Vec<Place> = self
                .triggered
                .iter()
                .copied()
                .filter(|place| !reach.contains(place) && self.is_taken(*place, options))
                .filter(|place| {
                    let mut entry = self.entry(*place).into_iter();
                    entry.any(|entry| wanted(&entry.install_if).all(is_near))
                })
                .collect();
            if brought.is_empty() {
                return reach;
            }
            for place in brought {
                reach.insert(place);
                open.extend(self.needs_of(place));
            }
        }
    }

    /// The names that a package needs or cannot stand beside: what the search sees of others.
    fn needs_of(&self, place: Place) -> impl Iterator<Item = &str> {
        let entry = self.entry(place).into_iter();
        entry.flat_map(|entry| entry.depends.iter().map(|one| one.name.as_str()))
    }

    /// The packages that have or provide a name and may be chosen.
    fn places(&self, name: &str, options: &Options) -> impl Iterator<Item = Place> {
        let places = self.names.get(&hash(name)).into_iter().flatten().copied();
        places.filter(move |place| {
            let is_meant = |entry| offered(entry).any(|offered| offered == name);
            self.is_taken(*place, options) && self.entry(*place).is_some_and(is_meant)
        })
    }

    fn is_taken(&self, place: Place, options: &Options) -> bool {
        let repository = self.repositories.get(place.0);
        repository.is_some_and(|repository| options.takes_from(&repository.name))
            && self
                .entry(place)
                .is_some_and(|entry| options.fits(&entry.arch))
    }

    fn entry(&self, (repository, place): Place) -> Option<&IndexEntry> {
        self.repositories.get(repository)?.index.entries.get(place)
    }

    /// Everything that decides what [`solve`](crate::solve()) answers, as text; nothing, where
    /// only the packages themselves could say it.
    pub fn question(&self, world: &[Dependency], options: &Options) -> Option<String> {
        let mut text = format!("rules {RULES}\n{options:?}\n");
        let reach = self.reach(world, options);
        let mut touched: Vec<usize> = reach.iter().map(|&(repository, _)| repository).collect();
        touched.dedup();
        let mut repositories = Vec::new();
        for repository in touched.iter().filter_map(|&at| self.repositories.get(at)) {
            let (digest, preference) = (repository.digest?, repository.preference);
            let tag = &repository.tag;
            repositories.push((&repository.name, preference, digest.to_string(), tag));
        }
        repositories.sort();
        let mut world: Vec<_> = world.iter().collect();
        world.sort();
        let lines = repositories
            .iter()
            .map(|repository| format!("{repository:?}"));
        let wishes = world.iter().map(|wish| format!("{:?}", wish.to_string()));
        for line in lines.chain(wishes) {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{line}");
        }
        Some(text)
    }
}

/// The names that dependencies ask for.
fn wanted<'a>(
    dependencies: impl IntoIterator<Item = &'a Dependency>,
) -> impl Iterator<Item = &'a str> {
    let wanted = dependencies.into_iter().filter(|one| !one.conflict);
    wanted.map(|one| one.name.as_str())
}

/// Every name a package has or provides.
fn offered(entry: &IndexEntry) -> impl Iterator<Item = &str> {
    let provided = entry.provides.iter().map(|one| one.name.as_str());
    std::iter::once(entry.name.as_str()).chain(provided)
}

/// Only to find names again in this process: nothing depends on what it is.
fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
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

#[cfg(test)]
mod tests {
    use boltworks_apk::Control;
    use boltworks_model::Sha1;

    use super::*;

    fn of(names: &[&str]) -> Arc<Index> {
        let entry = |name: &&str| {
            let version = "1".parse().unwrap();
            let control = Control::new(name.parse().unwrap(), version, "x86_64");
            IndexEntry::from_control(&control, Sha1::new([0; 20]), 0)
        };
        Arc::new(Index::new("", names.iter().map(entry).collect()))
    }

    fn question(repositories: &[(&str, u8, i32)], world: &[&str], options: &Options) -> String {
        let mut universe = Universe::new();
        for &(name, byte, preference) in repositories {
            let index = (of(&["a", "b"]), Sha256::new([byte; 32]));
            universe.share_repository(name, index, preference);
        }
        universe.share_repository("far", (of(&["c"]), Sha256::new([9; 32])), 0);
        asked(&universe, world, options).unwrap()
    }

    fn asked(universe: &Universe, world: &[&str], options: &Options) -> Option<String> {
        let world: Vec<_> = world.iter().map(|text| text.parse().unwrap()).collect();
        universe.question(&world, options)
    }

    #[test]
    fn a_question_is_all_that_decides_the_answer() {
        let options = Options::new(Architecture::X86_64);
        let (os, stage0) = (("os", 1, 10), ("stage0", 2, 0));
        let one = question(&[os, stage0], &["a", "b>1"], &options);
        assert_eq!(one, question(&[stage0, os], &["b>1", "a"], &options));
        assert!(!one.contains("far"), "nobody needs anything of it: {one}");
        let others = [
            question(&[os], &["a", "b>1"], &options),
            question(&[("os", 3, 10), stage0], &["a", "b>1"], &options),
            question(&[("os", 1, 11), stage0], &["a", "b>1"], &options),
            question(&[os, stage0], &["a", "b>2"], &options),
            question(&[os, stage0], &["a"], &options),
            question(&[os, stage0], &["a", "b>1", "c"], &options),
            question(&[os, stage0], &["a@edge", "b>1"], &options),
            question(&[os, stage0], &["a", "b>1"], &options.clone().without("os")),
        ];
        assert!(others.iter().all(|other| *other != one));
    }

    #[test]
    fn a_tag_makes_another_question() {
        let ask = |tag: Option<&str>| {
            let mut universe = Universe::new();
            universe.share_repository("os", (of(&["a"]), Sha256::new([1; 32])), 0);
            if let Some(tag) = tag {
                universe.tag_repository("os", tag);
            }
            asked(&universe, &["a"], &Options::new(Architecture::X86_64))
        };
        assert_ne!(ask(None), ask(Some("edge")));
        assert_ne!(ask(Some("testing")), ask(Some("edge")));
    }

    #[test]
    fn packages_without_a_name_by_content_make_no_question() {
        let mut universe = Universe::new();
        universe.add_repository("os", &of(&["a"]), 0);
        let options = Options::new(Architecture::X86_64);
        assert_eq!(asked(&universe, &["a"], &options), None);
    }
}
