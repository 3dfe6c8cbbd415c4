//! What must be known, and be good, before something is released.

use std::collections::BTreeSet;

use boltworks_model::{ArtifactKind, EvidenceKind};
use serde::{Deserialize, Serialize};

/// A named list of what a release requires. What it does not list is reported as not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// What users call it.
    pub name: String,
    /// The evidence that every artifact must have; a policy that requires nothing clears nothing.
    #[serde(default)]
    pub require: Vec<EvidenceKind>,
    /// The evidence that is asked of what is released itself besides, and not of what is inside.
    #[serde(default)]
    pub require_of_itself: Vec<EvidenceKind>,
    /// Repositories none of whose packages may be inside what is released: `stage0`.
    #[serde(default)]
    pub forbid_repositories: BTreeSet<String>,
}

impl Policy {
    /// The required kinds, each once, in the order in which reports name them.
    pub fn required(&self) -> impl Iterator<Item = EvidenceKind> {
        EvidenceKind::ALL
            .iter()
            .copied()
            .filter(|kind| self.require.contains(kind))
    }

    /// The same, with what is asked only of what is released itself.
    pub fn required_of_itself(&self) -> impl Iterator<Item = EvidenceKind> {
        EvidenceKind::ALL
            .iter()
            .copied()
            .filter(|kind| self.asks_itself(*kind))
    }

    /// The kinds of evidence this policy does not ask for.
    pub fn not_judged(&self) -> Vec<EvidenceKind> {
        EvidenceKind::ALL
            .iter()
            .copied()
            .filter(|kind| !self.asks_itself(*kind))
            .collect()
    }

    fn asks_itself(&self, kind: EvidenceKind) -> bool {
        self.require.contains(&kind) || self.require_of_itself.contains(&kind)
    }
}

/// Whether a kind of evidence can speak of a kind of artifact at all. An index is a signed list:
/// everything else is asked of the packages it lists.
pub(crate) const fn applies(kind: EvidenceKind, artifact: ArtifactKind) -> bool {
    match artifact {
        ArtifactKind::Apk | ArtifactKind::Image => true,
        ArtifactKind::ApkIndex => matches!(kind, EvidenceKind::Signature),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_required_is_not_judged() {
        let policy = Policy {
            name: "release".into(),
            require: vec![
                EvidenceKind::Sbom,
                EvidenceKind::Materials,
                EvidenceKind::Sbom,
            ],
            require_of_itself: Vec::new(),
            forbid_repositories: BTreeSet::new(),
        };
        let required: Vec<_> = policy.required().collect();
        assert_eq!(required, [EvidenceKind::Materials, EvidenceKind::Sbom]);
        assert_eq!(
            policy.not_judged().len() + required.len(),
            EvidenceKind::ALL.len()
        );
        assert!(policy.not_judged().contains(&EvidenceKind::Vulnerabilities));
    }
}
