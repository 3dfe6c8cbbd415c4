//! The plan, from catalog, records and stage 0.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::Index;
use boltworks_fsx::Limit;
use boltworks_model::{ActionId, Evidence, Sha1, Sha256};
use boltworks_plan::{ActionInputs, ActionKind, Known, Plan, State, Subject, World};
use boltworks_records::{ActionRecord, Recorded};

use crate::catalog::Loaded;
use crate::home::Keys;
use crate::{Error, Home};

/// The repository that only ever builds.
pub const STAGE0: &str = "stage0";
/// The name of an action's own inputs among its documents.
pub const ACTION_DOCUMENT: &str = "action";
/// The name of the index of an action's packages among its documents.
pub const INDEX_DOCUMENT: &str = "index";
/// Largest document that is read back.
const DOCUMENT_LIMIT: Limit = Limit(256 << 20);
/// How much the factory's own packages are preferred to stage 0's.
const OWN_PREFERENCE: i32 = 10;
/// The repositories that a command line names. No factory's repository can be called so.
pub const GIVEN: &str = "local repository";
/// How much those are preferred to everything else.
const GIVEN_PREFERENCE: i32 = 20;

/// Stage 0 as planning needs it.
#[derive(Debug, Clone, Default)]
pub struct Stage0 {
    /// Its packages.
    pub index: Index,
    /// The file behind each, and behind each package of `given`.
    pub files: BTreeMap<Sha1, Sha256>,
    /// Further repositories, for one command: the first is preferred.
    pub given: Vec<Index>,
}

/// Everything a plan is made from, beside the records.
pub struct Planner<'a> {
    /// The factory.
    pub home: &'a Home,
    /// What it can make.
    pub loaded: &'a Loaded,
    /// Its keys.
    pub keys: &'a Keys,
    /// Stage 0.
    pub stage0: &'a Stage0,
}

/// The actions of the recipes that a plan found fresh.
pub fn fresh_recipes(plan: &Plan) -> Vec<ActionId> {
    plan.items
        .iter()
        .filter_map(|item| match item.state {
            State::Fresh(action) if item.subject.kind == ActionKind::Recipe => Some(action),
            _ => None,
        })
        .collect()
}

impl Planner<'_> {
    /// Plans. `failed` names what is not to be tried (again), and why.
    pub fn plan(&self, failed: &BTreeMap<Subject, String>) -> Result<Plan, Error> {
        let last = self.last_actions()?;
        let fault = RefCell::new(None);
        let made = |action: &ActionId, world: &mut World| {
            self.home.add_made(action, world).unwrap_or_else(|error| {
                fault.borrow_mut().get_or_insert(error);
                false
            })
        };
        let known = Known {
            stage0: STAGE0,
            made: &made,
            last: &last,
            failed,
            writers: &writers(),
            architecture: self.home.architecture(),
            epoch: self.home.epoch(),
            key: self.keys.fingerprint,
            vendor: &self.home.config.factory,
            sha256: boltworks_crypto::sha256,
        };
        let plan = boltworks_plan::evaluate(&self.loaded.catalog, &known, self.stage0.world())?;
        match fault.into_inner() {
            Some(error) => Err(error),
            None => Ok(plan),
        }
    }

    /// The inputs of the last good action for each recipe and image.
    fn last_actions(&self) -> Result<BTreeMap<Subject, ActionInputs>, Error> {
        let recipes = self.loaded.catalog.recipes.keys().map(Subject::recipe);
        let images = self.loaded.catalog.images.keys().map(Subject::image);
        let mut last = BTreeMap::new();
        for subject in recipes.chain(images) {
            let record = self.home.records().latest_good_for(&subject.to_string())?;
            if let Some(inputs) = record
                .map(|record| self.home.inputs_of(&record))
                .transpose()?
                .flatten()
            {
                last.insert(subject, inputs);
            }
        }
        Ok(last)
    }
}

impl Stage0 {
    /// A world with nothing that the factory made.
    pub fn world(&self) -> World {
        let mut world = World {
            files: self.files.clone(),
            ..World::default()
        };
        world.universe.add_repository(STAGE0, &self.index, 0);
        for (preference, index) in (GIVEN_PREFERENCE..).zip(self.given.iter().rev()) {
            world.universe.add_repository(GIVEN, index, preference);
        }
        world
    }
}

impl Home {
    /// Adds the packages of an action to the world, if it was carried out well.
    pub fn add_made(&self, action: &ActionId, world: &mut World) -> Result<bool, Error> {
        let Some(record) = self.records().action(action)?.filter(|record| record.ok) else {
            return Ok(false);
        };
        self.add_packages(&record, world)?;
        Ok(true)
    }

    /// Adds the packages of a recorded action to the world.
    pub fn add_packages(&self, record: &ActionRecord, world: &mut World) -> Result<(), Error> {
        if let Some(index) = self.index_of(record)? {
            world.files.extend(files_of(&index, record));
            world
                .universe
                .add_repository(self.config.repository(), &index, OWN_PREFERENCE);
        }
        Ok(())
    }

    /// Records an action and what is known of its artifacts. An action that was carried out before
    /// with other artifacts is an error, which the records keep too.
    pub fn record(&self, record: &ActionRecord, evidence: &[Evidence]) -> Result<(), Error> {
        match self.records().record_action(record, evidence)? {
            Recorded::New | Recorded::Again => Ok(()),
            Recorded::Differs(_) => Err(Error::Inconsistent {
                what: format!(
                    "{} gave other bytes than the same action before",
                    record.subject
                ),
            }),
        }
    }

    /// The inputs of a recorded action.
    pub fn inputs_of(&self, record: &ActionRecord) -> Result<Option<ActionInputs>, Error> {
        let Some(digest) = record.documents.get(ACTION_DOCUMENT) else {
            return Ok(None);
        };
        let bytes = self.store.read_bytes(digest, DOCUMENT_LIMIT)?.into_inner();
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    /// The index of a recorded action's packages; images have none.
    pub fn index_of(&self, record: &ActionRecord) -> Result<Option<Index>, Error> {
        let Some(digest) = record.documents.get(INDEX_DOCUMENT) else {
            return Ok(None);
        };
        let bytes = self.store.read_bytes(digest, DOCUMENT_LIMIT)?.into_inner();
        let entries = Index::parse(&String::from_utf8_lossy(&bytes))?;
        Ok(Some(Index::new("", entries)))
    }
}

/// The file behind each entry of an action's index: its artifact of the same name and version.
pub fn files_of(index: &Index, record: &ActionRecord) -> BTreeMap<Sha1, Sha256> {
    let files: BTreeMap<(&str, &str), Sha256> = record
        .artifacts
        .iter()
        .map(|artifact| {
            let coordinate = &artifact.coordinate;
            (
                (coordinate.name.as_str(), coordinate.version.as_str()),
                artifact.digest,
            )
        })
        .collect();
    index
        .entries
        .iter()
        .filter_map(|entry| {
            let version = entry.version.to_string();
            let digest = files.get(&(entry.name.as_str(), version.as_str()))?;
            Some((entry.identity, *digest))
        })
        .collect()
}

/// The versions of everything that writes bytes, by what is made.
fn writers() -> BTreeMap<ActionKind, Vec<String>> {
    let packages = [
        boltworks_apk::WRITER_VERSION,
        boltworks_sbom::WRITER_VERSION,
        boltworks_package::WRITER_VERSION,
    ];
    let images = [
        boltworks_image::WRITER_VERSION,
        boltworks_oci::WRITER_VERSION,
        boltworks_sbom::WRITER_VERSION,
    ];
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    BTreeMap::from([
        (ActionKind::Recipe, owned(&packages)),
        (ActionKind::Image, owned(&images)),
    ])
}
