//! One image carried out: assembled, described, evidence given, all of it recorded.

use std::collections::BTreeMap;

use boltworks_image::{BuiltImage, Compression, ImageRequest, Series};
use boltworks_model::{ActionId, Ambient, Artifact, Event, Evidence, Material, Sha256, chain};
use boltworks_plan::{ActionInputs, ActionKind};
use boltworks_recipe::resolved::Image;
use boltworks_records::ActionRecord;
use boltworks_rootfs::Locked;

use crate::Error;
use crate::attempt::caught;
use crate::catalog::ImageSource;
use crate::evidence::Context;
use crate::image_tests::TEST_LOG;
use crate::planning::ACTION_DOCUMENT;
use crate::recipes::Workshop;

/// The name of an image's SPDX document among its documents.
pub const SPDX_DOCUMENT: &str = "sbom spdx";
/// The name of an image's SPDX 3 document among its documents.
pub const SPDX3_DOCUMENT: &str = "sbom spdx3";
/// The name of the lines that say which files of an image a person should look at, among its
/// documents; an image without such files has none.
pub const WARNINGS_DOCUMENT: &str = "warnings";
/// The name of an image's `CycloneDX` document among its documents.
pub const CYCLONEDX_DOCUMENT: &str = "sbom cyclonedx";

/// One image of those that stand upon each other.
struct Story<'l> {
    image: &'l Image,
    locked: Locked,
    inputs: ActionInputs,
}

/// How the factory's images are compressed.
const fn compression(configured: boltworks_config::Compression) -> Compression {
    match configured {
        boltworks_config::Compression::Gzip => Compression::Gzip,
        boltworks_config::Compression::Zstd => Compression::Zstd,
    }
}

/// An image that was made and is to be recorded.
struct Assembled {
    record: ActionRecord,
    evidence: Vec<Evidence>,
}

impl Workshop<'_> {
    /// Assembles and records images, which become durable together; of each, whether its bytes differ
    /// from what the last good action gave. What goes wrong with one is its own; where they cannot be
    /// kept, none is.
    pub fn make_images(
        &self,
        orders: &[(ActionId, &ActionInputs)],
        ambient: &Ambient<'_>,
    ) -> Vec<Result<bool, Error>> {
        let home = self.means.home;
        let scratch = match home.state_folder("scratch") {
            Ok(scratch) => scratch,
            Err(error) => return all_failed(orders.len(), error),
        };
        // Asked at once: whoever keeps images holds the records meanwhile.
        let before = match self.artifacts_before(orders) {
            Ok(before) => before,
            Err(error) => return all_failed(orders.len(), error),
        };
        let mut series = Series::new(&home.store, &scratch, self.means.memory);
        let made: Vec<_> = orders
            .iter()
            .map(|(action, inputs)| {
                caught(|| self.make_image(*action, inputs, (&mut series, ambient)))
            })
            .collect();
        match series.commit() {
            Ok(note) => note.iter().for_each(|note| warn(note, ambient)),
            Err(error) => return all_failed(made.len(), error.into()),
        }
        let each = orders.iter().zip(made);
        let made: Vec<_> = each
            .map(|((_, inputs), one)| caught(|| self.tested((*inputs, one?), ambient)))
            .collect();
        let good = made.iter().flatten();
        let runs: Vec<_> = good
            .map(|one| (&one.record, one.evidence.as_slice()))
            .collect();
        let mut recorded = match home.record_all(&runs) {
            Ok(recorded) => recorded.into_iter(),
            Err(error) => return all_failed(made.len(), error),
        };
        let results = made.into_iter().zip(before).map(|(one, before)| {
            let one = one?;
            recorded.next().transpose()?;
            Ok(before.is_none_or(|before| before != one.record.artifacts))
        });
        results.collect()
    }

    /// What the last good action for each gave.
    fn artifacts_before(
        &self,
        orders: &[(ActionId, &ActionInputs)],
    ) -> Result<Vec<Option<Vec<Artifact>>>, Error> {
        let records = self.means.home.records();
        let before = orders.iter().map(|(_, inputs)| {
            let results = records.latest_results_for(&inputs.subject.to_string())?;
            Ok(results.map(|results| results.artifacts))
        });
        before.collect()
    }

    /// Assembles one image.
    fn make_image(
        &self,
        action: ActionId,
        inputs: &ActionInputs,
        (series, ambient): (&mut Series<'_>, &Ambient<'_>),
    ) -> Result<Assembled, Error> {
        ambient.cancel.check()?;
        let loaded = self.means.loaded;
        let name = inputs.subject.name.as_str();
        let (Some(item), Some(source)) = (loaded.catalog.images.get(name), loaded.images.get(name))
        else {
            return Err(loaded.missing(ActionKind::Image, name));
        };
        let started = ambient.clock.now();
        let stack = self.stack(&item.image, inputs)?;
        let built = self.build_upon(None, &stack, (series, ambient))?;
        for note in built.notes.iter().chain(&built.warnings) {
            warn(note, ambient);
        }
        let artifact = Artifact {
            size: built.parts.manifest.bytes.len() as u64,
            ..built.artifact.clone()
        };
        let record = ActionRecord {
            id: action,
            subject: inputs.subject.to_string(),
            artifacts: vec![artifact.clone()],
            materials: self.image_materials(source, inputs),
            log: None,
            started,
            finished: ambient.clock.now(),
            limits: String::new(),
            ok: true,
            documents: image_documents(inputs, &built, series)?,
        };
        let context = Context::new(self.means, &record, inputs, &[]);
        Ok(Assembled {
            evidence: context.of_image(&artifact, &built, &inputs.packages)?,
            record,
        })
    }

    /// Runs the tests of an image that is in the store, if it has some.
    fn tested(
        &self,
        (inputs, mut one): (&ActionInputs, Assembled),
        ambient: &Ambient<'_>,
    ) -> Result<Assembled, Error> {
        let name = inputs.subject.name.as_str();
        let test = self.means.loaded.image_tests.get(name);
        let Some((test, artifact)) = test.zip(one.record.artifacts.first()) else {
            return Ok(one);
        };
        let tested = self.test_image((name, test), artifact, ambient)?;
        let context = Context::new(self.means, &one.record, inputs, &[]);
        one.evidence
            .push(context.image_tests_passed(artifact, tested.document));
        let log = (format!("{TEST_LOG}{name}"), tested.report.log);
        one.record.documents.extend([log]);
        one.record.finished = ambient.clock.now();
        Ok(one)
    }

    /// What an image is made of, after each other what it stands upon: the lowest first.
    fn stack<'l>(
        &'l self,
        image: &'l Image,
        inputs: &ActionInputs,
    ) -> Result<Vec<Story<'l>>, Error> {
        let mut stack = vec![Story {
            image,
            locked: self.locked(&inputs.packages)?,
            inputs: inputs.clone(),
        }];
        while let Some(upon) = stack.last().and_then(|story| story.inputs.upon.clone()) {
            let item = self.means.loaded.catalog.images.get(&upon.name);
            let record = self.means.home.records().action(&upon.action)?;
            let inputs = match record {
                Some(record) => self.means.home.inputs_of(&record)?,
                None => None,
            };
            let (Some(item), Some(inputs)) = (item, inputs) else {
                let what = format!("nothing is known of image {}", upon.name);
                return Err(Error::Inconsistent { what });
            };
            stack.push(Story {
                image: &item.image,
                locked: self.locked(&inputs.packages)?,
                inputs,
            });
        }
        stack.reverse();
        Ok(stack)
    }

    /// Builds the topmost of a stack, which is at least one high.
    fn build_upon(
        &self,
        upon: Option<&ImageRequest<'_>>,
        stack: &[Story<'_>],
        (series, ambient): (&mut Series<'_>, &Ambient<'_>),
    ) -> Result<BuiltImage, Error> {
        let Some((story, rest)) = stack.split_first() else {
            let what = "an image is made of nothing".to_owned();
            return Err(Error::Inconsistent { what });
        };
        let request = ImageRequest {
            name: &story.inputs.subject.name,
            tag: None,
            vendor: &self.means.home.config.factory,
            image: story.image,
            architecture: story.inputs.architecture,
            locked: &story.locked,
            keyring: &self.means.keys.keyring,
            created: Some(story.inputs.epoch),
            upon,
            base: None,
            compression: compression(self.means.home.config.compression),
            compatible: None,
        };
        if rest.is_empty() {
            return Ok(series.build(&request, ambient)?);
        }
        self.build_upon(Some(&request), rest, (series, ambient))
    }

    fn image_materials(&self, source: &ImageSource, inputs: &ActionInputs) -> Vec<Material> {
        let packages = inputs.packages.iter().map(|pick| Material::Package {
            name: format!("{}-{}", pick.name, pick.version),
            sha256: pick.sha256,
            repository: pick.repository.clone(),
        });
        let own = std::iter::once((&source.path, &source.text));
        let included = source.included.iter();
        let files = own.chain(included.map(|file| (&file.file, &file.text)));
        let files = files.map(|(path, text)| Material::Recipe {
            path: path.clone(),
            sha256: boltworks_crypto::sha256(text.as_bytes()),
        });
        let builder = Material::Builder {
            name: self.means.home.host.program.clone(),
            sandbox: "nothing is run".to_owned(),
        };
        files.chain(packages).chain([builder]).collect()
    }
}

fn warn(text: &str, ambient: &Ambient<'_>) {
    ambient.sink.event(Event::Warning { text });
}

/// The error for the first, and its words for all others.
fn all_failed(count: usize, error: Error) -> Vec<Result<bool, Error>> {
    let why = chain(&error);
    let others = (1..count).map(|_| Err(Error::together(&why)));
    std::iter::once(Err(error)).chain(others).collect()
}

fn image_documents(
    inputs: &ActionInputs,
    built: &BuiltImage,
    series: &mut Series<'_>,
) -> Result<BTreeMap<String, Sha256>, Error> {
    let action = series.put_bytes(&inputs.canonical_json())?;
    let mut documents = BTreeMap::from([
        (ACTION_DOCUMENT.to_owned(), action),
        (SPDX_DOCUMENT.to_owned(), built.spdx),
        (SPDX3_DOCUMENT.to_owned(), built.spdx3),
        (CYCLONEDX_DOCUMENT.to_owned(), built.cyclonedx),
    ]);
    if !built.warnings.is_empty() {
        let text = built.warnings.join("\n") + "\n";
        let digest = series.put_bytes(text.as_bytes())?;
        documents.insert(WARNINGS_DOCUMENT.to_owned(), digest);
    }
    Ok(documents)
}
