//! Images before they are judged: what was made, of what, and what is known of all of it.

use std::sync::Arc;

use boltworks_gate::judge;
use boltworks_model::{ActionId, Artifact, Evidence};
use boltworks_plan::ActionInputs;
use boltworks_records::Results;
use boltworks_release::{Attachment, Candidate, ImageRequest, Inside};

use crate::Error;
use crate::releasing::{Office, attachments};

/// What is said of some artifacts, of each all.
pub(crate) type Known = Vec<Arc<[Evidence]>>;

/// An image that was made, and of what.
pub(crate) struct Made {
    results: Results,
    pub(crate) artifact: Artifact,
    pub(crate) inputs: ActionInputs,
}

impl Office<'_> {
    /// An image that was made.
    pub(crate) fn made(&self, action: &ActionId) -> Result<Option<Made>, Error> {
        let Some(results) = self.home.records().results_of(action)? else {
            return Ok(None);
        };
        let artifact = results.artifacts.first().cloned();
        let inputs = self.home.inputs_in(&results.documents)?;
        Ok(artifact.zip(inputs).map(|(artifact, inputs)| Made {
            results,
            artifact,
            inputs,
        }))
    }

    /// Why an image that another one stands upon could not be released; then that cannot either.
    pub(crate) fn refusal_below(&self, inputs: &ActionInputs) -> Result<Option<String>, Error> {
        let Some(upon) = &inputs.upon else {
            return Ok(None);
        };
        let Some(made) = self.made(&upon.action)? else {
            let what = format!("nothing is known of image {}", upon.name);
            return Err(Error::Inconsistent { what });
        };
        if let Some(why) = self.refusal_below(&made.inputs)? {
            return Ok(Some(why));
        }
        let (candidate, evidence) = self.candidate(made)?;
        let policy = self.policy_of(&upon.name);
        let evidence = evidence.iter().flat_map(|said| said.iter());
        let judged = judge(&policy, candidate, evidence, self.ambient.clock.now());
        Ok(judged
            .err()
            .map(|refused| format!("it stands upon image {}: {refused}", upon.name)))
    }

    /// What is judged, and all that is known of it.
    pub(crate) fn candidate(&self, made: Made) -> Result<(Candidate, Known), Error> {
        let nominee = self.nominated(made, None)?;
        let candidate = Candidate::image(&self.home.store, &nominee.request())?;
        Ok((candidate, nominee.evidence))
    }

    /// An image with all that is known of it, for a channel that points at the one `before`.
    pub(crate) fn nominated(&self, made: Made, before: Option<Artifact>) -> Result<Nominee, Error> {
        let Made {
            results,
            artifact,
            inputs,
        } = made;
        let mut evidence = vec![self.home.records().evidence_for(&artifact.digest)?.into()];
        let mut packages = Vec::new();
        for pick in &*inputs.packages {
            let of_package = self.home.evidence_for(&pick.sha256)?;
            let Some(package) = of_package.first().map(|said| said.subject.clone()) else {
                let what = format!("nothing is known of {}-{}", pick.name, pick.version);
                return Err(Error::Inconsistent { what });
            };
            packages.push(Inside {
                package,
                repository: pick.repository.clone(),
            });
            evidence.push(of_package);
        }
        Ok(Nominee {
            attachments: attachments(&results.documents, artifact.digest),
            artifact,
            packages,
            before,
            evidence,
        })
    }
}

/// An image that a channel is to point at.
pub(crate) struct Nominee {
    artifact: Artifact,
    packages: Vec<Inside>,
    attachments: Vec<Attachment>,
    /// What the channel points at now.
    before: Option<Artifact>,
    /// Of it and its packages.
    pub(crate) evidence: Known,
}

impl Nominee {
    pub(crate) fn request(&self) -> ImageRequest<'_> {
        ImageRequest {
            artifact: &self.artifact,
            packages: &self.packages,
            attachments: &self.attachments,
            before: self.before.as_ref(),
        }
    }
}
