//! One inode (`erofs_inode_compact`, `erofs_inode_extended`).

use super::super::{
    BLOCKS, CHARACTER, COMPACT, EXTENDED, FILE, FOLDER, INLINE, LINK, PIPE, PLAIN, TYPE,
    attributes, device_numbers,
};
use super::{Reader, fault, number};
use crate::Error;
use crate::tar::EntryKind;

/// Chunks (`EROFS_INODE_CHUNK_BASED`), and the two forms of compressed bytes.
const OTHERS: [u16; 3] = [1, 3, 4];

/// Where an inode's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// From `start` so many as `split` says, all others from `end`. All are in the image.
    Flat { start: u64, split: u64, end: u64 },
    /// Compressed, or in chunks.
    Other,
}

/// One inode.
#[derive(Debug)]
pub(super) struct Inode {
    number: u64,
    /// A link without its target.
    pub(super) kind: EntryKind,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) links: u64,
    pub(super) size: u64,
    pub(super) place: Place,
    /// Where its extended attributes are, and how many bytes they have.
    pub(super) place_beside: u64,
    pub(super) beside: u64,
}

impl Inode {
    /// The inode of a number at a place in the image.
    pub(super) fn read(reader: &Reader, id: u64, place: u64) -> Result<Self, Error> {
        let bytes = reader.at(place, COMPACT)?;
        let format = narrow(number::<2>(&bytes, 0));
        let is_long = format & 1 != 0;
        let bytes = if is_long {
            reader.at(place, EXTENDED)?
        } else {
            bytes
        };
        let layout = format >> 1;
        let mode = narrow(number::<2>(&bytes, 4));
        let beside = match number::<2>(&bytes, 2) {
            0 => 0,
            units => attributes::HEAD + (units - 1) * 4,
        };
        let word = |at| u32::try_from(number::<4>(&bytes, at)).unwrap_or_default();
        let half = |at| u32::from(narrow(number::<2>(&bytes, at)));
        let size = if is_long {
            number::<8>(&bytes, 8)
        } else {
            number::<4>(&bytes, 8)
        };
        let (major, minor) = device_numbers(word(16));
        let kind = match mode & TYPE {
            FOLDER => EntryKind::Dir,
            FILE => EntryKind::File,
            LINK => EntryKind::Symlink(Vec::new()),
            CHARACTER => EntryKind::CharDevice { major, minor },
            BLOCKS => EntryKind::BlockDevice { major, minor },
            PIPE => EntryKind::Fifo,
            _ => return Err(fault(id, "an inode is of no known type")),
        };
        let place_beside = place + if is_long { EXTENDED } else { COMPACT };
        let mut inode = Self {
            number: id,
            kind,
            mode: u32::from(mode & !TYPE),
            uid: if is_long { word(24) } else { half(24) },
            gid: if is_long { word(28) } else { half(26) },
            mtime: if is_long {
                number::<8>(&bytes, 32).cast_signed()
            } else {
                // What newer kernels count from the image's time; older writers leave it 0.
                reader.time.saturating_add(i64::from(word(12)))
            },
            links: if is_long {
                number::<4>(&bytes, 44)
            } else {
                number::<2>(&bytes, 6)
            },
            size,
            place: Place::Other,
            place_beside,
            beside,
        };
        inode.place = inode.find(reader, layout, u64::from(word(16)))?;
        Ok(inode)
    }

    /// Where its bytes are.
    fn find(&self, reader: &Reader, layout: u16, block: u64) -> Result<Place, Error> {
        let has_bytes = matches!(
            self.kind,
            EntryKind::Dir | EntryKind::File | EntryKind::Symlink(_)
        );
        if OTHERS.contains(&layout) && has_bytes {
            return Ok(Place::Other);
        }
        let start = block * reader.block;
        let end = self.place_beside + self.beside;
        let split = match layout {
            _ if !has_bytes || self.size == 0 => {
                return Ok(Place::Flat {
                    start: 0,
                    split: 0,
                    end: 0,
                });
            }
            PLAIN => self.size,
            INLINE => (self.size - 1) / reader.block * reader.block,
            _ => return Err(self.fault("the bytes of an inode are in no known way")),
        };
        let behind = self.size - split;
        if behind > 0 && end % reader.block + behind > reader.block {
            return Err(self.fault("bytes beside an inode go beyond its block"));
        }
        let ends = [(start, split), (end, behind)];
        let is_there = |(from, len): &(u64, u64)| {
            *len == 0 || from.checked_add(*len).is_some_and(|end| end <= reader.len)
        };
        if !ends.iter().all(is_there) {
            return Err(self.fault("the bytes of an inode are beyond the end"));
        }
        Ok(Place::Flat { start, split, end })
    }

    pub(super) const fn fault(&self, reason: &'static str) -> Error {
        Error::Erofs {
            inode: self.number,
            reason,
        }
    }
}

fn narrow(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
