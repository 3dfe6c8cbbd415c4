//! One image carried out: assembled, described, evidence given, all of it recorded.

use std::collections::BTreeMap;

use boltworks_image::{BuiltImage, ImageRequest, build};
use boltworks_model::{ActionId, Ambient, Artifact, Material, Sha256};
use boltworks_plan::{ActionInputs, ActionKind};
use boltworks_recipe::resolved::Image;
use boltworks_records::ActionRecord;

use crate::Error;
use crate::catalog::ImageSource;
use crate::evidence::Context;
use crate::planning::ACTION_DOCUMENT;
use crate::recipes::{Workshop, locked};

/// The name of an image's SPDX document among its documents.
pub const SPDX_DOCUMENT: &str = "sbom spdx";
/// The name of the lines that say which files of an image a person should look at, among its
/// documents; an image without such files has none.
/// The name of an image's SPDX 3 document among its documents.
pub const SPDX3_DOCUMENT: &str = "sbom spdx3";
pub const WARNINGS_DOCUMENT: &str = "warnings";
/// The name of an image's `CycloneDX` document among its documents.
pub const CYCLONEDX_DOCUMENT: &str = "sbom cyclonedx";

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
        let built = self.assemble(name, &item.image, inputs, ambient)?;
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
            documents: self.image_documents(inputs, &built)?,
        };
        let context = Context::new(self.means.home, self.means.keys, &record, inputs, &[]);
        let evidence = context.of_image(&artifact, &built, &inputs.packages)?;
        self.means.home.record(&record, &evidence)?;
        Ok(record)
    }

    fn assemble(
        &self,
        name: &str,
        image: &Image,
        inputs: &ActionInputs,
        ambient: &Ambient<'_>,
    ) -> Result<BuiltImage, Error> {
        let request = ImageRequest {
            name,
            tag: None,
            vendor: &self.means.home.config.factory,
            image,
            architecture: inputs.architecture,
            locked: &locked(&inputs.packages, &self.world()?)?,
            keyring: &self.means.keys.keyring,
            created: Some(inputs.epoch),
        };
        let scratch = self.means.home.state_folder("scratch")?;
        let built = build(&request, &self.means.home.store, &scratch, ambient)?;
        for note in built.notes.iter().chain(&built.warnings) {
            ambient
                .sink
                .event(boltworks_model::Event::Warning { text: note });
        }
        Ok(built)
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
            (SPDX3_DOCUMENT.to_owned(), built.spdx3),
