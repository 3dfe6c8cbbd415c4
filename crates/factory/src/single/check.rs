//! The tests of one recipe, run against packages that are there.

use std::path::PathBuf;

use boltworks_model::{Ambient, Sha256};
use boltworks_package::check::Check;
use boltworks_plan::{Subject, World, picks};
use boltworks_recipe::resolved::{Recipe, Test};
use boltworks_records::ActionRecord;
use boltworks_solver::{Options, solve};
use boltworks_version::apk::Dependency;

use super::Bench;
use super::reading::{Reading, apart};
use crate::catalog::RecipeSource;
use crate::equipment::Equipment;
use crate::recipes::{Workshop, locked};
use crate::repository::Given;
use crate::{Error, Home};

/// One recipe to test.
#[derive(Debug, Clone)]
pub struct CheckOrder {
    /// Its file.
    pub file: PathBuf,
    /// The one package to test; all of the recipe's, where it is absent.
    pub package: Option<String>,
    /// How the recipe is understood; what it adds is added to every test.
    pub reading: Reading,
    /// Packages that are there already.
    pub given: Given,
}

/// One test that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The package under test.
    pub package: String,
    /// What the steps printed, in the store.
    pub log: Sha256,
    /// Where it failed, if it did.
    pub fault: Option<Fault>,
}

/// Where a test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The step.
    pub step: String,
    /// How it ended.
    pub how: String,
    /// The last lines it printed.
    pub tail: Vec<String>,
}

/// Runs the tests of a recipe, all of them, whatever fails. The packages are those that the
/// factory made last from a recipe of that name, or those of the repositories given.
pub fn check(
    home: &Home,
    order: &CheckOrder,
    ambient: &Ambient<'_>,
) -> Result<Vec<Checked>, Error> {
    let bench = Bench::open(home, &order.given)?;
    let (mut item, source) = order.reading.read(bench.home, &order.file)?;
    order.reading.add_to_tests(&mut item.recipe);
    let recipe = &item.recipe;
    let tests = chosen(recipe, order.package.as_deref())?;
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let _lock = bench.home.lock(ambient)?;
    let wanted: Vec<Dependency> = tests
        .iter()
        .flat_map(|(_, test)| test.packages.iter().cloned())
        .collect();
    let stage0 = bench.stage0(&wanted, ambient)?;
    let mut world = stage0.world();
    let made = if bench.home.is_makeshift {
        Vec::new()
    } else {
        bench.records_for(recipe.package.name.as_str())?
    };
    for record in made {
        bench.home.add_packages(&record, &mut world)?;
    }
    let equipment = Equipment::open(bench.home)?;
    let means = equipment.means(bench.home, &bench.loaded, &bench.keys, &stage0);
    let workshop = Workshop {
        means: &means,
        fresh: &[],
    };
    let session = Session {
        workshop: &workshop,
        world: &world,
        recipe,
        source: &source,
    };
    let tests = tests.into_iter();
    tests
        .map(|(package, test)| session.run(package, test, ambient))
        .collect()
}

/// The tests that are to be run, each with its package.
fn chosen<'r>(recipe: &'r Recipe, only: Option<&str>) -> Result<Vec<(&'r str, &'r Test)>, Error> {
    let name = recipe.package.name.as_str();
    let own = std::iter::once((name, recipe.test.as_ref()));
    let split = recipe.subpackages.iter();
    let split = split.map(|package| (package.name.as_str(), package.test.as_ref()));
    let all: Vec<_> = own.chain(split).collect();
    if let Some(only) = only
        && !all.iter().any(|(package, _)| *package == only)
    {
        let known: Vec<&str> = all.iter().map(|(package, _)| *package).collect();
        return Err(Error::asked(
            format!("the recipe has no package '{only}'"),
            format!("its packages are: {}", known.join(", ")),
        ));
    }
    let tests = all.into_iter().filter_map(|(package, test)| {
        let test = test.filter(|test| !test.pipeline.is_empty())?;
        only.is_none_or(|only| only == package)
            .then_some((package, test))
    });
    Ok(tests.collect())
}

impl Bench<'_> {
    /// The packages that a test of this recipe may see: the last ones of every recipe, and of
    /// this one the very last, apart or not.
    fn records_for(&self, package: &str) -> Result<Vec<ActionRecord>, Error> {
        let own = [Subject::recipe(package), apart(package)].map(|subject| subject.to_string());
        let mut records = self.last_records()?;
        records.retain(|record| !own.contains(&record.subject));
        let mut last: Option<ActionRecord> = None;
        for subject in &own {
            let record = self.home.records().latest_good_for(subject)?;
            let is_later = |record: &ActionRecord| {
                last.as_ref()
                    .is_none_or(|last| record.finished > last.finished)
            };
            if let Some(record) = record.filter(is_later) {
                last = Some(record);
            }
        }
        records.extend(last);
        Ok(records)
    }
}

struct Session<'a> {
    workshop: &'a Workshop<'a>,
    world: &'a World,
    recipe: &'a Recipe,
    source: &'a RecipeSource,
}

impl Session<'_> {
    fn run(&self, package: &str, test: &Test, ambient: &Ambient<'_>) -> Result<Checked, Error> {
        let workshop = self.workshop;
        let options = Options::new(workshop.means.home.architecture());
        let solution = solve(&self.world.universe, &test.packages, &options);
        let solution = solution.map_err(|unsolvable| Error::Unsolvable {
            subject: format!("the test of {package}"),
            why: unsolvable.to_string(),
        })?;
        let picks =
            picks(&solution, &self.world.files).map_err(|what| Error::Inconsistent { what })?;
        let tree = workshop.lay_out(&locked(&picks, self.world)?)?;
        let scratch = workshop.scratch()?;
        let check = Check {
            package,
            test,
            local_files: self.source.local_files(),
            sources: &workshop.fetch(self.recipe, &test.sources, ambient)?,
            tree: &tree,
            limits: workshop.limits(),
        };
        let (log, fault) = match boltworks_package::check(&check, &workshop.shop(&scratch), ambient)
        {
            Ok(log) => (log, None),
            Err(boltworks_package::Error::Step {
                step,
                how,
                tail,
                log,
                ..
            }) => (log, Some(Fault { step, how, tail })),
            Err(other) => return Err(other.into()),
        };
        Ok(Checked {
            package: package.to_owned(),
            log,
            fault,
        })
    }
}
