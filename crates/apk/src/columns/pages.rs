//! Reading at places, page by page, each held to its checksum.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use boltworks_crypto::sha256;
use flate2::Crc;

use super::Damaged;

/// How much is read and checked at once.
pub(super) const PAGE: usize = 4096;
/// So many pages are kept in memory.
const KEPT: usize = 64;

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Place {
    File(File),
    Memory(Vec<u8>),
}

impl Place {
    /// As many bytes from a place on.
    pub(super) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, Damaged> {
        match self {
            Self::File(file) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, at).map_err(Damaged::Io)?;
                Ok(bytes)
            }
            Self::Memory(bytes) => {
                let begin = usize::try_from(at).ok();
                let part = begin.and_then(|begin| bytes.get(begin..begin.checked_add(length)?));
                let part = part.ok_or(Damaged::Form("it is cut off"))?;
                Ok(part.to_vec())
            }
        }
    }

    fn length(&self) -> Result<u64, Damaged> {
        match self {
            Self::File(file) => Ok(file.metadata().map_err(Damaged::Io)?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }
}

/// The pages between the header and their checksums.
#[derive(Debug)]
pub(super) struct Pages {
    place: Place,
    checks: Vec<u8>,
    known: Mutex<BTreeMap<usize, Arc<[u8]>>>,
}

impl Pages {
    /// The pages of so many bytes, whose checksums have this digest.
    pub(super) fn open(place: Place, length: u32, digest: &[u8]) -> Result<Self, Damaged> {
        let count = (length as usize).div_ceil(PAGE);
        let end = (count + 1) * PAGE;
        if place.length()? != (end + 4 * count) as u64 {
            return Err(Damaged::Form("it has another length"));
        }
        let checks = place.read(end as u64, 4 * count)?;
        if sha256(&checks).as_bytes() != digest {
            return Err(Damaged::Form("its checksums are not what was written"));
        }
        Ok(Self {
            place,
            checks,
            known: Mutex::default(),
        })
    }

    /// The bytes between two places.
    pub(super) fn read(&self, range: Range<u32>) -> Result<Vec<u8>, Damaged> {
        let (mut at, end) = (range.start as usize, range.end as usize);
        let mut bytes = Vec::with_capacity(end.saturating_sub(at));
        while at < end {
            let page = self.page(at / PAGE)?;
            let from = at % PAGE;
            let to = PAGE.min(from + end - at);
            let part = page.get(from..to);
            bytes.extend_from_slice(part.ok_or(Damaged::Form("it is cut off"))?);
            at += to - from;
        }
        Ok(bytes)
    }

    fn page(&self, number: usize) -> Result<Arc<[u8]>, Damaged> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = known.get(&number) {
            return Ok(Arc::clone(page));
        }
        let page = self.place.read(((number + 1) * PAGE) as u64, PAGE)?;
        let check = self.checks.get(4 * number..4 * number + 4);
        if check != Some(&checksum(&page)[..]) {
            return Err(Damaged::Form("a page is not what was written"));
        }
        if known.len() >= KEPT {
            known.clear();
        }
        let page: Arc<[u8]> = page.into();
        known.insert(number, Arc::clone(&page));
        Ok(page)
    }
}

/// Fills up the last page, and gives the checksums of all.
pub(super) fn seal(body: &mut Vec<u8>) -> Vec<u8> {
    body.resize(body.len().next_multiple_of(PAGE), 0);
    body.chunks(PAGE).flat_map(checksum).collect()
}

fn checksum(page: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(page);
    crc.sum().to_le_bytes()
}
