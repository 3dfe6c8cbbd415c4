//! A blob whose beginning is known last: a package names, in front, the digest of what follows.
//!
//! What follows waits in memory, or when it is much in the blob's own file, behind room for the
//! beginning; then it moves up within that file, hashed on the way. It is written to no other file
//! first: new pages cost more than bytes that are moved within old ones.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{Content, Draft};

use crate::{BlobDraft, Error, Store};

/// So many bytes wait in memory.
const FEW: usize = 8 << 20;
/// Room in front; a longer beginning costs a copy.
const ROOM: u64 = 1 << 20;
/// What is moved at once.
const PART: u64 = 1 << 20;

/// A blob that is written without its beginning. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct LateDraft<'a> {
    store: &'a Store,
    memory: Vec<u8>,
    /// Everything, once it is much, behind [`ROOM`].
    file: Option<(Draft, u64)>,
}

impl Store {
    /// Begins a blob whose beginning is known last.
    pub const fn begin_late(&self) -> LateDraft<'_> {
        LateDraft {
            store: self,
            memory: Vec::new(),
            file: None,
        }
    }
}

impl<'a> LateDraft<'a> {
    /// Puts the beginning in front of what was written.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn begin_with(self, head: &[u8]) -> Result<BlobDraft<'a>, Error> {
        let Some((mut draft, len)) = self.file else {
            let mut blob = self.store.begin()?;
            let both = blob
                .write_all(head)
                .and_then(|()| blob.write_all(&self.memory));
            both.map_err(Error::writing_draft)?;
            return Ok(blob);
        };
        let begin = head.len() as u64;
        if begin > ROOM {
            let file = draft.file().and_then(File::try_clone);
            let mut blob = self.store.begin()?;
            blob.write_all(head).map_err(Error::writing_draft)?;
            blob.append(&Content::Span {
                file: Arc::new(file.map_err(Error::writing_draft)?),
                offset: ROOM,
                len,
            })?;
            return Ok(blob);
        }
        let mut hasher = Sha256Hasher::new();
        hasher.update(head);
        let moved = draft.file().and_then(|mut file| {
            file.write_all_at(head, 0)?;
            move_up(file, (ROOM, begin), len, &mut hasher)?;
            file.set_len(begin + len)?;
            file.seek(SeekFrom::Start(begin + len))
        });
        let size = moved.map_err(Error::writing_draft)?;
        Ok(BlobDraft::written(self.store, draft, hasher, size))
    }
}

impl Write for LateDraft<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((draft, len)) = &mut self.file {
            let count = draft.write(bytes)?;
            *len += count as u64;
            return Ok(count);
        }
        if self.memory.len() + bytes.len() <= FEW {
            self.memory.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let mut draft = self.store.draft().map_err(io::Error::other)?;
        draft.file()?.seek(SeekFrom::Start(ROOM))?;
        let memory = std::mem::take(&mut self.memory);
        draft.write_all(&memory)?;
        self.file = Some((draft, memory.len() as u64));
        self.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some((draft, _)) => draft.flush(),
            None => Ok(()),
        }
    }
}

/// Moves so many bytes from one place of a file to an earlier one. One thread hashes while
/// another moves.
fn move_up(
    file: &File,
    (from, to): (u64, u64),
    len: u64,
    hasher: &mut Sha256Hasher,
) -> io::Result<()> {
    let part = |place: u64| usize::try_from(len.saturating_sub(place).min(PART)).unwrap_or(0);
    let (mut here, mut next) = (vec![0; part(0)], Vec::new());
    file.read_exact_at(&mut here, from)?;
    let mut place = 0;
    while place < len {
        let ahead = place + here.len() as u64;
        next.resize(part(ahead), 0);
        let (moved, ()) = rayon::join(
            || {
                file.write_all_at(&here, to + place)?;
                file.read_exact_at(&mut next, from + ahead)
            },
            || hasher.update(&here),
        );
        moved?;
        place = ahead;
        std::mem::swap(&mut here, &mut next);
    }
    Ok(())
}
