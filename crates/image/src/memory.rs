//! What the images of one run remember of each other.
//!
//! Images of one catalogue have most of their packages and layers in common. All of it can be found
//! again in the store; what is here need not be looked for. It is bounded: images that come after it is
//! full find the rest in the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use boltworks_apk::installed::Paragraph;
use boltworks_fsx::{Meta, RelPath};
use boltworks_model::Sha256;
use boltworks_rootfs::Shelf;
use boltworks_sbom::Own;

use crate::Error;
use crate::known::{Found, Key};
use crate::layer::Compression;

/// No more documents of packages are remembered.
const DOCUMENTS: usize = 1_500;
/// Nor more paragraphs of apk's database.
const PARAGRAPHS: usize = 3_000;
/// Nor more groups of packages.
const GROUPS: usize = 20_000;
/// No more layers are remembered.
const LAYERS: usize = 100_000;

/// The document of a package, or why it cannot be used; nothing where it has none.
pub(crate) type Document = Option<Arc<Result<Own, String>>>;

/// What the images of one run remember of each other.
#[derive(Debug, Default)]
pub struct Memory {
    /// Whether layers that were written before are taken by their names.
    pub(crate) by_name: bool,
    pub(crate) shelf: Shelf,
    layers: Mutex<BTreeMap<Key, Found>>,
    documents: Mutex<BTreeMap<Sha256, Document>>,
    paragraphs: Mutex<BTreeMap<Sha256, Arc<Paragraph>>>,
    groups: Mutex<BTreeMap<Packages, Arc<Group>>>,
}

/// Packages that share a layer, by their digests.
pub(crate) type Packages = (Compression, Vec<Sha256>);

/// A layer of packages all of whose paths are in the image as they have them.
#[derive(Debug)]
pub(crate) struct Group {
    /// What it is made of,
    pub(crate) key: Key,
    /// if these folders are in the image as they are here.
    pub(crate) folders: Vec<(RelPath, Meta)>,
}

fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// For images that nobody uses before they are released: then layers that are not public yet are
    /// hashed, and it is enough here that they are there.
    pub fn by_name() -> Self {
        Self {
            by_name: true,
            ..Self::default()
        }
    }

    /// A layer that was found in the store.
    pub(crate) fn layer(&self, key: &Key) -> Option<Found> {
        held(&self.layers).get(key).cloned()
    }

    /// Remembers a layer that is in the store.
    pub(crate) fn remember(&self, key: Key, found: &Found) {
        let mut layers = held(&self.layers);
        if layers.len() < LAYERS {
            layers.insert(key, found.clone());
        }
    }

    /// The document of a package by its digest, read once.
    pub(crate) fn document(
        &self,
        package: Sha256,
        read: impl FnOnce() -> Result<Option<Vec<u8>>, Error>,
    ) -> Result<Document, Error> {
        if let Some(known) = held(&self.documents).get(&package) {
            return Ok(known.clone());
        }
        let document = read()?.map(|bytes| Arc::new(Own::read(&bytes)));
        let mut documents = held(&self.documents);
        if documents.len() < DOCUMENTS {
            documents.insert(package, document.clone());
        }
        Ok(document)
    }

    /// What apk's database has of a package that is whole, written once.
    pub(crate) fn paragraph<E>(
        &self,
        package: Sha256,
        write: impl FnOnce() -> Result<Paragraph, E>,
    ) -> Result<Arc<Paragraph>, E> {
        if let Some(known) = held(&self.paragraphs).get(&package) {
            return Ok(Arc::clone(known));
        }
        let paragraph = Arc::new(write()?);
        let mut paragraphs = held(&self.paragraphs);
        if paragraphs.len() < PARAGRAPHS {
            paragraphs.insert(package, Arc::clone(&paragraph));
        }
        Ok(paragraph)
    }

    /// What the layer of some packages was made of last.
    pub(crate) fn group(&self, packages: &Packages) -> Option<Arc<Group>> {
        held(&self.groups).get(packages).cloned()
    }

    /// Remembers it.
    pub(crate) fn remember_group(&self, packages: Packages, group: Group) {
        let mut groups = held(&self.groups);
        if groups.len() < GROUPS {
            groups.insert(packages, Arc::new(group));
        }
    }
}
