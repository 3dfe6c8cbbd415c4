//! Archives of sources, looked into without being unpacked: nothing of them reaches the disk.
//!
//! Tar archives, plain or compressed by gzip, xz or zstd. What they are is read off their first bytes,
//! whatever their name says. The bytes of a source are known by their digest, so what compressors say
//! of themselves in checksums is passed over.

mod xz;

use std::io::{self, BufReader, Chain, Cursor, Read};

use boltworks_fsx::tar::{Entry, Policy, Reader};
use boltworks_fsx::{Error, Limit};

use self::xz::Xz;

/// How many first bytes are read to see what something is.
const HEAD: usize = 512;
/// No archive is larger, unpacked.
const UNPACKED: Limit = Limit::gib(16);
/// The largest window of a compressor that is given memory.
const WINDOW_LOG: u32 = 27;

/// What some bytes are.
pub enum Opened<R: Read> {
    /// An archive.
    Archive(Box<Members<R>>),
    /// No archive: these are the bytes.
    File(Head<R>),
    /// An archive or a compressor that nothing here reads; its name.
    Foreign(&'static str),
}

/// Bytes of which the first were looked at.
pub type Head<R> = Chain<Cursor<Vec<u8>>, R>;

/// The members of an archive, one after the other.
pub struct Members<R: Read> {
    reader: Reader<BufReader<Stream<Head<R>>>>,
}

/// The bytes of a tar archive.
enum Stream<R: Read> {
    Plain(R),
    Gzip(Box<flate2::read::MultiGzDecoder<R>>),
    Xz(Box<Xz<BufReader<R>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
}

/// How a tar archive is compressed.
enum Kind {
    Plain,
    Gzip,
    Xz,
    Zstd,
}

/// Looks what something is.
pub fn open<R: Read>(mut reader: R) -> Result<Opened<R>, Error> {
    let head = beginning(&mut reader, HEAD).map_err(unreadable)?;
    let kind = match head.as_slice() {
        [0x1f, 0x8b, ..] => Kind::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Kind::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Kind::Zstd,
        [b'B', b'Z', b'h', ..] => return Ok(Opened::Foreign("bzip2")),
        [b'P', b'K', 3, 4, ..] => return Ok(Opened::Foreign("zip")),
        [b'7', b'z', 0xbc, 0xaf, ..] => return Ok(Opened::Foreign("7z")),
        [b'L', b'Z', b'I', b'P', ..] => return Ok(Opened::Foreign("lzip")),
        head if head.get(257..262) == Some(b"ustar") => Kind::Plain,
        _ => return Ok(Opened::File(Cursor::new(head).chain(reader))),
    };
    let bytes = Cursor::new(head).chain(reader);
    let stream = match kind {
        Kind::Plain => Stream::Plain(bytes),
        Kind::Gzip => Stream::Gzip(Box::new(flate2::read::MultiGzDecoder::new(bytes))),
        Kind::Xz => Stream::Xz(Box::new(Xz::new(BufReader::new(bytes)))),
        Kind::Zstd => Stream::Zstd(Box::new(zstandard(bytes).map_err(unreadable)?)),
    };
    // Who signed a release has packed whatever it holds: its modes and links are nothing to us.
    let policy = Policy {
        max_total: UNPACKED,
        devices: true,
        duplicates: true,
        ..Policy::default()
    };
    Ok(Opened::Archive(Box::new(Members {
        reader: Reader::new(BufReader::new(stream), policy),
    })))
}

fn zstandard<R: Read>(bytes: R) -> io::Result<zstd::stream::read::Decoder<'static, BufReader<R>>> {
    let mut decoder = zstd::stream::read::Decoder::new(bytes)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Xz(reader) => reader.read(buffer),
            Self::Zstd(reader) => reader.read(buffer),
        }
    }
}

impl<R: Read> Members<R> {
    /// The next member; nothing at the end.
    pub fn next_member(&mut self) -> Result<Option<Entry>, Error> {
        self.reader.next_entry()
    }

    /// The first bytes of this member, so many at most.
    pub fn beginning(&mut self, most: usize) -> Result<Vec<u8>, Error> {
        beginning(&mut self.reader, most).map_err(unreadable)
    }
}

/// The first bytes, so many at most.
pub fn beginning(reader: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most.min(1 << 16)];
    let mut filled = 0;
    while filled < most {
        if filled == bytes.len() {
            bytes.resize(most.min(filled.saturating_mul(2)), 0);
        }
        let (_, rest) = bytes.split_at_mut(filled);
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn unreadable(source: io::Error) -> Error {
    Error::Stream {
        action: "read the source",
        source,
    }
}

#[cfg(test)]
mod tests;
