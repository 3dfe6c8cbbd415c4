//! What was made is judged, and channels are moved to what the gate clears.

use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_apk::Index;
use boltworks_gate::{self as gate, Cleared, Origin, Policy, judge};
use boltworks_model::{
    Ambient, Artifact, ArtifactKind, ChannelName, Coordinate, Evidence, EvidenceKind, Reasons,
    Sha256, Verdict,
};
use boltworks_plan::{Item, Plan, State, Subject};
use boltworks_records::ActionRecord;
use boltworks_release::{Attachment, Candidate, RepositoryRequest, Standing, publish, publish_all};
use rayon::prelude::*;

use crate::candidates::Nominee;
use crate::catalog::Loaded;
use crate::images::{CYCLONEDX_DOCUMENT, SPDX_DOCUMENT, SPDX3_DOCUMENT};
use crate::keys::Keys;
use crate::released::{Moved, Refusals, RefusedMove, Released};
use crate::{Error, Home};

/// What an SPDX document is served as.
const SPDX_TYPE: &str = "application/spdx+json";
/// What an SPDX 3 document is served as.
const SPDX3_TYPE: &str = "application/ld+json";
/// What a `CycloneDX` document is served as.
const CYCLONEDX_TYPE: &str = "application/vnd.cyclonedx+json";
/// What the refusals of the last run are kept under.
const REFUSALS: &str = "refusals";
/// So many channels are moved in one transaction.
const TOGETHER: usize = 128;
/// How many digits of a digest name an index.
const SHORT: usize = 12;

/// Judges and releases the repository, then every channel's image.
pub fn release(
    home: &Home,
    loaded: &Loaded,
    keys: &Keys,
    plan: &Plan,
    ambient: &Ambient<'_>,
) -> Result<Released, Error> {
    let configured = home.config.release_policy();
    let policy = Policy {
        name: "release".to_owned(),
        require: configured.require,
        require_of_itself: Vec::new(),
        forbid_repositories: configured.forbid_repositories.into_iter().collect(),
    };
    let office = Office {
        home,
        keys,
        loaded,
        items: plan
            .items
            .iter()
            .map(|item| (&item.subject, item))
            .collect(),
        policy,
        ambient,
    };
    let mut released = Released::default();
    let repository = office.repository_channel()?;
    let outcome = office.repository(&repository, &mut released);
    released.keep_going(&repository, outcome)?;
    let channels = home.config.channels.iter();
    let channels = channels.map(|(channel, points_at)| (channel, points_at.image.as_str()));
    let channels: Vec<_> = channels.collect();
    // While some become durable, others are judged.
    let parts = channels.par_chunks(TOGETHER);
    let parts = parts.map(|channels| office.images(channels));
    for part in parts.collect::<Result<Vec<_>, _>>()? {
        released.moved.extend(part.moved);
        released.refused.extend(part.refused);
        released.unmade.extend(part.unmade);
    }
    released.moved.sort_by(|one, other| {
        let of_images = |moved: &Moved| moved.channel != repository;
        (of_images(one), &one.channel).cmp(&(of_images(other), &other.channel))
    });
    home.note_refusals(&released)?;
    let known = home.records().channels()?;
    let is_unnamed = |channel: &ChannelName| {
        *channel != repository && !home.config.channels.contains_key(channel)
    };
    released.unnamed = known
        .into_iter()
        .map(|release| release.channel)
        .filter(is_unnamed)
        .collect();
    Ok(released)
}

impl Home {
    /// Keeps for later questions which channels the last run did not move, and why.
    fn note_refusals(&self, released: &Released) -> Result<(), Error> {
        let refused = released.refused.iter().chain(&released.unmade);
        let refusals: Refusals = refused
            .map(|refused| (refused.channel.clone(), refused.why.clone()))
            .collect();
        if refusals != self.refusals()? {
            let text = serde_json::to_string(&refusals)?;
            self.records().set_meta(REFUSALS, &text)?;
        }
        Ok(())
    }

    /// The channels that the last run did not move, and why.
    pub fn refusals(&self) -> Result<Refusals, Error> {
        let text = self.records().meta(REFUSALS)?;
        let refusals = text.as_deref().map(serde_json::from_str).transpose()?;
        Ok(refusals.unwrap_or_default())
    }
}

/// What the gate cleared: where its channel points now, and what is to be told when it is moved.
type Ready = (Option<Sha256>, Cleared<Candidate>, Moved);

pub(crate) struct Office<'a> {
    pub(crate) home: &'a Home,
    keys: &'a Keys,
    loaded: &'a Loaded,
    items: BTreeMap<&'a Subject, &'a Item>,
    policy: Policy,
    pub(crate) ambient: &'a Ambient<'a>,
}

impl Office<'_> {
    /// The repository: for each recipe the packages of its current action or, where it cannot be
    /// made now, of its last good one.
    fn repository(&self, channel: &ChannelName, released: &mut Released) -> Result<(), Error> {
        let mut entries = Vec::new();
        let mut packages = Vec::new();
        for name in self.loaded.catalog.recipe_names() {
            let Some(record) = self.record(&Subject::recipe(name))? else {
                continue;
            };
            if let Some(of_record) = self.home.index_of(&record)? {
                entries.extend(of_record.entries.iter().cloned());
                packages.extend(record.artifacts);
            }
        }
        if packages.is_empty() {
            return Ok(());
        }
        let artifact = self.signed_index(&Index::new(self.home.config.description(), entries))?;
        let request = RepositoryRequest {
            channel,
            index: &artifact,
            packages: &packages,
            keys: &self.keys.keyring,
        };
        let candidate = Candidate::repository(&self.home.store, &self.home.records(), &request)?;
        let mut evidence = vec![self.home.records().evidence_for(&artifact.digest)?.into()];
        for package in &packages {
            evidence.push(self.home.evidence_for(&package.digest)?);
        }
        let policy = &self.policy;
        self.judge_and_move(channel, (policy, candidate), &evidence, released)
    }

    fn repository_channel(&self) -> Result<ChannelName, Error> {
        let architecture = self.home.architecture();
        let channel = format!("{}/{architecture}", self.home.config.repository());
        channel.parse().map_err(|_| Error::Inconsistent {
            what: format!("'{channel}' is not a channel's name"),
        })
    }

    /// Signs the index, and gives evidence that its signature verifies.
    fn signed_index(&self, index: &Index) -> Result<Artifact, Error> {
        let bytes = index.write(&self.keys.signer, self.home.epoch().0)?;
        let stored = self.home.store.put_bytes(&bytes)?;
        let architecture = self.home.architecture();
        let version: String = stored.digest.to_string().chars().take(SHORT).collect();
        let artifact = Artifact {
            coordinate: Coordinate {
                kind: ArtifactKind::ApkIndex,
                name: self.home.config.repository().to_owned(),
                version,
                architecture,
            },
            digest: stored.digest,
            size: stored.size,
        };
        if self.home.records().evidence_for(&stored.digest)?.is_empty() {
            let verdict = match Index::read(&bytes, Some(&self.keys.keyring)) {
                Ok(_) => Verdict::Pass,
                Err(error) => Verdict::Fail(Reasons::one(error.to_string())),
            };
            self.home.records().record_evidence(&[Evidence {
                subject: artifact.clone(),
                kind: EvidenceKind::Signature,
                verdict,
                document: None,
                at: self.ambient.clock.now(),
            }])?;
        }
        Ok(artifact)
    }

    /// Some channels, each for itself; their moves become durable together.
    fn images(&self, images: &[(&ChannelName, &str)]) -> Result<Released, Error> {
        let mut released = Released::default();
        let named = images.par_iter();
        let named = named.map(|&(channel, image)| (channel, image, self.nominee(channel, image)));
        let mut nominees = Vec::new();
        for (channel, image, nominee) in named.collect::<Vec<_>>() {
            match nominee {
                Ok(Nomination::Of(nominee)) => nominees.push((channel, image, nominee)),
                Ok(Nomination::Stays(told)) => released.moved.push(told),
                Ok(Nomination::Refused(why)) => released.refused.push(refused(channel, why)),
                Ok(Nomination::Unmade(why)) => released.unmade.push(refused(channel, why)),
                Err(error) => released.keep_going(channel, Err(error))?,
            }
        }
        let requests = nominees.iter().map(|(.., nominee)| nominee.request());
        let requests: Vec<_> = requests.collect();
        let candidates = Candidate::images(&self.home.store, &requests)?;
        let mut moves = Vec::new();
        let mut moved = BTreeMap::new();
        let judged = nominees.par_iter().zip(candidates);
        let judged = judged.map(|((channel, image, nominee), candidate)| {
            let policy = self.policy_of(image);
            let cleared = candidate
                .map_err(Error::from)
                .and_then(|candidate| self.clear(channel, (&policy, candidate), &nominee.evidence));
            (*channel, cleared)
        });
        for (channel, cleared) in judged.collect::<Vec<_>>() {
            match cleared {
                Ok(Ok((before, cleared, told))) => {
                    moves.push((channel, before, cleared));
                    moved.insert(channel, told);
                }
                Ok(Err(why)) => released.refused.push(refused(channel, why)),
                Err(error) => released.keep_going(channel, Err(error))?,
            }
        }
        let now = self.ambient.clock.now();
        for (channel, outcome) in publish_all(&mut self.home.records(), moves, now)? {
            match outcome {
                Ok(_) => released.moved.extend(moved.remove(channel)),
                Err(error) => released.keep_going(channel, Err(error.into()))?,
            }
        }
        Ok(released)
    }

    /// The image that a channel is to point at, if it was made and what it stands upon can be released.
    fn nominee(&self, channel: &ChannelName, image: &str) -> Result<Nomination, Error> {
        let Some(item) = self.items.get(&Subject::image(image)) else {
            return Ok(Nomination::Refused(format!("there is no image '{image}'")));
        };
        let State::Fresh(action) = item.state else {
            let why = match &item.state {
                State::Blocked(why) => why,
                _ => "it could not be made",
            };
            return Ok(Nomination::Unmade(format!("its image is not made: {why}")));
        };
        let Some(made) = self.made(&action)? else {
            let what = format!("image {image} is made, and nothing is known of it");
            return Err(Error::Inconsistent { what });
        };
        if let Some(why) = self.refusal_below(&made.inputs)? {
            return Ok(Nomination::Refused(why));
        }
        let before = self.home.records().current(channel)?;
        let nominee = self.nominated(made, before.map(|release| release.artifact))?;
        let place = (&self.home.store, &*self.home.records());
        let Some(standing) = Standing::image(place, channel, &nominee.request())? else {
            return Ok(Nomination::Of(nominee));
        };
        let (policy, size) = (self.policy_of(image), standing.download());
        let judged = self.judge((&policy, standing), &nominee.evidence);
        Ok(match judged {
            Ok(cleared) => Nomination::Stays(told((&policy, channel), &cleared, size)),
            Err(why) => Nomination::Refused(why),
        })
    }

    /// What is required of an image: its tests too, where it has some.
    pub(crate) fn policy_of(&self, image: &str) -> Policy {
        let item = self.loaded.catalog.images.get(image);
        let is_tested = item.is_some_and(|item| !item.tests.is_empty());
        Policy {
            require_of_itself: is_tested
                .then_some(EvidenceKind::Tests)
                .into_iter()
                .collect(),
            ..self.policy.clone()
        }
    }

    fn judge_and_move(
        &self,
        channel: &ChannelName,
        candidate: (&Policy, Candidate),
        evidence: &[Arc<[Evidence]>],
        released: &mut Released,
    ) -> Result<(), Error> {
        match self.clear(channel, candidate, evidence)? {
            Ok((before, cleared, moved)) => {
                let now = self.ambient.clock.now();
                publish(&mut self.home.records(), channel, before, cleared, now)?;
                released.moved.push(moved);
            }
            Err(why) => released.refused.push(refused(channel, why)),
        }
        Ok(())
    }

    /// What the gate clears, or why it does not.
    fn clear(
        &self,
        channel: &ChannelName,
        candidate: (&Policy, Candidate),
        evidence: &[Arc<[Evidence]>],
    ) -> Result<Result<Ready, String>, Error> {
        let (policy, size) = (candidate.0, download_size(&candidate.1));
        let cleared = match self.judge(candidate, evidence) {
            Ok(cleared) => cleared,
            Err(why) => return Ok(Err(why)),
        };
        let before = self.home.records().current(channel)?;
        let before = before.map(|release| release.after());
        let told = Moved {
            is_new: before != Some(cleared.subject().artifact().digest),
            ..told((policy, channel), &cleared, size)
        };
        Ok(Ok((before, cleared, told)))
    }

    fn judge<T: gate::Subject>(
        &self,
        (policy, subject): (&Policy, T),
        evidence: &[Arc<[Evidence]>],
    ) -> Result<Cleared<T>, String> {
        let evidence = evidence.iter().flat_map(|said| said.iter());
        judge(policy, subject, evidence, self.ambient.clock.now())
            .map_err(|refused| refused.to_string())
    }

    /// The current action's record; where there is none, the last good one.
    fn record(&self, subject: &Subject) -> Result<Option<ActionRecord>, Error> {
        let item = self.items.get(subject);
        let records = self.home.records();
        Ok(match item.map(|item| &item.state) {
            Some(State::Fresh(action)) => records.action(action)?,
            _ => records.latest_good_for(&subject.to_string())?,
        })
    }
}

/// What is told of a channel that stays where it is.
fn told<T: gate::Subject>(
    (policy, channel): (&Policy, &ChannelName),
    cleared: &Cleared<T>,
    size: u64,
) -> Moved {
    let subject = cleared.subject();
    Moved {
        channel: channel.clone(),
        is_new: false,
        artifact: subject.artifact().clone(),
        packages: subject.origins().map_or(0, <[Origin]>::len),
        size,
        judged: policy.required_of_itself().collect(),
        not_judged: policy.not_judged(),
    }
}

/// What a channel is to point at.
enum Nomination {
    Of(Nominee),
    /// What it points at.
    Stays(Moved),
    /// Nothing, since it may not.
    Refused(String),
    /// Nothing, since there is nothing.
    Unmade(String),
}

fn refused(channel: &ChannelName, why: String) -> RefusedMove {
    RefusedMove {
        channel: channel.clone(),
        why,
    }
}

pub(crate) fn attachments(documents: &BTreeMap<String, Sha256>, about: Sha256) -> Vec<Attachment> {
    [
        (SPDX_DOCUMENT, SPDX_TYPE),
        (SPDX3_DOCUMENT, SPDX3_TYPE),
        (CYCLONEDX_DOCUMENT, CYCLONEDX_TYPE),
    ]
    .into_iter()
    .filter_map(|(name, media_type)| {
        let digest = *documents.get(name)?;
        Some(Attachment {
            digest,
            media_type: media_type.to_owned(),
            about,
        })
    })
    .collect()
}

/// What a client fetches: manifest, configuration and layers, or index and packages.
fn download_size(candidate: &Candidate) -> u64 {
    use boltworks_records::Role;
    candidate
        .blobs()
        .iter()
        .filter(|blob| {
            matches!(
                blob.role,
                Role::Manifest | Role::Config | Role::Layer | Role::ApkIndex | Role::Apk
            )
        })
        .map(|blob| blob.size)
        .sum()
}
