//! The only way to move a channel.

use boltworks_gate::{Cleared, Judgement};
use boltworks_model::{ArtifactKind, ChannelName, EvidenceKind, Sha256, Timestamp};
use boltworks_records::{NewRelease, Records, ReleaseRecord};
use serde::Serialize;

use crate::{Candidate, Error};

/// One move of one channel.
pub type Release = ReleaseRecord;

/// Moves a channel to a candidate that the gate cleared, if it still points where the caller
/// thinks it does (else [`Error::is_moved`]). The move, every blob it makes public and how it was
/// judged are one transaction, durable when this returns. Repeating a move changes nothing.
pub fn publish(
    records: &mut Records,
    channel: &ChannelName,
    before: Option<Sha256>,
    cleared: Cleared<Candidate>,
    at: Timestamp,
) -> Result<Release, Error> {
    let (candidate, judgement) = cleared.into_parts();
    let kind = candidate.artifact.coordinate.kind;
    if !fits(channel, &candidate) {
        return Err(Error::Channel {
            channel: channel.clone(),
            kind,
        });
    }
    let new = NewRelease {
        artifact: candidate.artifact,
        judgement: serde_json::to_string(&Written::from(&judgement))?,
        at,
        blobs: candidate.blobs,
    };
    Ok(records.compare_and_swap(channel, before, &new)?)
}

fn fits(channel: &ChannelName, candidate: &Candidate) -> bool {
    match candidate.artifact.coordinate.kind {
        ArtifactKind::Image => channel.tag().is_some(),
        ArtifactKind::ApkIndex => {
            let arch = candidate.artifact.coordinate.architecture.apk();
            let is_for_arch = channel
                .repository()
                .rsplit_once('/')
                .is_some_and(|(name, last)| last == arch && is_of(name, candidate));
            channel.tag().is_none() && is_for_arch
        }
        ArtifactKind::Apk => false,
    }
}

/// Whether a repository candidate was made, and so judged, for this repository.
fn is_of(repository: &str, candidate: &Candidate) -> bool {
    candidate
        .origins
        .iter()
        .all(|origin| origin.repository == repository)
}

/// What stands in the records of a judgement: the subject's own findings in full, its members'
/// by number, because each member's evidence can be looked up.
#[derive(Serialize)]
struct Written<'a> {
    policy: &'a str,
    at: Timestamp,
    judged: Vec<String>,
    not_judged: &'a [EvidenceKind],
    findings: Vec<WrittenFinding>,
    findings_of_members: usize,
}

#[derive(Serialize)]
struct WrittenFinding {
    rule: String,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Sha256>,
}

impl<'a> From<&'a Judgement> for Written<'a> {
    fn from(judgement: &'a Judgement) -> Self {
        let (own, members): (Vec<_>, Vec<_>) = judgement
            .findings
            .iter()
            .partition(|finding| finding.artifact == judgement.subject);
        let findings = own.iter().map(|finding| WrittenFinding {
            rule: finding.rule.to_string(),
            verdict: finding.verdict.to_string(),
            document: finding.document,
        });
        Self {
            policy: &judgement.policy,
            at: judgement.at,
            judged: judgement.judged().iter().map(ToString::to_string).collect(),
            not_judged: &judgement.not_judged,
            findings: findings.collect(),
            findings_of_members: members.len(),
        }
    }
}
