//! The part of some indexes that a choice can depend on: small where the indexes are large.
//!
//! 1. [`Shelf`]: an index in which names are looked up, [`Columns`](crate::Columns) or [`Whole`].
//! 2. [`reach`]: from what is wanted to everything that it may lead to.
//!
//! | taken | because |
//! |---|---|
//! | whoever has or provides a wanted name, in whatever version | it may be chosen |
//! | what those depend on, and so on | it may be needed |
//! | packages whose `install_if` names only what those have or provide | they may come with them |
//! | whoever has or provides a name that one of those has or provides too | *beside*: it stands in the way of none, but a solver sees that the name is not one package's alone |
//!
//! Conflicts lead nowhere: what nothing else leads to is not chosen anyway. So a solver that is given this
//! part answers as if it was given everything, except where it tells why there is no answer. The tests
//! of the solver hold that.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_version::apk::Dependency;

use crate::columns::Damaged;
use crate::index::{Index, IndexEntry};

/// An index in which names are looked up.
pub trait Shelf {
    /// Who has or provides a name, and who may come with whoever does. The empty name, which nobody
    /// has, stands for what waits for nothing.
    fn look(&self, name: &str) -> Result<Found, Damaged>;

    /// The package at a place. Places follow the order of the index.
    fn entry(&self, at: u32) -> Result<IndexEntry, Damaged>;
}

/// What is found under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The places of those who have or provide it, each once, in order.
    pub offers: Vec<u32>,
    /// Packages whose `install_if` names it. One that names several waits under one of them.
    pub triggers: Vec<Trigger>,
}

/// A package that comes with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its place.
    pub at: u32,
    /// [`name_hash`] of the other names that it waits for.
    pub others: Vec<u32>,
}

/// Notes that the package at a place has or provides a name. Places come in order.
pub(crate) fn note(names: &mut BTreeMap<String, Found>, name: &str, at: u32) {
    if let Some(found) = names.get_mut(name) {
        if found.offers.last() != Some(&at) {
            found.offers.push(at);
        }
    } else {
        let found = Found {
            offers: vec![at],
            triggers: Vec::new(),
        };
        names.insert(name.to_owned(), found);
    }
}

/// A short name for a name (FNV-1a). Two names may have the same: then more is taken than is needed.
pub fn name_hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// Under which name each of these packages waits, and the hashes of the other names it waits for: of
/// its names the one for which the fewest wait, so that no look-up finds half of the index.
pub(crate) fn watched(
    triggered: &[(u32, Vec<String>)],
) -> impl Iterator<Item = (&str, u32, Vec<u32>)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in triggered.iter().flat_map(|(_, names)| names) {
        *counts.entry(name).or_default() += 1;
    }
    triggered.iter().map(move |(at, names)| {
        let rarest = names.iter().min_by_key(|name| counts.get(name.as_str()));
        let rarest = rarest.map_or("", String::as_str);
        let others = names.iter().filter(|name| *name != rarest);
        (rarest, *at, others.map(|name| name_hash(name)).collect())
    })
}

/// An index in memory.
pub struct Whole<'i> {
    entries: &'i [IndexEntry],
    names: BTreeMap<String, Found>,
}

impl<'i> Whole<'i> {
    /// Makes ready for looking up.
    pub fn new(index: &'i Index) -> Self {
        let mut names: BTreeMap<String, Found> = BTreeMap::new();
        let mut triggered = Vec::new();
        for (at, entry) in (0..).zip(&index.entries) {
            for name in entry.names() {
                note(&mut names, name, at);
            }
            if let Some(conditions) = entry.waits_for() {
                triggered.push((at, conditions.into_iter().map(str::to_owned).collect()));
            }
        }
        for (name, at, others) in watched(&triggered) {
            let found = names.entry(name.to_owned()).or_default();
            found.triggers.push(Trigger { at, others });
        }
        Self {
            entries: &index.entries,
            names,
        }
    }
}

impl Shelf for Whole<'_> {
    fn look(&self, name: &str) -> Result<Found, Damaged> {
        Ok(self.names.get(name).cloned().unwrap_or_default())
    }

    fn entry(&self, at: u32) -> Result<IndexEntry, Damaged> {
        let entry = self.entries.get(at as usize).cloned();
        entry.ok_or(Damaged::Form("a package lies outside of it"))
    }
}

impl IndexEntry {
    /// Every name that the package has or provides; its own first, some perhaps twice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let provides = self.provides.iter().map(|provide| provide.name.as_str());
        std::iter::once(self.name.as_str()).chain(provides)
    }

    /// The names that `install_if` waits for, each once; `None` without an `install_if`.
    pub(crate) fn waits_for(&self) -> Option<BTreeSet<&str>> {
        let conditions = self.install_if.iter().filter(|wanted| !wanted.conflict);
        let names = conditions.map(|wanted| wanted.name.as_str()).collect();
        (!self.install_if.is_empty()).then_some(names)
    }
}

/// A package of the part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The package.
    pub entry: IndexEntry,
    /// Whether nothing leads to it: it only shares a name with something.
    pub is_beside: bool,
}

/// The part of each index that the choice of `wanted` from all of them can depend on, in the order of
/// the index.
pub fn reach(shelves: &[&dyn Shelf], wanted: &[Dependency]) -> Result<Vec<Vec<Reached>>, Damaged> {
    let mut way = Way {
        shelves,
        taken: vec![BTreeMap::new(); shelves.len()],
        wanted: BTreeSet::new(),
        open: Vec::new(),
        offered: BTreeSet::new(),
        hashes: BTreeSet::new(),
        waiting: Vec::new(),
    };
    way.offer("")?;
    way.want(wanted);
    loop {
        way.follow()?;
        if !way.wake()? {
            break;
        }
    }
    let taken = way.taken.into_iter();
    Ok(taken.map(|taken| taken.into_values().collect()).collect())
}

/// How far the reach has come.
struct Way<'s> {
    shelves: &'s [&'s dyn Shelf],
    taken: Vec<BTreeMap<u32, Reached>>,
    /// The names that were asked for, and those of them that were not looked up yet.
    wanted: BTreeSet<String>,
    open: Vec<String>,
    /// The names that something taken has or provides, and their hashes.
    offered: BTreeSet<String>,
    hashes: BTreeSet<u32>,
    /// Packages that come with others, by shelf.
    waiting: Vec<(usize, Trigger)>,
}

impl Way<'_> {
    fn want(&mut self, wanted: &[Dependency]) {
        for wanted in wanted.iter().filter(|wanted| !wanted.conflict) {
            let name = wanted.name.as_str();
            if !self.wanted.contains(name) {
                self.wanted.insert(name.to_owned());
                self.open.push(name.to_owned());
            }
        }
    }

    fn follow(&mut self) -> Result<(), Damaged> {
        while let Some(name) = self.open.pop() {
            for (number, shelf) in self.shelves.iter().enumerate() {
                for at in shelf.look(&name)?.offers {
                    self.take(number, at)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a package, and what it leads to.
    fn take(&mut self, shelf: usize, at: u32) -> Result<(), Damaged> {
        if !self.put(shelf, at, false)? {
            return Ok(());
        }
        let taken = self.taken.get(shelf).and_then(|taken| taken.get(&at));
        let Some(Reached { entry, .. }) = taken else {
            return Ok(());
        };
        let depends = entry.depends.clone();
        let names: Vec<String> = entry.names().map(str::to_owned).collect();
        self.want(&depends);
        for name in names {
            self.offer(&name)?;
        }
        Ok(())
    }

    /// Notes that a name is offered: others may come with it, others may stand beside it.
    fn offer(&mut self, name: &str) -> Result<(), Damaged> {
        if self.offered.contains(name) {
            return Ok(());
        }
        self.offered.insert(name.to_owned());
        self.hashes.insert(name_hash(name));
        for (number, shelf) in self.shelves.iter().enumerate() {
            let found = shelf.look(name)?;
            for at in found.offers {
                self.put(number, at, true)?;
            }
            let triggers = found.triggers.into_iter();
            self.waiting
                .extend(triggers.map(|trigger| (number, trigger)));
        }
        Ok(())
    }

    /// Puts the package at a place to the others; whether it was not there in this way before, nor
    /// in a better one.
    fn put(&mut self, shelf: usize, at: u32, is_beside: bool) -> Result<bool, Damaged> {
        let (Some(taken), Some(from)) = (self.taken.get_mut(shelf), self.shelves.get(shelf)) else {
            return Ok(false);
        };
        if let Some(known) = taken.get_mut(&at) {
            let is_news = known.is_beside && !is_beside;
            known.is_beside &= is_beside;
            return Ok(is_news);
        }
        let entry = from.entry(at)?;
        taken.insert(at, Reached { entry, is_beside });
        Ok(true)
    }

    /// Takes what waits for nothing any more; whether there was something.
    fn wake(&mut self) -> Result<bool, Damaged> {
        let hashes = &self.hashes;
        let is_ready = |(_, trigger): &(usize, Trigger)| {
            trigger.others.iter().all(|hash| hashes.contains(hash))
        };
        let (ready, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(is_ready);
        self.waiting = waiting;
        for (shelf, trigger) in &ready {
            self.take(*shelf, trigger.at)?;
        }
        Ok(!ready.is_empty())
    }
}
