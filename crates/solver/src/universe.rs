//! What there is to choose from, and what may be chosen.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use boltworks_apk::{Damaged, Found, Index, IndexEntry, Names, Shelf, reach};
use boltworks_model::{Architecture, Sha256};
use boltworks_version::apk::Dependency;

/// Goes up when the same question has another answer than it had: 2 since `install_if` and
/// tags are followed.
const RULES: u32 = 2;

/// The packages of some repositories.
#[derive(Debug, Clone, Default)]
pub struct Universe {
    pub(crate) repositories: Vec<Repository>,
    /// Who has or provides a name. Places count through all repositories.
    names: Names,
}

/// A package and its repository.
pub(crate) type Place<'u> = (&'u Repository, &'u IndexEntry);

/// One repository: its name, how much it is preferred, its packages.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) preference: i32,
    /// Who does not ask for it gets nothing of it.
    pub(crate) tag: Option<String>,
    pub(crate) index: Arc<Index>,
    digest: Option<Sha256>,
    /// The place of the first package.
    first: u32,
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
        let first = self.repositories.last().map_or(0, Repository::end);
        self.names.add(first, &index.entries);
        self.repositories.push(Repository {
            name: name.to_owned(),
            preference,
            tag: None,
            index,
            digest,
            first,
        });
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

    /// Every package.
    pub(crate) fn all(&self) -> impl Iterator<Item = Place<'_>> {
        self.repositories.iter().flat_map(|repository| {
            let entries = repository.index.entries.iter();
            entries.map(move |entry| (repository, entry))
        })
    }

    /// Every package that may be chosen and that a solution for `world` can depend on, in order.
    pub(crate) fn reach<'w>(
        &self,
        world: impl IntoIterator<Item = &'w Dependency>,
        options: &Options,
    ) -> Vec<Place<'_>> {
        let shelf = self.shelf(options);
        let parts = reach(&[&shelf], world);
        let Ok(parts) = parts else {
            // Nothing in memory is damaged; with everything the answer is the same.
            return self.all().collect();
        };
        let parts = parts.iter().flatten();
        parts.filter_map(|reached| self.place(reached.at)).collect()
    }

    /// Whether a package may be chosen in this version.
    pub fn has(&self, options: &Options, name: &str, version: &str) -> bool {
        self.all().any(|(repository, entry)| {
            entry.name.as_str() == name
                && entry.version.as_str() == version
                && options.takes_from(&repository.name)
                && options.fits(&entry.arch)
        })
    }

    /// The packages that may be chosen, to look names up among them.
    pub fn shelf<'u>(&'u self, options: &'u Options) -> impl Shelf + 'u {
        Choosable {
            universe: self,
            options,
        }
    }

    fn place(&self, at: u32) -> Option<Place<'_>> {
        let behind = self.repositories.partition_point(|one| one.first <= at);
        let repository = self.repositories.get(behind.checked_sub(1)?)?;
        let place = at.checked_sub(repository.first)?;
        Some((repository, repository.index.entries.get(place as usize)?))
    }
}

/// Everything that decides what is answered, as text; nothing, where only the packages themselves
/// could say it. `reach` are the packages that the answer can depend on, `world` is sorted.
pub(crate) fn question(
    reach: &[Place<'_>],
    world: &[&Dependency],
    options: &Options,
) -> Option<String> {
    let mut text = format!("rules {RULES}\n{options:?}\n");
    let mut touched: Vec<&Repository> = reach.iter().map(|(repository, _)| *repository).collect();
    touched.dedup_by_key(|repository| repository.first);
    let mut repositories = Vec::new();
    for repository in touched {
        let (digest, preference) = (repository.digest?, repository.preference);
        let tag = &repository.tag;
        repositories.push((&repository.name, preference, digest.to_string(), tag));
    }
    repositories.sort();
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

impl Repository {
    /// The place behind its last package.
    fn end(&self) -> u32 {
        // More than these fit into no memory.
        let count = u32::try_from(self.index.entries.len());
        self.first.saturating_add(count.unwrap_or(u32::MAX))
    }
}

/// What of a universe may be chosen.
struct Choosable<'u> {
    universe: &'u Universe,
    options: &'u Options,
}

impl<'u> Choosable<'u> {
    fn get(&self, at: u32) -> Option<&'u IndexEntry> {
        let (repository, entry) = self.universe.place(at)?;
        let options = self.options;
        (options.takes_from(&repository.name) && options.fits(&entry.arch)).then_some(entry)
    }
}

impl Shelf for Choosable<'_> {
    fn look(&self, name: &str) -> Result<Found, Damaged> {
        Ok(self.universe.names.look(name, |at| self.get(at)))
    }

    fn entry(&self, at: u32) -> Result<Cow<'_, IndexEntry>, Damaged> {
        let entry = self.get(at).map(Cow::Borrowed);
        entry.ok_or(Damaged::Form("a package lies outside of it"))
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

#[cfg(test)]
mod tests {
    use boltworks_apk::Control;
    use boltworks_model::Sha1;

    use super::*;
    use crate::Question;

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
        Question::new(universe, &world, options).text()
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
