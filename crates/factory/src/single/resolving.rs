//! The packages of an image file, chosen as apko does for all architectures together, and where they lie.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boltworks_model::{Ambient, Architecture};
use boltworks_recipe::resolve_image;
use boltworks_solver::{Chosen, Solution};
use boltworks_version::apk::Dependency;

use super::below::Below;
use super::keyring::with_keys;
use super::lock::pinned;
use super::own::{Takes, with_files_own};
use super::together::{self, Market};
use super::{Configuration, below};
use crate::repository::{Given, parted};
use crate::{Error, Home};

/// What an image file is resolved with.
#[derive(Debug, Clone)]
pub struct ResolveOrder {
    /// The file.
    pub configuration: Configuration,
    /// For these, in this order; those of the file, where there is none.
    pub architectures: Vec<Architecture>,
    /// Repositories of the command line that are for build and image.
    pub repositories: Vec<PathBuf>,
    /// Those that are for the build alone.
    pub build_repositories: Vec<PathBuf>,
    /// Packages beside those of the file.
    pub packages: Vec<Dependency>,
    /// Keys of the command line.
    pub keys: Vec<PathBuf>,
    /// Whether signatures are not judged.
    pub ignore_signatures: bool,
}

/// What was chosen for one architecture.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The architecture.
    pub architecture: Architecture,
    /// The choice.
    pub solution: Solution,
    /// The repositories, with folders in the place of addresses.
    pub given: Given,
    places: Vec<PlaceOf>,
    /// The names of the packages that the base image has.
    pub(super) below: BTreeSet<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Where the packages of a repository lie.
#[derive(Debug, Clone)]
pub(super) struct PlaceOf {
    /// What the choice calls it.
    repository: String,
    /// As it is named, without a tag.
    named: String,
    pub(super) folder: PathBuf,
}

impl Resolved {
    /// The path or the address of a chosen package.
    pub fn url(&self, chosen: &Chosen) -> String {
        let place = self.place(chosen).map(|place| place.named.as_str());
        let arch = self.architecture.apk();
        let file = chosen.entry.file_name();
        format!("{}/{arch}/{file}", place.unwrap_or_default())
    }

    /// What is asked for, where this choice is to be made again: every package in its version.
    pub fn wanted(&self) -> Result<Vec<Dependency>, Error> {
        let chosen = self.solution.packages.iter();
        chosen
            .map(|chosen| {
                pinned(
                    chosen.entry.name.as_str(),
                    &chosen.entry.version.to_string(),
                )
            })
            .collect()
    }

    pub(super) fn place(&self, chosen: &Chosen) -> Option<&PlaceOf> {
        let mut places = self.places.iter();
        places.find(|place| place.repository == chosen.repository)
    }
}

/// Chooses the packages of an image file as apko does, for all architectures together. Those at addresses
/// are fetched, as far as they are chosen.
pub fn resolved(
    home: &Home,
    order: &ResolveOrder,
    ambient: &Ambient<'_>,
) -> Result<Vec<Resolved>, Error> {
    let mut image = resolve_image(&order.configuration.image)?;
    image.packages.extend(order.packages.iter().cloned());
    let architectures = if order.architectures.is_empty() {
        order.configuration.architectures()?
    } else {
        order.architectures.clone()
    };
    let mut notes = Vec::new();
    let repositories = [&order.build_repositories, &order.repositories];
    let given = Given {
        repositories: repositories.into_iter().flatten().cloned().collect(),
        keys: order.keys.clone(),
        ignore_signatures: order.ignore_signatures,
        ..Given::default()
    };
    let given = with_files_own(&given, &image, Takes::Everything, &mut notes);
    let given = with_keys(home, given, ambient)?;
    let own = together::own(home)?;
    let mut markets = Vec::new();
    for architecture in architectures {
        ambient.cancel.check()?;
        let below = Below::of(&order.configuration, &image, architecture)?;
        let wanted = (image.packages.as_slice(), below);
        let market = Market::open(home, &given, wanted, (&own, architecture, ambient))?;
        markets.push(market);
    }
    let bargains = together::bargain(home, &given, (&markets, &own), ambient)?;
    let mut all = Vec::new();
    for (market, bargain) in markets.iter().zip(bargains) {
        notes.extend(bargain.notes);
        all.push(Resolved {
            architecture: market.architecture,
            solution: bargain.solution,
            places: places(&given, &bargain.given, market.below.as_ref()),
            below: market
                .below
                .iter()
                .flat_map(Below::names)
                .map(str::to_owned)
                .collect(),
            given: bargain.given,
            notes: std::mem::take(&mut notes),
        });
    }
    verify_agreement(&image.packages, &all)?;
    Ok(all)
}

/// Where packages lie: what the choice calls it, how it is named, and the folder.
fn places(named: &Given, given: &Given, below: Option<&Below<'_>>) -> Vec<PlaceOf> {
    let places = named.repositories.iter().zip(&given.repositories);
    let places = places.map(|(name, folder)| PlaceOf {
        repository: name.to_string_lossy().into_owned(),
        named: without_tag(name),
        folder: parted(folder).1,
    });
    let base = below.map(|below| {
        let lists = below.lists.to_string_lossy();
        PlaceOf {
            repository: below::NAME.to_owned(),
            named: lists.trim_end_matches('/').to_owned(),
            folder: below.lists.clone(),
        }
    });
    places.chain(base).collect()
}

/// What is asked for must be the same for all architectures, as apko will have it: one package in one
/// version, or offered by such a one.
fn verify_agreement(asked: &[Dependency], all: &[Resolved]) -> Result<(), Error> {
    let versions = |name: &str| -> Vec<Option<String>> {
        let of = |resolved: &Resolved| {
            let mut packages = resolved.solution.packages.iter();
            let found = packages.find(|one| one.entry.name.as_str() == name);
            found.map(|one| one.entry.version.to_string())
        };
        all.iter().map(of).collect()
    };
    let is_one = |versions: &[Option<String>]| {
        let mut versions = versions.iter();
        let first = versions.next().and_then(Option::as_ref);
        first.is_some_and(|first| versions.all(|other| other.as_ref() == Some(first)))
    };
    let is_offered = |wanted: &Dependency| {
        let Some(first) = all.first() else {
            return true;
        };
        first.solution.packages.iter().any(|one| {
            let name = one.entry.name.as_str();
            let offers = |resolved: &Resolved| {
                let mut packages = resolved.solution.packages.iter();
                let found = packages.find(|one| one.entry.name.as_str() == name);
                let mut provides = found.into_iter().flat_map(|one| &one.entry.provides);
                provides.any(|offer| offer.name == wanted.name)
            };
            all.iter().all(offers) && is_one(&versions(name))
        })
    };
    let offers_none = |wanted: &Dependency| {
        let packages = all.iter().flat_map(|one| &one.solution.packages);
        let mut provides = packages.flat_map(|one| &one.entry.provides);
        !provides.any(|offer| offer.name == wanted.name)
    };
    for wanted in asked.iter().filter(|wanted| !wanted.conflict) {
        let found = versions(wanted.name.as_str());
        let is_nowhere = found.iter().all(Option::is_none) && offers_none(wanted);
        if is_nowhere || is_one(&found) || is_offered(wanted) {
            continue;
        }
        let told = all.iter().zip(found).map(|(resolved, version)| {
            let version = version.unwrap_or_else(|| "offered by others".to_owned());
            format!("{version} for {}", resolved.architecture)
        });
        return Err(Error::asked(
            format!(
                "{} is not the same for all architectures: {}",
                wanted.name,
                told.collect::<Vec<_>>().join(", ")
            ),
            "ask for a version that all have, or for one architecture at a time with --arch",
        ));
    }
    Ok(())
}

/// A repository's path or address, without a tag before it.
fn without_tag(named: &Path) -> String {
    parted(named).1.to_string_lossy().into_owned()
}
