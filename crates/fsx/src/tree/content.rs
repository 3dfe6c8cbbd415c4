//! Where a file's bytes are.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use boltworks_crypto::Sha256Hasher;
use boltworks_model::Sha256;

use crate::{Bounded, Error, Limit, RelPath, Root};

const BUFFER: usize = 256 * 1024;

/// The bytes of a regular file, wherever they are.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// A part of an open file.
    Span {
        /// The open file; it is read at positions, so clones do not disturb each other.
        file: Arc<File>,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
    /// A part of an open file whose bytes are checked whenever they are read: others are an error.
    Checked {
        /// The open file.
        file: Arc<File>,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        len: u64,
        /// What the bytes must be.
        sha256: Sha256,
    },
    /// A file on disk, opened when it is read.
    Path {
        /// The directory it is beneath.
        root: Arc<Root>,
        /// Where.
        path: RelPath,
        /// How long it was when it was found; another length is an error.
        len: u64,
    },
}

impl Content {
    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Span { len, .. } | Self::Checked { len, .. } | Self::Path { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader that gives exactly [`Content::len`] bytes, or an error.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        if let Self::Checked {
            file,
            offset,
            len,
            sha256,
        } = self
        {
            let span = Span {
                file: Arc::clone(file),
                position: *offset,
                left: *len,
            };
            return Ok(Box::new(Checking::new(span, *sha256)?));
        }
        Ok(match self.opened()? {
            Opened::Read(bytes) => Box::new(io::Cursor::new(bytes)),
            Opened::Memory(bytes) => Box::new(bytes),
            Opened::File { file, offset, len } => Box::new(Span {
                file,
                position: offset,
                left: len,
            }),
        })
    }

    /// The bytes by position. A file on disk that is not as long as it was found is an error. What
    /// is checked is read as a whole.
    pub fn opened(&self) -> io::Result<Opened<'_>> {
        let (file, offset, len) = match self {
            Self::Bytes(bytes) => return Ok(Opened::Memory(bytes)),
            Self::Checked { len, .. } => {
                return self.read_vec(Limit(*len)).map(Opened::Read);
            }
            Self::Span { file, offset, len } => (Arc::clone(file), *offset, *len),
            Self::Path { root, path, len } => {
                let file = root.open_of_length(path, *len).map_err(into_io)?;
                (Arc::new(file), 0, *len)
            }
        };
        Ok(Opened::File { file, offset, len })
    }

    /// The digest of the bytes, read now, or of all that could ever be read.
    pub fn sha256(&self) -> io::Result<Sha256> {
        if let Self::Checked { sha256, .. } = self {
            return Ok(*sha256);
        }
        let mut hasher = Sha256Hasher::new();
        self.copy_to(&mut hasher)?;
        Ok(hasher.finish())
    }

    /// Writes exactly [`Content::len`] bytes.
    pub fn copy_to(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Self::Bytes(bytes) = self {
            return out.write_all(bytes);
        }
        let mut reader = self.open()?;
        let mut buffer = vec![
            0;
            usize::try_from(self.len())
                .unwrap_or(BUFFER)
                .clamp(1, BUFFER)
        ];
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            out.write_all(buffer.get(..count).unwrap_or_default())?;
        }
    }

    /// All bytes, if they are no more than the limit.
    pub fn read_vec(&self, limit: Limit) -> io::Result<Vec<u8>> {
        Bounded::new(self.open()?, limit).read_all()
    }

    /// All bytes: where they lie in memory, or read into a buffer that many files share and that
    /// grows as long as the longest of them.
    pub fn read_in<'a>(&'a self, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        if let Self::Bytes(bytes) = self {
            return Ok(bytes);
        }
        let len = usize::try_from(self.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut reader = self.open()?;
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        let (bytes, _) = buffer.split_at_mut(len);
        reader.read_exact(bytes)?;
        Ok(bytes)
    }

    /// The first bytes, at most so many: to tell what a file is.
    pub fn read_head(&self, count: usize) -> io::Result<Vec<u8>> {
        let count = usize::try_from(self.len()).unwrap_or(usize::MAX).min(count);
        if matches!(self, Self::Checked { .. }) {
            let mut head = self.read_vec(Limit(self.len()))?;
            head.truncate(count);
            return Ok(head);
        }
        let mut head = vec![0; count];
        self.open()?.read_exact(&mut head)?;
        Ok(head)
    }
}

/// A file's bytes by position: nothing is read that is not asked for.
#[derive(Debug)]
pub enum Opened<'a> {
    /// In memory.
    Memory(&'a [u8]),
    /// Read into memory, and checked.
    Read(Vec<u8>),
    /// A part of an open file.
    File {
        /// The open file.
        file: Arc<File>,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
}

impl Opened<'_> {
    /// The number of bytes.
    pub const fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Read(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from a place on, at most so many; fewer only at the end.
    pub fn at(&self, place: u64, most: u64) -> io::Result<Vec<u8>> {
        let count = self.len().saturating_sub(place).min(most);
        let count = usize::try_from(count).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let within = |bytes: &[u8]| {
            let start = usize::try_from(place)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            bytes.get(start..start + count).unwrap_or_default().to_vec()
        };
        match self {
            Self::Memory(bytes) => Ok(within(bytes)),
            Self::Read(bytes) => Ok(within(bytes)),
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

/// A part of a file, read at positions; a file that ends too early is an error.
struct Span {
    file: Arc<File>,
    position: u64,
    left: u64,
}

impl Read for Span {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let (part, _) = buffer.split_at_mut(most);
        if part.is_empty() {
            return Ok(0);
        }
        let count = self.file.read_at(part, self.position)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Hashes what it reads, and has an error in the place of the last bytes if all are not what they
/// must be.
struct Checking {
    span: Span,
    hasher: Sha256Hasher,
    sha256: Sha256,
}

impl Checking {
    fn new(span: Span, sha256: Sha256) -> io::Result<Self> {
        let mut checking = Self {
            span,
            hasher: Sha256Hasher::new(),
            sha256,
        };
        if checking.span.left == 0 {
            checking.check()?;
        }
        Ok(checking)
    }

    fn check(&mut self) -> io::Result<()> {
        let found = std::mem::replace(&mut self.hasher, Sha256Hasher::new()).finish();
        if found == self.sha256 {
            return Ok(());
        }
        let text = format!("the bytes are {found}, and should be {}", self.sha256);
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl Read for Checking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.span.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        if count > 0 && self.span.left == 0 {
            self.check()?;
        }
        Ok(count)
    }
}

fn into_io(error: Error) -> io::Error {
    let kind = error.io_kind().unwrap_or(io::ErrorKind::Other);
    io::Error::new(kind, error)
}

#[cfg(test)]
mod tests {
    use boltworks_crypto::sha256;

    use super::*;

    #[test]
    fn what_is_checked_is_read_whole_and_right_or_not_at_all() {
        let bytes: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        file.write_all(&bytes).unwrap();
        let file = Arc::new(file);
        let part = |len: usize, sha256| Content::Checked {
            file: Arc::clone(&file),
            offset: 6,
            len: len as u64,
            sha256,
        };
        for len in [0, 1, BUFFER, bytes.len()] {
            let whole = &bytes[..len];
            let good = part(len, sha256(whole));
            assert_eq!(good.read_vec(Limit::mib(1)).unwrap(), whole);
            assert_eq!(good.read_in(&mut Vec::new()).unwrap(), whole);
            assert_eq!(good.read_head(1).unwrap(), &whole[..len.min(1)]);
            assert_eq!(good.sha256().unwrap(), sha256(whole));
            let mut copied = Vec::new();
            good.copy_to(&mut copied).unwrap();
            assert_eq!(copied, whole);
            let opened = good.opened().unwrap();
            assert_eq!(opened.len(), len as u64);
            assert_eq!(opened.at(0, 3).unwrap(), &whole[..len.min(3)]);

            let bad = part(len, sha256(b"other"));
            let is_bad = |error: io::Error| error.kind() == io::ErrorKind::InvalidData;
            assert!(is_bad(bad.read_vec(Limit::mib(1)).unwrap_err()));
            assert!(is_bad(bad.read_in(&mut Vec::new()).unwrap_err()));
            assert!(is_bad(bad.read_head(1).unwrap_err()));
            assert!(is_bad(bad.opened().unwrap_err()));
            assert!(is_bad(bad.copy_to(&mut io::sink()).unwrap_err()));
        }
    }
}
