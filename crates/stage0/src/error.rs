//! What can go wrong with stage 0.

use boltworks_model::Cancelled;

/// Why there is no stage 0.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "one `Error` per room is the house's convention"
)]
pub enum Error {
    /// Fetching, or a program.
    #[error(transparent)]
    Source(#[from] boltworks_source::Error),
    /// The disk, or an archive.
    #[error(transparent)]
    Disk(#[from] boltworks_fsx::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] boltworks_store::Error),
    /// A package or an index.
    #[error(transparent)]
    Apk(#[from] boltworks_apk::Error),
    /// The signing key.
    #[error(transparent)]
    Key(#[from] boltworks_crypto::Error),
    /// A file of Debian's is not the one of the signed index.
    #[error("verify {file}: {expected} was expected, {actual} was found")]
    WrongDigest {
        /// The file.
        file: String,
        /// The digest of the signed index.
        expected: String,
        /// The digest that was found.
        actual: String,
    },
    /// A package of Debian's cannot be made into one of apk's.
    #[error("convert the Debian package {name}: {reason}")]
    Convert {
        /// The package.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The configuration contradicts itself, or what there is.
    #[error("read `stage0.{field}`: {reason}")]
    Config {
        /// Where: `packages`, `provides`.
        field: &'static str,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// Debian's archive does not have what the configuration names.
    #[error("find what `stage0.{field}` names: {reason}")]
    Unknown {
        /// Where: `debian.suite`, `packages`.
        field: &'static str,
        /// What there is not.
        reason: String,
        /// What apt said.
        #[source]
        source: boltworks_source::Error,
    },
    /// Nothing was made yet, and the network is not to be used.
    #[error("make stage 0 offline: {reason}")]
    Offline {
        /// What is missing.
        reason: String,
    },
    /// Threads could not be started.
    #[error("start {workers} threads")]
    Threads {
        /// How many.
        workers: usize,
        /// Why not.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// A lock cannot be written down.
    #[error("write down what was made")]
    Json(#[from] serde_json::Error),
    /// Somebody pressed the button.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
