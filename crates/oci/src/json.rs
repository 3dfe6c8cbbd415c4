//! Bounded reading and canonical writing of JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// The most bytes of one document that are read: the limit registries set for manifests.
pub(crate) const LIMIT: usize = 4 << 20;

/// Reads one document of at most [`LIMIT`] bytes. Nesting is bounded by `serde_json` (128),
/// a key given twice is an error, and so is anything after the document.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() > LIMIT {
        return Err(Error::TooLarge {
            what,
            size: bytes.len(),
            limit: LIMIT,
        });
    }
    serde_json::from_slice(bytes).map_err(|source| Error::Json { what, source })
}

/// Writes a document without spaces, in the order of its fields.
pub(crate) fn write<T: Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Json { what, source })
}
