//! Only the choice of packages: nothing is made, fetched or kept.

use boltworks_model::Architecture;
use boltworks_solver::{Options, Solution, solve};
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
    /// Packages that are there beside the factory's.
    pub given: Given,
}

/// Chooses packages. Without a factory, from the repositories given alone.
pub fn choose(home: Option<&Home>, wish: &Wish) -> Result<Solution, Error> {
    let keys = home.map(Home::known_keys).transpose()?.flatten();
    let keyring = wish.given.keyring(keys.as_ref())?;
    let repositories = wish.given.open(wish.architecture, &keyring)?;
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
    for (repository, preference) in repositories.iter().rev().zip(PREFERENCE..) {
        let name = repository.path.display().to_string();
        world
            .universe
            .add_repository(&name, &repository.index, preference);
    }
    let mut options = Options::new(wish.architecture);
    if wish.for_image {
        options = options.without(STAGE0);
    }
    solve(&world.universe, &wish.wanted, &options).map_err(|unsolvable| {
        let wanted: Vec<String> = wish.wanted.iter().map(ToString::to_string).collect();
        Error::Unsolvable {
            subject: wanted.join(", "),
            why: unsolvable.to_string(),
        }
    })
}
