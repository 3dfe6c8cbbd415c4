//! What can go wrong with the records.

use std::path::PathBuf;

use boltworks_model::{ChannelName, Sha256};
use rusqlite::ErrorCode;

/// Why an operation on the records failed.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "the one error of this room, named as every room names its own"
)]
pub enum Error {
    /// There is no such file; only a writer makes it.
    #[error("open the records '{path}': nothing was recorded there yet")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder may not be read or written, or the folder is not there.
    #[error(
        "open the records '{path}': the file or its folder is missing, or may not be read or written"
    )]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// `SQLite`'s reason.
        #[source]
        source: rusqlite::Error,
    },
    /// The file cannot be opened or prepared.
    #[error("open the records '{path}'")]
    Open {
        /// The file.
        path: PathBuf,
        /// `SQLite`'s reason.
        #[source]
        source: rusqlite::Error,
    },
    /// The file is something else.
    #[error("open the records '{path}': the file is not a database of this program")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version of this program.
    #[error(
        "open the records '{path}': their format {found} is newer than {known}, the newest this \
         version knows; use the newer program"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The newest known format.
        known: i64,
    },
    /// The file's format is older, and it was opened for reading only.
    #[error(
        "open the records '{path}' for reading: their format {found} is older than {known}; \
         a command that writes, such as `up`, brings them up to date"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The format that is needed.
        known: i64,
    },
    /// A channel does not point where the caller thought it does. Nothing was changed.
    #[error("move channel '{channel}': it points at {}, not at {}", shown(*found), shown(*expected))]
    Moved {
        /// The channel.
        channel: ChannelName,
        /// Where the caller thought it points.
        expected: Option<Sha256>,
        /// Where it points.
        found: Option<Sha256>,
    },
    /// Another process held the records for too long.
    #[error("{action}: another process holds the records")]
    Busy {
        /// What was tried.
        action: &'static str,
    },
    /// There is no room to write.
    #[error("{action}: the disk is full")]
    Full {
        /// What was tried.
        action: &'static str,
    },
    /// What stands in the file is not what this program writes.
    #[error("{action}: the records are damaged")]
    Damaged {
        /// What was tried.
        action: &'static str,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A number does not fit into a record.
    #[error("record the number {0}: it is too large")]
    TooLarge(u64),
    /// Anything else that `SQLite` refuses.
    #[error("{action}")]
    Sqlite {
        /// What was tried.
        action: &'static str,
        /// `SQLite`'s reason.
        #[source]
        source: rusqlite::Error,
    },
}

fn shown(digest: Option<Sha256>) -> String {
    digest.map_or_else(|| "nothing".to_owned(), |digest| digest.prefixed())
}

impl Error {
    /// Sorts `SQLite`'s reasons: full, busy, damaged, or another.
    pub(crate) fn sql(action: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| match (source.sqlite_error_code(), &source) {
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Self::Busy { action },
            (Some(ErrorCode::DiskFull), _) => Self::Full { action },
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _)
            | (
                None,
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..),
            ) => Self::Damaged {
                action,
                source: Box::new(source),
            },
            _ => Self::Sqlite { action, source },
        }
    }
}
