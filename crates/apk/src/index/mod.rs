//! What a repository offers: the signed file `APKINDEX.tar.gz`.
//!
//! 1. [`entry`]: [`IndexEntry`], one package of it, and the text of all.
//! 2. Here: [`Index`], the file around the text.

pub mod entry;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use boltworks_crypto::{Keyring, Signer};
use boltworks_fsx::Limit;
use boltworks_model::PackageName;
use boltworks_version::apk::Version;

pub use entry::{IndexEntry, Unusable};

use crate::archive::{self, End, File};
use crate::error::{Error, LineError, Section};
use crate::gzip::{self, Allowance, Members};
use crate::signature;

/// The file's name in a repository.
pub const FILE_NAME: &str = "APKINDEX.tar.gz";
/// How much an index may be, unpacked; ten times the largest public ones.
const ALLOWANCE: Allowance = Allowance {
    size: Limit::mib(300),
    ratio: gzip::RATIO,
};
/// What an index is compressed with: it is downloaded often and written seldom.
const LEVEL: u32 = 9;
/// apk takes no longer description.
const MAX_DESCRIPTION: usize = 160;

/// The packages of one repository and architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// One line about the repository: its name or revision.
    pub description: String,
    /// The packages. What was read keeps the order of the text; what is written is sorted.
    pub entries: Vec<IndexEntry>,
}

impl Index {
    /// An index of these packages, sorted.
    pub fn new(description: impl Into<String>, entries: Vec<IndexEntry>) -> Self {
        let mut index = Self {
            description: description.into(),
            entries,
        };
        index.sort();
        index
    }

    /// Reads a whole `APKINDEX.tar.gz`. With a keyring, it must be signed by a key of that;
    /// without one, nobody vouches for what is read.
    pub fn read(bytes: &[u8], keyring: Option<&Keyring>) -> Result<Self, Error> {
        Ok(Self::read_signed(bytes, keyring)?.0)
    }

    /// The same, and which keys of the keyring signed it: none without a keyring.
    pub fn read_signed(
        bytes: &[u8],
        keyring: Option<&Keyring>,
    ) -> Result<(Self, Vec<String>), Error> {
        let Opened {
            description,
            text,
            signed_by,
        } = open(bytes, keyring)?;
        let entries = Self::parse(&text)?;
        let index = Self {
            description,
            entries,
        };
        Ok((index, signed_by))
    }

    /// Like [`Index::read`], for an index that others made: a package whose fields cannot be
    /// understood is told to `unusable` and left out, as apk does. Alpine's indexes have such
    /// packages: `0.99f7-r0` is no version.
    pub fn read_foreign(
        bytes: &[u8],
        keyring: Option<&Keyring>,
        mut unusable: impl FnMut(Unusable),
    ) -> Result<Self, Error> {
        let Opened {
            description, text, ..
        } = open(bytes, keyring)?;
        let mut entries = Vec::new();
        for entry in entry::parse(&text)? {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(refused) => unusable(refused),
            }
        }
        Ok(Self {
            description,
            entries,
        })
    }

    /// The bytes of a signed `APKINDEX.tar.gz`. `mtime` is the time of its entries.
    pub fn write(&self, signer: &Signer, mtime: i64) -> Result<Vec<u8>, Error> {
        let unsigned = self.write_unsigned(mtime)?;
        let mut bytes = signature::section(&unsigned, signer, mtime)?;
        bytes.extend_from_slice(&unsigned);
        Ok(bytes)
    }

    /// The bytes of an `APKINDEX.tar.gz` that nobody vouches for.
    pub fn write_unsigned(&self, mtime: i64) -> Result<Vec<u8>, Error> {
        crate::text::check_value("DESCRIPTION", &self.description)?;
        if self.description.len() > MAX_DESCRIPTION {
            return Err(Error::Value {
                field: "DESCRIPTION",
                reason: "it is longer than 160 bytes",
            });
        }
        let text = self.to_text()?;
        // The description comes first, because apk knows it only from there on.
        let files = [
            ("DESCRIPTION", self.description.as_str()),
            ("APKINDEX", &text),
        ];
        let files = files.map(|(name, content)| File {
            name,
            content: content.as_bytes(),
            mode: 0o644,
        });
        gzip::member(&archive::write(files, mtime, End::Allowed)?, LEVEL)
    }

    /// The text `APKINDEX`, sorted whatever the order of the entries.
    pub fn to_text(&self) -> Result<String, Error> {
        let mut sorted: Vec<&IndexEntry> = self.entries.iter().collect();
        sorted.sort_by(|left, right| left.order(right));
        let mut text = String::new();
        for entry in sorted {
            entry.write_to(&mut text)?;
            text.push('\n');
        }
        Ok(text)
    }

    /// Reads the text `APKINDEX`.
    pub fn parse(text: &str) -> Result<Vec<IndexEntry>, Error> {
        entry::parse(text)?
            .into_iter()
            .map(|entry| entry.map_err(|refused| refused.error))
            .collect()
    }

    /// Takes packages over; of two with the same name and version, the one taken over stays.
    pub fn merge(&mut self, newer: impl IntoIterator<Item = IndexEntry>) {
        let mut places: BTreeMap<(PackageName, Version), usize> = BTreeMap::new();
        let key = |entry: &IndexEntry| (entry.name.clone(), entry.version.clone());
        for (place, entry) in self.entries.iter().enumerate() {
            places.insert(key(entry), place);
        }
        for entry in newer {
            match places.entry(key(&entry)) {
                Entry::Occupied(place) => {
                    if let Some(old) = self.entries.get_mut(*place.get()) {
                        *old = entry;
                    }
                }
                Entry::Vacant(place) => {
                    place.insert(self.entries.len());
                    self.entries.push(entry);
                }
            }
        }
        self.sort();
    }

    /// Sorts by name, then version, oldest first.
    pub fn sort(&mut self) {
        self.entries.sort_by(IndexEntry::order);
    }
}

/// What is in an index.
pub(crate) struct Opened {
    pub(crate) description: String,
    pub(crate) text: String,
    signed_by: Vec<String>,
}

/// Opens an index, if its signature holds.
pub(crate) fn open(bytes: &[u8], keyring: Option<&Keyring>) -> Result<Opened, Error> {
    let mut members = Members::new(bytes);
    let (mut plain, mut raw) = members.read(Section::Index, ALLOWANCE)?;
    let mut files = archive::read(Section::Index, &plain, End::Allowed)?;
    let mut signatures = Vec::new();
    if files
        .first()
        .is_some_and(|(name, _)| signature::is_signature(name))
    {
        signatures = signature::parse(&plain)?;
        (plain, raw) = members.read(Section::Index, ALLOWANCE)?;
        files = archive::read(Section::Index, &plain, End::Allowed)?;
    }
    members.end(Section::Index)?;
    // The largest are large: what is no longer needed goes before the text is checked and copied.
    drop(plain);
    let verified = keyring.map(|keyring| signature::verify(&signatures, &raw, keyring));
    let signed_by = verified.transpose()?.unwrap_or_default();
    drop(raw);
    let mut files: BTreeMap<String, Vec<u8>> = files.into_iter().collect();
    let lacks = Error::Lacks {
        section: Section::Index,
        path: "APKINDEX",
    };
    let text = files.remove("APKINDEX").ok_or(lacks)?;
    let description = files.remove("DESCRIPTION").unwrap_or_default();
    let description = text_of(description, "DESCRIPTION")?;
    Ok(Opened {
        description: description.trim_end_matches('\n').to_owned(),
        text: text_of(text, "APKINDEX")?,
        signed_by,
    })
}

fn text_of(bytes: Vec<u8>, file: &'static str) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error
            .as_bytes()
            .get(..error.utf8_error().valid_up_to())
            .unwrap_or_default();
        let line = valid.split(|&byte| byte == b'\n').count();
        Error::Line {
            file,
            line,
            reason: LineError::Encoding,
        }
    })
}
