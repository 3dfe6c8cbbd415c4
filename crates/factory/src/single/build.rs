//! The packages of one recipe: made if they are stale, and delivered into a folder.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::ScopedJoinHandle;

use boltworks_model::{ActionId, Ambient, Artifact, Timestamp};
use boltworks_package::rescue::Attendant;
use boltworks_plan::{ActionInputs, ActionKind, Item, Plan, RecipeItem, State, Subject};
use boltworks_recipe::resolved::Recipe;
use boltworks_records::ActionRecord;
use boltworks_version::apk::Dependency;

use super::Bench;
use super::deliver::deliver;
use super::linting;
use super::reading::{Reading, apart, own_recipe};
use crate::attempt::{self, announced_alone};
use crate::catalog::RecipeSource;
use crate::equipment::Equipment;
use crate::files::verify_writable;
use crate::keys::Keys;
use crate::planning::{Planner, Stage0, fresh_recipes, is_lost};
use crate::recipes::{Basis, Workshop, is_apart};
use crate::repository::Given;
use crate::up::MADE;
use crate::{Error, Home};

/// One recipe to build.
#[derive(Debug, Clone)]
pub struct BuildOrder {
    /// Its file.
    pub file: PathBuf,
    /// How it is understood.
    pub reading: Reading,
    /// Packages that are there already.
    pub given: Given,
    /// Who signs.
    pub signing: Signing,
    /// Whether the recipe's tests are run too, and must pass.
    pub tests: bool,
    /// Whether it is built apart, even if nothing tells it from the factory's own.
    pub apart: bool,
    /// The time in packages; the factory's, where it is absent.
    pub epoch: Option<Timestamp>,
    /// Where packages go: into `ARCH/` beneath it.
    pub out: PathBuf,
    /// Whether the index there is brought up to date.
    pub index: bool,
}

/// Who signs packages and index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// The factory's key.
    Factory,
    /// The private key in this file.
    Key(PathBuf),
    /// Nobody: what is delivered has no signature.
    Nobody,
}

impl Signing {
    /// Who signs: the key that is given, or else whoever signs here.
    pub fn with(key: Option<PathBuf>, home: &Home) -> Self {
        match key {
            Some(key) => Self::Key(key),
            None if home.is_makeshift => Self::Nobody,
            None => Self::Factory,
        }
    }
}

/// A package that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// What it is.
    pub artifact: Artifact,
    /// The bytes its files take.
    pub installed_size: u64,
    /// Its file.
    pub path: PathBuf,
}

/// The packages of a recipe.
#[derive(Debug, Clone)]
pub struct Made {
    /// The action that gave them.
    pub record: ActionRecord,
    /// Why they were stale; nothing, where they were there already.
    pub reasons: Vec<String>,
    /// The packages, the recipe's own first.
    pub packages: Vec<Delivered>,
    /// The index they are listed in.
    pub index: Option<PathBuf>,
}

/// Makes the packages of a recipe, unless they are there already, and delivers them. Recipes of
/// the factory that it needs are made first.
pub fn build(
    home: &Home,
    order: &BuildOrder,
    attendant: Option<Attendant<'_>>,
    ambient: &Ambient<'_>,
) -> Result<Made, Error> {
    let read = understood(home, order)?;
    let is_news = is_news(home, &read.0)?;
    std::thread::scope(|scope| {
        // Where it is certain that something must be made, the sandbox is tried meanwhile.
        let early = is_news.then(|| scope.spawn(|| Equipment::open(home)));
        let begun = Begun {
            order,
            read,
            early,
            attendant,
        };
        make(home, begun, ambient)
    })
}

/// Somebody who opens the equipment.
type Early<'a> = ScopedJoinHandle<'a, Result<Equipment, Error>>;

/// A build whose recipe is understood.
struct Begun<'a> {
    order: &'a BuildOrder,
    read: (RecipeItem, RecipeSource),
    early: Option<Early<'a>>,
    attendant: Option<Attendant<'a>>,
}

fn make(home: &Home, begun: Begun<'_>, ambient: &Ambient<'_>) -> Result<Made, Error> {
    let Begun {
        order,
        read,
        early,
        attendant,
    } = begun;
    let mut bench = Bench::open(home, &order.given)?;
    // No recipe needs an image, so none is planned.
    bench.loaded.catalog.images.clear();
    let signing = match &order.signing {
        Signing::Key(file) => Some(Keys::from_file(file)?),
        Signing::Factory | Signing::Nobody => None,
    };
    let target = bench.take(order, read)?;
    let _lock = bench.home.lock(ambient)?;
    // Nothing is built that could not be put there.
    verify_writable(&order.out)?;
    let stage0 = bench.stage0(&bench.wanted(&target), ambient)?;
    let run = Run {
        bench: &bench,
        stage0: &stage0,
        early: Cell::new(early),
        equipment: OnceCell::new(),
        attendant,
        ambient,
    };
    let (record, reasons) = run.target(&target, signing.as_ref(), order.epoch)?;
    // What was made before may have been made with other levels.
    if reasons.is_empty()
        && let Some(item) = bench.loaded.catalog.recipes.get(&target.name)
    {
        linting::again(home, &record, &item.recipe, ambient)?;
    }
    let keys = signing.as_ref().unwrap_or(&bench.keys);
    let (packages, index) = deliver(&bench, &record, keys, order)?;
    Ok(Made {
        record,
        reasons,
        packages,
        index,
    })
}

/// Everything a recipe asks for: its environment and those of its tests.
pub(super) fn all_wanted(recipe: &Recipe) -> Vec<Dependency> {
    let of_tests = recipe.tests().flat_map(|test| &test.packages);
    recipe
        .build_packages
        .iter()
        .chain(of_tests)
        .cloned()
        .collect()
}

/// The recipe that is to be built, with its tests only if they are to be run.
fn understood(home: &Home, order: &BuildOrder) -> Result<(RecipeItem, RecipeSource), Error> {
    let (mut item, source) = order.reading.read(home, &order.file)?;
    if !order.tests {
        without_tests(&mut item.recipe);
    }
    item.recipe.verify_guests(&order.given.tags())?;
    Ok((item, source))
}

/// Whether the recipe alone says that its packages are not what they were last, as the factory's own
/// or apart.
fn is_news(home: &Home, item: &RecipeItem) -> Result<bool, Error> {
    let definition = boltworks_crypto::sha256(&item.recipe.canonical_json());
    let name = item.recipe.package.name.as_str();
    for subject in [Subject::recipe(name), apart(name)] {
        let last = last_inputs(home, &subject)?;
        if last.is_some_and(|last| last.definition == definition) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What something was last made from, if that is still known.
fn last_inputs(home: &Home, subject: &Subject) -> Result<Option<ActionInputs>, Error> {
    let results = home.records().latest_results_for(&subject.to_string())?;
    let documents = results.map(|results| results.documents).unwrap_or_default();
    match home.inputs_in(&documents) {
        Err(error) if is_lost(&error) => Ok(None),
        inputs => inputs,
    }
}

/// Leaves nothing of a recipe's tests to be run. They decide no byte of its packages; what they use
/// stays, because linters ask for it.
fn without_tests(recipe: &mut Recipe) {
    let split = recipe.subpackages.iter_mut();
    let split = split.filter_map(|package| package.test.as_mut());
    for test in recipe.test.iter_mut().chain(split) {
        test.pipeline.clear();
        test.packages.clear();
        test.sources.clear();
    }
}

impl Bench<'_> {
    /// Finds the recipe in the catalog, or puts it there to be built apart.
    fn take(
        &mut self,
        order: &BuildOrder,
        (item, source): (RecipeItem, RecipeSource),
    ) -> Result<Subject, Error> {
        let as_the_factory_would = order.reading == Reading::default()
            && order.signing == Signing::Factory
            && order.tests
            && !order.apart
            && order.epoch.is_none()
            && self.repositories.is_empty();
        if as_the_factory_would
            && let Some(name) = own_recipe(self.home, &self.loaded, &order.file)?
        {
            return Ok(Subject::recipe(name));
        }
        let name = item.recipe.package.name.to_string();
        let target = apart(&name);
        // It stands in for the factory's own recipe of the same package.
        self.loaded.catalog.recipes.remove(&name);
        self.loaded.recipes.remove(&name);
        let recipes = &mut self.loaded.catalog.recipes;
        recipes.insert(target.name.clone(), item);
        self.loaded.recipes.insert(target.name.clone(), source);
        Ok(target)
    }

    fn wanted(&self, target: &Subject) -> Vec<Dependency> {
        let item = self.loaded.catalog.recipes.get(&target.name);
        item.map(|item| all_wanted(&item.recipe))
            .unwrap_or_default()
    }
}

struct Run<'a> {
    bench: &'a Bench<'a>,
    stage0: &'a Stage0,
    early: Cell<Option<Early<'a>>>,
    equipment: OnceCell<Equipment>,
    attendant: Option<Attendant<'a>>,
    ambient: &'a Ambient<'a>,
}

/// A recipe that waits for nothing any more.
struct Ready {
    inputs: ActionInputs,
    /// The recipes whose packages there are.
    fresh: Vec<ActionId>,
}

impl Run<'_> {
    /// The target's packages and why they had to be made.
    fn target(
        &self,
        target: &Subject,
        signing: Option<&Keys>,
        epoch: Option<Timestamp>,
    ) -> Result<(ActionRecord, Vec<String>), Error> {
        let Ready { mut inputs, fresh } = self.ready(target)?;
        if let Some(keys) = signing {
            // A signature names its key, so the name is in the bytes too.
            let text = format!("{}\n{}", keys.signer.name, keys.public_pem);
            inputs.key = boltworks_crypto::sha256(text.as_bytes());
        }
        inputs.epoch = epoch.unwrap_or(inputs.epoch);
        let action = ActionId(boltworks_crypto::sha256(&inputs.canonical_json()));
        let home = self.bench.home;
        let known = home.records().action(&action)?;
        if let Some(record) = known.filter(|record| record.ok) {
            return Ok((record, Vec::new()));
        }
        let reasons = match last_inputs(home, target)? {
            Some(last) => inputs.differences(&last),
            None => vec!["it was never made".to_owned()],
        };
        let keys = signing.unwrap_or(&self.bench.keys);
        let record = self.carry_out(keys, action, &inputs, &fresh)?;
        Ok((record, reasons))
    }

    /// Makes what the target needs, one after the other.
    fn ready(&self, target: &Subject) -> Result<Ready, Error> {
        let bench = self.bench;
        let planner = Planner {
            home: bench.home,
            loaded: &bench.loaded,
            key: bench.keys.fingerprint,
            stage0: self.stage0,
        };
        loop {
            self.ambient.cancel.check()?;
            let plan = planner.plan(&BTreeMap::new())?;
            let item = next(&plan, target)?;
            let (State::Fresh(action) | State::Stale(action, _), Some(inputs)) =
                (&item.state, item.inputs.clone())
            else {
                return Err(unplanned(&item.subject));
            };
            let mut fresh = fresh_recipes(&plan);
            if item.subject == *target {
                fresh.retain(|made| made != action);
                return Ok(Ready { inputs, fresh });
            }
            self.carry_out(&bench.keys, *action, &inputs, &fresh)?;
        }
    }

    /// Opened by whoever began with it, or now.
    fn equipment(&self) -> Result<&Equipment, Error> {
        if let Some(equipment) = self.equipment.get() {
            return Ok(equipment);
        }
        let opened = match self.early.take().map(ScopedJoinHandle::join) {
            Some(Ok(opened)) => opened?,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Equipment::open(self.bench.home)?,
        };
        Ok(self.equipment.get_or_init(|| opened))
    }

    fn carry_out(
        &self,
        keys: &Keys,
        action: ActionId,
        inputs: &ActionInputs,
        fresh: &[ActionId],
    ) -> Result<ActionRecord, Error> {
        let bench = self.bench;
        let equipment = self.equipment()?;
        let means = equipment.means(bench.home, &bench.loaded, keys, self.stage0);
        // Only for what was asked for: nobody goes on by hand with what the factory needs for it.
        let attendant = self.attendant.filter(|_| is_apart(&inputs.subject));
        let workshop = Workshop {
            means: &means,
            basis: Basis::Actions(fresh),
            attendant,
        };
        let job = inputs.subject.to_string();
        let note = |_: &ActionRecord| MADE;
        let made = announced_alone(&job, self.ambient, note, || {
            workshop.make_recipe(action, inputs, self.ambient)
        });
        if let Err(error) = &made
            && !self.ambient.cancel.is_pressed()
        {
            let failure = attempt::failure(job, action, error, self.ambient.clock.now());
            bench.home.records().record_failure(&failure)?;
        }
        made
    }
}

/// What is to be made next for the target: itself, or the first thing it waits for.
fn next<'p>(plan: &'p Plan, target: &Subject) -> Result<&'p Item, Error> {
    let mut here = target;
    // What is waited for comes earlier in the plan, so this ends.
    for _ in 0..=plan.items.len() {
        let item = plan.items.iter().find(|item| item.subject == *here);
        let item = item.ok_or_else(|| unplanned(here))?;
        match &item.state {
            State::Fresh(_) | State::Stale(..) => return Ok(item),
            State::Blocked(why) => {
                return Err(Error::Blocked {
                    subject: item.subject.to_string(),
                    why: why.clone(),
                });
            }
            State::Pending(on) => {
                let is_open = |subject: &&Subject| {
                    subject.kind == ActionKind::Recipe
                        && plan.items.iter().any(|item| {
                            item.subject == **subject && !matches!(item.state, State::Fresh(_))
                        })
                };
                here = on.iter().find(is_open).ok_or_else(|| unplanned(here))?;
            }
        }
    }
    Err(unplanned(target))
}

fn unplanned(subject: &Subject) -> Error {
    Error::Inconsistent {
        what: format!("{subject} waits for nothing that could be made"),
    }
}
