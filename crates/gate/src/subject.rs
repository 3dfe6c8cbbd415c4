//! What a candidate for release tells of itself.

use boltworks_model::{Artifact, Sha256};
use serde::{Deserialize, Serialize};

/// A package whose bytes are inside an artifact, and the repository it came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Name and full version.
    pub package: String,
    /// The package file.
    pub sha256: Sha256,
    /// The repository: `os`, `stage0`, …
    pub repository: String,
}

/// Something that a [`crate::Policy`] can be held against.
///
/// The judge believes these answers, so whoever implements this reads them from the bytes that
/// are to be released or from what the factory itself recorded, never from what a build says.
pub trait Subject {
    /// The artifact itself.
    fn artifact(&self) -> &Artifact;

    /// Artifacts that are released with it and must each be good enough themselves: the packages
    /// of an index. Empty for what stands alone.
    fn members(&self) -> &[Artifact];

    /// Every package whose bytes are inside; `None` where that is not known.
    fn origins(&self) -> Option<&[Origin]>;
}
