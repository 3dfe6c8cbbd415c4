//! The files of a package.
//!
//! One pass decompresses the member, hashes its compressed bytes, reads the archive, checks
//! every file's checksum and, where asked, keeps the bytes in a scratch file. Nothing of it is
//! handed out before the compressed bytes turned out to be those that the control section names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use boltworks_crypto::{Sha1Hasher, Sha256Hasher, sha1};
use boltworks_fsx::tar::{Entry, EntryKind, Policy, Reader};
use boltworks_fsx::{Content, Meta, RelPath, Root, Tree};
use boltworks_model::{Sha1, Sha256};

use super::{CHECKSUM, Limits};
use crate::error::{Error, Section};
use crate::gzip::Members;
use crate::text::shown;

/// Why a name is in no package: it would become lines of its own in the installed database.
const NAME: &str = "its name holds a control character";
/// Why a link is in no package: its target would become lines of its own wherever it is shown.
const TARGET: &str = "the target it links to holds a control character";
/// How much is decompressed at once.
const BUFFER: usize = 128 * 1024;

/// An unnamed file that holds unpacked data sections, one after the other. It is gone when
/// the last tree that points into it is.
#[derive(Debug)]
pub struct Scratch {
    file: Arc<File>,
    end: u64,
}

impl Scratch {
    /// An empty one on the file system of a directory.
    pub fn new(root: &Root) -> Result<Self, Error> {
        Ok(Self {
            file: Arc::new(root.scratch()?),
            end: 0,
        })
    }

    /// How many bytes it holds.
    pub const fn len(&self) -> u64 {
        self.end
    }

    /// Whether it holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.end == 0
    }
}

/// The files of a package, their contents in a [`Scratch`].
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// The files.
    pub tree: Tree,
    /// The SHA-1 of every file, of every symbolic link's target, and for a hard link of the file
    /// it is another name of: what an installed database records.
    pub checksums: BTreeMap<RelPath, Sha1>,
}

/// What a package says of one path, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// The attributes.
    pub meta: Meta,
    /// What it is.
    pub kind: EntryKind,
    /// How many bytes it has.
    pub size: u64,
    /// Of a file's bytes.
    pub sha256: Option<Sha256>,
}

/// One entry of the data section, checked.
pub(super) struct Found {
    pub(super) entry: Entry,
    sha1: Option<Sha1>,
    pub(super) sha256: Option<Sha256>,
}

/// What a pass is for.
pub(super) struct Pass<'a> {
    pub(super) limits: &'a Limits,
    /// What the compressed bytes must be.
    pub(super) expected: Sha256,
    /// Where the decompressed bytes are kept.
    pub(super) scratch: Option<&'a mut Scratch>,
    /// Whether files are hashed with SHA-256 too.
    pub(super) facts: bool,
}

impl Pass<'_> {
    /// Reads the data section, which must be the file's next and last member.
    pub(super) fn run<R: Read>(self, members: &mut Members<R>) -> Result<Vec<Found>, Error> {
        let Self {
            limits,
            expected,
            mut scratch,
            facts,
        } = self;
        let keep = scratch
            .as_deref()
            .map(|scratch| (Arc::clone(&scratch.file), scratch.end));
        let ((found, end), actual) = members.pass(Section::Data, limits.of_data(), |reader| {
            let mut spill = Spill { reader, keep };
            let found = read_entries(BufReader::with_capacity(BUFFER, &mut spill), limits, facts)?;
            io::copy(&mut spill, &mut io::sink()).map_err(keep_error)?;
            Ok((found, spill.keep.map(|(_, end)| end)))
        })?;
        members.end(Section::Data)?;
        if actual != expected {
            return Err(Error::DataHash { expected, actual });
        }
        if let (Some(scratch), Some(end)) = (&mut scratch, end) {
            scratch.end = end;
        }
        Ok(found)
    }
}

/// Files as a tree. Contents are looked for in `file` from `start` on; without a file they are
/// left empty, and only the tree's shape is checked.
pub(super) fn unpacked(
    found: Vec<Found>,
    file: Option<(&Arc<File>, u64)>,
) -> Result<Unpacked, Error> {
    let archive = |source| Error::Archive {
        section: Section::Data,
        source,
    };
    let mut unpacked = Unpacked {
        tree: Tree::new(),
        checksums: BTreeMap::new(),
    };
    for Found { entry, sha1, .. } in found {
        let path = entry.path.clone();
        let (offset, len) = (entry.offset, entry.size);
        let mut checksum = sha1;
        if let EntryKind::Hardlink(target) = &entry.kind {
            let reason = "it is a hard link to something that is no file before it in the package";
            if unpacked.tree.file(target).is_none() {
                return Err(Error::Entry {
                    path: shown(&path),
                    reason,
                });
            }
            checksum = unpacked.checksums.get(target).copied();
        }
        let node = entry.into_node(|| match file {
            Some((file, start)) => Content::Span {
                file: Arc::clone(file),
                offset: start + offset,
                len,
            },
            None => Content::Bytes(Arc::default()),
        });
        if let Some(checksum) = checksum {
            unpacked.checksums.insert(path.clone(), checksum);
        }
        unpacked.tree.insert(path, node).map_err(archive)?;
    }
    Ok(unpacked)
}

impl Scratch {
    /// A pass's files as a tree whose contents are here.
    pub(super) fn tree(&self, found: Vec<Found>, start: u64) -> Result<Unpacked, Error> {
        unpacked(found, Some((&self.file, start)))
    }
}

/// Keeps what passes.
struct Spill<'r> {
    reader: &'r mut dyn Read,
    keep: Option<(Arc<File>, u64)>,
}

impl Read for Spill<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some((file, end)) = &mut self.keep {
            file.write_all_at(buffer.get(..count).unwrap_or_default(), *end)?;
            *end += count as u64;
        }
        Ok(count)
    }
}

fn keep_error(source: io::Error) -> Error {
    Error::Io {
        action: "keep the data section",
        source,
    }
}

fn read_entries(archive: impl Read, limits: &Limits, facts: bool) -> Result<Vec<Found>, Error> {
    let section = Section::Data;
    let broken = |source| Error::Archive { section, source };
    let policy = Policy {
        max_entries: limits.entries,
        max_file: limits.data,
        max_total: limits.data,
        end_required: true,
        ..Policy::default()
    };
    let mut reader = Reader::new(archive, policy);
    let mut found = Vec::new();
    let mut buffer = vec![0; BUFFER];
    while let Some(mut entry) = reader.next_entry().map_err(broken)? {
        if entry.path.as_bytes().starts_with(b".") {
            return Err(Error::Misplaced {
                section,
                path: shown(&entry.path),
            });
        }
        let target = match &entry.kind {
            EntryKind::Symlink(target) => target.as_slice(),
            _ => &[],
        };
        check_texts(&entry.path, target)?;
        let (sha1, sha256) = match &entry.kind {
            EntryKind::File => {
                let (sha1, sha256) =
                    digests(&mut reader, facts, &mut buffer).map_err(keep_error)?;
                (Some(sha1), sha256)
            }
            EntryKind::Symlink(target) => (Some(sha1(target)), None),
            _ => (None, None),
        };
        if let Some(sha1) = sha1 {
            check_sum(&entry, sha1)?;
        }
        // There may be a hundred thousand, and nobody asks again.
        entry.pax.clear();
        found.push(Found {
            entry,
            sha1,
            sha256,
        });
    }
    Ok(found)
}

/// Refuses control characters in the name of an entry, and in the target of a symbolic link.
pub(super) fn check_texts(path: &RelPath, target: &[u8]) -> Result<(), Error> {
    for (text, reason) in [(path.as_bytes(), NAME), (target, TARGET)] {
        if text.iter().any(u8::is_ascii_control) {
            let path = shown(path);
            return Err(Error::Entry { path, reason });
        }
    }
    Ok(())
}

fn digests(
    reader: &mut impl Read,
    facts: bool,
    buffer: &mut [u8],
) -> io::Result<(Sha1, Option<Sha256>)> {
    let mut sha1 = Sha1Hasher::new();
    let mut sha256 = facts.then(Sha256Hasher::new);
    loop {
        let count = match reader.read(buffer) {
            Ok(0) => return Ok((sha1.finish(), sha256.map(Sha256Hasher::finish))),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        sha1.update(bytes);
        if let Some(hasher) = &mut sha256 {
            hasher.update(bytes);
        }
    }
}

/// A file's header must have its checksum; a link's may.
fn check_sum(entry: &Entry, actual: Sha1) -> Result<(), Error> {
    let path = || shown(&entry.path);
    let Some(text) = entry.pax.get(CHECKSUM) else {
        return match entry.kind {
            EntryKind::File => Err(Error::NoFileHash { path: path() }),
            _ => Ok(()),
        };
    };
    let said = std::str::from_utf8(text).ok().and_then(|text| {
        if text.starts_with("Q1") {
            Sha1::parse_q1(text).ok()
        } else {
            text.parse().ok()
        }
    });
    if said == Some(actual) {
        Ok(())
    } else {
        Err(Error::FileHash { path: path() })
    }
}
