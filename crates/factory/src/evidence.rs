//! What is said of an artifact before it is judged: seen by the factory itself, never told by the
//! build.

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_model::{
    Artifact, Evidence, EvidenceKind, Gaps, Material, Reasons, Sha256, SourceKind, Timestamp,
    Verdict,
};
use boltworks_plan::{ActionInputs, Pick};
use boltworks_records::ActionRecord;

use crate::home::Keys;
use crate::origin::Environment;
use crate::planning::STAGE0;
use crate::{Error, Home};

/// What evidence is drawn from.
pub struct Context<'a> {
    /// The factory.
    pub home: &'a Home,
    /// Its keys.
    pub keys: &'a Keys,
    /// The action that gave the artifact.
    pub record: &'a ActionRecord,
    /// What decided that action.
    pub inputs: &'a ActionInputs,
    /// When it is said.
    pub at: Timestamp,
}

impl Context<'_> {
    /// Materials, SBOM, signature and origin of a package.
    pub fn of_package(
        &self,
        artifact: &Artifact,
        sbom: Sha256,
        environment: &Environment<'_>,
    ) -> Result<Vec<Evidence>, Error> {
        let origin = self.origin_of_package(artifact, environment)?;
        Ok(vec![
            self.say(
                artifact,
                EvidenceKind::Materials,
                materials(&self.record.materials, self.inputs),
                None,
            ),
            self.say(
                artifact,
                EvidenceKind::Sbom,
                self.sbom(artifact, sbom)?,
                Some(sbom),
            ),
            self.say(
                artifact,
                EvidenceKind::Signature,
                self.signature(artifact)?,
                None,
            ),
            self.say(artifact, EvidenceKind::Origin, origin, None),
        ])
    }

    /// The package's own tests were run, all of them, and passed.
    pub fn tests_passed(&self, artifact: &Artifact) -> Evidence {
        self.say(artifact, EvidenceKind::Tests, Verdict::Pass, None)
    }

    /// One statement.
    pub fn say(
        &self,
        artifact: &Artifact,
        kind: EvidenceKind,
        verdict: Verdict,
        document: Option<Sha256>,
    ) -> Evidence {
        Evidence {
            subject: artifact.clone(),
            kind,
            verdict,
            document,
            at: self.at,
        }
    }

    /// The package's signature verifies with the factory's own key, on the bytes in the store.
    fn signature(&self, artifact: &Artifact) -> Result<Verdict, Error> {
        Ok(verdict(self.open(&artifact.digest)?))
    }

    /// The package is not stage 0's, and no file in it is.
    fn origin_of_package(
        &self,
        artifact: &Artifact,
        environment: &Environment<'_>,
    ) -> Result<Verdict, Error> {
        Ok(match self.open(&artifact.digest)? {
            Ok(package) if package.control().origin == STAGE0 => {
                Verdict::Fail(Reasons::one("it comes from stage 0"))
            }
            Ok(package) => environment.judge(&package)?,
            Err(error) => Verdict::Unknown(Gaps::one(error.to_string())),
        })
    }

    fn open(&self, digest: &Sha256) -> Result<Result<PackageFile, boltworks_apk::Error>, Error> {
        let blob = self.home.store.open_blob(digest)?;
        let options = OpenOptions {
            keyring: Some(&self.keys.keyring),
            ..OpenOptions::default()
        };
        Ok(PackageFile::open(
            std::sync::Arc::clone(blob.file()),
            &options,
        ))
    }

    /// The signatures of all packages in an image verify with the factory's own key.
    pub fn signatures(&self, packages: &[Pick]) -> Result<Verdict, Error> {
        let verdicts = packages
            .iter()
            .map(|pick| Ok(verdict(self.open(&pick.sha256)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Verdict::all(verdicts))
    }

    fn sbom(&self, artifact: &Artifact, sbom: Sha256) -> Result<Verdict, Error> {
        let bytes = self
            .home
            .store
            .read_bytes(&sbom, crate::home::TEXT_LIMIT)?
            .into_inner();
        Ok(match boltworks_sbom::spdx::Document::from_json(&bytes) {
            Ok(document) if document.names_package(&artifact.coordinate.name) => Verdict::Pass,
            Ok(_) => Verdict::Fail(Reasons::one("the SBOM speaks of another package")),
            Err(error) => Verdict::Unknown(Gaps::one(error.to_string())),
        })
    }
}

fn verdict(opened: Result<PackageFile, boltworks_apk::Error>) -> Verdict {
    match opened {
        Ok(_) => Verdict::Pass,
        Err(error) => Verdict::Fail(Reasons::one(error.to_string())),
    }
}

/// Complete when the recipe and the builder are named, and everything that decided the action
/// stands among the materials with the same digest.
pub fn materials(materials: &[Material], inputs: &ActionInputs) -> Verdict {
    let has = |wanted: &dyn Fn(&Material) -> bool| materials.iter().any(wanted);
    let mut gaps = Vec::new();
    if !has(&|material| matches!(material, Material::Recipe { .. })) {
        gaps.push("the recipe is not among the materials".to_owned());
    }
    if !has(&|material| matches!(material, Material::Builder { .. })) {
        gaps.push("the builder is not among the materials".to_owned());
    }
    for pick in &inputs.packages {
        let is_it = |material: &Material| {
            matches!(material, Material::Package { sha256, repository, .. }
                if *sha256 == pick.sha256 && *repository == pick.repository)
        };
        if !has(&is_it) {
            gaps.push(format!(
                "the package {}-{} is not among the materials",
                pick.name, pick.version
            ));
        }
    }
    for pin in inputs.sources.iter().chain(&inputs.files) {
        let is_it = |material: &Material| match material {
            // A source that its recipe knows by SHA-512 was checked by that when it was fetched.
            Material::Source { sha256, kind, .. } => {
                sha256.prefixed() == pin.digest
                    || (pin.digest.starts_with("sha512:") && *kind != SourceKind::Local)
            }
            _ => false,
        };
        if !has(&is_it) {
            gaps.push(format!(
                "the source {} is not among the materials",
                pin.name
            ));
        }
    }
    Gaps::try_from(gaps).map_or(Verdict::Pass, Verdict::Unknown)
}
