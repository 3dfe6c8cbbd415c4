//! The packages of an image for several architectures, chosen together, as apko does it: what one of them
//! lacks in a version, none of the others takes.
//!
//! For each architecture there is a [`Market`]: what its repositories list, of which only that part is
//! looked at that the choice can depend on. What is chosen at an address is fetched then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use boltworks_apk::{Index, Shelf, Whole};
use boltworks_model::{Ambient, Architecture};
use boltworks_solver::{Options, Solution, Universe, solve, solve_like_apko};
use boltworks_version::apk::Dependency;

use super::below::{self, Below};
use super::choose::{PREFERENCE, own_packages};
use super::mirrored::{Listed, brought, listed};
use crate::listing::{Listing, reached_indexes};
use crate::planning::STAGE0;
use crate::repository::{Given, is_address, parted};
use crate::{Error, Home};

/// No more packages are told of that an architecture lacks.
const MOST_TOLD: usize = 5;

/// What there is for one architecture.
pub(super) struct Market<'i> {
    pub(super) architecture: Architecture,
    pub(super) below: Option<Below<'i>>,
    wanted: Vec<Dependency>,
    options: Options,
    listed: Vec<Listed>,
    /// The part that the choice can depend on, of each repository.
    part: Vec<Index>,
}

/// What is chosen for one architecture.
pub(super) struct Bargain {
    pub(super) solution: Solution,
    /// The repositories with folders in the place of addresses, and files in that of keys.
    pub(super) given: Given,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl<'i> Market<'i> {
    /// Opens the repositories for an architecture.
    pub(super) fn open(
        home: &Home,
        given: &Given,
        (wanted, below): (&[Dependency], Option<Below<'i>>),
        (own, architecture, ambient): (&Universe, Architecture, &Ambient<'_>),
    ) -> Result<Self, Error> {
        let mut wanted = wanted.to_vec();
        if let Some(below) = &below {
            wanted.extend(below.wanted()?);
        }
        let listed = listed(home, given, architecture, ambient)?;
        let options = Options::new(architecture).without(STAGE0);
        let listings: Vec<&Listing> = listed.iter().map(|one| &one.listing).collect();
        let shelf = own.shelf(&options);
        let index = below.as_ref().map(Below::index);
        let lower = index.as_deref().map(Whole::new);
        let mut others: Vec<&dyn Shelf> = vec![&shelf];
        others.extend(lower.as_ref().map(|lower| lower as &dyn Shelf));
        let part = reached_indexes(&listings, &wanted, &others)?;
        Ok(Self {
            architecture,
            below,
            wanted,
            options: options.clone(),
            listed,
            part,
        })
    }

    /// All that may be chosen from these packages of the repositories.
    fn universe(&self, own: &Universe, indexes: impl IntoIterator<Item = Index>) -> Universe {
        let mut universe = own.clone();
        let indexes: Vec<Index> = indexes.into_iter().collect();
        let all = self.listed.iter().zip(indexes).rev();
        for ((listed, index), preference) in all.zip(PREFERENCE..) {
            let name = listed.named.to_string_lossy();
            universe.give_repository(&name, index, preference);
            if let (Some(tag), _) = parted(&listed.named) {
                universe.tag_repository(&name, &tag);
            }
        }
        if let Some(below) = &self.below {
            let index = Index::clone(&below.index());
            universe.give_repository(below::NAME, index, PREFERENCE - 1);
        }
        universe
    }

    /// The packages here that have one of these names.
    fn named(&self, own: &Universe, names: &BTreeSet<&str>) -> Result<Universe, Error> {
        let mut indexes = Vec::new();
        for listed in &self.listed {
            let mut entries = Vec::new();
            for name in names {
                entries.extend(listed.listing.named(name)?);
            }
            indexes.push(Index::new("", entries));
        }
        Ok(self.universe(own, indexes))
    }

    /// The names of all that may be chosen here.
    fn names(&self) -> BTreeSet<&str> {
        let entries = self.part.iter().flat_map(|index| &index.entries);
        entries.map(|entry| entry.name.as_str()).collect()
    }

    /// Chooses here what `others` have, too.
    fn choose(
        &self,
        own: &Universe,
        others: &[&Self],
    ) -> Result<(Solution, Option<String>), Error> {
        let names = self.names();
        let others: Vec<(Options, Universe)> = others
            .iter()
            .map(|other| Ok((other.options.clone(), other.named(own, &names)?)))
            .collect::<Result<_, Error>>()?;
        let all: Vec<(Options, &Universe)> = others
            .iter()
            .map(|(options, universe)| (options.clone(), universe))
            .collect();
        let universe = self.universe(own, self.part.iter().cloned());
        if let Ok(like) = solve_like_apko(&universe, &self.wanted, &self.options, &all) {
            return Ok((like.solution, None));
        }
        let has = |architecture: &(Options, Universe), name: &str, version: &str| {
            let (options, universe) = architecture;
            universe.has(options, name, version)
        };
        let common = self.part.iter().map(|index| {
            let entries = index.entries.iter().filter(|entry| {
                let version = entry.version.to_string();
                others
                    .iter()
                    .all(|other| has(other, entry.name.as_str(), &version))
            });
            Index::new("", entries.cloned().collect())
        });
        let common = self.universe(own, common);
        if let Ok(solution) = solve(&common, &self.wanted, &self.options) {
            let note = "apko would find no choice: this one is ours".to_owned();
            return Ok((solution, Some(note)));
        }
        // All is looked at, so that whatever might help is known.
        let whole = self.listed.iter().map(|listed| listed.listing.index());
        let whole = self.universe(own, whole.collect::<Result<Vec<_>, _>>()?);
        let alone = solve(&whole, &self.wanted, &self.options);
        let alone = alone.map_err(|unsolvable| {
            let wanted: Vec<String> = self.wanted.iter().map(ToString::to_string).collect();
            Error::Unsolvable {
                subject: wanted.join(", "),
                why: unsolvable.to_string(),
            }
        })?;
        let mut lacking = Vec::new();
        for other in &others {
            for chosen in &alone.packages {
                let (name, version) = (&chosen.entry.name, chosen.entry.version.to_string());
                if !has(other, name.as_str(), &version) {
                    lacking.push(format!(
                        "{name}-{version} is not there for {}",
                        other.0.arch
                    ));
                }
            }
        }
        lacking.truncate(MOST_TOLD);
        Err(Error::asked(
            format!(
                "no packages for {} can be chosen that all architectures have: {}",
                self.architecture,
                lacking.join(", ")
            ),
            "bring what is missing into the repositories, or ask for one architecture at a time with --arch",
        ))
    }
}

/// Chooses for all markets and fetches what is chosen.
pub(super) fn bargain(
    home: &Home,
    given: &Given,
    (markets, own): (&[Market<'_>], &Universe),
    ambient: &Ambient<'_>,
) -> Result<Vec<Bargain>, Error> {
    let mut all = Vec::new();
    for (at, market) in markets.iter().enumerate() {
        ambient.cancel.check()?;
        let others = markets.iter().enumerate();
        let others: Vec<&Market<'_>> = others
            .filter(|(other, _)| *other != at)
            .map(|(_, market)| market)
            .collect();
        let (solution, note) = market.choose(own, &others)?;
        let mut notes: Vec<String> = market.listed.iter().filter_map(Listed::left_out).collect();
        notes.extend(note);
        all.push((market, solution, notes));
    }
    let mut bargains = Vec::new();
    for (market, solution, notes) in all {
        let addresses = given.repositories.iter().filter(|path| is_address(path));
        let mut chosen: BTreeMap<PathBuf, Vec<_>> =
            addresses.map(|path| (path.clone(), Vec::new())).collect();
        for one in &solution.packages {
            if let Some(entries) = chosen.get_mut(&PathBuf::from(&one.repository)) {
                entries.push(one.entry.clone());
            }
        }
        let given = brought(home, given, (market.architecture, &chosen), ambient)?;
        bargains.push(Bargain {
            solution,
            given,
            notes,
        });
    }
    Ok(bargains)
}

/// What a factory has itself, for an image.
pub(super) fn own(home: &Home) -> Result<Universe, Error> {
    let keys = home.known_keys()?;
    own_packages(
        Some(home).filter(|home| !home.is_makeshift),
        keys.as_ref(),
        true,
    )
}
