//! A candidate from a signed index and the packages it lists.
//!
//! A client that trusts the index must find behind each of its lines the very package: signed by
//! a known key, with that identity and size. A package whose line stands unchanged in the index
//! that is public now was looked at then, and need only be there: who is served it has it hashed.

use std::collections::BTreeMap;

use boltworks_apk::{Index, IndexEntry, OpenOptions, PackageFile};
use boltworks_crypto::Keyring;
use boltworks_fsx::Limit;
use boltworks_gate::Origin;
use boltworks_model::{Artifact, ArtifactKind, ChannelName, Sha256};
use boltworks_records::{Records, ReleasedBlob, Role};
use boltworks_store::Store;

use crate::{Candidate, Error};

/// No index is larger.
pub(crate) const INDEX_SIZE: Limit = Limit::mib(100);

/// What to make a candidate from.
#[derive(Debug, Clone, Copy)]
pub struct RepositoryRequest<'a> {
    /// The channel it is for: `os/x86_64`.
    pub channel: &'a ChannelName,
    /// The signed `APKINDEX.tar.gz`.
    pub index: &'a Artifact,
    /// The packages it lists, in any order.
    pub packages: &'a [Artifact],
    /// The public keys that clients of this repository trust; they are published with it.
    pub keys: &'a Keyring,
}

impl Candidate {
    /// Reads a signed index, holds every package against its line, and stores the public keys.
    pub fn repository(
        store: &Store,
        records: &Records,
        request: &RepositoryRequest<'_>,
    ) -> Result<Self, Error> {
        let RepositoryRequest {
            channel,
            index,
            packages,
            keys,
        } = *request;
        let name = repository_of(channel, index)?;
        let bytes = store.read_bytes(&index.digest, INDEX_SIZE)?;
        let listed =
            Index::read(bytes.get(), Some(keys)).map_err(|error| Error::Index(Box::new(error)))?;
        let entries = by_file(channel.repository(), &listed.entries)?;
        let members = pair(channel.repository(), &entries, packages)?;
        let known = Known::load(store, records, channel)?;
        let mut blobs = vec![blob(
            index.digest,
            bytes.get().len() as u64,
            Role::ApkIndex,
            INDEX_NAME,
        )];
        let entry = |file: &String| entries.get(file).copied();
        let is_new =
            |(file, package): &(&String, &&Artifact)| !known.has(file, package, entry(file));
        let new: Vec<_> = members.iter().filter(is_new).collect();
        let digests: Vec<Sha256> = new.iter().map(|(_, package)| package.digest).collect();
        store.hash_ahead(&digests);
        for (file, package) in new {
            check(store, (file, package), entry(file), keys)?;
        }
        for (file, package) in &members {
            let digest = package.digest;
            if !store.has(&digest)? {
                return Err(boltworks_store::Error::Missing { digest }.into());
            }
            blobs.push(blob(digest, package.size, Role::Apk, file));
        }
        for (file, key) in keys.iter() {
            let stored = store.put_bytes(key.to_pem()?.as_bytes())?;
            blobs.push(blob(stored.digest, stored.size, Role::Key, file));
        }
        let origin = |(_, package): (&String, &&Artifact)| Origin {
            package: format!("{}-{}", package.coordinate.name, package.coordinate.version),
            sha256: package.digest,
            repository: name.to_owned(),
        };
        Ok(Self {
            artifact: index.clone(),
            origins: members.iter().map(origin).collect(),
            members: members.into_values().cloned().collect(),
            blobs,
        })
    }
}

/// The file name of an index.
pub(crate) const INDEX_NAME: &str = "APKINDEX.tar.gz";

/// The repository's name without the architecture, if the channel is for such an index.
fn repository_of<'a>(channel: &'a ChannelName, index: &Artifact) -> Result<&'a str, Error> {
    let kind = index.coordinate.kind;
    let wrong = || Error::Channel {
        channel: channel.clone(),
        kind,
    };
    if kind != ArtifactKind::ApkIndex || channel.tag().is_some() {
        return Err(wrong());
    }
    match channel.repository().rsplit_once('/') {
        Some((name, arch)) if arch == index.coordinate.architecture.apk() => Ok(name),
        _ => Err(wrong()),
    }
}

/// The lines of an index by the file they stand for.
fn by_file<'a>(
    repository: &str,
    entries: &'a [IndexEntry],
) -> Result<BTreeMap<String, &'a IndexEntry>, Error> {
    let mut files = BTreeMap::new();
    for entry in entries {
        let file = entry.file_name();
        if files.insert(file.clone(), entry).is_some() {
            return Err(Error::repository(
                repository,
                format!("its index lists {file} twice"),
            ));
        }
    }
    Ok(files)
}

/// Each listed file with its package; none may be left over on either side.
fn pair<'a>(
    repository: &str,
    entries: &BTreeMap<String, &IndexEntry>,
    packages: &'a [Artifact],
) -> Result<BTreeMap<String, &'a Artifact>, Error> {
    let problem = |text: String| Error::repository(repository, text);
    let mut members = BTreeMap::new();
    for package in packages {
        let coordinate = &package.coordinate;
        let file = format!("{}-{}.apk", coordinate.name, coordinate.version);
        if coordinate.kind != ArtifactKind::Apk || !entries.contains_key(&file) {
            return Err(problem(format!("its index does not list {coordinate}")));
        }
        if members.insert(file, package).is_some() {
            return Err(problem(format!("{coordinate} was handed in twice")));
        }
    }
    match entries.keys().find(|file| !members.contains_key(*file)) {
        Some(file) => Err(problem(format!(
            "its index lists {file}, which was not handed in"
        ))),
        None => Ok(members),
    }
}

/// Opens a package and holds it against its line of the index.
fn check(
    store: &Store,
    (file, package): (&String, &Artifact),
    entry: Option<&IndexEntry>,
    keys: &Keyring,
) -> Result<(), Error> {
    let blob = store.open_blob(&package.digest)?;
    let options = OpenOptions {
        keyring: Some(keys),
        ..OpenOptions::default()
    };
    let opened =
        PackageFile::open(blob.file().clone(), &options).map_err(|source| Error::Package {
            file: file.clone(),
            source: Box::new(source),
        })?;
    let actual = IndexEntry::from_package(&opened);
    let is_listed = entry.is_some_and(|entry| {
        (
            &entry.name,
            &entry.version,
            &entry.arch,
            entry.identity,
            entry.size,
        ) == (
            &actual.name,
            &actual.version,
            &actual.arch,
            actual.identity,
            actual.size,
        )
    });
    if is_listed && package.size == actual.size {
        return Ok(());
    }
    let repository = package.coordinate.to_string();
    Err(Error::repository(
        &repository,
        format!("{file} is not the package that the index lists"),
    ))
}

/// The lines of the index that is public now, and which package each stands for.
#[derive(Default)]
struct Known(BTreeMap<String, (IndexEntry, Sha256)>);

impl Known {
    fn load(store: &Store, records: &Records, channel: &ChannelName) -> Result<Self, Error> {
        let Some(current) = records.current(channel)? else {
            return Ok(Self::default());
        };
        let bytes = store.read_bytes(&current.after(), INDEX_SIZE)?;
        let index =
            Index::read(bytes.get(), None).map_err(|error| Error::Index(Box::new(error)))?;
        let mut known = BTreeMap::new();
        for entry in index.entries {
            let file = entry.file_name();
            if let Some(public) = records.released_name(channel.repository(), &file)? {
                known.insert(file, (entry, public.blob.digest));
            }
        }
        Ok(Self(known))
    }

    fn has(&self, file: &str, package: &Artifact, entry: Option<&IndexEntry>) -> bool {
        self.0.get(file).is_some_and(|(known, digest)| {
            Some(known) == entry && *digest == package.digest && known.size == package.size
        })
    }
}

fn blob(digest: Sha256, size: u64, role: Role, name: &str) -> ReleasedBlob {
    let media_type = match role {
        Role::ApkIndex => "application/gzip",
        Role::Key => "application/x-pem-file",
        _ => "application/octet-stream",
    };
    ReleasedBlob {
        digest,
        size,
        role,
        media_type: media_type.to_owned(),
        about: None,
        name: Some(name.to_owned()),
    }
}
