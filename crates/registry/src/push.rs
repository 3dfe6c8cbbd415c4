//! An image, or an index of images, with everything beneath it: from a store to a registry.

use std::collections::BTreeSet;

use boltworks_fsx::Limit;
use boltworks_model::Sha256;
use boltworks_oci::{Descriptor, read_index, read_manifest};
use boltworks_store::Store;

use crate::blob::Sent;
use crate::manifest::{Document, MAX_MANIFEST};
use crate::{Error, Registry, several};

/// Indexes within indexes are followed so deep.
const DEPTH: usize = 4;

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest or index.
    pub digest: Sha256,
    /// How many blobs were sent, manifests not counted.
    pub sent: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many were taken over from another repository.
    pub mounted: usize,
    /// How many were there.
    pub there: usize,
}

/// Pushes a manifest or index of a store: its blobs, then manifests by their digest, the tags last.
/// What is there already is not sent.
///
/// # Errors
/// [`Error::Unfit`] or the store's own where something to be pushed is missing or wrong, before
/// anything is sent; then those of the way. Whatever the error, no tag points at anything that is not
/// whole.
pub fn push(
    registry: &Registry<'_>,
    store: &Store,
    root: &Sha256,
    tags: &[&str],
) -> Result<Pushed, Error> {
    let bytes = store.read_bytes(root, Limit(MAX_MANIFEST))?.into_inner();
    push_document(registry, store, bytes, tags)
}

/// The same of a manifest or index that is in no store; what it names is.
///
/// # Errors
/// Those of [`push`].
pub fn push_document(
    registry: &Registry<'_>,
    store: &Store,
    bytes: Vec<u8>,
    tags: &[&str],
) -> Result<Pushed, Error> {
    let document = Document::new(bytes);
    let digest = document.descriptor.digest;
    let mut plan = Plan::default();
    plan.add_document(store, document, DEPTH)?;
    // A registry that does not let us in says why only where an answer has a body.
    registry.check()?;
    let mut missing = Vec::new();
    for item in &plan.manifests {
        if !registry.has_manifest(&item.document.descriptor.digest)? {
            missing.push(item);
        }
    }
    let mut wanted = BTreeSet::new();
    let blobs: Vec<&Descriptor> = missing
        .iter()
        .flat_map(|item| &item.blobs)
        .filter(|blob| wanted.insert(blob.digest))
        .collect();
    let sent = several::each(&blobs, |blob| registry.push_blob(store, blob))?;
    for item in &missing {
        let put = registry.put_manifest(&item.document, None)?;
        if let Some(subject) = item.subject.filter(|_| !put.knows_subject) {
            registry.list_referrer(&subject, item.referrer.clone())?;
        }
    }
    let mut pushed = Pushed {
        digest,
        sent: 0,
        bytes: 0,
        mounted: 0,
        there: 0,
    };
    for (blob, sent) in blobs.iter().zip(sent) {
        match sent {
            Sent::Not => pushed.there += 1,
            Sent::Mounted => pushed.mounted += 1,
            Sent::Whole => {
                pushed.sent += 1;
                pushed.bytes += blob.size;
            }
        }
    }
    let Some(item) = plan.manifests.last() else {
        return Ok(pushed);
    };
    for tag in tags {
        registry.ambient.cancel.check()?;
        registry.put_manifest(&item.document, Some(tag))?;
    }
    Ok(pushed)
}

/// Everything that a manifest needs, lowest first.
#[derive(Default)]
struct Plan {
    manifests: Vec<Item>,
}

struct Item {
    document: Document,
    /// What it is made of, but for manifests.
    blobs: Vec<Descriptor>,
    /// What it says something about.
    subject: Option<Sha256>,
    /// How a list of what says something about that names it.
    referrer: Descriptor,
}

impl Plan {
    fn add(&mut self, store: &Store, digest: &Sha256, depth: usize) -> Result<(), Error> {
        let is_known = |item: &Item| item.document.descriptor.digest == *digest;
        if self.manifests.iter().any(is_known) {
            return Ok(());
        }
        let bytes = store.read_bytes(digest, Limit(MAX_MANIFEST))?.into_inner();
        self.add_document(store, Document::new(bytes), depth)
    }

    fn add_document(
        &mut self,
        store: &Store,
        document: Document,
        depth: usize,
    ) -> Result<(), Error> {
        if document.is_index() {
            if depth == 0 {
                return Err(Error::Unfit {
                    digest: document.descriptor.digest,
                    reason: format!("indexes in it are nested more than {DEPTH} deep"),
                });
            }
            for child in read_index(&document.bytes)?.manifests {
                self.add(store, &child.digest, depth - 1)?;
            }
            let referrer = document.descriptor.clone();
            self.manifests.push(Item {
                document,
                blobs: Vec::new(),
                subject: None,
                referrer,
            });
            return Ok(());
        }
        let manifest = read_manifest(&document.bytes)?;
        let blobs: Vec<Descriptor> = manifest.blobs().cloned().collect();
        for blob in &blobs {
            if !store.has(&blob.digest)? {
                return Err(boltworks_store::Error::Missing {
                    digest: blob.digest,
                }
                .into());
            }
        }
        let kind = manifest
            .artifact_type
            .clone()
            .unwrap_or_else(|| manifest.config.media_type.clone());
        let referrer = Descriptor {
            artifact_type: Some(kind),
            annotations: manifest.annotations.clone(),
            ..document.descriptor.clone()
        };
        self.manifests.push(Item {
            document,
            blobs,
            subject: manifest.subject.map(|subject| subject.digest),
            referrer,
        });
        Ok(())
    }
}
