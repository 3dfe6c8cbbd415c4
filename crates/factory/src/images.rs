//! One image carried out: assembled, described, evidence given, all of it recorded.

use std::collections::BTreeMap;

use boltworks_image::{BuiltImage, ImageRequest, build};
use boltworks_model::{
    ActionId, Ambient, Artifact, Evidence, EvidenceKind, Material, Reasons, Sha256, Timestamp,
    Verdict,
};
use boltworks_plan::{ActionInputs, Pick};
use boltworks_recipe::resolved::Image;
use boltworks_records::ActionRecord;

use crate::evidence;
use crate::planning::{ACTION_DOCUMENT, STAGE0};
use crate::recipes::{Workshop, locked};
use crate::{Error, Home};

/// The name of an image's SPDX document among its documents.
pub const SPDX_DOCUMENT: &str = "sbom spdx";
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
        let (Some(item), Some(path)) = (
            self.loaded.catalog.images.get(name),
            self.loaded.images.get(name),
        ) else {
            return Err(Error::Missing {
                what: "image",
                name: name.to_owned(),
                known: self.loaded.images.keys().cloned().collect(),
            });
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
            artifacts: vec![artifact],
            materials: self.image_materials(path, inputs)?,
            log: None,
            started,
            finished: ambient.clock.now(),
            limits: String::new(),
            ok: true,
            documents: self.image_documents(inputs, &built)?,
        };
        let evidence = self.image_evidence(&record, inputs, &built)?;
        self.home.record(&record, &evidence)?;
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
            vendor: &self.home.config.factory,
            image,
            architecture: inputs.architecture,
            locked: &locked(&inputs.packages, &self.world()?)?,
            keyring: &self.keys.keyring,
            created: Some(inputs.epoch),
        };
        let scratch = self.home.state_folder("scratch")?;
        let built = build(&request, &self.home.store, &scratch, ambient)?;
        for note in &built.notes {
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
        let action = self.home.store.put_bytes(&inputs.canonical_json())?.digest;
        Ok(BTreeMap::from([
            (ACTION_DOCUMENT.to_owned(), action),
            (SPDX_DOCUMENT.to_owned(), built.spdx),
            (CYCLONEDX_DOCUMENT.to_owned(), built.cyclonedx),
        ]))
    }

    fn image_materials(&self, path: &str, inputs: &ActionInputs) -> Result<Vec<Material>, Error> {
        let text = self.home.folder.read_vec(
            &boltworks_fsx::RelPath::try_from(path)?,
            crate::home::TEXT_LIMIT,
        )?;
        let mut materials = vec![Material::Recipe {
            path: path.to_owned(),
            sha256: boltworks_crypto::sha256(&text),
        }];
        materials.extend(inputs.packages.iter().map(|pick| Material::Package {
            name: format!("{}-{}", pick.name, pick.version),
            sha256: pick.sha256,
            repository: pick.repository.clone(),
        }));
        materials.push(Material::Builder {
            name: self.home.host.program.clone(),
            sandbox: "nothing is run".to_owned(),
        });
        Ok(materials)
    }

    fn image_evidence(
        &self,
        record: &ActionRecord,
        inputs: &ActionInputs,
        built: &BuiltImage,
    ) -> Result<Vec<Evidence>, Error> {
        let at: Timestamp = record.finished;
        let context = evidence::Context {
            home: self.home,
            keys: self.keys,
            record,
            inputs,
            at,
        };
        let Some(artifact) = record.artifacts.first() else {
            return Ok(Vec::new());
        };
        let signatures = context.signatures(&inputs.packages)?;
        Ok(vec![
            context.say(
                artifact,
                EvidenceKind::Materials,
                evidence::materials(&record.materials, inputs),
                None,
            ),
            context.say(
                artifact,
                EvidenceKind::Sbom,
                built.sbom_verdict(),
                Some(built.spdx),
            ),
            context.say(artifact, EvidenceKind::Signature, signatures, None),
            context.say(
                artifact,
                EvidenceKind::Origin,
                origin(&inputs.packages, self.home),
                None,
            ),
        ])
    }
}

/// Every package comes from the factory's own repository.
fn origin(packages: &[Pick], home: &Home) -> Verdict {
    let foreign: Vec<String> = packages
        .iter()
        .filter(|pick| pick.repository == STAGE0 || pick.repository != home.config.repository())
        .map(|pick| {
            format!(
                "{}-{} comes from '{}'",
                pick.name, pick.version, pick.repository
            )
        })
        .collect();
    Reasons::try_from(foreign).map_or(Verdict::Pass, Verdict::Fail)
}
