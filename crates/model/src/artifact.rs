//! What is made, from what, and by what.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Architecture, Sha256};

/// The digest of everything that decides an artifact's bytes: resolved recipe, locked
/// environment, sources, versions of the byte writers. Equal actions give equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub Sha256);

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What sort of thing an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactKind {
    /// An apk package.
    Apk,
    /// An OCI image: the blob is its manifest.
    Image,
    /// A signed apk index.
    ApkIndex,
}

impl ArtifactKind {
    /// The word records and reports use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Apk => "apk",
            Self::Image => "image",
            Self::ApkIndex => "apk-index",
        }
    }
}

/// What an artifact is called: kind, name, version, architecture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Coordinate {
    /// The kind of artifact.
    pub kind: ArtifactKind,
    /// The package or image.
    pub name: String,
    /// The full version (`1.3.1-r0`), or an image's tag.
    pub version: String,
    /// The architecture it runs on.
    pub architecture: Architecture,
}

impl fmt::Display for Coordinate {
    /// `apk/zlib-1.3.1-r0/x86_64`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}-{}/{}",
            self.kind.word(),
            self.name,
            self.version,
            self.architecture
        )
    }
}

/// Bytes with a digest and a coordinate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Artifact {
    /// What it is called.
    pub coordinate: Coordinate,
    /// What its bytes are.
    pub digest: Sha256,
    /// How many bytes they are.
    pub size: u64,
}

/// What a source is, because that limits what a rebuild of it proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Upstream's own release file.
    Tarball,
    /// A commit of upstream's repository.
    Git,
    /// Upstream's file as Debian's archive keeps it.
    DebianOrig,
    /// Upstream's file as Debian repacked it.
    DebianOrigRepacked,
    /// A Python source distribution.
    Sdist,
    /// A Maven `-sources.jar`.
    SourcesJar,
    /// A crate.
    Crate,
    /// An npm tarball.
    Npm,
    /// A file beside the recipe.
    Local,
}

/// One thing that went into an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Material {
    /// Upstream bytes.
    Source {
        /// The address the recipe names.
        uri: String,
        /// The address it was fetched from, where it is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fetched_from: Option<String>,
        /// What sort of source it is.
        kind: SourceKind,
        /// The bytes.
        sha256: Sha256,
        /// The digest the recipe expects, where a mirror's file has another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipe_digest: Option<String>,
    },
    /// A package of the build environment.
    Package {
        /// Name and full version.
        name: String,
        /// The package file.
        sha256: Sha256,
        /// The repository it came from: `stage0` or one of the factory's.
        repository: String,
    },
    /// The recipe as written.
    Recipe {
        /// Its path in the factory's folder.
        path: String,
        /// The file.
        sha256: Sha256,
    },
    /// A pipeline the recipe uses.
    Pipeline {
        /// Its name: `autoconf/make`.
        name: String,
        /// The file.
        sha256: Sha256,
        /// Whether it is one of the program's own.
        builtin: bool,
    },
    /// A public key that was fetched to trust packages by.
    Key {
        /// Its name, as signatures have it.
        name: String,
        /// Its address.
        uri: String,
        /// The file.
        sha256: Sha256,
    },
    /// What carried the build out.
    Builder {
        /// Name and version: `boltworks 0.1.0`.
        name: String,
        /// How steps were confined.
        sandbox: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinate_is_readable() {
        let coordinate = Coordinate {
            kind: ArtifactKind::Apk,
            name: "zlib".into(),
            version: "1.3.1-r0".into(),
            architecture: Architecture::X86_64,
        };
        assert_eq!(coordinate.to_string(), "apk/zlib-1.3.1-r0/x86_64");
    }
}
