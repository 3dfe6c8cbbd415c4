//! One image carried out: assembled, described, evidence given, all of it recorded.

use std::collections::BTreeMap;

use boltworks_fsx::Root;
use boltworks_image::{BuiltImage, Compression, ImageRequest, build};
use boltworks_model::{ActionId, Ambient, Artifact, Material, Sha256};
use boltworks_plan::{ActionInputs, ActionKind};
use boltworks_recipe::resolved::Image;
use boltworks_records::ActionRecord;
use boltworks_rootfs::Locked;

use crate::Error;
use crate::catalog::ImageSource;
use crate::evidence::Context;
use crate::image_tests::TEST_LOG;
use crate::planning::ACTION_DOCUMENT;
use crate::recipes::{Workshop, locked};

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

impl Workshop<'_> {
    /// Assembles and records one image.
    pub fn make_image(
        &self,
        action: ActionId,
        inputs: &ActionInputs,
        ambient: &Ambient<'_>,
    ) -> Result<ActionRecord, Error> {
        let name = inputs.subject.name.as_str();
        let (Some(item), Some(source)) = (
            self.means.loaded.catalog.images.get(name),
            self.means.loaded.images.get(name),
        ) else {
            return Err(self.means.loaded.missing(ActionKind::Image, name));
        };
        let started = ambient.clock.now();
        let stack = self.stack(&item.image, inputs)?;
        let built = self.assemble(&stack, ambient)?;
        let artifact = Artifact {
            size: built.parts.manifest.bytes.len() as u64,
            ..built.artifact.clone()
        };
        let test = self.means.loaded.image_tests.get(name);
        let tested = test.map(|test| self.test_image((name, test), &artifact, ambient));
        let tested = tested.transpose()?;
        let mut documents = self.image_documents(inputs, &built)?;
        if let Some(tested) = &tested {
            let log = tested.report.log;
            documents.insert(format!("{TEST_LOG}{name}"), log);
        }
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
            documents,
        };
        let context = Context::new(self.means.home, self.means.keys, &record, inputs, &[]);
        let mut evidence = context.of_image(&artifact, &built, &inputs.packages)?;
        if let Some(tested) = &tested {
            evidence.push(context.image_tests_passed(&artifact, tested.document));
        }
        self.means.home.record(&record, &evidence)?;
        Ok(record)
    }

    /// What an image is made of, after each other what it stands upon: the lowest first.
    fn stack<'l>(
        &'l self,
        image: &'l Image,
        inputs: &ActionInputs,
    ) -> Result<Vec<Story<'l>>, Error> {
        let world = self.world()?;
        let mut stack = vec![Story {
            image,
            locked: locked(&inputs.packages, &world)?,
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
                locked: locked(&inputs.packages, &world)?,
                inputs,
            });
        }
        stack.reverse();
        Ok(stack)
    }

    fn assemble(&self, stack: &[Story<'_>], ambient: &Ambient<'_>) -> Result<BuiltImage, Error> {
        let scratch = self.means.home.state_folder("scratch")?;
        let built = self.build_upon(None, stack, (&scratch, ambient))?;
        for note in built.notes.iter().chain(&built.warnings) {
            ambient
                .sink
                .event(boltworks_model::Event::Warning { text: note });
        }
        Ok(built)
    }

    /// Builds the topmost of a stack, which is at least one high.
    fn build_upon(
        &self,
        upon: Option<&ImageRequest<'_>>,
        stack: &[Story<'_>],
        (scratch, ambient): (&Root, &Ambient<'_>),
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
            compression: compression(self.means.home.config.compression),
            compatible: None,
        };
        if rest.is_empty() {
            return Ok(build(&request, &self.means.home.store, scratch, ambient)?);
        }
        self.build_upon(Some(&request), rest, (scratch, ambient))
    }

    fn image_documents(
        &self,
        inputs: &ActionInputs,
        built: &BuiltImage,
    ) -> Result<BTreeMap<String, Sha256>, Error> {
        let action = self
            .means
            .home
            .store
            .put_bytes(&inputs.canonical_json())?
            .digest;
        let mut documents = BTreeMap::from([
            (ACTION_DOCUMENT.to_owned(), action),
            (SPDX_DOCUMENT.to_owned(), built.spdx),
            (SPDX3_DOCUMENT.to_owned(), built.spdx3),
            (CYCLONEDX_DOCUMENT.to_owned(), built.cyclonedx),
        ]);
        if !built.warnings.is_empty() {
            let text = built.warnings.join("\n") + "\n";
            let stored = self.means.home.store.put_bytes(text.as_bytes())?;
            documents.insert(WARNINGS_DOCUMENT.to_owned(), stored.digest);
        }
        Ok(documents)
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
