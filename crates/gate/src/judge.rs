//! The judge: a pure function from policy, subject and evidence to [`Cleared`] or [`Refused`].
//!
//! How evidence is weighed:
//!
//! - It counts only if its subject *is* the artifact: same digest, size and coordinate.
//! - The newest statement of a kind holds; several of the same second are weighed together. A
//!   [`EvidenceKind::Reproduction`] verdict is never outdated: one build that gave other bytes
//!   outweighs every later one that did not.
//! - A statement from the future is no evidence (a day is forgiven, for clocks that disagree).
//! - What is missing is `Unknown`, and that blocks as `Fail` does.
//! - A policy that asks for no evidence judges nothing, and so clears nothing.

use std::collections::BTreeMap;
use std::fmt;

use boltworks_model::{Artifact, Evidence, EvidenceKind, Gaps, Reasons, Timestamp, Verdict};

use crate::policy::applies;
use crate::{Finding, Judgement, Origin, Policy, Rule, Subject};

/// How far clocks may disagree, in seconds.
const CLOCK_SKEW: i64 = 24 * 60 * 60;

/// Forbidden packages that a reason names; the rest is counted.
const NAMED: usize = 10;

/// Something that a policy let through.
///
/// Nobody else can make one: the fields are private, it cannot be cloned, and there is no
/// `Deserialize`.
#[derive(Debug)]
#[must_use]
pub struct Cleared<T> {
    subject: T,
    judgement: Judgement,
}

impl<T> Cleared<T> {
    /// What was cleared.
    pub const fn subject(&self) -> &T {
        &self.subject
    }

    /// How it was judged.
    pub const fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// The subject, without the proof, and how it was judged.
    pub fn into_parts(self) -> (T, Judgement) {
        (self.subject, self.judgement)
    }
}

/// A policy does not let something through: at least one finding fails or is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(Box<Judgement>);

impl Refused {
    /// How it was judged.
    pub const fn judgement(&self) -> &Judgement {
        &self.0
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judgement {
            policy, subject, ..
        } = &*self.0;
        write!(
            f,
            "clear {} by the policy '{policy}':\n{}",
            subject.coordinate, self.0
        )
    }
}

impl std::error::Error for Refused {}

/// Holds a policy against a subject and its members.
pub fn judge<'e, T: Subject>(
    policy: &Policy,
    subject: T,
    evidence: impl IntoIterator<Item = &'e Evidence>,
    now: Timestamp,
) -> Result<Cleared<T>, Refused> {
    let mut by_subject: BTreeMap<&Artifact, Vec<&Evidence>> = BTreeMap::new();
    for statement in evidence {
        by_subject
            .entry(&statement.subject)
            .or_default()
            .push(statement);
    }
    let mut findings = Vec::new();
    for artifact in std::iter::once(subject.artifact()).chain(subject.members()) {
        let statements = by_subject.get(artifact).map_or(&[][..], Vec::as_slice);
        let is_itself = artifact == subject.artifact();
        let kinds = policy
            .required_of_itself()
            .filter(|kind| is_itself || policy.require.contains(kind))
            .filter(|&kind| applies(kind, artifact.coordinate.kind));
        findings.extend(kinds.map(|kind| weigh(artifact, kind, statements, now)));
    }
    if !findings.is_empty() && !policy.forbid_repositories.is_empty() {
        findings.push(Finding {
            artifact: subject.artifact().clone(),
            rule: Rule::Repositories,
            verdict: judge_origins(policy, subject.origins()),
            document: None,
        });
    }
    let judgement = Judgement {
        policy: policy.name.clone(),
        subject: subject.artifact().clone(),
        at: now,
        findings,
        not_judged: policy.not_judged(),
    };
    if judgement.verdict().is_pass() {
        Ok(Cleared { subject, judgement })
    } else {
        Err(Refused(Box::new(judgement)))
    }
}

/// One kind of evidence about one artifact; the statements are all about it.
fn weigh(
    artifact: &Artifact,
    kind: EvidenceKind,
    statements: &[&Evidence],
    now: Timestamp,
) -> Finding {
    let latest_possible = now.0.saturating_add(CLOCK_SKEW);
    let (believed, future): (Vec<&Evidence>, Vec<&Evidence>) = statements
        .iter()
        .copied()
        .filter(|statement| statement.kind == kind)
        .partition(|statement| statement.at.0 <= latest_possible);
    let newest = believed.iter().map(|statement| statement.at).max();
    let holds =
        |statement: &&&Evidence| kind == EvidenceKind::Reproduction || Some(statement.at) == newest;
    let verdict = match (newest, future.first()) {
        (None, None) => Verdict::Unknown(Gaps::one(format!("there is no {kind} evidence"))),
        (None, Some(statement)) => Verdict::Unknown(Gaps::one(format!(
            "the {kind} evidence is dated {}, which is in the future: check the clock and judge again",
            statement.at
        ))),
        (Some(_), _) => Verdict::all(
            believed
                .iter()
                .filter(holds)
                .map(|statement| statement.verdict.clone()),
        ),
    };
    let document = believed
        .iter()
        .rev()
        .find(|statement| Some(statement.at) == newest)
        .and_then(|statement| statement.document);
    Finding {
        artifact: artifact.clone(),
        rule: Rule::Evidence(kind),
        verdict,
        document,
    }
}

fn judge_origins(policy: &Policy, origins: Option<&[Origin]>) -> Verdict {
    let Some(origins) = origins else {
        return Verdict::Unknown(Gaps::one("it is not known which packages are inside"));
    };
    let mut forbidden: Vec<String> = origins
        .iter()
        .filter(|origin| policy.forbid_repositories.contains(&origin.repository))
        .map(|origin| format!("{} comes from '{}'", origin.package, origin.repository))
        .collect();
    let rest = forbidden.len().saturating_sub(NAMED);
    forbidden.truncate(NAMED);
    if rest > 0 {
        forbidden.push(format!("and {rest} more packages"));
    }
    Reasons::try_from(forbidden).map_or(Verdict::Pass, Verdict::Fail)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use boltworks_model::{Architecture, ArtifactKind, Coordinate, Sha256};

    use super::*;

    #[derive(Debug)]
    struct Candidate {
        artifact: Artifact,
        members: Vec<Artifact>,
        origins: Option<Vec<Origin>>,
    }

    impl Subject for Candidate {
        fn artifact(&self) -> &Artifact {
            &self.artifact
        }
        fn members(&self) -> &[Artifact] {
            &self.members
        }
        fn origins(&self) -> Option<&[Origin]> {
            self.origins.as_deref()
        }
    }

    const NOW: Timestamp = Timestamp(1_000_000);

    fn artifact(kind: ArtifactKind, byte: u8) -> Artifact {
        let coordinate = Coordinate {
            kind,
            name: "web".into(),
            version: "1".into(),
            architecture: Architecture::X86_64,
        };
        Artifact {
            coordinate,
            digest: Sha256::new([byte; 32]),
            size: 7,
        }
    }

    fn image() -> Candidate {
        Candidate {
            artifact: artifact(ArtifactKind::Image, 1),
            members: Vec::new(),
            origins: Some(Vec::new()),
        }
    }

    fn says(subject: &Artifact, kind: EvidenceKind, verdict: Verdict, at: i64) -> Evidence {
        Evidence {
            subject: subject.clone(),
            kind,
            verdict,
            document: None,
            at: Timestamp(at),
        }
    }

    fn fail() -> Verdict {
        Verdict::Fail(Reasons::one("bad"))
    }

    fn policy(require: &[EvidenceKind], forbidden: &[&str]) -> Policy {
        Policy {
            name: "release".into(),
            require: require.to_vec(),
            require_of_itself: Vec::new(),
            forbid_repositories: forbidden.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn verdict(policy: &Policy, subject: Candidate, evidence: &[Evidence]) -> Verdict {
        match judge(policy, subject, evidence, NOW) {
            Ok(cleared) => cleared.judgement().verdict(),
            Err(refused) => refused.judgement().verdict(),
        }
    }

    fn is_cleared(policy: &Policy, subject: Candidate, evidence: &[Evidence]) -> bool {
        verdict(policy, subject, evidence).is_pass()
    }

    #[test]
    fn what_is_required_must_be_there() {
        use EvidenceKind::{Materials, Sbom};
        let policy = policy(&[Materials, Sbom], &[]);
        let subject = image().artifact;
        let sbom = says(&subject, Sbom, Verdict::Pass, 5);
        let materials = says(&subject, Materials, Verdict::Pass, 5);
        assert!(is_cleared(&policy, image(), &[sbom.clone(), materials]));
        let refused = judge(&policy, image(), &[sbom], NOW)
            .unwrap_err()
            .to_string();
        insta::assert_snapshot!(refused, @"
        clear image/web-1/x86_64 by the policy 'release':
        image/web-1/x86_64: materials: unknown: there is no materials evidence
        judged: materials, sbom; not judged: signature, origin, tests, vulnerabilities, malware, reproduction
        ");
    }

    #[test]
    fn what_is_asked_of_itself_is_not_asked_of_members() {
        use EvidenceKind::{Signature, Tests};
        let policy = Policy {
            require_of_itself: vec![Tests],
            ..policy(&[Signature], &[])
        };
        let subject = image().artifact;
        let signed = says(&subject, Signature, Verdict::Pass, 5);
        assert!(matches!(
            verdict(&policy, image(), std::slice::from_ref(&signed)),
            Verdict::Unknown(_)
        ));
        let both = [signed.clone(), says(&subject, Tests, Verdict::Pass, 5)];
        assert!(is_cleared(&policy, image(), &both));
        let member = artifact(ArtifactKind::Apk, 7);
        let candidate = Candidate {
            members: vec![member.clone()],
            ..image()
        };
        let all = [&both[..], &[says(&member, Signature, Verdict::Pass, 5)]].concat();
        assert!(is_cleared(&policy, candidate, &all));
    }

    #[test]
    fn a_policy_that_requires_nothing_clears_nothing() {
        assert!(!is_cleared(&policy(&[], &[]), image(), &[]));
        assert!(!is_cleared(&policy(&[], &["stage0"]), image(), &[]));
    }

    #[test]
    fn what_is_not_known_blocks() {
        let policy = policy(&[EvidenceKind::Sbom], &[]);
        let gap = Verdict::Unknown(Gaps::one("bare-1-r0: it carries no SBOM"));
        let said = says(&image().artifact, EvidenceKind::Sbom, gap, 5);
        assert!(!is_cleared(&policy, image(), &[said]));
    }

    #[test]
    fn evidence_about_something_else_does_not_count() {
        let policy = policy(&[EvidenceKind::Sbom], &[]);
        let mut other_name = image().artifact;
        other_name.coordinate.name = "shop".into();
        let mut other_size = image().artifact;
        other_size.size += 1;
        for subject in [artifact(ArtifactKind::Image, 2), other_name, other_size] {
            let evidence = says(&subject, EvidenceKind::Sbom, Verdict::Pass, 5);
            assert!(!is_cleared(&policy, image(), &[evidence]));
        }
    }

    #[test]
    fn the_newest_statement_holds() {
        use EvidenceKind::{Reproduction, Sbom, Signature};
        let policy = policy(&[Sbom, Signature, Reproduction], &[]);
        let subject = image().artifact;
        let check = |kind, first: Verdict, at, second: Verdict, later| {
            let other = EvidenceKind::ALL
                .iter()
                .copied()
                .filter(|&other| other != kind);
            let mut evidence: Vec<_> = other
                .map(|other| says(&subject, other, Verdict::Pass, 1))
                .collect();
            evidence.push(says(&subject, kind, second, later));
            evidence.push(says(&subject, kind, first, at));
            is_cleared(&policy, image(), &evidence)
        };
        assert!(check(Sbom, fail(), 5, Verdict::Pass, 6));
        assert!(!check(Sbom, Verdict::Pass, 5, fail(), 6));
        assert!(!check(Sbom, Verdict::Pass, 5, fail(), 5));
        assert!(!check(Reproduction, fail(), 5, Verdict::Pass, 6));
    }

    #[test]
    fn a_statement_from_the_future_is_no_evidence() {
        let policy = policy(&[EvidenceKind::Sbom], &[]);
        let subject = image().artifact;
        let at = |at| says(&subject, EvidenceKind::Sbom, Verdict::Pass, at);
        assert!(is_cleared(&policy, image(), &[at(NOW.0 + CLOCK_SKEW)]));
        assert!(!is_cleared(&policy, image(), &[at(NOW.0 + CLOCK_SKEW + 1)]));
        assert!(is_cleared(
            &policy,
            image(),
            &[at(NOW.0 + CLOCK_SKEW + 1), at(3)]
        ));
        assert!(!is_cleared(&policy, image(), &[at(i64::MAX)]));
    }

    #[test]
    fn nothing_from_a_forbidden_repository() {
        let policy = policy(&[EvidenceKind::Sbom], &["stage0"]);
        let evidence = [says(
            &image().artifact,
            EvidenceKind::Sbom,
            Verdict::Pass,
            1,
        )];
        let with = |repositories: &[&str]| {
            let origin = |&repository: &&str| Origin {
                package: "gcc-14".into(),
                sha256: Sha256::new([9; 32]),
                repository: repository.to_owned(),
            };
            Candidate {
                origins: Some(repositories.iter().map(origin).collect()),
                ..image()
            }
        };
        assert!(is_cleared(&policy, with(&["os", "os"]), &evidence));
        let refused = verdict(&policy, with(&["os", "stage0"]), &evidence);
        assert_eq!(refused.to_string(), "fail: gcc-14 comes from 'stage0'");
        let many = verdict(&policy, with(&["stage0"; 1000]), &evidence).to_string();
        assert!(many.ends_with("; and 990 more packages") && many.len() < 1000);
        let unknown = Candidate {
            origins: None,
            ..image()
        };
        assert!(matches!(
            verdict(&policy, unknown, &evidence),
            Verdict::Unknown(_)
        ));
    }

    #[test]
    fn every_package_of_an_index_is_judged() {
        use EvidenceKind::{Sbom, Signature};
        let policy = policy(&[Sbom, Signature], &[]);
        let index = artifact(ArtifactKind::ApkIndex, 1);
        let members = vec![
            artifact(ArtifactKind::Apk, 2),
            artifact(ArtifactKind::Apk, 3),
        ];
        let mut evidence = vec![says(&index, Signature, Verdict::Pass, 1)];
        for member in &members {
            evidence.push(says(member, Signature, Verdict::Pass, 1));
            evidence.push(says(member, Sbom, Verdict::Pass, 1));
        }
        let candidate = || Candidate {
            artifact: index.clone(),
            members: members.clone(),
            origins: Some(Vec::new()),
        };
        assert!(is_cleared(&policy, candidate(), &evidence));
        for missing in 0..evidence.len() {
            let mut fewer = evidence.clone();
            fewer.remove(missing);
            assert!(
                !is_cleared(&policy, candidate(), &fewer),
                "without {missing}"
            );
        }
    }

    #[test]
    fn a_kind_that_is_not_required_does_not_matter() {
        let policy = policy(&[EvidenceKind::Sbom], &[]);
        let subject = image().artifact;
        let evidence = [
            says(&subject, EvidenceKind::Sbom, Verdict::Pass, 1),
            says(&subject, EvidenceKind::Malware, fail(), 1),
        ];
        assert!(is_cleared(&policy, image(), &evidence));
        assert_eq!(policy.forbid_repositories, BTreeSet::new());
    }
}
