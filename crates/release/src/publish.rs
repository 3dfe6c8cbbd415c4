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
    let new = release_of(channel, cleared, at)?;
    Ok(records.compare_and_swap(channel, before, &new)?)
}

/// A channel, where the caller thinks it points, and what it is to point at.
pub type Move<'a> = (&'a ChannelName, Option<Sha256>, Cleared<Candidate>);

/// A channel, and what became of moving it.
pub type Outcome<'a> = (&'a ChannelName, Result<Release, Error>);

/// The same for many channels, each for itself, in one transaction; what became of each, in some
/// order. The error is one that moves none.
pub fn publish_all<'a>(
    records: &mut Records,
    moves: Vec<Move<'a>>,
    at: Timestamp,
) -> Result<Vec<Outcome<'a>>, Error> {
    let mut results = Vec::new();
    let mut good = Vec::new();
    for (channel, before, cleared) in moves {
        match release_of(channel, cleared, at) {
            Ok(new) => good.push((channel, before, new)),
            Err(error) => results.push((channel, Err(error))),
        }
    }
    let swaps: Vec<_> = good
        .iter()
        .map(|(channel, before, new)| (*channel, *before, new))
        .collect();
    let moved = records.compare_and_swap_all(&swaps)?.into_iter();
    let moved = moved.map(|moved| moved.map_err(Error::from));
    results.extend(good.iter().map(|(channel, ..)| *channel).zip(moved));
    Ok(results)
}

fn release_of(
    channel: &ChannelName,
    cleared: Cleared<Candidate>,
    at: Timestamp,
) -> Result<NewRelease, Error> {
    let (candidate, judgement) = cleared.into_parts();
    let kind = candidate.artifact.coordinate.kind;
    if !fits(channel, &candidate) {
        return Err(Error::Channel {
            channel: channel.clone(),
            kind,
        });
    }
    Ok(NewRelease {
        artifact: candidate.artifact,
        judgement: serde_json::to_string(&Written::from(&judgement))?,
        at,
        blobs: candidate.blobs,
    })
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
