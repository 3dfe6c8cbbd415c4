//! What the images of one run remember of each other.
//!
//! Images of one catalogue have most of their packages and layers in common. All of it can be found
//! again in the store; what is here need not be looked for. It is bounded: images that come after it is
//! full find the rest in the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use boltworks_model::Sha256;
use boltworks_rootfs::Shelf;
use boltworks_sbom::Own;

use crate::Error;
use crate::known::{Found, Key};

/// No more documents of packages are remembered.
const DOCUMENTS: usize = 1_500;
/// No more layers are remembered.
const LAYERS: usize = 100_000;

/// The document of a package, or why it cannot be used; nothing where it has none.
pub(crate) type Document = Option<Arc<Result<Own, String>>>;

/// What the images of one run remember of each other.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) shelf: Shelf,
    layers: Mutex<BTreeMap<Key, Found>>,
    documents: Mutex<BTreeMap<Sha256, Document>>,
}

impl Memory {
    /// A layer that was found in the store.
    pub(crate) fn layer(&self, key: &Key) -> Option<Found> {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        layers.get(key).cloned()
    }

    /// Remembers a layer that is in the store.
    pub(crate) fn remember(&self, key: Key, found: &Found) {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
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
        let documents = || {
            let documents = self.documents.lock();
            documents.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = documents().get(&package) {
            return Ok(known.clone());
        }
        let document = read()?.map(|bytes| Arc::new(Own::read(&bytes)));
        let mut documents = documents();
        if documents.len() < DOCUMENTS {
            documents.insert(package, document.clone());
        }
        Ok(document)
    }
}
