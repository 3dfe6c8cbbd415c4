//! Why a document cannot be read or written.

/// Why a document cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    clippy::error_impl_error,
    reason = "the one error of this room, named as every room names its own"
)]
pub enum Error {
    /// More bytes or elements than any honest document has.
    #[error("the document has {found} {what}, more than the {limit} allowed")]
    TooLarge {
        /// `bytes`, `packages`, `files`, `relationships`.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The most that is read.
        limit: usize,
    },
    /// The list of licences that is built in is not understood.
    #[error("read the list of licences: {reason}")]
    List {
        /// Why not.
        reason: String,
    },
    /// Not the JSON it should be.
    #[error("the document is not valid SPDX JSON")]
    Json(#[from] serde_json::Error),
    /// Valid JSON that says something it must not.
    #[error("the document is not valid SPDX: {0}")]
    Rule(String),
}
