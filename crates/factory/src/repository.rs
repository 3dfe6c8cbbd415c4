//! Repositories that a person names on the command line: folders with `ARCH/APKINDEX.tar.gz` and
//! the packages it lists beside it, as `boltworks build` and melange write them.
//!
//! The index and every package that is taken must be signed by a trusted key. A package is
//! copied to where nobody else can change it, judged there, and only then kept in the store.
//! A package and an index may be links to files that lie elsewhere: what counts is what the bytes are.
//! What was judged before with the same keys is remembered: as long as a signed index lists it and its
//! file lies there, the store's copy is taken, and the file is not read again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_apk::{Index, IndexEntry, OpenOptions, PackageFile, Shelf, Whole, index::FILE_NAME};
use boltworks_crypto::{Keyring, sha256};
use boltworks_fsx::{Bounded, FileKind, Limit, RelPath, Root, Stat};
use boltworks_model::{Ambient, Architecture, Event, Material, PackageName, Sha1, Sha256};
use boltworks_solver::Universe;
use boltworks_store::Store;
use boltworks_version::apk::{Dependency, Version};

use crate::files::{self, Place};
use crate::keys::Keys;
use crate::listing::{Keep, Listing, reached};
use crate::{Error, keys};

/// No package is larger.
const PACKAGE_LIMIT: Limit = Limit::gib(16);
/// No memory of what was judged is larger.
const MEMORY_LIMIT: Limit = Limit::mib(64);

/// Whether a repository or a key is named by an address, not by a path.
pub fn is_address(named: &Path) -> bool {
    named.to_string_lossy().contains("://")
}

/// The tag before a repository, as in apk's list of repositories, and the repository: `@edge packages`.
pub fn parted(named: &Path) -> (Option<String>, PathBuf) {
    let bytes = named.as_os_str().as_bytes();
    let parts = bytes.strip_prefix(b"@").and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b' ')?;
        let tag = std::str::from_utf8(rest.get(..end)?).ok()?;
        let rest = rest.get(end..)?.trim_ascii_start();
        (!tag.is_empty() && !rest.is_empty()).then(|| (tag.to_owned(), OsStr::from_bytes(rest)))
    });
    match parts {
        Some((tag, rest)) => (Some(tag), rest.into()),
        None => (None, named.to_owned()),
    }
}

/// The same, put together.
pub(crate) fn with_tag(tag: Option<&str>, path: PathBuf) -> PathBuf {
    let Some(tag) = tag else { return path };
    let mut text = OsString::from(format!("@{tag} "));
    text.push(path);
    text.into()
}

/// Adds a repository to what can be chosen from, with its tag.
pub(crate) fn give(
    universe: &mut Universe,
    (name, tag): (&str, &Option<String>),
    index: Index,
    preference: i32,
) {
    universe.give_repository(name, index, preference);
    if let Some(tag) = tag {
        universe.tag_repository(name, tag);
    }
}

/// What a command line says of packages that are there already.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Repositories: folders. The first is preferred. One with a tag before it (`@edge packages`) serves
    /// wishes with that tag, and what those need.
    pub repositories: Vec<PathBuf>,
    /// Public keys that are trusted beside the factory's own.
    pub keys: Vec<PathBuf>,
    /// Whether signatures are not judged.
    pub ignore_signatures: bool,
    /// Which of the keys were fetched from addresses.
    pub fetched_keys: BTreeSet<Material>,
}

impl Given {
    /// The keys that are trusted: those given, and the factory's own.
    pub fn keyring(&self, own: Option<&Keys>) -> Result<Keyring, Error> {
        let mut keyring = keys::trusted(&self.keys)?;
        for (name, key) in own.iter().flat_map(|own| own.keyring.iter()) {
            keyring.insert(name, key.clone());
        }
        Ok(keyring)
    }

    /// The tags that repositories have.
    pub fn tags(&self) -> BTreeSet<String> {
        let tags = self.repositories.iter().map(|named| parted(named).0);
        tags.flatten().collect()
    }

    /// Opens the repositories. What their indexes say is kept in `memory`, if there is one.
    pub(crate) fn open(
        &self,
        architecture: Architecture,
        keyring: &Keyring,
        memory: Option<Root>,
    ) -> Result<Vec<Repository>, Error> {
        if self.repositories.is_empty() {
            return Ok(Vec::new());
        }
        let keep = Keep::new(memory, (!self.ignore_signatures).then_some(keyring))?;
        let folders = self.repositories.iter();
        folders
            .map(|folder| Repository::open(folder, architecture, &keep))
            .collect()
    }
}

/// One repository for one architecture.
#[derive(Debug)]
pub struct Repository {
    /// The folder, as the person named it.
    pub path: PathBuf,
    /// Its tag.
    pub(crate) tag: Option<String>,
    /// What it lists.
    pub(crate) listing: Listing,
    folder: Root,
    architecture: Architecture,
}

impl Repository {
    pub(crate) fn open(
        named: &Path,
        architecture: Architecture,
        keep: &Arc<Keep>,
    ) -> Result<Self, Error> {
        let (tag, path) = parted(named);
        let text = path.to_string_lossy();
        if is_address(&path) || text.starts_with('@') {
            return Err(Error::asked(
                format!("'{text}' is not a folder"),
                "packages are taken from folders that hold ARCH/APKINDEX.tar.gz: bring them to one; a \
                 tag before it is written '@TAG FOLDER'",
            ));
        }
        let beneath = path.join(architecture.apk());
        let file = beneath.join(FILE_NAME);
        let folder = Root::open(&beneath).and_then(|folder| {
            let is_there = folder.exists(&RelPath::try_from(FILE_NAME)?)?;
            Ok(is_there.then_some(folder))
        });
        let folder = match folder {
            Err(error) if error.is_not_found() => None,
            other => Some(other.map_err(|error| files::error(error, &beneath))?).flatten(),
        };
        let Some(folder) = folder else {
            return Err(Error::asked(
                format!("{} is not there", file.display()),
                format!(
                    "make it: boltworks apk index -k KEY -o {} {}/*.apk",
                    file.display(),
                    beneath.display()
                ),
            ));
        };
        Ok(Self {
            path,
            tag,
            listing: Listing::open(&file, &file, keep)?,
            folder,
            architecture,
        })
    }

    /// Says how many packages it lists that are left out, if any are.
    pub fn left_out(&self) -> Option<String> {
        let count = self.listing.left_out();
        (count > 0).then(|| {
            let folder = self.path.join(self.architecture.apk());
            let packages = if count == 1 { "package" } else { "packages" };
            format!(
                "{} lists {count} {packages} with fields that are not understood: left out",
                folder.display()
            )
        })
    }

    fn file(&self, entry: &IndexEntry) -> PathBuf {
        let folder = self.path.join(self.architecture.apk());
        folder.join(entry.file_name())
    }
}

fn is_link(stat: Option<&Stat>) -> bool {
    stat.is_some_and(|stat| stat.kind == FileKind::Symlink)
}

/// Where packages are brought to.
pub struct Dock<'a> {
    /// Where they are kept.
    pub store: &'a Store,
    /// A folder for copies under way.
    pub scratch: &'a Root,
    /// The keys that are trusted; absent where signatures are not judged.
    pub keyring: Option<&'a Keyring>,
    /// Where it is remembered what was judged, if anywhere.
    pub memory: Option<&'a Root>,
}

/// What was judged before with the same keys: the package in the store by what an index calls it.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    folder: Option<&'a Root>,
    file: RelPath,
    known: BTreeMap<Sha1, Sha256>,
    is_new: bool,
}

impl<'a> Judged<'a> {
    /// What cannot be read is as not remembered.
    fn load(folder: Option<&'a Root>, keyring: Option<&Keyring>) -> Result<Self, Error> {
        let mut keys = String::new();
        for (name, key) in keyring.into_iter().flat_map(Keyring::iter) {
            keys.extend([name, "\n", &key.to_pem()?]);
        }
        let judged = if keyring.is_some() {
            "judged"
        } else {
            "unjudged"
        };
        let file = format!("{judged}-{}.json", sha256(keys.as_bytes()));
        let file = RelPath::try_from(file.as_str())?;
        let text = folder.and_then(|folder| folder.read_vec(&file, MEMORY_LIMIT).ok());
        let known = text.and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Self {
            folder,
            file,
            known: known.unwrap_or_default(),
            is_new: false,
        })
    }

    /// A package that was judged, if it was.
    pub(crate) fn get(&self, identity: Sha1) -> Option<Sha256> {
        self.known.get(&identity).copied()
    }

    pub(crate) fn insert(&mut self, identity: Sha1, digest: Sha256) {
        self.is_new |= self.known.insert(identity, digest) != Some(digest);
    }

    pub(crate) fn save(&self) -> Result<(), Error> {
        if let Some(folder) = self.folder.filter(|_| self.is_new) {
            let text = serde_json::to_vec(&self.known).unwrap_or_default();
            folder.write(&self.file, &text, 0o600)?;
        }
        Ok(())
    }
}

/// Packages that were brought in.
#[derive(Debug, Default)]
pub struct Brought {
    /// One index for each repository: of what was brought, and the repository's tag.
    pub indexes: Vec<(Index, Option<String>)>,
    /// The file behind each package.
    pub files: BTreeMap<Sha1, Sha256>,
}

impl Dock<'_> {
    /// Brings in every package of the repositories that `wanted` can lead to, directly or through
    /// packages of the repositories and of `others`. A package that is listed and not there is
    /// left out with a warning; one that is not what the index says is an error.
    pub fn bring(
        &self,
        repositories: &[Repository],
        wanted: &[Dependency],
        others: &[&Index],
        ambient: &Ambient<'_>,
    ) -> Result<Brought, Error> {
        let mut brought = Brought::default();
        if repositories.is_empty() {
            return Ok(brought);
        }
        let listings: Vec<_> = repositories.iter().map(|one| &one.listing).collect();
        let others: Vec<Whole<'_>> = others.iter().map(|index| Whole::new(index)).collect();
        let others: Vec<_> = others.iter().map(|whole| whole as &dyn Shelf).collect();
        let parts = reached(&listings, wanted, &others)?;
        let mut memory = self.judged()?;
        for (repository, part) in repositories.iter().zip(parts) {
            if let Some(text) = repository.left_out() {
                ambient.sink.event(Event::Warning { text: &text });
            }
            let mut entries = Vec::new();
            let part = part.into_iter().filter(|(_, is_beside)| !is_beside);
            for (entry, _) in part {
                ambient.cancel.check()?;
                match self.take(repository, &entry, &mut memory)? {
                    Some(digest) => {
                        brought.files.insert(entry.identity, digest);
                        entries.push(entry);
                    }
                    None => ambient.sink.event(Event::Warning {
                        text: &format!(
                            "{} is listed and not there: the package is left out",
                            repository.file(&entry).display()
                        ),
                    }),
                }
            }
            let index = Index::new("", entries);
            brought.indexes.push((index, repository.tag.clone()));
        }
        memory.save()?;
        Ok(brought)
    }

    fn take(
        &self,
        repository: &Repository,
        entry: &IndexEntry,
        memory: &mut Judged<'_>,
    ) -> Result<Option<Sha256>, Error> {
        let name = RelPath::try_from(entry.file_name().as_str())?;
        let stat = repository.folder.stat(&name)?;
        let linked = is_link(stat.as_ref()).then(|| Place::of(&repository.file(entry)));
        let linked = linked.transpose()?;
        let stat = linked.as_ref().map_or(Ok(stat), Place::stat)?;
        let Some(stat) = stat else {
            return Ok(None);
        };
        if let Some(digest) = memory.known.get(&entry.identity).copied()
            && stat.size == entry.size
            && self.store.has(&digest)?
        {
            return Ok(Some(digest));
        }
        let file = match linked {
            Some(place) => place.open()?,
            None => match repository.folder.open_file(&name) {
                Err(error) if error.is_not_found() => return Ok(None),
                file => file?,
            },
        };
        let kept = self.keep(file, entry);
        let digest = kept.map_err(|error| error.of_file(&repository.file(entry)))?;
        memory.insert(entry.identity, digest);
        Ok(Some(digest))
    }

    /// What was judged before.
    pub(crate) fn judged(&self) -> Result<Judged<'_>, Error> {
        Judged::load(self.memory, self.keyring)
    }

    fn keep(&self, file: std::fs::File, entry: &IndexEntry) -> Result<Sha256, Error> {
        self.keep_if(file, &|package| {
            let control = package.control();
            let found = (&control.name, &control.version, package.identity());
            if found == (&entry.name, &entry.version, entry.identity) {
                return Ok(());
            }
            let words = |name: &PackageName, version: &Version, identity: Sha1| {
                format!("{name}-{version} {}", identity.to_q1())
            };
            Err(Error::NotListed {
                found: words(&control.name, &control.version, package.identity()),
                listed: words(&entry.name, &entry.version, entry.identity),
            })
        })
    }

    /// Copies a package, judges it there and keeps it if it is the one that is meant.
    pub(crate) fn keep_if(
        &self,
        file: std::fs::File,
        is_meant: &dyn Fn(&PackageFile) -> Result<(), Error>,
    ) -> Result<Sha256, Error> {
        let unreadable = |source| boltworks_fsx::Error::Stream {
            action: "copy the package",
            source,
        };
        let mut copy = self.scratch.scratch()?;
        io::copy(&mut Bounded::new(file, PACKAGE_LIMIT), &mut copy).map_err(unreadable)?;
        let copy = Arc::new(copy);
        let options = OpenOptions {
            keyring: self.keyring,
            ..OpenOptions::default()
        };
        let package = PackageFile::open(Arc::clone(&copy), &options)?;
        is_meant(&package)?;
        let mut reader = &*copy;
        reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        Ok(self.store.put(reader, PACKAGE_LIMIT)?.digest)
    }
}
