//! How blobs get into the store.
//!
//! A blob is written under a temporary name, synced, renamed to its digest, and the directory is
//! synced; only then is it acknowledged. Two writers of the same blob do not disturb each other:
//! whoever comes second finds the blob, hashes it, and syncs the directory, because the first may
//! not have come so far. A damaged blob is replaced by the good bytes.

use std::io::{self, Read, Write};

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{Bounded, Content, Draft, Expected, Limit, RelPath, Root, Verified, Verifying};
use boltworks_model::Sha256;

use crate::store::{CHUNK, Stamp, name};
use crate::{Error, Store};

/// The mode of a blob: nobody writes to it again.
const MODE: u32 = 0o444;
/// The mode of a note beside the blobs.
const NOTE_MODE: u32 = 0o644;
/// So many bytes are worth a second thread.
const MANY: u64 = 4 << 20;

/// A blob that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Its name.
    pub digest: Sha256,
    /// How many bytes it has.
    pub size: u64,
}

impl Store {
    /// Stores everything a reader gives, up to a limit.
    pub fn put(&self, reader: impl Read, limit: Limit) -> Result<Stored, Error> {
        let mut draft = self.begin()?;
        copy(&mut Bounded::new(reader, limit), &mut draft)?;
        draft.commit()
    }

    /// Stores everything a reader gives, if it is what was expected; else nothing is stored.
    pub fn put_expected(
        &self,
        reader: impl Read,
        expected: &Expected,
        limit: Limit,
    ) -> Result<Verified<Stored>, Error> {
        let mut draft = self.draft()?;
        let mut verifying = Verifying::new(Bounded::new(reader, limit), *expected);
        let size = copy(&mut verifying, &mut draft)?;
        let verified = verifying.finish().map_err(|error| match error {
            boltworks_fsx::Error::Mismatch(mismatch) => Error::Mismatch(mismatch),
            boltworks_fsx::Error::Stream { source, .. } => Error::Input(source),
            other => Error::Disk(other),
        })?;
        let stored = Stored {
            digest: *verified.digest(),
            size,
        };
        self.commit(draft, stored)?;
        Ok(verified.map(|_| stored))
    }

    /// Stores bytes at hand.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Stored, Error> {
        let mut draft = self.begin()?;
        draft.write_all(bytes).map_err(Error::writing_draft)?;
        draft.commit()
    }

    /// Begins a blob whose digest is known when it is complete. Dropped, it leaves nothing.
    pub fn begin(&self) -> Result<BlobDraft<'_>, Error> {
        let draft = self.draft()?;
        Ok(BlobDraft {
            store: self,
            draft,
            hasher: Sha256Hasher::new(),
            size: 0,
        })
    }

    /// Begins a batch: many blobs, durable together.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            store: self,
            drafts: boltworks_fsx::Batch::new(),
            stored: Vec::new(),
        }
    }

    pub(crate) fn draft(&self) -> Result<Draft, Error> {
        let unnamed =
            RelPath::new("unnamed").unwrap_or_else(|_| unreachable!("the constant is a path"));
        self.blobs.draft(&unnamed, MODE).map_err(Error::writing)
    }

    fn commit(&self, mut draft: Draft, stored: Stored) -> Result<(), Error> {
        if self.is_there(&stored)? {
            return self.blobs.sync().map_err(Error::writing);
        }
        draft
            .rename_to(&name(&stored.digest))
            .map_err(Error::writing)?;
        draft.commit().map_err(Error::writing)?;
        self.remember_written(&stored);
        Ok(())
    }

    /// Whether a good blob has the name already; a damaged one is about to be replaced.
    fn is_there(&self, stored: &Stored) -> Result<bool, Error> {
        match self.open_blob(&stored.digest) {
            Ok(_) => Ok(true),
            Err(Error::Missing { .. }) => Ok(false),
            Err(Error::Damaged { digest, found }) => {
                if self.is_news(digest) {
                    tracing::warn!(%digest, %found, "a damaged blob is replaced by the good bytes");
                }
                Ok(false)
            }
            Err(other) => Err(other),
        }
    }

    /// What this process wrote and hashed need not be hashed again by it.
    fn remember_written(&self, stored: &Stored) {
        let stamp = self
            .open_file(&stored.digest)
            .ok()
            .and_then(|file| Stamp::of(&file).ok());
        if let Some(stamp) = stamp.filter(|stamp| stamp.size() == stored.size) {
            self.remember(stored.digest, stamp);
        }
    }
}

/// A blob being written; hashed as it passes.
#[derive(Debug)]
pub struct BlobDraft<'a> {
    store: &'a Store,
    draft: Draft,
    hasher: Sha256Hasher,
    size: u64,
}

impl<'a> BlobDraft<'a> {
    /// So many bytes that were written and hashed already.
    pub(crate) const fn written(
        store: &'a Store,
        draft: Draft,
        hasher: Sha256Hasher,
        size: u64,
    ) -> Self {
        Self {
            store,
            draft,
            hasher,
            size,
        }
    }

    /// How many bytes it has so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds everything that lies somewhere. Of many bytes in a file, one thread copies while
    /// another hashes.
    pub fn append(&mut self, content: &Content) -> Result<(), Error> {
        if matches!(content, Content::Bytes(_)) || content.len() < MANY {
            return content.copy_to(self).map_err(Error::writing_draft);
        }
        let Self { draft, hasher, .. } = self;
        let (copied, hashed) = rayon::join(|| content.copy_to(draft), || content.copy_to(hasher));
        hashed.map_err(Error::Input)?;
        copied.map_err(Error::writing_draft)?;
        self.size += content.len();
        Ok(())
    }

    /// Makes the blob durable under its digest.
    pub fn commit(self) -> Result<Stored, Error> {
        let stored = Stored {
            digest: self.hasher.finish(),
            size: self.size,
        };
        self.store.commit(self.draft, stored)?;
        Ok(stored)
    }

    /// The same if its bytes are those that were expected; else nothing is stored.
    pub fn commit_as(self, expected: &Sha256) -> Result<Stored, Error> {
        let found = self.hasher.clone().finish();
        if found != *expected {
            return Err(Error::Mismatch(boltworks_fsx::Mismatch {
                expected: expected.prefixed(),
                actual: found.prefixed(),
            }));
        }
        self.commit()
    }
}

impl Write for BlobDraft<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.draft.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.draft.flush()
    }
}

/// Blobs that become durable together, at the price of few syncs. Nothing is acknowledged, and
/// nothing may be relied on, before [`Batch::commit`] returns.
#[derive(Debug)]
#[must_use]
pub struct Batch<'a> {
    store: &'a Store,
    drafts: boltworks_fsx::Batch,
    stored: Vec<Stored>,
}

impl<'a> Batch<'a> {
    /// Adds bytes at hand; their digest.
    pub fn put_bytes(&mut self, bytes: &[u8]) -> Result<Sha256, Error> {
        let mut draft = self.store.begin()?;
        draft.write_all(bytes).map_err(Error::writing_draft)?;
        self.add(draft)
    }

    /// Adds everything a reader gives, up to a limit; its digest.
    pub fn put(&mut self, reader: impl Read, limit: Limit) -> Result<Sha256, Error> {
        let mut draft = self.store.begin()?;
        copy(&mut Bounded::new(reader, limit), &mut draft)?;
        self.add(draft)
    }

    /// Adds a complete draft of the same store; its digest.
    pub fn add(&mut self, draft: BlobDraft<'a>) -> Result<Sha256, Error> {
        let BlobDraft {
            mut draft,
            hasher,
            size,
            ..
        } = draft;
        let stored = Stored {
            digest: hasher.finish(),
            size,
        };
        if !self.stored.contains(&stored) {
            if !self.store.is_there(&stored)? {
                draft
                    .rename_to(&name(&stored.digest))
                    .map_err(Error::writing)?;
                self.drafts.add(draft).map_err(Error::writing)?;
            }
            self.stored.push(stored);
        }
        Ok(stored.digest)
    }

    /// Adds a note about blobs, to a folder beside them: it gets its name after all that was added
    /// before it. One that cannot get it is no error of the batch, see [`Batch::commit_but_notes`].
    pub fn note(&mut self, folder: &Root, name: &RelPath, bytes: &[u8]) -> Result<(), Error> {
        self.drafts
            .write_spare(folder, name, bytes, NOTE_MODE)
            .map_err(Error::writing)
    }

    /// Makes all of them durable; each once, in the order they were added.
    pub fn commit(self) -> Result<Vec<Stored>, Error> {
        self.commit_but_notes().map(|(stored, _)| stored)
    }

    /// The same, and why a note is not there, if one is not.
    pub fn commit_but_notes(self) -> Result<(Vec<Stored>, Option<Error>), Error> {
        let mut missing = None;
        if self.drafts.is_empty() {
            self.store.blobs.sync().map_err(Error::writing)?;
        } else {
            let committed = self.drafts.commit_but_spare().map_err(Error::writing)?;
            missing = committed.1.map(Error::writing);
        }
        self.stored
            .iter()
            .for_each(|stored| self.store.remember_written(stored));
        Ok((self.stored, missing))
    }
}

/// Like [`io::copy`], but the error says which side failed.
fn copy(reader: &mut impl Read, writer: &mut impl Write) -> Result<u64, Error> {
    let mut buffer = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(count) => count,
            Err(reason) if reason.kind() == io::ErrorKind::Interrupted => continue,
            Err(reason) => return Err(Error::Input(reason)),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        writer.write_all(bytes).map_err(Error::writing_draft)?;
        size += count as u64;
    }
}
