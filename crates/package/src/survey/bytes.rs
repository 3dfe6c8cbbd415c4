//! Parts of a file, read where they are.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use boltworks_fsx::Content;

use crate::Error;

/// A file's bytes by position: nothing is read that is not asked for.
pub(super) enum Bytes<'a> {
    /// In memory.
    Memory(&'a [u8]),
    /// A part of an open file.
    File {
        file: Arc<File>,
        offset: u64,
        len: u64,
    },
}

impl<'a> Bytes<'a> {
    /// Opens a file; one that is not as long as it was found is an error.
    pub(super) fn open(content: &'a Content) -> Result<Self, Error> {
        Ok(match content {
            Content::Bytes(bytes) => Self::Memory(bytes),
            Content::Span { file, offset, len } => Self::File {
                file: Arc::clone(file),
                offset: *offset,
                len: *len,
            },
            Content::Path { root, path, len } => {
                let file = root.open_file(path)?;
                if file.metadata()?.len() != *len {
                    let what = format!("'{path}' changed its length while it was used");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what).into());
                }
                Self::File {
                    file: Arc::new(file),
                    offset: 0,
                    len: *len,
                }
            }
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// The bytes from a place on, at most so many; fewer only at the end.
    pub(super) fn at(&self, place: u64, most: u64) -> io::Result<Vec<u8>> {
        let count = self.len().saturating_sub(place).min(most);
        let count = usize::try_from(count).map_err(|_| io::ErrorKind::FileTooLarge)?;
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(place)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                Ok(bytes.get(start..start + count).unwrap_or_default().to_vec())
            }
            Self::File { file, offset, .. } => {
                let mut part = vec![0; count];
                if count > 0 {
                    let place = offset
                        .checked_add(place)
                        .ok_or(io::ErrorKind::InvalidInput)?;
                    file.read_exact_at(&mut part, place)?;
                }
                Ok(part)
            }
        }
    }
}
