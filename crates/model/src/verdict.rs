//! What a gate weighs and what it says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Artifact, Sha256, Timestamp};

macro_rules! non_empty_list {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "Vec<String>", into = "Vec<String>")]
        pub struct $name(Vec<String>);

        impl $name {
            /// A list of one.
            pub fn one(text: impl Into<String>) -> Self {
                Self(vec![text.into()])
            }

            /// The lines, at least one.
            pub fn lines(&self) -> &[String] {
                &self.0
            }

            fn extend(&mut self, other: Self) {
                self.0.extend(other.0);
            }
        }

        impl TryFrom<Vec<String>> for $name {
            type Error = &'static str;

            fn try_from(lines: Vec<String>) -> Result<Self, Self::Error> {
                if lines.is_empty() { Err("the list is empty") } else { Ok(Self(lines)) }
            }
        }

        impl From<$name> for Vec<String> {
            fn from(list: $name) -> Self {
                list.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.join("; "))
            }
        }
    };
}

non_empty_list!(
    /// Why something failed: at least one line.
    Reasons
);
non_empty_list!(
    /// What is not known: at least one line.
    Gaps
);

/// The answer of a judgement. `Unknown` blocks, exactly as `Fail` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[must_use]
pub enum Verdict {
    /// Judged, and good.
    Pass,
    /// Judged, and bad.
    Fail(Reasons),
    /// Could not be judged.
    Unknown(Gaps),
}

impl Verdict {
    /// All-of: `Fail` outweighs `Unknown`, which outweighs `Pass`. Nothing judged is `Unknown`.
    pub fn all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts
            .into_iter()
            .reduce(Self::and)
            .unwrap_or_else(|| Self::Unknown(Gaps::one("nothing was judged")))
    }

    /// Whether it lets something through.
    pub const fn is_pass(&self) -> bool {
        matches!(self, Self::Pass)
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fail(mut left), Self::Fail(right)) => {
                left.extend(right);
                Self::Fail(left)
            }
            (Self::Fail(reasons), _) | (_, Self::Fail(reasons)) => Self::Fail(reasons),
            (Self::Unknown(mut left), Self::Unknown(right)) => {
                left.extend(right);
                Self::Unknown(left)
            }
            (Self::Unknown(gaps), Self::Pass) | (Self::Pass, Self::Unknown(gaps)) => {
                Self::Unknown(gaps)
            }
            (Self::Pass, Self::Pass) => Self::Pass,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Fail(reasons) => write!(f, "fail: {reasons}"),
            Self::Unknown(gaps) => write!(f, "unknown: {gaps}"),
        }
    }
}

/// A kind of evidence that a policy can require.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// Everything that went in is listed by digest.
    Materials,
    /// What is inside is listed.
    Sbom,
    /// The bytes are signed by a key of the factory.
    Signature,
    /// Where the bytes come from: not from stage 0.
    Origin,
    /// The recipe's or image's own tests were run.
    Tests,
    /// Known vulnerabilities were looked for.
    Vulnerabilities,
    /// Deliberately malicious code was looked for.
    Malware,
    /// A second build gave the same bytes.
    Reproduction,
}

impl EvidenceKind {
    /// Every kind, in the order in which reports name them.
    pub const ALL: &[Self] = &[
        Self::Materials,
        Self::Sbom,
        Self::Signature,
        Self::Origin,
        Self::Tests,
        Self::Vulnerabilities,
        Self::Malware,
        Self::Reproduction,
    ];

    /// The word policies and reports use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Materials => "materials",
            Self::Sbom => "sbom",
            Self::Signature => "signature",
            Self::Origin => "origin",
            Self::Tests => "tests",
            Self::Vulnerabilities => "vulnerabilities",
            Self::Malware => "malware",
            Self::Reproduction => "reproduction",
        }
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One statement about one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The artifact it speaks of.
    pub subject: Artifact,
    /// What was judged.
    pub kind: EvidenceKind,
    /// The answer.
    pub verdict: Verdict,
    /// The document behind it (an SBOM, a log), where there is one.
    pub document: Option<Sha256>,
    /// When it was judged.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_blocks_and_fail_outweighs_it() {
        let unknown = || Verdict::Unknown(Gaps::one("no sbom"));
        let fail = || Verdict::Fail(Reasons::one("from stage 0"));
        assert!(!Verdict::all([]).is_pass());
        assert!(Verdict::all([Verdict::Pass, Verdict::Pass]).is_pass());
        assert_eq!(Verdict::all([Verdict::Pass, unknown()]), unknown());
        assert_eq!(Verdict::all([unknown(), fail(), Verdict::Pass]), fail());
        assert_eq!(
            Verdict::all([unknown(), unknown()]).to_string(),
            "unknown: no sbom; no sbom"
        );
    }
}
