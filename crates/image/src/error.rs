//! Why an image could not be made.

use std::io;

use boltworks_fsx::RelPath;

/// Why an image could not be made.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "the one error of this room, named as every room names its own"
)]
#[non_exhaustive]
pub enum Error {
    /// The image file asks for what cannot be.
    #[error("{what}: {reason}")]
    Refused {
        /// The part of the image file: `entrypoint`, `accounts`, `paths[2] /srv`.
        what: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A path of the image file leads nowhere.
    #[error("'/{path}': {reason}")]
    Path {
        /// The path in the image.
        path: RelPath,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A file in the tree could not be read.
    #[error("read '/{path}'")]
    Content {
        /// The file in the image.
        path: RelPath,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The layer or the archive could not be written.
    #[error("{action}")]
    Write {
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Packages could not be opened or do not fit together.
    #[error(transparent)]
    Packages(#[from] boltworks_rootfs::Error),
    /// The package database could not be written.
    #[error("write the package database")]
    Database(#[source] boltworks_apk::Error),
    /// What is said to be in an image is not understood.
    #[error("read which packages are in it")]
    List(#[source] boltworks_apk::Error),
    /// A key could not be written down.
    #[error("write a public key")]
    Key(#[source] boltworks_crypto::Error),
    /// The disk or the tree refused.
    #[error(transparent)]
    Disk(#[from] boltworks_fsx::Error),
    /// A path in the image file is none.
    #[error(transparent)]
    BadPath(#[from] boltworks_fsx::PathError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] boltworks_store::Error),
    /// The image's documents could not be made.
    #[error(transparent)]
    Oci(#[from] boltworks_oci::Error),
    /// The SBOMs could not be made.
    #[error(transparent)]
    Sbom(#[from] boltworks_sbom::Error),
    /// Somebody pressed the button.
    #[error(transparent)]
    Cancelled(#[from] boltworks_model::Cancelled),
}

impl From<boltworks_rootfs::accounts::Fault> for Error {
    fn from(fault: boltworks_rootfs::accounts::Fault) -> Self {
        Self::refused(fault.what, fault.reason)
    }
}

impl Error {
    pub(crate) fn refused(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            reason: reason.into(),
        }
    }
}
