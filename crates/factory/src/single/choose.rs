//! Only the choice of packages: nothing is made, fetched or kept.

use std::path::PathBuf;

use boltworks_apk::Index;
use boltworks_fsx::Root;
use boltworks_model::Architecture;
use boltworks_solver::{LikeApko, Options, Solution, Universe, Unsolvable, solve, solve_like_apko};
use boltworks_version::apk::Dependency;

use crate::catalog::Loaded;
use crate::keys::Keys;
use crate::listing::reached_indexes;
use crate::planning::{STAGE0, Stage0};
use crate::repository::{Given, Repository, give};
use crate::{Error, Home, listing};

/// How much repositories of the command line are preferred to everything else.
pub(super) const PREFERENCE: i32 = 20;

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
    /// Whose choice it is to be.
    pub solver: Solver,
    /// Whether the other one's choice is compared with it.
    pub compare: bool,
    /// A folder for what is kept of indexes, where there is no factory.
    pub memory: Option<PathBuf>,
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
    /// What else whoever asked should know.
    pub notes: Vec<String>,
}

/// Chooses packages. Without a factory, from the repositories given alone.
///
/// Of the repositories only that part is looked at that the choice can depend on. Where there is no
/// choice, all is, so that whatever might help is known.
pub fn choose(home: Option<&Home>, wish: &Wish) -> Result<Choice, Error> {
    let keys = home.map(Home::known_keys).transpose()?.flatten();
    let given = &wish.given;
    let keyring = given.keyring(keys.as_ref())?;
    let memory = match (home, &wish.memory) {
        (Some(home), _) => Some(home.state_folder(listing::FOLDER)?),
        (None, Some(folder)) => Root::create(&folder.join(listing::FOLDER)).ok(),
        (None, None) => None,
    };
    let repositories = given.open(wish.architecture, &keyring, memory)?;
    let mut options = Options::new(wish.architecture);
    if wish.for_image {
        options = options.without(STAGE0);
    }
    let own = own_packages(home, keys.as_ref(), wish.for_image)?;
    let from = |indexes: Vec<Index>| {
        let mut universe = own.clone();
        let all = repositories.iter().zip(indexes).rev();
        for ((repository, index), preference) in all.zip(PREFERENCE..) {
            let name = repository.path.display().to_string();
            give(&mut universe, (&name, &repository.tag), index, preference);
        }
        Answers::of(&universe, wish, &options)
    };
    let listings: Vec<_> = repositories.iter().map(|one| &one.listing).collect();
    let shelf = own.shelf(&options);
    let part = reached_indexes(&listings, &wish.wanted, &[&shelf])?;
    let mut answers = from(part);
    if !answers.are_found() && !listings.is_empty() {
        let all = listings.iter().map(|listing| listing.index());
        answers = from(all.collect::<Result<_, _>>()?);
    }
    let choice = answers.told().map_err(|unsolvable| {
        let wanted: Vec<String> = wish.wanted.iter().map(ToString::to_string).collect();
        Error::Unsolvable {
            subject: wanted.join(", "),
            why: unsolvable.to_string(),
        }
    })?;
    let notes = repositories.iter().filter_map(Repository::left_out);
    Ok(Choice {
        notes: notes.collect(),
        ..choice
    })
}

/// What the factory has itself.
pub(super) fn own_packages(
    home: Option<&Home>,
    keys: Option<&Keys>,
    for_image: bool,
) -> Result<Universe, Error> {
    let Some(home) = home else {
        return Ok(Stage0::default().world().universe);
    };
    let known = keys.map(|keys| home.known_stage0(keys));
    let stage0 = match known.transpose() {
        Ok(stage0) => stage0.flatten(),
        // An image takes nothing from it; it would only make an explanation better.
        Err(_) if for_image => None,
        Err(error) => return Err(error),
    };
    let mut world = stage0.unwrap_or_default().world();
    for record in super::last_records(home, &Loaded::read(home)?)? {
        home.add_packages(&record, &mut world)?;
    }
    Ok(world.universe)
}

/// What the one solver answers that was asked, and the other, if it was too.
struct Answers {
    ours: Option<Result<Solution, Unsolvable>>,
    apkos: Option<Result<LikeApko, Unsolvable>>,
    solver: Solver,
}

impl Answers {
    fn of(universe: &Universe, wish: &Wish, options: &Options) -> Self {
        let asks = |solver| wish.solver == solver || wish.compare;
        let mut answers = Self {
            ours: asks(Solver::Boltworks).then(|| solve(universe, &wish.wanted, options)),
            apkos: None,
            solver: wish.solver,
        };
        let is_told = wish.solver == Solver::Apko || matches!(answers.ours, Some(Ok(_)));
        if asks(Solver::Apko) && is_told {
            answers.apkos = Some(solve_like_apko(universe, &wish.wanted, options, &[]));
        }
        answers
    }

    /// Whether everybody who was asked has a choice.
    fn are_found(&self) -> bool {
        !matches!(
            (&self.ours, &self.apkos),
            (Some(Err(_)), _) | (_, Some(Err(_)))
        )
    }

    fn told(self) -> Result<Choice, Unsolvable> {
        let in_line = |error: Unsolvable| error.explanation.replace('\n', "; ");
        let (solution, differences) = match (self.solver, self.ours, self.apkos) {
            (Solver::Boltworks, Some(ours), apkos) => {
                let ours = ours?;
                let differences = match apkos {
                    None => Vec::new(),
                    Some(Ok(apkos)) => apkos.differences(&ours),
                    Some(Err(error)) => vec![format!("apko finds no choice: {}", in_line(error))],
                };
                (ours, differences)
            }
            (Solver::Apko, ours, Some(apkos)) => {
                let apkos = apkos?;
                let differences = match ours {
                    None => Vec::new(),
                    Some(Ok(ours)) => apkos.differences(&ours),
                    Some(Err(error)) => {
                        vec![format!("there is no choice that fits: {}", in_line(error))]
                    }
                };
                (apkos.solution, differences)
            }
            // Who was asked has answered.
            (Solver::Boltworks, None, _) | (Solver::Apko, _, None) => Default::default(),
        };
        Ok(Choice {
            solution,
            differences,
            notes: Vec::new(),
        })
    }
}
