//! Packages and indexes as files: signed, listed, checked, whoever made them.

use std::fs::File;
use std::io::{self, BufReader, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_apk::{Index, IndexEntry, OpenOptions, PackageFile, Signed};
use boltworks_crypto::Keyring;
use boltworks_fsx::{Bounded, Limit};

use crate::Error;
use crate::files::TEXT_LIMIT;
use crate::files::{Place, parent};
use crate::keys::Keys;

/// No index is larger, compressed.
const INDEX_LIMIT: Limit = Limit::mib(300);
/// The mode of files that are made.
const MODE: u32 = 0o644;

/// Opens a package and judges all of it. Without a keyring, signatures are not judged.
pub fn open(path: &Path, keyring: Option<&Keyring>) -> Result<PackageFile, Error> {
    judge(Arc::new(Place::of(path)?.open()?), keyring).map_err(|error| error.of_file(path))
}

fn judge(file: Arc<File>, keyring: Option<&Keyring>) -> Result<PackageFile, Error> {
    let options = OpenOptions {
        keyring,
        ..OpenOptions::default()
    };
    Ok(PackageFile::open(file, &options)?)
}

/// Signs a package or an index anew; the old signatures are gone. The file is replaced at once
/// or not at all, and what is not sound is not signed. `mtime` is the time of the
/// signature.
pub fn sign(path: &Path, keys: &Keys, mtime: i64) -> Result<Signed, Error> {
    let place = Place::of(path)?;
    let file = place.open()?;
    let mode = place.stat()?.map_or(MODE, |stat| stat.mode);
    let mut draft = place.draft(mode)?;
    let signed = boltworks_apk::sign(BufReader::new(file), &keys.signer, mtime, &mut draft)
        .map_err(|error| Error::from(error).of_file(path))?;
    let unread = |source| place.failed("read back", source);
    let written = draft.file().and_then(File::try_clone).map_err(unread)?;
    let sound = match signed {
        Signed::Package => judge(Arc::new(written), Some(&keys.keyring)).map(drop),
        Signed::Index => {
            let bytes = whole(&written).map_err(unread)?;
            let index = Index::read(&bytes, Some(&keys.keyring));
            index.map(drop).map_err(Error::from)
        }
    };
    sound.map_err(|error| error.of_file(path))?;
    draft.commit()?;
    Ok(signed)
}

fn whole(mut file: &File) -> io::Result<Vec<u8>> {
    file.rewind()?;
    Bounded::new(file, INDEX_LIMIT).read_all()
}

/// Whether an index has any signature, good or not.
pub fn is_signed(path: &Path) -> Result<bool, Error> {
    let bytes = Place::of(path)?.read_vec(INDEX_LIMIT)?;
    match Index::read(&bytes, Some(&Keyring::new())) {
        Err(boltworks_apk::Error::Unsigned) => Ok(false),
        Err(boltworks_apk::Error::Untrusted { .. }) => Ok(true),
        other => other
            .map(|_| true)
            .map_err(|error| Error::from(error).of_file(path)),
    }
}

/// What an index is made of.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    /// The packages.
    pub files: &'a [PathBuf],
    /// Only packages of this architecture, and those for every one; all, where it is absent.
    pub arch: Option<&'a str>,
    /// Who signs it; nobody, where it is absent.
    pub keys: Option<&'a Keys>,
    /// The index whose entries are kept, if there is one.
    pub merge: Option<&'a Path>,
    /// The time of its entries.
    pub mtime: i64,
}

/// An index that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// How many packages it has.
    pub packages: usize,
    /// How many of them were read just now.
    pub added: usize,
    /// Packages for other architectures, which were left out.
    pub skipped: Vec<PathBuf>,
}

/// Writes an index of packages. Every package is judged, but for its signatures: who signs an
/// index vouches for what it lists.
pub fn list(output: &Path, listing: &Listing<'_>) -> Result<Listed, Error> {
    let place = Place::of(output)?;
    let mut index = match listing.merge {
        Some(before) => {
            let keyring = listing.keys.map(|keys| &keys.keyring);
            existing(&Place::of(before)?, keyring)?.unwrap_or_default()
        }
        None => Index::default(),
    };
    let mut entries = Vec::new();
    let mut skipped = Vec::new();
    for path in listing.files {
        let package = open(path, None)?;
        if fits(&package.control().arch, listing.arch) {
            entries.push(IndexEntry::from_package(&package));
        } else {
            skipped.push(path.clone());
        }
    }
    let added = entries.len();
    index.merge(entries);
    let bytes = match listing.keys {
        Some(keys) => index.write(&keys.signer, listing.mtime)?,
        None => index.write_unsigned(listing.mtime)?,
    };
    place.write(&bytes, MODE)?;
    Ok(Listed {
        packages: index.entries.len(),
        added,
        skipped,
    })
}

fn fits(arch: &str, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| arch == wanted) || matches!(arch, "noarch" | "all")
}

/// The index at a place, if there is one. With a keyring it must be signed by one of its keys.
pub(crate) fn existing(place: &Place, keyring: Option<&Keyring>) -> Result<Option<Index>, Error> {
    if place.stat()?.is_none() {
        return Ok(None);
    }
    let bytes = place.read_vec(INDEX_LIMIT)?;
    let index =
        Index::read(&bytes, keyring).map_err(|error| Error::from(error).of_file(place.path()));
    index.map(Some)
}

/// What a file that was checked is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    /// A package.
    Package {
        /// Name and version.
        name: String,
        /// The trusted keys that signed it; none where signatures were not judged.
        signed_by: Vec<String>,
    },
    /// An index.
    Index {
        /// How many packages it lists.
        packages: usize,
        /// The trusted keys that signed it; none where signatures were not judged.
        signed_by: Vec<String>,
    },
}

/// The public key of the factory whose file this is; none, where there is no factory or it has
/// made no key yet.
pub fn factory_key(file: &Path) -> Result<Option<PathBuf>, Error> {
    let place = Place::of(file)?;
    if place.stat()?.is_none() {
        return Ok(None);
    }
    let text = place.read_text(TEXT_LIMIT)?;
    let config = boltworks_config::parse(&file.to_string_lossy(), &text)?;
    let default = format!("keys/{}.rsa", config.factory);
    let private = config.keys.signing.unwrap_or(default);
    let public = parent(file).join(format!("{private}.pub"));
    match Place::of(&public) {
        Ok(place) => Ok(place.stat()?.map(|_| public)),
        // Nobody made the folder yet.
        Err(Error::Asked { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks a file: a package, or an index if its name ends in `.tar.gz`. Without a keyring,
/// signatures are not judged.
pub fn verify(path: &Path, keyring: Option<&Keyring>) -> Result<Sound, Error> {
    let is_index = path.as_os_str().as_encoded_bytes().ends_with(b".tar.gz");
    if is_index {
        let bytes = Place::of(path)?.read_vec(INDEX_LIMIT)?;
        let (index, signed_by) = Index::read_signed(&bytes, keyring)
            .map_err(|error| Error::from(error).of_file(path))?;
        return Ok(Sound::Index {
            packages: index.entries.len(),
            signed_by,
        });
    }
    let package = open(path, keyring)?;
    let control = package.control();
    Ok(Sound::Package {
        name: format!("{}-{}", control.name, control.version),
        signed_by: package.signed_by().to_vec(),
    })
}
