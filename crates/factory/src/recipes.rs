//! One recipe carried out: sources fetched, environment laid out, packages built and tested,
//! evidence given, all of it recorded in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use boltworks_apk::Index;
use boltworks_model::{ActionId, Ambient, Evidence, PackageName, Sha1, Sha256, Timestamp};
use boltworks_package::local::LocalFiles;
use boltworks_package::rescue::Attendant;
use boltworks_package::{Built, Order, RecipeFile, Shop, SourceInput, build};
use boltworks_plan::inputs::BY_HAND;
use boltworks_plan::{ActionInputs, ActionKind, Pick, Pin, Subject, World};
use boltworks_recipe::resolved::{Recipe, SourceRef};
use boltworks_records::ActionRecord;
use boltworks_rootfs::{Locked, LockedPackage};
use boltworks_sandbox::Limits;

use crate::Error;
use crate::catalog::file_pins;
use crate::equipment::{not_fetched, request};
use crate::evidence::Context;
use crate::home::WORKSPACES;
use crate::means::Means;
use crate::origin::Environment;
use crate::planning::{
    ACTION_DOCUMENT, INDEX_DOCUMENT, LINT_DOCUMENT, SBOM_DOCUMENTS, Standing, TESTS_DOCUMENT,
};
use crate::tested::Report;
use crate::testing::{Tested, Tests, placed, tests_of};

/// How the names of subjects end that are built apart.
pub(crate) const APART: &str = " (apart)";

/// Where one item is made: the means, and what is made already.
pub struct Workshop<'a> {
    /// The means.
    pub means: &'a Means<'a>,
    /// Whose packages there are.
    pub basis: Basis<'a>,
    /// Who gets a shell where a step fails.
    pub attendant: Option<Attendant<'a>>,
}

/// The recipes whose packages there are.
#[derive(Clone, Copy)]
pub enum Basis<'a> {
    /// Those that a plan found fresh, of which its world has the packages.
    Planned(&'a Standing),
    /// Those of these actions.
    Actions(&'a [ActionId]),
}

impl Workshop<'_> {
    /// Builds, tests and records one recipe.
    pub fn make_recipe(
        &self,
        action: ActionId,
        inputs: &ActionInputs,
        ambient: &Ambient<'_>,
    ) -> Result<ActionRecord, Error> {
        let name = inputs.subject.name.as_str();
        let (Some(item), Some(source)) = (
            self.means.loaded.catalog.recipes.get(name),
            self.means.loaded.recipes.get(name),
        ) else {
            return Err(self.means.loaded.missing(ActionKind::Recipe, name));
        };
        let started = ambient.clock.now();
        let recipe = &item.recipe;
        recipe.verify_guests(&self.means.stage0.tags())?;
        let sources = self.fetch(recipe, &recipe.sources, ambient)?;
        let locked = self.locked(&inputs.packages)?;
        let tree = self.lay_out(&locked)?;
        let scratch = self.scratch()?;
        let shop = self.shop(&scratch);
        let local = source.take_files(&scratch)?;
        let files = local.as_ref().map_or(&[][..], LocalFiles::files);
        let taken = as_taken(inputs, file_pins(recipe, files))?;
        let action = taken.as_ref().map_or(action, |(action, _)| *action);
        let inputs = taken.as_ref().map_or(inputs, |(_, inputs)| inputs);
        let job = inputs.subject.to_string();
        let order = Order {
            job: &job,
            recipe,
            recipe_file: RecipeFile {
                path: &source.path,
                text: source.text.as_bytes(),
            },
            local_files: local.as_ref(),
            sources: &sources,
            environment: &locked,
            tree: &tree,
            epoch: inputs.epoch,
            limits: self.limits(),
            attendant: self.attendant,
            binds_libraries: self.means.home.config.bind_libraries,
            lint_levels: &self.means.home.lint_levels,
        };
        let built = build(&order, &shop, ambient);
        let built = built.map_err(|error| placed(error, &recipe.environment))?;
        let mut record = self.record(action, inputs, &built, started)?;
        let tests = self.run_tests(recipe, &record, &order, ambient)?;
        if built.by_hand || tests.iter().any(|test| test.by_hand) {
            let (action, inputs) = by_hand(inputs, started);
            record = self.record(action, &inputs, &built, started)?;
        }
        record.finished = ambient.clock.now();
        self.report_tests(&mut record, &tests)?;
        let judged = Judged {
            record: &record,
            inputs,
            order: &order,
            tests: &tests,
        };
        let evidence = self.evidence(&built, &judged)?;
        self.means.home.record(&record, &evidence)?;
        Ok(record)
    }

    /// Every source of a recipe, from the store or from wherever it can be had.
    pub(crate) fn fetch(
        &self,
        recipe: &Recipe,
        sources: &[SourceRef],
        ambient: &Ambient<'_>,
    ) -> Result<Vec<SourceInput>, Error> {
        sources
            .iter()
            .map(|source| {
                let version = recipe.package.version.to_string();
                let request = request(recipe, source, &version)?;
                let fetched = self.means.fetcher.fetch(&request, ambient);
                let fetched = fetched.map_err(|error| not_fetched(source, error))?;
                Ok(SourceInput {
                    name: source.key.clone(),
                    digest: fetched.digest,
                    material: fetched.material,
                })
            })
            .collect()
    }

    pub(crate) fn lay_out(&self, locked: &Locked) -> Result<PathBuf, Error> {
        Ok(self
            .means
            .environments
            .ensure(
                locked,
                &self.means.home.store,
                self.means.sandbox.build_uid(),
            )?
            .path)
    }

    /// Lays out many environments that differ in these packages. Of each the trees, the topmost
    /// first.
    pub(crate) fn lay_out_all(
        &self,
        locked: &[Locked],
        own: &BTreeSet<PackageName>,
    ) -> Result<Vec<Vec<PathBuf>>, Error> {
        let Means {
            home,
            sandbox,
            environments,
            ..
        } = self.means;
        Ok(environments.ensure_all(locked, own, &home.store, sandbox.build_uid())?)
    }

    pub(crate) fn scratch(&self) -> Result<PathBuf, Error> {
        self.means.home.state_folder(WORKSPACES)?;
        Ok(self.means.home.state.join(WORKSPACES))
    }

    pub(crate) fn shop<'s>(&'s self, scratch: &'s Path) -> Shop<'s> {
        Shop {
            store: &self.means.home.store,
            environments: self.means.environments,
            sandbox: self.means.sandbox,
            change: |tree, paths| Ok(boltworks_image::paths::apply(tree, paths)?),
            scratch,
            signer: &self.means.keys.signer,
            vendor: &self.means.home.config.factory,
            builder: &self.means.home.host.program,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let limits = &self.means.home.config.limits;
        Limits {
            wall: limits.wall.map(|wall| wall.0),
            memory: limits.memory.map(|memory| memory.0),
            processes: limits.processes,
            file_size: None,
        }
    }

    fn record(
        &self,
        action: ActionId,
        inputs: &ActionInputs,
        built: &Built,
        started: Timestamp,
    ) -> Result<ActionRecord, Error> {
        let packages = &built.packages;
        let entries = packages.iter().map(|package| package.entry.clone());
        let index = Index::new("", entries.collect()).to_text()?;
        let mut batch = self.means.home.store.batch();
        let mut documents = BTreeMap::from([
            (
                ACTION_DOCUMENT.to_owned(),
                batch.put_bytes(&inputs.canonical_json())?,
            ),
            (
                INDEX_DOCUMENT.to_owned(),
                batch.put_bytes(index.as_bytes())?,
            ),
        ]);
        batch.commit()?;
        documents.extend(packages.iter().map(|package| {
            let name = &package.artifact.coordinate.name;
            (format!("{SBOM_DOCUMENTS}{name}"), package.sbom)
        }));
        documents.insert(LINT_DOCUMENT.to_owned(), built.lint);
        Ok(ActionRecord {
            id: action,
            subject: inputs.subject.to_string(),
            artifacts: packages
                .iter()
                .map(|package| package.artifact.clone())
                .collect(),
            materials: [&*built.materials, &*self.means.stage0.keys].concat(),
            log: Some(built.log),
            started,
            finished: started,
            limits: self.means.sandbox.describe(),
            ok: true,
            documents,
        })
    }

    /// Runs every test of the recipe, each in a guest with the new packages in it. Those that fail are
    /// the error.
    fn run_tests(
        &self,
        recipe: &Recipe,
        record: &ActionRecord,
        order: &Order<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<Vec<Tested>, Error> {
        let tests = tests_of(recipe);
        if tests.is_empty() {
            return Ok(Vec::new());
        }
        let mut world = self.world()?;
        self.means.home.add_packages(record, &mut world)?;
        let session = Tests {
            workshop: self,
            world: &world,
            recipe,
            local_files: order.local_files,
            attendant: self.attendant,
            unsolvable: &BTreeMap::new(),
            made_by: None,
        };
        let tested = session.run(&tests, ambient)?;
        let of = tested.len();
        let (passed, mut failed): (Vec<Tested>, _) =
            tested.into_iter().partition(Tested::has_passed);
        if let [only] = failed.as_mut_slice()
            && let Some(step) = only.failed.take()
        {
            return Err(boltworks_package::Error::Step(Box::new(step)).into());
        }
        if failed.is_empty() {
            Ok(passed)
        } else {
            Err(Error::Tests { failed, of })
        }
    }

    /// Adds to a record the tests' logs, and which packages each test used.
    fn report_tests(&self, record: &mut ActionRecord, tests: &[Tested]) -> Result<(), Error> {
        let logs = tests
            .iter()
            .map(|test| (test_name(&test.package), test.log));
        record.documents.extend(logs);
        if !tests.is_empty() {
            let report = Report::new(record.subject.clone(), record.finished, tests);
            let stored = self
                .means
                .home
                .store
                .put_bytes(&serde_json::to_vec(&report)?)?;
            let name = TESTS_DOCUMENT.to_owned();
            record.documents.insert(name, stored.digest);
        }
        Ok(())
    }

    /// Stage 0 and the packages of every recipe that is made.
    pub(crate) fn world(&self) -> Result<World, Error> {
        let actions = match self.basis {
            Basis::Planned(standing) => return Ok(standing.plan.world.clone()),
            Basis::Actions(actions) => actions,
        };
        let mut world = self.means.stage0.world();
        for action in actions {
            self.means.home.add_made(action, &mut world)?;
        }
        Ok(world)
    }

    /// Packages that were chosen of what is made, as the room that lays them out wants them.
    pub(crate) fn locked(&self, picks: &[Pick]) -> Result<Locked, Error> {
        match self.basis {
            Basis::Planned(standing) => pinned(picks, &standing.identities),
            Basis::Actions(_) => locked(picks, &self.world()?),
        }
    }

    fn evidence(&self, built: &Built, judged: &Judged<'_>) -> Result<Vec<Evidence>, Error> {
        let Judged {
            record,
            inputs,
            order,
            tests,
        } = judged;
        let Means { home, stage0, .. } = self.means;
        if is_apart(&inputs.subject) {
            // Nothing of it is ever released: what is said of its bytes must not speak for a
            // package of the factory that has the same.
            return Ok(Vec::new());
        }
        let environment = Environment::open(home, stage0, order.tree, &inputs.packages)?;
        let context = Context::new(self.means, record, inputs, order.sources);
        let mut evidence = Vec::new();
        for package in &built.packages {
            evidence.extend(context.of_package(&package.artifact, package.sbom, &environment)?);
            let own = test_name(&package.artifact.coordinate.name);
            if tests.iter().any(|test| test_name(&test.package) == own) {
                evidence.push(context.tests_passed(&package.artifact));
            }
        }
        Ok(evidence)
    }
}

/// What evidence of a build is drawn from.
struct Judged<'a> {
    /// The action as it will be recorded.
    record: &'a ActionRecord,
    /// What decided it.
    inputs: &'a ActionInputs,
    /// What was built.
    order: &'a Order<'a>,
    /// The tests, which all passed.
    tests: &'a [Tested],
}

/// Whether something is built apart from the factory's own, see [`single`](crate::single).
pub(crate) fn is_apart(subject: &Subject) -> bool {
    subject.name.ends_with(APART)
}

/// The action of files beside a recipe that were changed after it was planned: it is recorded with the
/// bytes that its steps saw; nothing, where they were not. Not so in the factory itself, whose plan goes
/// on from what was planned.
fn as_taken(
    inputs: &ActionInputs,
    files: Vec<Pin>,
) -> Result<Option<(ActionId, ActionInputs)>, Error> {
    if inputs.files == files {
        return Ok(None);
    }
    if !is_apart(&inputs.subject) {
        let planned: BTreeSet<&Pin> = inputs.files.iter().collect();
        let taken: BTreeSet<&Pin> = files.iter().collect();
        let changed = planned.symmetric_difference(&taken).next();
        let file = changed.map(|pin| pin.name.clone()).unwrap_or_default();
        return Err(boltworks_package::Error::Edited { file }.into());
    }
    let inputs = ActionInputs {
        files,
        ..inputs.clone()
    };
    let id = ActionId(boltworks_crypto::sha256(&inputs.canonical_json()));
    Ok(Some((id, inputs)))
}

/// An action that a person finished by hand: no other is the same, and none is found made by it.
fn by_hand(inputs: &ActionInputs, at: Timestamp) -> (ActionId, ActionInputs) {
    let mut inputs = inputs.clone();
    inputs.writers.push(format!("{BY_HAND}{at}"));
    let id = ActionId(boltworks_crypto::sha256(&inputs.canonical_json()));
    (id, inputs)
}

/// The name of a package's test among an action's documents.
fn test_name(package: &str) -> String {
    format!("test {package}")
}

/// Picks as the room that lays them out wants them.
pub fn locked(picks: &[Pick], world: &World) -> Result<Locked, Error> {
    pinned(picks, &identities(world))
}

/// What the index has for each file of a world.
pub(crate) fn identities(world: &World) -> BTreeMap<Sha256, Sha1> {
    let files = world.files.iter();
    files.map(|(identity, file)| (*file, *identity)).collect()
}

fn pinned(picks: &[Pick], identities: &BTreeMap<Sha256, Sha1>) -> Result<Locked, Error> {
    let fault = |pick: &Pick| Error::Inconsistent {
        what: format!("'{}-{}' is not a package", pick.name, pick.version),
    };
    let packages = picks
        .iter()
        .map(|pick| {
            Ok(LockedPackage {
                name: pick.name.parse().map_err(|_| fault(pick))?,
                version: pick.version.parse().map_err(|_| fault(pick))?,
                sha256: pick.sha256,
                identity: identities
                    .get(&pick.sha256)
                    .copied()
                    .ok_or_else(|| fault(pick))?,
                repository: pick.repository.clone(),
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Locked { packages })
}
