//! Only the choice of packages: nothing is made, fetched or kept.

use std::path::PathBuf;

use boltworks_model::Architecture;
use boltworks_solver::{Options, Solution, Universe, Unsolvable, solve, solve_like_apko};
use boltworks_version::apk::Dependency;

use crate::catalog::Loaded;
use crate::planning::{STAGE0, Stage0};
use crate::repository::Given;
use crate::{Error, Home};

/// How much repositories of the command line are preferred to everything else.
const PREFERENCE: i32 = 20;

/// What is to be chosen, and from what.
#[derive(Debug, Clone)]
pub struct Wish {
    /// What is wanted.
    pub wanted: Vec<Dependency>,
    /// Whether it is for an image, which takes nothing from stage 0.
    pub for_image: bool,
    /// For which architecture.
    pub architecture: Architecture,
    /// Packages that are there beside the factory's. A folder may have a tag before it, as in
    /// apk's list of repositories: `@edge packages`.
    pub given: Given,
    /// Whose choice it is to be.
    pub solver: Solver,
    /// Whether the other one's choice is compared with it.
    pub compare: bool,
}

/// Who chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// Boltworks, which finds a choice where there is one.
    Boltworks,
    /// apko's way, step by step.
    Apko,
}

/// A choice, and where the other solver's differs.
#[derive(Debug)]
pub struct Choice {
    /// The packages.
    pub solution: Solution,
    /// A line for each difference; none where both choose alike, or were not compared.
    pub differences: Vec<String>,
}

/// Chooses packages. Without a factory, from the repositories given alone.
pub fn choose(home: Option<&Home>, wish: &Wish) -> Result<Choice, Error> {
    let keys = home.map(Home::known_keys).transpose()?.flatten();
    let (given, tags) = without_tags(&wish.given);
    let keyring = given.keyring(keys.as_ref())?;
    let repositories = given.open(wish.architecture, &keyring)?;
    let mut world = match (home, &keys) {
        (Some(home), keys) => {
            let known = keys.as_ref().map(|keys| home.known_stage0(keys));
            let stage0 = match known.transpose() {
                Ok(stage0) => stage0.flatten(),
                // An image takes nothing from it; it would only make an explanation better.
                Err(_) if wish.for_image => None,
                Err(error) => return Err(error),
            };
            let mut world = stage0.unwrap_or_default().world();
            for record in super::last_records(home, &Loaded::read(home)?)? {
                home.add_packages(&record, &mut world)?;
            }
            world
        }
        _ => Stage0::default().world(),
    };
    let tagged = repositories.iter().zip(&tags);
    for ((repository, tag), preference) in tagged.rev().zip(PREFERENCE..) {
        let name = repository.path.display().to_string();
        world
            .universe
            .add_repository(&name, &repository.index, preference);
        if let Some(tag) = tag {
            world.universe.tag_repository(&name, tag);
        }
    }
    let mut options = Options::new(wish.architecture);
    if wish.for_image {
        options = options.without(STAGE0);
    }
    make(&world.universe, wish, &options).map_err(|unsolvable| {
        let wanted: Vec<String> = wish.wanted.iter().map(ToString::to_string).collect();
        Error::Unsolvable {
            subject: wanted.join(", "),
            why: unsolvable.to_string(),
        }
    })
}

/// Takes the tags off the folders.
fn without_tags(given: &Given) -> (Given, Vec<Option<String>>) {
    let mut given = given.clone();
    let mut tags = Vec::with_capacity(given.repositories.len());
    for folder in &mut given.repositories {
        let text = folder.to_string_lossy();
        let parts = text.strip_prefix('@').and_then(|text| text.split_once(' '));
        let parts = parts.map(|(tag, rest)| (tag.to_owned(), PathBuf::from(rest.trim_start())));
        let (tag, rest) = parts.unzip();
        if let Some(rest) = rest {
            *folder = rest;
        }
        tags.push(tag);
    }
    (given, tags)
}

fn make(universe: &Universe, wish: &Wish, options: &Options) -> Result<Choice, Unsolvable> {
    let ours = || solve(universe, &wish.wanted, options);
    let apkos = || solve_like_apko(universe, &wish.wanted, options, &[]);
    match wish.solver {
        Solver::Boltworks => {
            let solution = ours()?;
            let differences = match wish.compare.then(apkos) {
                None => Vec::new(),
                Some(Ok(apkos)) => apkos.differences(&solution),
                Some(Err(error)) => vec![format!(
                    "apko finds no choice: {}",
                    error.explanation.replace('\n', "; ")
                )],
            };
            Ok(Choice {
                solution,
                differences,
            })
        }
        Solver::Apko => {
            let apkos = apkos()?;
            let differences = match wish.compare.then(ours) {
                None => Vec::new(),
                Some(Ok(ours)) => apkos.differences(&ours),
                Some(Err(error)) => vec![format!(
                    "there is no choice that fits: {}",
                    error.explanation.replace('\n', "; ")
                )],
            };
            Ok(Choice {
                solution: apkos.solution,
                differences,
            })
        }
    }
}
