//! The tests of an image: its files and its configuration looked at, a container of it started, and a
//! script run beside that.
//!
//! What is looked at is what clients get: the layers, one over the other, and the configuration. The same
//! bytes with the same tests are not tested again.

mod checks;
mod container;
mod user;

use std::path::PathBuf;

use boltworks_fsx::{Limit, RelPath, Tree};
use boltworks_model::{Ambient, Artifact, EvidenceKind, Sha256, Timestamp, Verdict};
use boltworks_oci::Config;
use boltworks_package::Failed;
use boltworks_package::log::Log;
use boltworks_package::steps::Stopped;
use boltworks_recipe::ImageTest;
use serde::{Deserialize, Serialize};

use crate::home::WORKSPACES;
use crate::recipes::Workshop;
use crate::{Error, Home};

/// How the name of an image's log begins among its documents.
pub const TEST_LOG: &str = "test image ";
/// The largest document of an image that is read.
const DOCUMENT_LIMIT: Limit = Limit(16 << 20);
/// The format of reports.
const VERSION: u32 = 1;

/// An image's files and configuration.
pub(crate) struct Contents {
    pub(crate) tree: Tree,
    pub(crate) config: Config,
}

/// An image that passed its tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReport {
    version: u32,
    /// Its manifest.
    pub image: Sha256,
    /// Its tests.
    pub test: Sha256,
    /// When.
    pub at: Timestamp,
    /// What was printed, in the store.
    pub log: Sha256,
    /// The packages of the script's guest, by name, version and digest.
    pub packages: Vec<crate::tested::Used>,
}

/// What became of an image's tests.
#[derive(Debug, Clone)]
pub struct ImageTested {
    /// The report, in the store.
    pub document: Sha256,
    /// The report.
    pub report: ImageReport,
    /// Whether it was known already.
    pub was_known: bool,
}

/// A test that is being run.
pub(crate) struct Running<'a, 's> {
    pub(crate) workshop: &'a Workshop<'a>,
    pub(crate) name: &'a str,
    pub(crate) contents: Contents,
    pub(crate) log: Log<'a, 's>,
    pub(crate) packages: Vec<crate::tested::Used>,
}

/// How a test did not pass.
pub(crate) struct Fault {
    pub(crate) step: &'static str,
    pub(crate) how: String,
    pub(crate) code: Option<i32>,
    pub(crate) script: String,
}

/// The digest of an image's tests.
pub(crate) fn digest(test: &ImageTest) -> Sha256 {
    boltworks_crypto::sha256(&test.canonical_json())
}

impl Workshop<'_> {
    /// Tests an image, unless the same bytes have passed the same tests.
    pub fn test_image(
        &self,
        (name, test): (&str, &ImageTest),
        artifact: &Artifact,
        ambient: &Ambient<'_>,
    ) -> Result<ImageTested, Error> {
        match self.means.home.passed(artifact, test)? {
            Some(known) => Ok(known),
            None => self.test_image_anew((name, test), artifact, ambient),
        }
    }

    /// The same, whatever is known.
    pub fn test_image_anew(
        &self,
        (name, test): (&str, &ImageTest),
        artifact: &Artifact,
        ambient: &Ambient<'_>,
    ) -> Result<ImageTested, Error> {
        let job = format!("test image {name}");
        let store = &self.means.home.store;
        let mut running = Running {
            workshop: self,
            name,
            contents: self.means.home.contents(&artifact.digest)?,
            log: Log::new(store, ambient.sink, &job)?,
            packages: Vec::new(),
        };
        let mut fault = running.check(&test.check)?;
        if let (None, Some(run)) = (&fault, &test.run) {
            fault = running.run(run, ambient)?;
        }
        let Running { log, packages, .. } = running;
        let (log, tail) = log.finish()?;
        let mut batch = store.batch();
        let log = batch.add(log)?;
        let report = ImageReport {
            version: VERSION,
            image: artifact.digest,
            test: digest(test),
            at: ambient.clock.now(),
            log,
            packages,
        };
        let document = batch.put_bytes(&serde_json::to_vec(&report)?)?;
        batch.commit()?;
        match fault {
            None => Ok(ImageTested {
                document,
                report,
                was_known: false,
            }),
            Some(fault) => Err(self.failed((name, test), fault, (tail, log))),
        }
    }

    fn failed(
        &self,
        (name, test): (&str, &ImageTest),
        fault: Fault,
        (tail, log): (Vec<String>, Sha256),
    ) -> Error {
        let of = 1 + usize::from(test.run.is_some());
        let failed = Failed {
            what: format!("test of image {name}"),
            stopped: Stopped {
                step: fault.step.to_owned(),
                number: if fault.step == checks::STEP { 1 } else { of },
                of,
                how: fault.how,
                code: fault.code,
                command: None,
                script: fault.script,
                directory: String::new(),
                environment: std::collections::BTreeMap::new(),
            },
            tail,
            log,
            workspace: self.image_workspace(name),
            has_shell: false,
        };
        boltworks_package::Error::Step(Box::new(failed)).into()
    }

    /// Where a container of an image is while it is tested.
    pub(crate) fn image_workspace(&self, name: &str) -> PathBuf {
        let folder = format!("image-{name}");
        self.means.home.state.join(WORKSPACES).join(folder)
    }
}

impl Home {
    /// That an image passed these tests, if it did.
    fn passed(&self, artifact: &Artifact, test: &ImageTest) -> Result<Option<ImageTested>, Error> {
        let wanted = digest(test);
        for said in self.records().evidence_for(&artifact.digest)? {
            let is_it = said.kind == EvidenceKind::Tests && said.verdict == Verdict::Pass;
            let Some(document) = said.document.filter(|_| is_it) else {
                continue;
            };
            let Some(report) = self.json::<ImageReport>(&document)? else {
                continue;
            };
            if report.test == wanted && report.image == artifact.digest {
                return Ok(Some(ImageTested {
                    document,
                    report,
                    was_known: true,
                }));
            }
        }
        Ok(None)
    }

    fn contents(&self, manifest: &Sha256) -> Result<Contents, Error> {
        let read = |digest: &Sha256| -> Result<Vec<u8>, Error> {
            Ok(self.store.read_bytes(digest, DOCUMENT_LIMIT)?.into_inner())
        };
        let manifest = boltworks_oci::read_manifest(&read(manifest)?);
        let manifest = manifest.map_err(boltworks_image::Error::from)?;
        let config = boltworks_oci::read_config(&read(&manifest.config.digest)?);
        let config = config.map_err(boltworks_image::Error::from)?;
        let scratch = self.state_folder("scratch")?;
        let tree = boltworks_image::unpacked(&manifest.layers, &self.store, &scratch)?;
        Ok(Contents { tree, config })
    }
}

/// A path that is written in the code.
pub(crate) fn path(text: &str) -> Result<RelPath, Error> {
    Ok(RelPath::try_from(text)?)
}
