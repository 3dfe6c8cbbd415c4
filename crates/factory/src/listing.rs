//! What a repository lists: its index, judged and understood once.
//!
//! `indexes/<digest>` in the state, or in the user's cache folder, is the form in which names are looked up
//! ([`Columns`]). Its name is the digest of all that decides it: the signed file by content, the keys it
//! was judged with, and the form's number. So it stands for a file that was found to be signed by one of
//! these keys, and later only that file is hashed.
//!
//! It says what the index says only as long as nobody else writes it: it is taken if it belongs to whoever
//! runs this and nobody else may write it, as with everything else in the state. What is damaged is made
//! again, and that it could not be kept is nobody's concern. Few are kept, the newest.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_apk::columns::FORMAT;
use boltworks_apk::{Columns, Damaged, Index, IndexEntry, Reached, Shelf, Unusable, reach};
use boltworks_crypto::{Keyring, Sha256Hasher, sha256};
use boltworks_fsx::{Bounded, Limit, RelPath, Root};
use boltworks_model::Sha256;
use boltworks_version::apk::Dependency;

use crate::Error;
use crate::files::Place;

/// The folder in the state.
pub(crate) const FOLDER: &str = "indexes";
/// No index is larger, compressed.
const INDEX_LIMIT: Limit = Limit::mib(300);
/// So many are kept.
const MAX_KEPT: usize = 16;
/// How much is hashed at once.
const BUFFER: usize = 128 * 1024;

/// Where what was understood is kept, and with which keys indexes are judged.
#[derive(Debug)]
pub(crate) struct Keep {
    folder: Option<Root>,
    keyring: Option<Keyring>,
    /// All but the index that decides what is kept.
    name: String,
}

impl Keep {
    /// Without a folder nothing is kept, without a keyring no signature is judged.
    pub(crate) fn new(folder: Option<Root>, keyring: Option<&Keyring>) -> Result<Arc<Self>, Error> {
        let judged = if keyring.is_some() {
            "judged"
        } else {
            "unjudged"
        };
        let mut name = format!("columns {FORMAT}\n{judged}\n");
        for (key, public) in keyring.into_iter().flat_map(Keyring::iter) {
            name.extend([key, "\n", &public.to_pem()?]);
        }
        Ok(Arc::new(Self {
            folder,
            keyring: keyring.cloned(),
            name,
        }))
    }

    fn name_of(&self, digest: &Sha256) -> Result<RelPath, Error> {
        let whole = format!("{}{digest}", self.name);
        let name = sha256(whole.as_bytes()).to_string();
        Ok(RelPath::try_from(name.as_str())?)
    }

    /// What is kept of the signed file with this digest.
    fn kept(&self, digest: &Sha256) -> Result<Option<Columns>, Error> {
        let (Some(folder), name) = (&self.folder, self.name_of(digest)?) else {
            return Ok(None);
        };
        if !folder.is_own_file(&name).unwrap_or(false) {
            return Ok(None);
        }
        let opened = folder
            .open_file(&name)
            .map(|file| Columns::open(file, digest));
        Ok(opened.ok().and_then(|opened| {
            opened
                .inspect_err(|reason| tracing::debug!(%reason, "an index is read anew"))
                .ok()
        }))
    }

    /// Judges an index and keeps what it says.
    pub(crate) fn judge(&self, bytes: &[u8]) -> Result<(), Error> {
        self.made(bytes).map(drop)
    }

    fn made(&self, bytes: &[u8]) -> Result<Columns, Error> {
        let unusable = |unusable: Unusable| {
            tracing::debug!(?unusable, "a package of an index is not understood");
        };
        let columns = Columns::make(bytes, self.keyring.as_ref(), unusable)?;
        let digest = sha256(bytes);
        if let Some(folder) = &self.folder {
            let name = self.name_of(&digest)?;
            let kept = folder
                .write(&name, &columns, 0o600)
                .and_then(|_| forget(folder));
            if let Err(reason) = kept {
                tracing::debug!(%reason, "what an index says is not kept");
            } else if let Some(columns) = self.kept(&digest)? {
                return Ok(columns);
            }
        }
        Ok(Columns::from_bytes(columns, &digest).map_err(boltworks_apk::Error::from)?)
    }
}

/// Removes all but the newest.
fn forget(folder: &Root) -> Result<(), boltworks_fsx::Error> {
    let names = folder.list()?;
    if names.len() <= MAX_KEPT {
        return Ok(());
    }
    let mut known = Vec::new();
    for name in names {
        let name = RelPath::new(name.name)?;
        if let Some(stat) = folder.stat(&name)? {
            known.push((Reverse(stat.mtime), name));
        }
    }
    known.sort_unstable();
    for (_, name) in known.iter().skip(MAX_KEPT) {
        folder.remove_file(name)?;
    }
    Ok(())
}

/// The index of one repository and architecture.
#[derive(Debug)]
pub(crate) struct Listing {
    columns: Columns,
    keep: Arc<Keep>,
    file: PathBuf,
}

impl Listing {
    /// Judges the index in a file, unless that was done before with the same keys. An error says
    /// that it is of `source`.
    pub(crate) fn open(file: &Path, source: &Path, keep: &Arc<Keep>) -> Result<Self, Error> {
        let opened = Place::of(file)?.open()?;
        let of_file = |error: Error| error.of_file(source);
        let columns = match keep.kept(&hashed(&opened).map_err(of_file)?)? {
            Some(columns) => columns,
            None => keep
                .made(&whole(opened).map_err(of_file)?)
                .map_err(of_file)?,
        };
        Ok(Self {
            columns,
            keep: Arc::clone(keep),
            file: file.to_owned(),
        })
    }

    /// How many packages are left out, because their fields are not understood.
    pub(crate) const fn left_out(&self) -> u32 {
        self.columns.left_out()
    }

    /// All packages.
    pub(crate) fn index(&self) -> Result<Index, Error> {
        let all = |columns: &Columns| columns.entries().collect::<Result<Vec<_>, Damaged>>();
        let entries: Vec<IndexEntry> = match all(&self.columns) {
            Ok(entries) => entries,
            Err(_) => all(&self.again()?).map_err(boltworks_apk::Error::from)?,
        };
        Ok(Index {
            description: String::new(),
            entries,
        })
    }

    /// The packages that have this name.
    pub(crate) fn named(&self, name: &str) -> Result<Vec<IndexEntry>, Error> {
        let look = |columns: &Columns| -> Result<Vec<IndexEntry>, Damaged> {
            let offers = columns.look(name)?.offers.into_iter();
            let entries = offers.map(|at| columns.entry(at).map(Cow::into_owned));
            entries
                .filter(|entry| !matches!(entry, Ok(entry) if entry.name.as_str() != name))
                .collect()
        };
        match look(&self.columns) {
            Ok(found) => Ok(found),
            Err(_) => Ok(look(&self.again()?).map_err(boltworks_apk::Error::from)?),
        }
    }

    fn again(&self) -> Result<Columns, Error> {
        let bytes = Place::of(&self.file)?.read_vec(INDEX_LIMIT)?;
        self.keep
            .made(&bytes)
            .map_err(|error| error.of_file(&self.file))
    }
}

/// A package of a part, and whether it is only beside ([`Reached::is_beside`]).
type Part = Vec<(IndexEntry, bool)>;

/// What a choice from some listings, with `others` beside them, can depend on: a part of each listing.
pub(crate) fn reached(
    listings: &[&Listing],
    wanted: &[Dependency],
    others: &[&dyn Shelf],
) -> Result<Vec<Part>, Error> {
    let owned = |reached: Reached<'_>| (reached.entry.into_owned(), reached.is_beside);
    let from = |columns: &[&Columns]| {
        let columns = columns.iter().map(|columns| *columns as &dyn Shelf);
        let shelves = columns.chain(others.iter().copied());
        let parts = reach(&shelves.collect::<Vec<_>>(), wanted)?.into_iter();
        let parts = parts.take(listings.len());
        Ok(parts
            .map(|part| part.into_iter().map(owned).collect())
            .collect())
    };
    let columns: Vec<&Columns> = listings.iter().map(|listing| &listing.columns).collect();
    from(&columns).or_else(|reason: Damaged| {
        tracing::debug!(%reason, "indexes are read anew");
        let anew = listings.iter().map(|listing| listing.again());
        let anew = anew.collect::<Result<Vec<_>, _>>()?;
        let parts = from(&anew.iter().collect::<Vec<_>>());
        Ok(parts.map_err(boltworks_apk::Error::from)?)
    })
}

/// The same, as indexes.
pub(crate) fn reached_indexes(
    listings: &[&Listing],
    wanted: &[Dependency],
    others: &[&dyn Shelf],
) -> Result<Vec<Index>, Error> {
    let part = |part: Part| Index {
        description: String::new(),
        entries: part.into_iter().map(|(entry, _)| entry).collect(),
    };
    let parts = reached(listings, wanted, others)?.into_iter();
    Ok(parts.map(part).collect())
}

/// The digest of a file.
fn hashed(file: &File) -> Result<Sha256, Error> {
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut at = 0;
    loop {
        let count = file.read_at(&mut buffer, at).map_err(unreadable)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(hasher.finish());
        };
        hasher.update(bytes);
        at += count as u64;
        if at > INDEX_LIMIT.0 {
            return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()).into());
        }
    }
}

fn whole(file: File) -> Result<Vec<u8>, Error> {
    Ok(Bounded::new(file, INDEX_LIMIT)
        .read_all()
        .map_err(unreadable)?)
}

fn unreadable(source: std::io::Error) -> boltworks_fsx::Error {
    boltworks_fsx::Error::Stream {
        action: "read the index",
        source,
    }
}
