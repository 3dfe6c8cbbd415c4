//! The part of some indexes that a choice can depend on: small where the indexes are large.
//!
//! 1. [`Shelf`]: packages among which names are looked up, [`Columns`](crate::Columns), [`Whole`], or
//!    what a solver has to choose from, with [`Names`].
//! 2. [`reach`]: from what is wanted to everything that it may lead to.
//!
//! | taken | because |
//! |---|---|
//! | whoever has or provides a wanted name, in whatever version | it may be chosen |
//! | what those depend on, and so on | it may be needed |
//! | packages whose `install_if` names only what those have or provide | they may come with them |
//! | whoever has or provides a name that one of those has or provides too | *beside*: it stands in the way of none, but a solver sees that the name is not one package's alone |
//! | one package whose `install_if` names a name of those without a version, where another's names it with one | *beside*: apko, which sees the first, never asks for the second |
//! | whoever has or provides a name that one of those conflicts with | *beside*: it is not chosen, but a solver that sees it may search in another order |
//!
//! What is beside leads nowhere, and neither does a conflict of the world. So a solver that is given this
//! part answers as if it was given everything, except where it tells why there is no answer. The tests
//! of the solver hold that.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use boltworks_version::apk::Dependency;

use crate::columns::Damaged;
use crate::index::{Index, IndexEntry};

/// Packages among which names are looked up.
pub trait Shelf {
    /// Who has or provides a name, and who may come with whoever does. The empty name, which nobody
    /// has, stands for what waits for nothing.
    fn look(&self, name: &str) -> Result<Found, Damaged>;

    /// The package at a place. Places follow the order of the index.
    fn entry(&self, at: u32) -> Result<Cow<'_, IndexEntry>, Damaged>;
}

/// What is found under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The places of those who have or provide it, each once, in order.
    pub offers: Vec<u32>,
    /// Packages whose `install_if` names it. One that names several waits under one of them.
    pub triggers: Vec<Trigger>,
    /// The first package whose `install_if` names it without a version.
    pub plain: Option<u32>,
    /// Whether the `install_if` of some package names it with a version.
    pub is_pinned: bool,
}

/// A package that comes with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its place.
    pub at: u32,
    /// [`name_hash`] of the other names that it waits for.
    pub others: Vec<u32>,
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

/// Who has or provides which name, of packages in memory. Only hashes of names are kept: whoever looks
/// one up has the packages.
#[derive(Debug, Clone, Default)]
pub struct Names {
    offers: HashMap<u32, Vec<u32>>,
    triggers: HashMap<u32, Vec<Trigger>>,
    /// For each name who waits for it without a version, and who with one.
    waiting: HashMap<u32, (Vec<u32>, Vec<u32>)>,
}

impl Names {
    /// Adds packages, the first of them with the place `first`, which is behind all before.
    pub fn add(&mut self, first: u32, entries: &[IndexEntry]) {
        let mut triggered = Vec::new();
        for (at, entry) in (first..).zip(entries) {
            for name in entry.names() {
                let offers = self.offers.entry(name_hash(name)).or_default();
                if offers.last() != Some(&at) {
                    offers.push(at);
                }
            }
            for condition in entry.conditions() {
                let hash = name_hash(condition.name.as_str());
                let (plain, pinned) = self.waiting.entry(hash).or_default();
                let places = if condition.constraint.is_some() {
                    pinned
                } else {
                    plain
                };
                places.push(at);
            }
            if let Some(conditions) = entry.waits_for() {
                triggered.push((at, conditions.into_iter().map(str::to_owned).collect()));
            }
        }
        for (name, at, others) in watched(&triggered) {
            let triggers = self.triggers.entry(name_hash(name)).or_default();
            triggers.push(Trigger { at, others });
        }
    }

    /// What is found under a name, as far as there is a package at its place.
    pub fn look<'e>(&self, name: &str, entry: impl Fn(u32) -> Option<&'e IndexEntry>) -> Found {
        let hash = name_hash(name);
        let is_meant =
            |at: &&u32| entry(**at).is_some_and(|entry| entry.names().any(|one| one == name));
        let is_there = |at: u32| entry(at).is_some();
        let offers = self.offers.get(&hash).into_iter().flatten();
        let triggers = self.triggers.get(&hash).into_iter().flatten();
        let waiting = self.waiting.get(&hash);
        let mut plain = waiting.into_iter().flat_map(|(plain, _)| plain).copied();
        let mut pinned = waiting.into_iter().flat_map(|(_, pinned)| pinned).copied();
        Found {
            offers: offers.filter(is_meant).copied().collect(),
            triggers: triggers
                .filter(|trigger| is_there(trigger.at))
                .cloned()
                .collect(),
            plain: plain.find(|&at| is_there(at)),
            is_pinned: pinned.any(is_there),
        }
    }
}

/// An index in memory.
pub struct Whole<'i> {
    entries: &'i [IndexEntry],
    names: Names,
}

impl<'i> Whole<'i> {
    /// Makes ready for looking up.
    pub fn new(index: &'i Index) -> Self {
        let mut names = Names::default();
        names.add(0, &index.entries);
        Self {
            entries: &index.entries,
            names,
        }
    }
}

impl Shelf for Whole<'_> {
    fn look(&self, name: &str) -> Result<Found, Damaged> {
        Ok(self.names.look(name, |at| self.entries.get(at as usize)))
    }

    fn entry(&self, at: u32) -> Result<Cow<'_, IndexEntry>, Damaged> {
        let entry = self.entries.get(at as usize).map(Cow::Borrowed);
        entry.ok_or(Damaged::Form("a package lies outside of it"))
    }
}

impl IndexEntry {
    /// Every name that the package has or provides; its own first, some perhaps twice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let provides = self.provides.iter().map(|provide| provide.name.as_str());
        std::iter::once(self.name.as_str()).chain(provides)
    }

    /// What `install_if` waits for.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Dependency> {
        self.install_if.iter().filter(|wanted| !wanted.conflict)
    }

    /// The names that `install_if` waits for, each once; `None` without an `install_if`.
    pub(crate) fn waits_for(&self) -> Option<BTreeSet<&str>> {
        let names = self.conditions().map(|wanted| wanted.name.as_str());
        let names = names.collect();
        (!self.install_if.is_empty()).then_some(names)
    }
}

/// A package of the part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached<'s> {
    /// Its place.
    pub at: u32,
    /// The package.
    pub entry: Cow<'s, IndexEntry>,
    /// Whether nothing leads to it: it only shares a name with something, or something conflicts with it.
    pub is_beside: bool,
}

/// The part of each shelf that the choice of `wanted` from all of them can depend on, in the order of
/// the shelf.
pub fn reach<'s, 'w>(
    shelves: &[&'s dyn Shelf],
    wanted: impl IntoIterator<Item = &'w Dependency>,
) -> Result<Vec<Vec<Reached<'s>>>, Damaged> {
    let mut way = Way {
        shelves,
        taken: vec![BTreeMap::new(); shelves.len()],
        wanted: Queue::default(),
        offered: Queue::default(),
        shunned: Queue::default(),
        hashes: BTreeSet::new(),
        waiting: Vec::new(),
    };
    way.offered.add("");
    for wanted in wanted.into_iter().filter(|wanted| !wanted.conflict) {
        way.wanted.add(wanted.name.as_str());
    }
    loop {
        way.follow()?;
        if !way.wake()? {
            break;
        }
    }
    let taken = way.taken.into_iter();
    Ok(taken.map(|taken| taken.into_values().collect()).collect())
}

/// Names, each to be looked up once.
#[derive(Default)]
struct Queue {
    seen: BTreeSet<String>,
    open: Vec<String>,
}

impl Queue {
    fn add(&mut self, name: &str) {
        if !self.seen.contains(name) {
            self.seen.insert(name.to_owned());
            self.open.push(name.to_owned());
        }
    }
}

/// How far the reach has come.
struct Way<'w, 's> {
    shelves: &'w [&'s dyn Shelf],
    taken: Vec<BTreeMap<u32, Reached<'s>>>,
    /// What was asked for.
    wanted: Queue,
    /// What something taken has or provides: others may come with it, others may stand beside it.
    offered: Queue,
    /// What something taken conflicts with.
    shunned: Queue,
    /// [`name_hash`] of what is offered.
    hashes: BTreeSet<u32>,
    /// Packages that come with others, by shelf.
    waiting: Vec<(usize, Trigger)>,
}

impl Way<'_, '_> {
    /// Looks up names until all were.
    fn follow(&mut self) -> Result<(), Damaged> {
        loop {
            if let Some(name) = self.wanted.open.pop() {
                self.look(&name, false)?;
            } else if let Some(name) = self.offered.open.pop() {
                self.hashes.insert(name_hash(&name));
                let triggers = self.look(&name, true)?;
                self.waiting.extend(triggers);
            } else if let Some(name) = self.shunned.open.pop() {
                self.look(&name, true)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Takes whoever has or provides a name; who waits for it.
    fn look(&mut self, name: &str, is_beside: bool) -> Result<Vec<(usize, Trigger)>, Damaged> {
        let mut waiting = Vec::new();
        let (mut plain, mut is_pinned) = (Vec::new(), false);
        for (number, shelf) in self.shelves.iter().enumerate() {
            let found = shelf.look(name)?;
            plain.extend(found.plain.map(|at| (number, at)));
            is_pinned |= found.is_pinned;
            for at in found.offers {
                self.take(number, at, is_beside)?;
            }
            let triggers = found.triggers.into_iter();
            waiting.extend(triggers.map(|trigger| (number, trigger)));
        }
        for (number, at) in plain.into_iter().filter(|_| is_pinned) {
            self.take(number, at, true)?;
        }
        Ok(waiting)
    }

    /// Takes a package, and what it leads to.
    fn take(&mut self, shelf: usize, at: u32, is_beside: bool) -> Result<(), Damaged> {
        let (Some(taken), Some(from)) = (self.taken.get_mut(shelf), self.shelves.get(shelf)) else {
            return Ok(());
        };
        let reached = match taken.entry(at) {
            Entry::Vacant(place) => place.insert(Reached {
                at,
                entry: from.entry(at)?,
                is_beside,
            }),
            Entry::Occupied(known) if known.get().is_beside && !is_beside => known.into_mut(),
            Entry::Occupied(_) => return Ok(()),
        };
        reached.is_beside = is_beside;
        if is_beside {
            return Ok(());
        }
        for needed in &reached.entry.depends {
            let names = if needed.conflict {
                &mut self.shunned
            } else {
                &mut self.wanted
            };
            names.add(needed.name.as_str());
        }
        for name in reached.entry.names() {
            self.offered.add(name);
        }
        Ok(())
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
            self.take(*shelf, trigger.at, false)?;
        }
        Ok(!ready.is_empty())
    }
}
