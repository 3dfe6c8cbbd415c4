//! What can go wrong with blobs.

use std::io;

use boltworks_fsx::Mismatch;
use boltworks_model::{Cancelled, Sha256};

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "every room names its one error so")]
pub enum Error {
    /// There is no such blob.
    #[error("read the blob {}: the store does not have it", digest.prefixed())]
    Missing {
        /// The blob.
        digest: Sha256,
    },
    /// The bytes on disk are not the ones that were put there.
    #[error("read the blob {}: it is damaged, its bytes have the digest {} (`boltworks store verify --set-aside` moves it away, then `boltworks up` makes it again)", digest.prefixed(), found.prefixed())]
    Damaged {
        /// The blob.
        digest: Sha256,
        /// What its bytes are now.
        found: Sha256,
    },
    /// A blob is larger than whoever reads it allows.
    #[error("read the blob {}: it has {size} bytes, {limit} are allowed", digest.prefixed())]
    TooLarge {
        /// The blob.
        digest: Sha256,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// What was to be stored could not be read, or is longer than allowed.
    #[error("read what is to be stored")]
    Input(#[source] io::Error),
    /// What was to be stored is not what was expected.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// There is no room.
    #[error("write to the store: the disk is full")]
    Full(#[source] io::Error),
    /// The store may not be written.
    #[error("write to the store: permission denied")]
    Denied(#[source] Box<boltworks_fsx::Error>),
    /// Somebody pressed the stop button.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Anything else that the system refuses.
    #[error(transparent)]
    Disk(boltworks_fsx::Error),
}

impl Error {
    /// Sorts the system's reasons for not writing.
    pub(crate) fn writing(error: boltworks_fsx::Error) -> Self {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match (error.io_kind(), error) {
            (
                Some(StorageFull | QuotaExceeded),
                boltworks_fsx::Error::Io { source, .. }
                | boltworks_fsx::Error::Stream { source, .. },
            ) => Self::Full(source),
            (Some(PermissionDenied | ReadOnlyFilesystem), error) => Self::Denied(Box::new(error)),
            (_, error) => Self::Disk(error),
        }
    }

    /// The same for a write to a draft.
    pub(crate) fn writing_draft(source: io::Error) -> Self {
        Self::writing(boltworks_fsx::Error::Stream {
            action: "write a blob",
            source,
        })
    }
}
