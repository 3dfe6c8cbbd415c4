//! The tests of one recipe, run against packages that are there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use boltworks_model::{Ambient, Sha256, visible_path};
use boltworks_package::rescue::Attendant;
use boltworks_plan::Subject;
use boltworks_recipe::resolved::{Recipe, Test};
use boltworks_records::ActionRecord;
use boltworks_version::apk::Dependency;

use super::Bench;
use super::reading::{Reading, apart};
use crate::equipment::Equipment;
use crate::recipes::{Basis, Workshop};
use crate::repository::Given;
use crate::tested::Report;
use crate::testing::{Named, Tested, Tests, tests_of};
use crate::{Error, Home};

/// One recipe to test.
#[derive(Debug, Clone)]
pub struct CheckOrder {
    /// Its file.
    pub file: PathBuf,
    /// What is tested.
    pub subjects: Subjects,
    /// How the recipe is understood; what it adds is added to every test.
    pub reading: Reading,
    /// Packages that are there already.
    pub given: Given,
    /// The packages of which it is known that those of their test cannot be chosen, and why.
    pub unsolvable: BTreeMap<String, String>,
}

impl CheckOrder {
    /// The command that builds the packages under test.
    fn made_by(&self) -> String {
        let file = visible_path(&self.file);
        match self.subjects {
            Subjects::Any(_) => {
                format!("melange build {file}, and name its out-dir: -r ./packages")
            }
            Subjects::All | Subjects::One(_) => format!("boltworks build {file}"),
        }
    }
}

/// Which of a recipe's tests are run, and against which packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subjects {
    /// All, each against the recipe's own version of its package.
    All,
    /// The one of this package, against the recipe's own version.
    One(String),
    /// All, each against whatever version there is; the main one against another package, if one is
    /// named: as melange does.
    Any(Option<Dependency>),
}

impl Subjects {
    /// Changes what a recipe's tests ask for.
    pub fn apply_to(&self, recipe: &mut Recipe) {
        let Self::Any(instead) = self else {
            return;
        };
        let version = recipe.package.full_version.clone();
        let own = Dependency::exactly(recipe.package.name.clone(), version.clone());
        replace(recipe.test.as_mut(), &own, instead.as_ref());
        for package in &mut recipe.subpackages {
            let own = Dependency::exactly(package.name.clone(), version.clone());
            replace(package.test.as_mut(), &own, None);
        }
    }
}

/// Puts what is meant, or any version, in the place of the version that a test is bound to.
fn replace(test: Option<&mut Test>, own: &Dependency, instead: Option<&Dependency>) {
    let packages = test.map(|test| &mut test.packages).into_iter().flatten();
    for dependency in packages.filter(|dependency| **dependency == *own) {
        *dependency = instead.cloned().unwrap_or_else(|| Dependency {
            constraint: None,
            ..own.clone()
        });
    }
}

/// The tests of a recipe that were run.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The tests, in the recipe's order.
    pub tests: Vec<Tested>,
    /// What is recorded of them, in the store; nothing, where there are none.
    pub report: Option<Sha256>,
}

/// Runs the tests of a recipe, all of them, whatever fails. The packages are those that the
/// factory made last from a recipe of that name, or those of the repositories given.
pub fn check(
    home: &Home,
    order: &CheckOrder,
    attendant: Option<Attendant<'_>>,
    ambient: &Ambient<'_>,
) -> Result<Checked, Error> {
    let bench = Bench::open(home, &order.given)?;
    let (mut item, source) = order.reading.read(bench.home, &order.file)?;
    order.subjects.apply_to(&mut item.recipe);
    order.reading.add_to_tests(&mut item.recipe);
    let recipe = &item.recipe;
    let tests = chosen(recipe, &order.subjects)?;
    let tags = order.given.tags();
    for (_, test) in &tests {
        test.environment.verify_guest(&tags)?;
    }
    if tests.is_empty() {
        return Ok(Checked::default());
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
        basis: Basis::Actions(&[]),
        attendant,
    };
    let local = source.take_files(&workshop.scratch()?)?;
    let made_by = order.made_by();
    let session = Tests {
        workshop: &workshop,
        world: &world,
        recipe,
        local_files: local.as_ref(),
        attendant,
        unsolvable: &order.unsolvable,
        made_by: Some(&made_by),
    };
    let tests = session.run(&tests, ambient)?;
    let report = bench.home.report_tests(recipe, &tests, ambient)?;
    Ok(Checked {
        tests,
        report: Some(report),
    })
}

/// The tests that are to be run, each with its package.
fn chosen<'r>(recipe: &'r Recipe, subjects: &Subjects) -> Result<Vec<Named<'r>>, Error> {
    let only = match subjects {
        Subjects::One(only) => Some(only.as_str()),
        Subjects::All | Subjects::Any(_) => None,
    };
    let own = std::iter::once(recipe.package.name.as_str());
    let split = recipe.subpackages.iter();
    let mut known = own.chain(split.map(|package| package.name.as_str()));
    if let Some(only) = only
        && !known.clone().any(|package| package == only)
    {
        let known: Vec<&str> = known.by_ref().collect();
        return Err(Error::asked(
            format!("the recipe has no package '{only}'"),
            format!("its packages are: {}", known.join(", ")),
        ));
    }
    let mut tests = tests_of(recipe);
    tests.retain(|(package, _)| only.is_none_or(|only| only == *package));
    Ok(tests)
}

/// Under which name the records keep the report of the last tests of a recipe: `recipe zlib`.
fn report_name(subject: &str) -> String {
    format!("tests of {subject}")
}

impl Home {
    /// Keeps which packages tests used, and what became of them.
    fn report_tests(
        &self,
        recipe: &Recipe,
        tests: &[Tested],
        ambient: &Ambient<'_>,
    ) -> Result<Sha256, Error> {
        let subject = Subject::recipe(recipe.package.name.as_str()).to_string();
        let report = Report::new(subject.clone(), ambient.clock.now(), tests);
        let stored = self.store.put_bytes(&serde_json::to_vec(&report)?)?;
        let digest = stored.digest.to_string();
        self.records().set_meta(&report_name(&subject), &digest)?;
        Ok(stored.digest)
    }

    /// What the last run of a recipe's tests alone was recorded as, if there was one.
    pub fn last_tests(&self, subject: &str) -> Result<Option<Sha256>, Error> {
        let text = self.records().meta(&report_name(subject))?;
        Ok(text.and_then(|text| text.parse().ok()))
    }
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
