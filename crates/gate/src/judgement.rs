//! What was found, and what was not even asked.

use std::fmt;

use boltworks_model::{Artifact, EvidenceKind, Sha256, Timestamp, Verdict};
use serde::Serialize;

/// So many findings are written out in a text; the rest is counted.
const SHOWN: usize = 20;

/// One line of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// This evidence must be there and be good.
    Evidence(EvidenceKind),
    /// Nothing inside may come from a forbidden repository.
    Repositories,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evidence(kind) => kind.fmt(f),
            Self::Repositories => f.write_str("repositories"),
        }
    }
}

/// One rule held against one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was judged.
    pub artifact: Artifact,
    /// By what.
    pub rule: Rule,
    /// The answer.
    pub verdict: Verdict,
    /// The newest document behind it.
    pub document: Option<Sha256>,
}

/// A policy held against a subject, rule by rule. Only the judge makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Judgement {
    /// The policy's name.
    pub policy: String,
    /// What was judged.
    pub subject: Artifact,
    /// When.
    pub at: Timestamp,
    /// The findings: the subject's own first, then each member's, in the policy's order.
    pub findings: Vec<Finding>,
    /// The kinds of evidence nobody asked for. Passing says nothing about them.
    pub not_judged: Vec<EvidenceKind>,
}

impl Judgement {
    /// All findings together; none at all is `Unknown`.
    pub fn verdict(&self) -> Verdict {
        Verdict::all(self.findings.iter().map(|finding| finding.verdict.clone()))
    }

    /// The rules that were held against something, each once.
    pub fn judged(&self) -> Vec<Rule> {
        let mut rules: Vec<_> = self.findings.iter().map(|finding| finding.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// What blocks: every finding that is not `Pass`.
    pub fn blocking(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| !finding.verdict.is_pass())
    }

    /// `judged: materials, sbom; not judged: vulnerabilities, malware`
    pub fn summary(&self) -> String {
        format!(
            "judged: {}; not judged: {}",
            list(&self.judged()),
            list(&self.not_judged)
        )
    }
}

impl fmt::Display for Judgement {
    /// What blocks, a line for each (the first twenty), then what was and was not judged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            writeln!(f, "nothing was judged")?;
        }
        for finding in self.blocking().take(SHOWN) {
            let Finding {
                artifact,
                rule,
                verdict,
                ..
            } = finding;
            writeln!(f, "{}: {rule}: {verdict}", artifact.coordinate)?;
        }
        let rest = self.blocking().skip(SHOWN).count();
        if rest > 0 {
            writeln!(f, "and {rest} more")?;
        }
        f.write_str(&self.summary())
    }
}

fn list(words: &[impl fmt::Display]) -> String {
    if words.is_empty() {
        return "nothing".to_owned();
    }
    words
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
