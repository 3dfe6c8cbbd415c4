//! What can go wrong with releases.

use boltworks_model::{ArtifactKind, ChannelName, Sha256};

/// Why something cannot be released, or what was released cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "every room names its one error so")]
pub enum Error {
    /// The channel is for something else.
    #[error("release to the channel '{channel}': {}", rule(*kind))]
    Channel {
        /// The channel.
        channel: ChannelName,
        /// What was to be released there.
        kind: ArtifactKind,
    },
    /// An image is not what it seems.
    #[error("release the image {}: {problem}", digest.prefixed())]
    Image {
        /// The image's manifest.
        digest: Sha256,
        /// What is wrong.
        problem: String,
    },
    /// A repository is not what its index says.
    #[error("release the repository '{repository}': {problem}")]
    Repository {
        /// The repository.
        repository: String,
        /// What is wrong.
        problem: String,
    },
    /// A package cannot be read, or is not signed by a known key.
    #[error("release the package {file}")]
    Package {
        /// Its file name.
        file: String,
        /// The reason.
        #[source]
        source: Box<boltworks_apk::Error>,
    },
    /// The index cannot be read, or is not signed by a known key.
    #[error("release the index")]
    Index(#[source] Box<boltworks_apk::Error>),
    /// An image's document cannot be read.
    #[error("release the image's documents")]
    Document(#[from] boltworks_oci::Error),
    /// A public key cannot be written out.
    #[error("publish a key")]
    Key(#[from] boltworks_crypto::Error),
    /// The judgement cannot be written down.
    #[error("write the judgement")]
    Judgement(#[from] serde_json::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] boltworks_store::Error),
    /// The records failed, or the channel moved meanwhile.
    #[error(transparent)]
    Records(#[from] boltworks_records::Error),
}

impl Error {
    pub(crate) fn repository(repository: &str, problem: impl Into<String>) -> Self {
        Self::Repository {
            repository: repository.to_owned(),
            problem: problem.into(),
        }
    }

    /// Whether trying later may help: nothing was recorded yet, or somebody holds the records.
    pub const fn is_passing(&self) -> bool {
        use boltworks_records::Error::{Busy, Missing, Older};
        matches!(
            self,
            Self::Records(Busy { .. } | Missing { .. } | Older { .. })
        )
    }

    /// Whether somebody else moved the channel meanwhile.
    pub const fn is_moved(&self) -> bool {
        matches!(self, Self::Records(boltworks_records::Error::Moved { .. }))
    }
}

const fn rule(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Image => "an image needs a channel with a tag, such as web:1.4",
        ArtifactKind::ApkIndex => {
            "an index needs a channel named after repository and architecture, such as os/x86_64"
        }
        ArtifactKind::Apk => "a package is released as part of its repository's index",
    }
}
