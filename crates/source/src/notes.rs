//! What is remembered of blobs in the store: where they came from, and their SHA-512. Nothing
//! here is trusted: the bytes are hashed again, and a lost note costs only words in a record.

use boltworks_fsx::{Error as DiskError, Limit, RelPath, Root};
use boltworks_model::{Sha256, Sha512, SourceKind};
use serde::{Deserialize, Serialize};

/// No note is larger.
const MAX_NOTE: Limit = Limit::kib(64);

/// Where a blob came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Note {
    /// The address it was fetched from.
    pub(crate) fetched_from: String,
    /// What sort of source it is.
    pub(crate) kind: SourceKind,
}

/// The folder of notes.
#[derive(Debug)]
pub(crate) struct Notes<'a>(pub(crate) &'a Root);

impl Notes<'_> {
    pub(crate) fn write(&self, digest: &Sha256, note: &Note) -> Result<(), DiskError> {
        let text = serde_json::to_vec(note).unwrap_or_default();
        self.put(&format!("notes/{digest}.json"), &text)
    }

    pub(crate) fn read(&self, digest: &Sha256) -> Option<Note> {
        let path = RelPath::try_from(format!("notes/{digest}.json")).ok()?;
        serde_json::from_slice(&self.0.read_vec(&path, MAX_NOTE).ok()?).ok()
    }

    /// Remembers the blob with a SHA-512.
    pub(crate) fn name(&self, sha512: &Sha512, digest: &Sha256) -> Result<(), DiskError> {
        self.put(&format!("sha512/{sha512}"), digest.to_string().as_bytes())
    }

    /// The blob that is said to have a SHA-512.
    pub(crate) fn named(&self, sha512: &Sha512) -> Option<Sha256> {
        let path = RelPath::try_from(format!("sha512/{sha512}")).ok()?;
        self.0.read_text(&path, MAX_NOTE).ok()?.trim().parse().ok()
    }

    /// Remembers the blob that a wish for a commit became.
    pub(crate) fn checked_out(&self, identity: &str, digest: &Sha256) -> Result<(), DiskError> {
        self.put(&checkout(identity), digest.to_string().as_bytes())
    }

    /// The blob that a wish for a commit is said to have become. The guest's git finds the commit in
    /// it or fails.
    pub(crate) fn checkout(&self, identity: &str) -> Option<Sha256> {
        let path = RelPath::try_from(checkout(identity)).ok()?;
        self.0.read_text(&path, MAX_NOTE).ok()?.trim().parse().ok()
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        let path = RelPath::try_from(path)?;
        if let Some(parent) = path.parent() {
            self.0.make_dir(&parent)?;
        }
        self.0.write(&path, bytes, 0o644).map(drop)
    }
}

fn checkout(identity: &str) -> String {
    format!(
        "checkouts/{}",
        boltworks_crypto::sha256(identity.as_bytes())
    )
}
