//! What is said of an artifact before it is judged: seen by the factory itself, never told by the
//! build.

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_image::BuiltImage;
use boltworks_model::{
    Artifact, Evidence, EvidenceKind, Gaps, Material, Reasons, Sha256, Timestamp, Verdict,
};
use boltworks_package::SourceInput;
use boltworks_plan::{ActionInputs, Pick, Pin};
use boltworks_records::ActionRecord;
use boltworks_sbom::spdx::Document;

use crate::files::TEXT_LIMIT;
use crate::keys::Keys;
use crate::means::Means;
use crate::origin::{Environment, newest};
use crate::planning::STAGE0;
use crate::{Error, Home};

/// What evidence of one action's artifacts is drawn from.
pub struct Context<'a> {
    home: &'a Home,
    keys: &'a Keys,
    materials: Verdict,
    at: Timestamp,
}

impl<'a> Context<'a> {
    /// For the artifacts of an action that these inputs decided. `sources` is what was fetched.
    pub fn new(
        means: &Means<'a>,
        record: &ActionRecord,
        inputs: &ActionInputs,
        sources: &[SourceInput],
    ) -> Self {
        Self {
            home: means.home,
            keys: means.keys,
            materials: materials(&record.materials, inputs, sources),
            at: record.finished,
        }
    }

    /// Materials, SBOM, signature and origin of a package.
    pub fn of_package(
        &self,
        artifact: &Artifact,
        sbom: Sha256,
        environment: &Environment<'_>,
    ) -> Result<Vec<Evidence>, Error> {
        let package = self.open(&artifact.digest)?;
        let signature = verdict(&package);
        let origin = match package {
            Ok(package) if package.control().origin == STAGE0 => {
                Verdict::Fail(Reasons::one("it comes from stage 0"))
            }
            Ok(package) => environment.judge(&package)?,
            Err(error) => Verdict::Unknown(Gaps::one(error.to_string())),
        };
        Ok(vec![
            self.materials(artifact),
            self.sbom(artifact, self.judge_sbom(artifact, sbom)?, sbom),
            self.say(artifact, EvidenceKind::Signature, signature),
            self.say(artifact, EvidenceKind::Origin, origin),
        ])
    }

    /// Materials, SBOM, signatures and origin of an image of these packages.
    pub fn of_image(
        &self,
        artifact: &Artifact,
        built: &BuiltImage,
        packages: &[Pick],
    ) -> Result<Vec<Evidence>, Error> {
        Ok(vec![
            self.materials(artifact),
            self.sbom(artifact, built.sbom_verdict(), built.spdx),
            self.say(
                artifact,
                EvidenceKind::Signature,
                self.signatures(packages)?,
            ),
            self.say(artifact, EvidenceKind::Origin, self.origins(packages)?),
        ])
    }

    /// The package's own tests were run, all of them, and passed.
    pub fn tests_passed(&self, artifact: &Artifact) -> Evidence {
        self.say(artifact, EvidenceKind::Tests, Verdict::Pass)
    }

    /// The image's own tests were run, all of them, and passed, as this report says.
    pub fn image_tests_passed(&self, artifact: &Artifact, report: Sha256) -> Evidence {
        Evidence {
            document: Some(report),
            ..self.tests_passed(artifact)
        }
    }

    fn materials(&self, artifact: &Artifact) -> Evidence {
        self.say(artifact, EvidenceKind::Materials, self.materials.clone())
    }

    fn sbom(&self, artifact: &Artifact, verdict: Verdict, document: Sha256) -> Evidence {
        Evidence {
            document: Some(document),
            ..self.say(artifact, EvidenceKind::Sbom, verdict)
        }
    }

    fn say(&self, artifact: &Artifact, kind: EvidenceKind, verdict: Verdict) -> Evidence {
        Evidence {
            subject: artifact.clone(),
            kind,
            verdict,
            document: None,
            at: self.at,
        }
    }

    /// A package of the store, judged with the factory's own key.
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

    /// The signatures of all packages in an image verify with the factory's own key: they were found
    /// to when the package was made, which is made again when the key is another one, or they are now.
    fn signatures(&self, packages: &[Pick]) -> Result<Verdict, Error> {
        let signature = |pick: &Pick| {
            Ok(
                match newest(self.home, &pick.sha256, EvidenceKind::Signature)? {
                    Some(Verdict::Pass) => Verdict::Pass,
                    _ => verdict(&self.open(&pick.sha256)?),
                },
            )
        };
        let verdicts = packages.iter().map(signature);
        Ok(Verdict::all(verdicts.collect::<Result<Vec<_>, Error>>()?))
    }

    /// Every package of an image comes from the factory's own repository, and each was found to
    /// be nobody else's when it was made.
    fn origins(&self, packages: &[Pick]) -> Result<Verdict, Error> {
        let own = self.home.config.repository();
        if packages.is_empty() {
            return Ok(Verdict::Pass);
        }
        let mut verdicts = Vec::new();
        for pick in packages {
            let Pick {
                name,
                version,
                repository,
                sha256,
            } = pick;
            if repository == STAGE0 || repository != own {
                let why = format!("{name}-{version} comes from '{repository}'");
                verdicts.push(Verdict::Fail(Reasons::one(why)));
                continue;
            }
            let newest = newest(self.home, sha256, EvidenceKind::Origin)?;
            verdicts.push(newest.unwrap_or_else(|| {
                Verdict::Unknown(Gaps::one(format!(
                    "it is not known where the files of {name}-{version} come from"
                )))
            }));
        }
        Ok(Verdict::all(verdicts))
    }

    fn judge_sbom(&self, artifact: &Artifact, sbom: Sha256) -> Result<Verdict, Error> {
        let bytes = self.home.store.read_bytes(&sbom, TEXT_LIMIT)?.into_inner();
        Ok(match Document::from_json(&bytes) {
            Ok(document) if document.names_package(&artifact.coordinate.name) => Verdict::Pass,
            Ok(_) => Verdict::Fail(Reasons::one("the SBOM speaks of another package")),
            Err(error) => Verdict::Unknown(Gaps::one(error.to_string())),
        })
    }
}

fn verdict(opened: &Result<PackageFile, boltworks_apk::Error>) -> Verdict {
    match opened {
        Ok(_) => Verdict::Pass,
        Err(error) => Verdict::Fail(Reasons::one(error.to_string())),
    }
}

/// Complete when the recipe and the builder are named, and everything that decided the action
/// stands among the materials with the same digest.
fn materials(materials: &[Material], inputs: &ActionInputs, sources: &[SourceInput]) -> Verdict {
    let has = |wanted: &dyn Fn(&Material) -> bool| materials.iter().any(wanted);
    let mut gaps = Vec::new();
    if !has(&|material| matches!(material, Material::Recipe { .. })) {
        gaps.push("the recipe is not among the materials".to_owned());
    }
    if !has(&|material| matches!(material, Material::Builder { .. })) {
        gaps.push("the builder is not among the materials".to_owned());
    }
    for pick in &*inputs.packages {
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
        let digest = sha256_of(pin, sources);
        let is_it = |material: &Material| {
            matches!(material, Material::Source { sha256, .. }
                if Some(sha256.prefixed()) == digest)
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

/// The SHA-256 of a pin. A source that its recipe knows by SHA-512 was checked by that when it was
/// fetched: then its SHA-256 is that of the bytes that came.
fn sha256_of(pin: &Pin, sources: &[SourceInput]) -> Option<String> {
    if pin.digest.starts_with("sha256:") {
        return Some(pin.digest.clone());
    }
    let fetched = sources.iter().find(|source| source.name == pin.name);
    fetched.map(|source| source.digest.prefixed())
}
