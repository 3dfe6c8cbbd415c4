//! What can go wrong on disk and in archives.

use std::io;

use rustix::io::Errno;

use crate::{Mismatch, NoText, PathError};

/// Why an operation of this crate failed.
#[expect(
    clippy::error_impl_error,
    reason = "every room has one `Error`; callers name it with the room in front"
)]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("{action} '{path}'")]
    Io {
        /// What was tried: `open`, `rename`, …
        action: &'static str,
        /// On what.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A path is not one that stays beneath its directory.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Bytes are not the expected ones.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A stream could not be read or written.
    #[error("{action}")]
    Stream {
        /// What was tried.
        action: &'static str,
        /// The stream's reason.
        #[source]
        source: io::Error,
    },
    /// A tree cannot hold, or a policy does not allow, this entry.
    #[error("{action} '{path}': {reason}")]
    Entry {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why it cannot be.
        reason: &'static str,
    },
    /// An archive breaks the format or a limit.
    #[error("read the tar archive at byte {offset}: {reason}")]
    Tar {
        /// Where the offending header begins.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// An EROFS image breaks the format or a limit.
    #[error("read the EROFS image at inode {inode}: {reason}")]
    Erofs {
        /// The inode's number.
        inode: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Error {
    /// The kind of the system's reason, if the system refused.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } | Self::Stream { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// Where a file is no text, if that is what is wrong.
    pub fn no_text(&self) -> Option<(&str, &NoText)> {
        let Self::Io { path, source, .. } = self else {
            return None;
        };
        let no_text = source.get_ref()?.downcast_ref()?;
        Some((path, no_text))
    }

    /// Whether something else than a file or a folder is there: the system has no further words for it.
    pub fn is_odd_file(&self) -> bool {
        let Self::Io { source, .. } = self else {
            return false;
        };
        let odd = [Errno::INVAL, Errno::NXIO].map(Errno::raw_os_error);
        source
            .raw_os_error()
            .is_some_and(|code| odd.contains(&code))
    }

    /// Whether the thing is simply not there.
    pub fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }

    pub(crate) fn entry(action: &'static str, path: &crate::RelPath, reason: &'static str) -> Self {
        Self::Entry {
            action,
            path: path.to_string(),
            reason,
        }
    }
}
