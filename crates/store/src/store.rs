//! A folder of blobs, and how they are read.
//!
//! The folder looks like an OCI layout's: `blobs/sha256/<hex>`, flat, so that a draft is renamed
//! within its own directory and one sync of that directory makes a whole batch durable.
//!
//! A blob is hashed before it is used, because what lies on a disk for years may rot or be
//! tampered with. Hashing the same layer for every request would make a server useless, so a
//! process remembers what it hashed: device, inode, size, time of last change of content and of
//! attributes, to the nanosecond. A blob that looks the same is not hashed again *by this
//! process*. The price: bytes that rot on the platter after that, without the file system
//! noticing, are served; `Store::verify` finds them, because it asks no memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{FileKind, Limit, RelPath, Root, Verified, verify_bytes};
use boltworks_model::Sha256;
use rayon::prelude::*;

use crate::Error;

/// Where the blobs are, as in an OCI layout.
const FOLDER: &str = "blobs/sha256";

/// How much is read at once.
pub(crate) const CHUNK: usize = 256 * 1024;

/// A folder of blobs; clones share it and its memory of what was hashed.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) blobs: Arc<Root>,
    pub(crate) folder: Arc<Root>,
    memory: Arc<Mutex<BTreeMap<Sha256, Stamp>>>,
    /// Damaged blobs that were warned of: several writers may come upon one at once.
    told: Arc<Mutex<BTreeSet<Sha256>>>,
}

/// What the blobs take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many there are.
    pub blobs: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// What a file looked like when it was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    size: u64,
    content: (i64, i64),
    attributes: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            content: (metadata.mtime(), metadata.mtime_nsec()),
            attributes: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    pub(crate) const fn size(self) -> u64 {
        self.size
    }
}

/// A blob that was hashed: having one is the proof. Clones share the open file.
#[derive(Debug, Clone)]
pub struct BlobFile {
    file: Arc<File>,
    digest: Sha256,
    size: u64,
}

impl BlobFile {
    /// The open file. Its position is shared: read it at offsets, or through [`BlobFile::reader`].
    pub const fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The digest of the bytes.
    pub const fn digest(&self) -> Sha256 {
        self.digest
    }

    /// How many bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// A reader from the first byte, independent of any other.
    pub fn reader(&self) -> BlobReader {
        BlobReader {
            file: Arc::clone(&self.file),
            offset: 0,
            end: self.size,
        }
    }
}

/// Reads a blob from front to back.
#[derive(Debug)]
pub struct BlobReader {
    file: Arc<File>,
    offset: u64,
    end: u64,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let (part, _) = buffer.split_at_mut(left.min(buffer.len()));
        let count = self.file.read_at(part, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Store {
    /// Opens the store in a folder; makes it if needed, and removes what killed writers left.
    pub fn open(root: &Root) -> Result<Self, Error> {
        let blobs = root.make_dir(&folder()).map_err(Error::writing)?;
        blobs.sweep().map_err(Error::writing)?;
        Self::on(root, blobs)
    }

    /// Opens the store in a folder for reading. Changes nothing.
    pub fn open_read_only(root: &Root) -> Result<Self, Error> {
        Self::on(root, root.dir(&folder()).map_err(Error::Disk)?)
    }

    fn on(root: &Root, blobs: Root) -> Result<Self, Error> {
        Ok(Self {
            blobs: Arc::new(blobs),
            folder: Arc::new(root.try_clone().map_err(Error::Disk)?),
            memory: Arc::default(),
            told: Arc::default(),
        })
    }

    /// A folder beside the blobs, made if needed: for what is remembered of them. Nothing in it is
    /// hashed or checked by the store.
    pub fn folder(&self, name: &RelPath) -> Result<Root, Error> {
        self.folder.make_dir(name).map_err(Error::writing)
    }

    /// Whether there is a blob of this name. Says nothing of its bytes.
    pub fn has(&self, digest: &Sha256) -> Result<bool, Error> {
        Ok(self.size(digest)?.is_some())
    }

    /// How many bytes the blob of this name has, if there is one. Says nothing of which.
    pub fn size(&self, digest: &Sha256) -> Result<Option<u64>, Error> {
        let stat = self.blobs.stat(&name(digest)).map_err(Error::Disk)?;
        let blob = stat.filter(|stat| stat.kind == FileKind::File);
        Ok(blob.map(|stat| stat.size))
    }

    /// Opens a blob whose bytes are what its name says: hashed now, or by this process before.
    pub fn open_blob(&self, digest: &Sha256) -> Result<BlobFile, Error> {
        let file = self.open_file(digest)?;
        let stamp = Stamp::of(&file).map_err(unreadable)?;
        if !self.remembers(digest, stamp) {
            let found = hash(&file)?;
            if found != *digest {
                return Err(Error::Damaged {
                    digest: *digest,
                    found,
                });
            }
            self.remember(*digest, stamp);
        }
        Ok(BlobFile {
            file: Arc::new(file),
            digest: *digest,
            size: stamp.size,
        })
    }

    /// Hashes blobs on all cores, so that who opens them next need not wait for it. What is wrong with
    /// one is told then.
    pub fn hash_ahead(&self, digests: &[Sha256]) {
        digests.par_iter().for_each(|digest| {
            let _told_later = self.open_blob(digest);
        });
    }

    /// The bytes of a blob, hashed now.
    pub fn read_bytes(&self, digest: &Sha256, limit: Limit) -> Result<Verified<Vec<u8>>, Error> {
        let file = self.open_file(digest)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size > limit.0 {
            return Err(Error::TooLarge {
                digest: *digest,
                size,
                limit: limit.0,
            });
        }
        let bytes = boltworks_fsx::Bounded::new(file, limit)
            .read_all()
            .map_err(unreadable)?;
        verify_bytes(bytes, digest).map_err(|mismatch| match mismatch.actual.parse() {
            Ok(found) => Error::Damaged {
                digest: *digest,
                found,
            },
            Err(_) => Error::Mismatch(mismatch),
        })
    }

    /// Every blob, ordered by digest.
    pub fn list(&self) -> Result<Vec<Sha256>, Error> {
        let entries = self.blobs.list().map_err(Error::Disk)?;
        Ok(entries
            .iter()
            .filter_map(|entry| parse_name(&entry.name))
            .collect())
    }

    /// How many blobs there are, and how many bytes they have together. Nothing is hashed.
    pub fn usage(&self) -> Result<Usage, Error> {
        let mut usage = Usage::default();
        for digest in self.list()? {
            // One that was set aside since is no longer there.
            if let Some(stat) = self.blobs.stat(&name(&digest)).map_err(Error::Disk)? {
                usage.blobs += 1;
                usage.bytes += stat.size;
            }
        }
        Ok(usage)
    }

    pub(crate) fn open_file(&self, digest: &Sha256) -> Result<File, Error> {
        self.blobs.open_file(&name(digest)).map_err(|error| {
            if error.is_not_found() {
                Error::Missing { digest: *digest }
            } else {
                Error::Disk(error)
            }
        })
    }

    pub(crate) fn remember(&self, digest: Sha256, stamp: Stamp) {
        self.memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest, stamp);
    }

    /// Whether this is the first time that this process tells of a damaged blob.
    pub(crate) fn is_news(&self, digest: Sha256) -> bool {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest)
    }

    fn remembers(&self, digest: &Sha256, stamp: Stamp) -> bool {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(digest) == Some(&stamp)
    }
}

/// The digest of a whole file.
pub(crate) fn hash(file: &File) -> Result<Sha256, Error> {
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; CHUNK];
    let mut offset = 0;
    loop {
        let count = match file.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => count,
            Err(reason) if reason.kind() == io::ErrorKind::Interrupted => continue,
            Err(reason) => return Err(unreadable(reason)),
        };
        hasher.update(buffer.get(..count).unwrap_or_default());
        offset += count as u64;
    }
}

pub(crate) fn unreadable(source: io::Error) -> Error {
    Error::Disk(boltworks_fsx::Error::Stream {
        action: "read a blob",
        source,
    })
}

fn folder() -> RelPath {
    RelPath::new(FOLDER).unwrap_or_else(|_| unreachable!("the constant is a path"))
}

/// The file of a blob.
pub(crate) fn name(digest: &Sha256) -> RelPath {
    RelPath::new(digest.to_string())
        .unwrap_or_else(|_| unreachable!("hexadecimal digits are a path"))
}

/// The blob of a file, if the name is exactly what this room writes.
pub(crate) fn parse_name(name: &[u8]) -> Option<Sha256> {
    let text = std::str::from_utf8(name).ok()?;
    let digest: Sha256 = text.parse().ok()?;
    (digest.to_string() == text).then_some(digest)
}
