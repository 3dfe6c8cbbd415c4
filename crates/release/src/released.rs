//! What clients may read: nothing that was not released, and everything that ever was.
//!
//! A blob is public in the repository that released it, in the role it was released for: a layer
//! is never given out as a manifest, nor one repository's blob under another's name.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use boltworks_fsx::Limit;
use boltworks_model::{ArtifactKind, ChannelName, Sha256, Timestamp};
use boltworks_oci::{Descriptor, read_manifest};
use boltworks_records::{PublicBlob, Records, Role};
use boltworks_store::Store;

use crate::repository::INDEX_NAME;
use crate::{Error, Release};

/// No manifest is larger.
const MANIFEST: Limit = Limit::mib(4);

/// A read-only view of records and store. Sees each release as soon as it is made.
///
/// One is for one thread at a time; [`ReleasedStore::reopen`] makes more that share what was
/// hashed.
#[derive(Debug)]
pub struct ReleasedStore {
    records: Records,
    store: Store,
}

/// A public file, open and hashed.
#[derive(Debug, Clone)]
pub struct PublicFile {
    /// The bytes. The position is shared: read at offsets.
    pub file: Arc<File>,
    /// Their digest.
    pub digest: Sha256,
    /// How many.
    pub size: u64,
    /// What they are served as.
    pub media_type: String,
    /// Since when the bytes are public under the name that was asked for.
    pub since: Timestamp,
}

/// How a manifest is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag<'a> {
    /// By the name of a channel's tag.
    Name(&'a str),
    /// By digest.
    Digest(&'a Sha256),
}

/// How a file of an apk repository is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApkFile<'a> {
    /// The signed index.
    Index,
    /// A package by its file name, as the newest index means it.
    Name(&'a str),
    /// A package or index by digest, however old.
    Digest(&'a Sha256),
}

/// A public key that clients need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its file name: `web.rsa.pub`.
    pub name: String,
    /// The digest of the file.
    pub digest: Sha256,
    /// The repositories whose indexes it signs, in byte order.
    pub repositories: Vec<String>,
}

impl ReleasedStore {
    /// Opens the records for reading, beside a store.
    pub fn open(records: &Path, store: Store) -> Result<Self, Error> {
        Ok(Self {
            records: Records::open_read_only(records)?,
            store,
        })
    }

    /// The same, for another thread.
    pub fn reopen(&self) -> Result<Self, Error> {
        Self::open(self.records.path(), self.store.clone())
    }

    /// Whether the records that were opened are still the ones under that name. If not, the whole
    /// state was made anew, and records and store must be opened again.
    pub fn is_current(&self) -> bool {
        self.records.is_current()
    }

    /// The newest release of every channel, in byte order.
    pub fn channels(&self) -> Result<Vec<Release>, Error> {
        Ok(self.records.channels()?)
    }

    /// Image repositories in byte order, after a name.
    pub fn repositories(&self, after: &str, most: u32) -> Result<Vec<String>, Error> {
        Ok(self
            .records
            .repositories(ArtifactKind::Image, after, most)?)
    }

    /// The tags of an image repository in byte order, after a tag; nothing if there is no such
    /// repository.
    pub fn tags(
        &self,
        repository: &str,
        after: &str,
        most: u32,
    ) -> Result<Option<Vec<String>>, Error> {
        if self.records.tags(repository, "", 1)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.records.tags(repository, after, most)?))
    }

    /// An image's manifest, an image index, or a manifest about one of them.
    pub fn image_manifest(
        &self,
        repository: &str,
        tag: Tag<'_>,
    ) -> Result<Option<PublicFile>, Error> {
        let (digest, since) = match tag {
            Tag::Digest(digest) => (*digest, None),
            Tag::Name(name) => match self.current(repository, name)? {
                Some(release) => (release.after(), Some(release.at)),
                None => return Ok(None),
            },
        };
        let blobs = self.records.released(repository, &digest)?;
        let manifest = blobs
            .into_iter()
            .find(|public| public.blob.role.is_manifest());
        let file = manifest.map(|public| self.file(&public)).transpose()?;
        Ok(file.map(|file| PublicFile {
            since: since.unwrap_or(file.since),
            ..file
        }))
    }

    /// Any blob of an image repository, by digest.
    pub fn blob(&self, repository: &str, digest: &Sha256) -> Result<Option<PublicFile>, Error> {
        let is_of_image = |public: &PublicBlob| {
            !matches!(public.blob.role, Role::ApkIndex | Role::Apk | Role::Key)
        };
        let blobs = self.records.released(repository, digest)?;
        blobs
            .into_iter()
            .find(is_of_image)
            .map(|public| self.file(&public))
            .transpose()
    }

    /// The manifests about another one, as an index lists them (distribution-spec 1.1, "listing
    /// referrers"); none for a digest nobody knows.
    pub fn referrers(&self, repository: &str, about: &Sha256) -> Result<Vec<Descriptor>, Error> {
        let mut descriptors = Vec::new();
        for blob in self.records.referrers(repository, about)? {
            let bytes = self.store.read_bytes(&blob.digest, MANIFEST)?;
            let manifest = read_manifest(bytes.get())?;
            let mut descriptor = Descriptor::new(blob.media_type, blob.digest, blob.size);
            descriptor.artifact_type =
                Some(manifest.artifact_type.unwrap_or(manifest.config.media_type));
            descriptor.annotations = manifest.annotations;
            descriptors.push(descriptor);
        }
        Ok(descriptors)
    }

    /// The signed index of an apk repository.
    pub fn apk_index(&self, repository: &str, arch: &str) -> Result<Option<PublicFile>, Error> {
        self.apk_file(repository, arch, ApkFile::Index)
    }

    /// A file of an apk repository.
    pub fn apk_file(
        &self,
        repository: &str,
        arch: &str,
        file: ApkFile<'_>,
    ) -> Result<Option<PublicFile>, Error> {
        let repository = format!("{repository}/{arch}");
        let public = match file {
            ApkFile::Index => self.records.released_name(&repository, INDEX_NAME)?,
            ApkFile::Name(name) => self.records.released_name(&repository, name)?,
            ApkFile::Digest(digest) => self
                .records
                .released(&repository, digest)?
                .into_iter()
                .next(),
        };
        let is_of_apk =
            |public: &PublicBlob| matches!(public.blob.role, Role::ApkIndex | Role::Apk);
        public
            .filter(is_of_apk)
            .map(|public| self.file(&public))
            .transpose()
    }

    /// The public keys, in byte order of their names.
    pub fn public_keys(&self) -> Result<Vec<PublicKey>, Error> {
        let mut keys: Vec<PublicKey> = Vec::new();
        for (repository, PublicBlob { blob, .. }) in self.records.released_names(Role::Key)? {
            let name = blob.name.unwrap_or_default();
            match keys.last_mut().filter(|key| key.name == name) {
                Some(key) if key.digest == blob.digest => key.repositories.push(repository),
                // The newest meaning of a name comes first, and is the one that is served.
                Some(_) => {}
                None => keys.push(PublicKey {
                    name,
                    digest: blob.digest,
                    repositories: vec![repository],
                }),
            }
        }
        for key in &mut keys {
            key.repositories.sort_unstable();
        }
        Ok(keys)
    }

    /// The file of a public key.
    pub fn public_key(&self, name: &str) -> Result<Option<PublicFile>, Error> {
        let keys = self.records.released_names(Role::Key)?;
        let is_it = |(_, public): &(String, PublicBlob)| public.blob.name.as_deref() == Some(name);
        keys.into_iter()
            .find(is_it)
            .map(|(_, public)| self.file(&public))
            .transpose()
    }

    fn current(&self, repository: &str, tag: &str) -> Result<Option<Release>, Error> {
        // What is not even a name names nothing.
        match format!("{repository}:{tag}").parse::<ChannelName>() {
            Ok(channel) => Ok(self.records.current(&channel)?),
            Err(_) => Ok(None),
        }
    }

    fn file(&self, public: &PublicBlob) -> Result<PublicFile, Error> {
        let blob = self.store.open_blob(&public.blob.digest)?;
        Ok(PublicFile {
            file: Arc::clone(blob.file()),
            digest: blob.digest(),
            size: blob.size(),
            media_type: public.blob.media_type.clone(),
            since: public.since,
        })
    }
}
