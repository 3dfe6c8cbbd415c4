//! A pack of objects (gitformat-pack, version 2), written by us: which git program fetched the
//! objects, and how the server had packed them, does not show in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write};

use boltworks_model::ObjectId;
use flate2::{Compress, Compression, FlushCompress, Status};

use super::delta::delta;
use super::object::{Kind, Naming};

/// How hard is tried.
const LEVEL: u32 = 6;
/// An object of this number is the one at an offset, changed.
const CHANGED: u8 = 6;
/// The most changes that lead to one object.
const MAX_CHAIN: u8 = 50;
/// Where the number of objects stands.
const COUNT_AT: u64 = 8;

/// A pack that is being written to a file.
pub(super) struct Pack {
    out: BufWriter<File>,
    offset: u64,
    count: u32,
    like: ObjectId,
    /// Where objects are, and how many changes lead to them.
    places: HashMap<ObjectId, (u64, u8)>,
    engine: Compress,
    buffer: Vec<u8>,
}

/// An object that is there already and may be much like the new one.
pub(super) struct Base<'a> {
    pub(super) id: ObjectId,
    pub(super) bytes: &'a [u8],
}

impl Pack {
    /// Begins a pack of objects with names like this one.
    pub(super) fn new(file: File, like: ObjectId) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 18, file);
        out.write_all(b"PACK\0\0\0\x02\0\0\0\0")?;
        Ok(Self {
            out,
            offset: 12,
            count: 0,
            like,
            places: HashMap::new(),
            engine: Compress::new(Compression::new(LEVEL), true),
            buffer: Vec::new(),
        })
    }

    /// Whether an object is there and a change of it would not make the chain too long.
    pub(super) fn is_base(&self, id: &ObjectId) -> bool {
        self.places
            .get(id)
            .is_some_and(|(_, chain)| *chain < MAX_CHAIN)
    }

    /// Adds an object, as a change of the base where that is much shorter.
    pub(super) fn add(
        &mut self,
        (id, kind): (ObjectId, Kind),
        bytes: &[u8],
        base: Option<&Base<'_>>,
    ) -> io::Result<()> {
        let change = base.and_then(|base| {
            let place = self.places.get(&base.id)?;
            Some((*place, delta(base.bytes, bytes)?))
        });
        let start = self.offset;
        let chain = match change {
            None => {
                self.header(kind.number(), bytes.len() as u64)?;
                self.compressed(bytes)?;
                0
            }
            Some(((at, chain), change)) => {
                self.header(CHANGED, change.len() as u64)?;
                self.put(&distance(start - at))?;
                self.compressed(&change)?;
                chain + 1
            }
        };
        self.added(id, start, chain)
    }

    /// Adds a large object as it comes.
    pub(super) fn add_from(
        &mut self,
        (id, kind): (ObjectId, Kind),
        size: u64,
        reader: &mut dyn Read,
    ) -> io::Result<()> {
        let start = self.offset;
        self.header(kind.number(), size)?;
        self.engine.reset();
        let mut piece = vec![0; 1 << 16];
        loop {
            let count = reader.read(&mut piece)?;
            let bytes = piece.get(..count).unwrap_or_default();
            self.deflate(bytes, count == 0)?;
            if count == 0 {
                break;
            }
        }
        self.added(id, start, MAX_CHAIN)
    }

    /// Ends it: its file, and how many bytes it has.
    pub(super) fn finish(self) -> io::Result<(File, u64)> {
        let mut file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(COUNT_AT))?;
        file.write_all(&self.count.to_be_bytes())?;
        file.rewind()?;
        let mut naming = Naming::new(&self.like);
        let mut piece = vec![0; 1 << 18];
        loop {
            let count = file.read(&mut piece)?;
            if count == 0 {
                break;
            }
            naming.update(piece.get(..count).unwrap_or_default());
        }
        let digest = naming.finish();
        file.write_all(&digest)?;
        Ok((file, self.offset + digest.len() as u64))
    }

    fn added(&mut self, id: ObjectId, start: u64, chain: u8) -> io::Result<()> {
        self.places.insert(id, (start, chain));
        self.count = self
            .count
            .checked_add(1)
            .ok_or_else(|| io::Error::other("a pack has no room for so many objects"))?;
        Ok(())
    }

    /// Number and size: four bits of the size, then seven in each byte, the lowest first.
    fn header(&mut self, number: u8, size: u64) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(10);
        let mut byte = number << 4 | low(size, 0xf);
        let mut left = size >> 4;
        while left > 0 {
            bytes.push(byte | 0x80);
            byte = low(left, 0x7f);
            left >>= 7;
        }
        bytes.push(byte);
        self.put(&bytes)
    }

    fn compressed(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.engine.reset();
        self.deflate(bytes, true)
    }

    fn deflate(&mut self, mut bytes: &[u8], is_last: bool) -> io::Result<()> {
        let flush = if is_last {
            FlushCompress::Finish
        } else {
            FlushCompress::None
        };
        loop {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            buffer.reserve(1 << 16);
            let before = self.engine.total_in();
            let status = self.engine.compress_vec(bytes, &mut buffer, flush);
            self.put(&buffer)?;
            let is_full = buffer.len() == buffer.capacity();
            self.buffer = buffer;
            let taken = usize::try_from(self.engine.total_in() - before).unwrap_or_default();
            bytes = bytes.get(taken..).unwrap_or_default();
            let is_done = match status.map_err(io::Error::other)? {
                Status::StreamEnd => true,
                _ => !is_last && bytes.is_empty() && !is_full,
            };
            if is_done {
                return Ok(());
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.offset += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// How far back a base is: seven bits in each byte, the highest first, each further byte one more than
/// its bits say.
fn distance(mut distance: u64) -> Vec<u8> {
    let mut bytes = vec![low(distance, 0x7f)];
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        bytes.push(low(distance, 0x7f) | 0x80);
        distance >>= 7;
    }
    bytes.reverse();
    bytes
}

fn low(value: u64, mask: u8) -> u8 {
    u8::try_from(value & u64::from(mask)).unwrap_or_default()
}
