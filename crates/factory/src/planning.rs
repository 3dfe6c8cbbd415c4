//! The plan, from catalog, records and stage 0.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use boltworks_apk::Index;
use boltworks_fsx::Limit;
use boltworks_model::{ActionId, Artifact, ArtifactKind, Evidence, Material, Sha1, Sha256};
use boltworks_plan::{ActionInputs, ActionKind, Known, Plan, State, Subject, World};
use boltworks_records::{ActionRecord, Recorded, Results};

use crate::catalog::Loaded;
use crate::recipes::identities;
use crate::repository::Brought;
use crate::{Error, Home};

/// The repository that only ever builds.
pub const STAGE0: &str = "stage0";
/// The name of an action's own inputs among its documents.
pub const ACTION_DOCUMENT: &str = "action";
/// The name of the index of an action's packages among its documents.
pub const INDEX_DOCUMENT: &str = "index";
/// The name of what linters found among an action's documents.
pub const LINT_DOCUMENT: &str = "lint";
/// The name of the tests with the packages each used among an action's documents.
pub const TESTS_DOCUMENT: &str = "tests";
/// How the names of SBOMs among an action's documents begin.
pub const SBOM_DOCUMENTS: &str = "sbom ";
/// Largest document that is read back.
const DOCUMENT_LIMIT: Limit = Limit(256 << 20);
/// How much the factory's own packages are preferred to stage 0's.
const OWN_PREFERENCE: i32 = 10;
/// The repositories that a command line names. No factory's repository can be called so.
pub const GIVEN: &str = "local repository";
/// How much those are preferred to everything else.
pub(crate) const GIVEN_PREFERENCE: i32 = 20;

/// Stage 0 as planning needs it.
#[derive(Debug, Clone, Default)]
pub struct Stage0 {
    /// Its packages.
    pub index: Arc<Index>,
    /// What names that index by content; absent where there is no stage 0.
    pub digest: Option<Sha256>,
    /// The file behind each, and behind each package of `given`.
    pub files: BTreeMap<Sha1, Sha256>,
    /// Further repositories, for one command: the first is preferred.
    pub given: Vec<Shared>,
    /// The keys that were fetched to trust those.
    pub keys: Vec<Material>,
}

/// A repository of a command line.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Its index, and the digest of that one's text.
    pub index: (Arc<Index>, Sha256),
    /// Its tag.
    pub tag: Option<String>,
}

/// Everything a plan is made from, beside the records.
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    /// The factory.
    pub home: &'a Home,
    /// What it can make.
    pub loaded: &'a Loaded,
    /// The digest of its public key.
    pub key: Sha256,
    /// Stage 0.
    pub stage0: &'a Stage0,
}

/// A plan, and what its world's index has for each file.
#[derive(Debug)]
pub struct Standing {
    /// The plan.
    pub plan: Plan,
    /// The name that an index has for each file of its world.
    pub identities: BTreeMap<Sha256, Sha1>,
}

impl From<Plan> for Standing {
    fn from(plan: Plan) -> Self {
        Self {
            identities: identities(&plan.world),
            plan,
        }
    }
}

fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
        let fault = Mutex::new(None);
        let lost = Mutex::new(BTreeMap::new());
        let forgotten = Mutex::new(BTreeSet::new());
        let last = |subject: &Subject| match self.last_action(subject) {
            Ok(inputs) => inputs,
            Err(error) if is_lost(&error) => {
                held(&forgotten).insert(subject.clone());
                None
            }
            Err(error) => {
                held(&fault).get_or_insert(error);
                None
            }
        };
        let made = |action: &ActionId, world: &mut World| match self.home.standing(action, world) {
            Ok(Found::Whole) => true,
            Ok(Found::Never) => false,
            Ok(Found::Lost(why)) => {
                held(&lost).insert(*action, why);
                false
            }
            Err(error) => {
                held(&fault).get_or_insert(error);
                false
            }
        };
        let known = Known {
            stage0: STAGE0,
            made: &made,
            choose: &|world, wanted, options| self.home.choose(world, wanted, options),
            last: &last,
            failed,
            writers: &writers(&self.home.config),
            architecture: self.home.architecture(),
            epoch: self.home.epoch(),
            key: self.key,
            vendor: &self.home.config.factory,
            sha256: boltworks_crypto::sha256,
        };
        let mut plan = boltworks_plan::evaluate(&self.loaded.catalog, &known, self.stage0.world());
        if let Some(error) = held(&fault).take() {
            return Err(error);
        }
        let (lost, forgotten) = (held(&lost), held(&forgotten));
        let failures = self.home.records().unresolved_failures()?;
        for item in &mut plan.items {
            let State::Stale(action, reasons) = &mut item.state else {
                continue;
            };
            if let Some(why) = lost.get(action) {
                *reasons = vec![why.clone()];
            } else if forgotten.contains(&item.subject) {
                *reasons = vec!["what it was last made from is missing from the store".to_owned()];
            }
            let subject = item.subject.to_string();
            let failure = failures.iter().find(|failure| failure.subject == subject);
            reasons.extend(failure.map(|failure| {
                let reason = failure.reason.lines().next().unwrap_or_default();
                format!("its last run failed, at {}: {reason}", failure.at)
            }));
        }
        Ok(plan)
    }

    /// The inputs of the last good action for something.
    fn last_action(&self, subject: &Subject) -> Result<Option<ActionInputs>, Error> {
        let results = self
            .home
            .records()
            .latest_results_for(&subject.to_string())?;
        let documents = results.map(|results| results.documents).unwrap_or_default();
        self.home.inputs_in(&documents)
    }
}

impl Stage0 {
    /// Adds further repositories, the first of which is preferred.
    pub(crate) fn give(&mut self, brought: Brought) -> Result<(), Error> {
        self.files.extend(brought.files);
        for (index, tag) in brought.indexes {
            let digest = boltworks_crypto::sha256(index.to_text()?.as_bytes());
            let index = (Arc::new(index), digest);
            self.given.push(Shared { index, tag });
        }
        Ok(())
    }

    /// The tags that repositories have.
    pub(crate) fn tags(&self) -> BTreeSet<String> {
        let tags = self.given.iter().filter_map(|given| given.tag.clone());
        tags.collect()
    }

    /// A world with nothing that the factory made.
    pub fn world(&self) -> World {
        let mut world = World {
            files: self.files.clone(),
            ..World::default()
        };
        if let Some(digest) = self.digest {
            let index = (Arc::clone(&self.index), digest);
            world.universe.share_repository(STAGE0, index, 0);
        }
        for (preference, given) in (GIVEN_PREFERENCE..).zip(self.given.iter().rev()) {
            let universe = &mut world.universe;
            let Shared { index, tag } = given;
            match tag {
                None => universe.share_repository(GIVEN, index.clone(), preference),
                Some(tag) => {
                    let name = format!("{GIVEN} @{tag}");
                    universe.share_repository(&name, index.clone(), preference);
                    universe.tag_repository(&name, tag);
                }
            }
        }
        world
    }
}

/// Whether there is what an action gave.
enum Found {
    /// The action was not carried out, or not well.
    Never,
    /// It was, but what it gave is no longer in the store: this.
    Lost(String),
    /// It was, and its packages are in the world now.
    Whole,
}

/// Whether something could not be read because the store has lost it.
pub(crate) const fn is_lost(error: &Error) -> bool {
    use boltworks_store::Error::{Damaged, Missing};
    matches!(error, Error::Store(Missing { .. } | Damaged { .. }))
}

impl Home {
    /// Adds the packages of an action to the world, if it was carried out well and the store has
    /// what it gave.
    pub fn add_made(&self, action: &ActionId, world: &mut World) -> Result<bool, Error> {
        Ok(matches!(self.standing(action, world)?, Found::Whole))
    }

    fn standing(&self, action: &ActionId, world: &mut World) -> Result<Found, Error> {
        let Some(results) = self.records().results_of(action)? else {
            return Ok(Found::Never);
        };
        if let Some(what) = self.missing_of(&results)? {
            let why = format!("its {what} is missing from the store");
            return Ok(Found::Lost(why));
        }
        match self.add_results(&results, world) {
            Ok(()) => Ok(Found::Whole),
            Err(error) if is_lost(&error) => {
                Ok(Found::Lost("its index is damaged in the store".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// The first thing of a recorded action that the store does not have, in words. Only looks
    /// whether blobs exist: whether they are good is hashed when they are used.
    fn missing_of(&self, results: &Results) -> Result<Option<String>, Error> {
        let documents = results.documents.iter().filter(|(name, _)| {
            *name == ACTION_DOCUMENT || *name == INDEX_DOCUMENT || name.starts_with(SBOM_DOCUMENTS)
        });
        for (name, digest) in documents {
            if !self.store.has(digest)? {
                return Ok(Some(format!("document '{name}'")));
            }
        }
        for Artifact {
            coordinate, digest, ..
        } in &results.artifacts
        {
            let is_image = coordinate.kind == ArtifactKind::Image;
            if !self.store.has(digest)? {
                let noun = if is_image { "image" } else { "package" };
                return Ok(Some(format!("{noun} {}", coordinate.name)));
            }
            if is_image && let Some(what) = self.missing_of_image(digest)? {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }

    /// The same, for what an image's manifest names.
    fn missing_of_image(&self, manifest: &Sha256) -> Result<Option<String>, Error> {
        let bytes = match self.store.read_bytes(manifest, DOCUMENT_LIMIT) {
            Ok(bytes) => bytes.into_inner(),
            Err(error) => {
                let error = Error::from(error);
                let is_lost = is_lost(&error);
                return is_lost.then(|| Some("manifest".to_owned())).ok_or(error);
            }
        };
        let Ok(manifest) = boltworks_oci::read_manifest(&bytes) else {
            return Ok(Some("manifest".to_owned()));
        };
        for blob in manifest.blobs() {
            if !self.store.has(&blob.digest)? {
                return Ok(Some(format!("blob {}", blob.digest.prefixed())));
            }
        }
        Ok(None)
    }

    /// Adds the packages of a recorded action to the world.
    pub fn add_packages(&self, record: &ActionRecord, world: &mut World) -> Result<(), Error> {
        let results = Results {
            artifacts: record.artifacts.clone(),
            documents: record.documents.clone(),
        };
        self.add_results(&results, world)
    }

    pub(crate) fn add_results(&self, results: &Results, world: &mut World) -> Result<(), Error> {
        if let Some(digest) = results.documents.get(INDEX_DOCUMENT) {
            let index = self.index(digest)?;
            world.files.extend(files_of(&index, &results.artifacts));
            let repository = self.config.repository();
            let universe = &mut world.universe;
            universe.share_repository(repository, (index, *digest), OWN_PREFERENCE);
        }
        Ok(())
    }

    /// Records an action and what is known of its artifacts. An action that was carried out before
    /// with other artifacts is an error, which the records keep too.
    pub fn record(&self, record: &ActionRecord, evidence: &[Evidence]) -> Result<(), Error> {
        let recorded = self.records().record_action(record, evidence)?;
        self.forget_evidence(evidence, &recorded);
        reproduced(record, &recorded)
    }

    /// The same for many, which are recorded together or not at all; what is to be said of each.
    pub(crate) fn record_all(
        &self,
        runs: &[(&ActionRecord, &[Evidence])],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let recorded = self.records().record_actions(runs)?;
        let each = runs.iter().zip(&recorded);
        let each = each.map(|((record, evidence), recorded)| {
            self.forget_evidence(evidence, recorded);
            reproduced(record, recorded)
        });
        Ok(each.collect())
    }

    /// The inputs of a recorded action.
    pub fn inputs_of(&self, record: &ActionRecord) -> Result<Option<ActionInputs>, Error> {
        self.inputs_in(&record.documents)
    }

    /// The same, by the documents of the action.
    pub(crate) fn inputs_in(
        &self,
        documents: &BTreeMap<String, Sha256>,
    ) -> Result<Option<ActionInputs>, Error> {
        let Some(digest) = documents.get(ACTION_DOCUMENT) else {
            return Ok(None);
        };
        let bytes = self.store.read_bytes(digest, DOCUMENT_LIMIT)?.into_inner();
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    /// The index of a recorded action's packages; images have none.
    pub fn index_of(&self, record: &ActionRecord) -> Result<Option<Arc<Index>>, Error> {
        let digest = record.documents.get(INDEX_DOCUMENT);
        digest.map(|digest| self.index(digest)).transpose()
    }

    /// An index of the store, hashed and understood once by this process.
    fn index(&self, digest: &Sha256) -> Result<Arc<Index>, Error> {
        if let Some(index) = self.indexes().get(digest) {
            return Ok(Arc::clone(index));
        }
        let bytes = self.store.read_bytes(digest, DOCUMENT_LIMIT)?.into_inner();
        let entries = Index::parse(&String::from_utf8_lossy(&bytes))?;
        let index = Arc::new(Index::new("", entries));
        self.indexes().insert(*digest, Arc::clone(&index));
        Ok(index)
    }
}

/// The file behind each entry of an action's index: its artifact of the same name and version.
pub fn files_of(index: &Index, artifacts: &[Artifact]) -> BTreeMap<Sha1, Sha256> {
    let files: BTreeMap<(&str, &str), Sha256> = artifacts
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
fn writers(config: &boltworks_config::Factory) -> BTreeMap<ActionKind, Vec<String>> {
    let mut packages = vec![
        boltworks_apk::WRITER_VERSION,
        boltworks_sbom::WRITER_VERSION,
        boltworks_package::WRITER_VERSION,
    ];
    if config.bind_libraries {
        packages.push("bind-libraries");
    }
    let mut images = vec![
        boltworks_image::WRITER_VERSION,
        boltworks_oci::WRITER_VERSION,
        boltworks_sbom::IMAGE_WRITER_VERSION,
    ];
    if config.compression == boltworks_config::Compression::Zstd {
        images.push("zstd");
    }
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

fn reproduced(record: &ActionRecord, recorded: &Recorded) -> Result<(), Error> {
    match recorded {
        Recorded::New | Recorded::Again => Ok(()),
        Recorded::Differs(_) => Err(Error::Inconsistent {
            what: format!(
                "{} gave other bytes than the same action before: its build is not reproducible \
                 (make it so, or raise its epoch, which makes it another action)",
                record.subject
            ),
        }),
    }
}
