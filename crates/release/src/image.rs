//! A candidate from an image in the store.
//!
//! Documents about the image become referrers (image-spec 1.1, "associating artifacts"): a small
//! manifest whose subject is the image's and whose one layer is the document.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_crypto::sha256;
use boltworks_fsx::Limit;
use boltworks_model::{Artifact, ArtifactKind, Sha256};
use boltworks_oci::{Descriptor, Manifest, media_type, read_config, read_index, read_manifest};
use boltworks_records::{ReleasedBlob, Role};
use boltworks_store::Store;
use rayon::prelude::*;

use crate::{Attachment, Candidate, Error, Inside};

/// No manifest or configuration is larger.
const DOCUMENT: Limit = Limit::mib(4);

/// The configuration of an artifact that has none.
const EMPTY: &[u8] = b"{}";

/// What to make a candidate from.
#[derive(Debug, Clone, Copy)]
pub struct ImageRequest<'a> {
    /// The image: its digest names an image manifest, or an index of such.
    pub artifact: &'a Artifact,
    /// The packages inside.
    pub packages: &'a [Inside],
    /// Documents about it.
    pub attachments: &'a [Attachment],
}

impl Candidate {
    /// Reads an image, finds and hashes every blob of it, and stores a referrer for each document.
    pub fn image(store: &Store, request: &ImageRequest<'_>) -> Result<Self, Error> {
        let (candidate, documents) = Self::walked(store, request, &BTreeMap::new())?;
        let mut referrers = store.batch();
        for bytes in &documents {
            referrers.put_bytes(bytes)?;
        }
        referrers.commit()?;
        Ok(candidate)
    }

    /// The same for many, on all cores; their referrers become durable together. The error is one for
    /// all of them.
    pub fn images(
        store: &Store,
        requests: &[ImageRequest<'_>],
    ) -> Result<Vec<Result<Self, Error>>, Error> {
        let hashed = store.hash_ahead(&blobs_of(store, requests));
        let walked = requests
            .par_iter()
            .map(|request| Self::walked(store, request, &hashed));
        let walked: Vec<_> = walked.collect();
        let mut referrers = store.batch();
        for bytes in walked.iter().flatten().flat_map(|(_, documents)| documents) {
            referrers.put_bytes(bytes)?;
        }
        referrers.commit()?;
        let candidates = walked.into_iter();
        Ok(candidates.map(|walked| Ok(walked?.0)).collect())
    }

    /// The candidate, and what is to be stored for it.
    fn walked(
        store: &Store,
        request: &ImageRequest<'_>,
        hashed: &BTreeMap<Sha256, u64>,
    ) -> Result<(Self, Vec<Vec<u8>>), Error> {
        let mut walk = Walk {
            store,
            hashed,
            image: request.artifact.digest,
            blobs: Vec::new(),
            documents: Vec::new(),
        };
        if request.artifact.coordinate.kind != ArtifactKind::Image {
            return Err(walk.problem("the artifact is no image"));
        }
        walk.top(request.artifact)?;
        for attachment in request.attachments {
            walk.attach(attachment)?;
        }
        let members = request.packages.iter().map(|inside| &inside.package);
        let mut blobs = walk.blobs;
        blobs.sort_unstable();
        blobs.dedup();
        let candidate = Self {
            artifact: request.artifact.clone(),
            members: members.cloned().collect(),
            origins: request.packages.iter().map(Inside::origin).collect(),
            blobs,
        };
        Ok((candidate, walk.documents))
    }
}

/// The layers of some images, as far as their manifests tell.
fn blobs_of(store: &Store, requests: &[ImageRequest<'_>]) -> Vec<Sha256> {
    let mut blobs = BTreeSet::new();
    for request in requests {
        let bytes = store.read_bytes(&request.artifact.digest, DOCUMENT);
        let manifest = bytes.ok().map(|bytes| read_manifest(bytes.get()));
        for manifest in manifest.into_iter().flatten() {
            blobs.extend(manifest.layers.iter().map(|layer| layer.digest));
        }
    }
    blobs.into_iter().collect()
}

/// Goes through an image.
struct Walk<'a> {
    store: &'a Store,
    /// Blobs that were hashed just now, and how many bytes each has.
    hashed: &'a BTreeMap<Sha256, u64>,
    image: Sha256,
    blobs: Vec<ReleasedBlob>,
    /// What is to be stored: referrers, and the configuration they have.
    documents: Vec<Vec<u8>>,
}

impl Walk<'_> {
    /// The document that the channel will point at.
    fn top(&mut self, artifact: &Artifact) -> Result<(), Error> {
        let bytes = self
            .store
            .read_bytes(&artifact.digest, DOCUMENT)?
            .into_inner();
        if bytes.len() as u64 != artifact.size {
            return Err(self.problem("its size is not the recorded one"));
        }
        let descriptor = |media_type| Descriptor::new(media_type, artifact.digest, artifact.size);
        match read_manifest(&bytes) {
            Ok(manifest) => self.manifest(&manifest, &descriptor(media_type::MANIFEST)),
            Err(no_manifest) => {
                let index = read_index(&bytes).map_err(|_| no_manifest)?;
                self.add(&descriptor(media_type::INDEX), Role::ImageIndex)?;
                index
                    .manifests
                    .iter()
                    .try_for_each(|child| self.child(child))
            }
        }
    }

    /// One manifest of an index.
    fn child(&mut self, descriptor: &Descriptor) -> Result<(), Error> {
        if descriptor.media_type != media_type::MANIFEST {
            let problem = format!("its index names a '{}'", descriptor.media_type);
            return Err(self.problem(problem));
        }
        let bytes = self
            .store
            .read_bytes(&descriptor.digest, DOCUMENT)?
            .into_inner();
        self.manifest(&read_manifest(&bytes)?, descriptor)
    }

    fn manifest(&mut self, manifest: &Manifest, descriptor: &Descriptor) -> Result<(), Error> {
        let config = self
            .store
            .read_bytes(&manifest.config.digest, DOCUMENT)?
            .into_inner();
        let layers = read_config(&config)?.rootfs.diff_ids.len();
        if layers != manifest.layers.len() {
            return Err(self.problem(format!(
                "its configuration tells of {layers} layers, its manifest of {}",
                manifest.layers.len()
            )));
        }
        self.add(descriptor, Role::Manifest)?;
        self.add(&manifest.config, Role::Config)?;
        manifest
            .layers
            .iter()
            .try_for_each(|layer| self.add(layer, Role::Layer))
    }

    /// A document about one of the image's manifests.
    fn attach(&mut self, attachment: &Attachment) -> Result<(), Error> {
        if !media_type::is_media_type(&attachment.media_type) {
            return Err(self.problem(format!("'{}' is no media type", attachment.media_type)));
        }
        let is_subject = |blob: &&ReleasedBlob| {
            blob.digest == attachment.about
                && matches!(blob.role, Role::Manifest | Role::ImageIndex)
        };
        let Some(subject) = self.blobs.iter().find(is_subject) else {
            let problem = format!(
                "a document speaks about {}, which is no manifest of it",
                attachment.about.prefixed()
            );
            return Err(self.problem(problem));
        };
        let subject = Descriptor::new(subject.media_type.as_str(), subject.digest, subject.size);
        let size = self.store.open_blob(&attachment.digest)?.size();
        let document = Descriptor::new(attachment.media_type.as_str(), attachment.digest, size);
        let empty = self.keep(EMPTY.to_vec());
        let empty = Descriptor::new(media_type::EMPTY, empty, EMPTY.len() as u64);
        let mut manifest = Manifest::new(empty.clone(), vec![document.clone()]);
        manifest.artifact_type = Some(attachment.media_type.clone());
        manifest.subject = Some(subject);
        let bytes = manifest.to_bytes()?;
        let size = bytes.len() as u64;
        let referrer = Descriptor::new(media_type::MANIFEST, self.keep(bytes), size);
        self.blobs.push(released(&empty, Role::Config));
        self.blobs.push(released(&document, Role::Attachment));
        let about = Some(attachment.about);
        self.blobs.push(ReleasedBlob {
            about,
            ..released(&referrer, Role::Referrer)
        });
        Ok(())
    }

    /// The digest of what is to be stored.
    fn keep(&mut self, bytes: Vec<u8>) -> Sha256 {
        let digest = sha256(&bytes);
        self.documents.push(bytes);
        digest
    }

    /// Finds and hashes a blob.
    fn add(&mut self, descriptor: &Descriptor, role: Role) -> Result<(), Error> {
        let size = match self.hashed.get(&descriptor.digest) {
            Some(&size) => size,
            None => self.store.open_blob(&descriptor.digest)?.size(),
        };
        if size != descriptor.size {
            return Err(self.problem(format!(
                "{} has {size} bytes, {} are named",
                descriptor.digest.prefixed(),
                descriptor.size
            )));
        }
        self.blobs.push(released(descriptor, role));
        Ok(())
    }

    fn problem(&self, problem: impl Into<String>) -> Error {
        Error::Image {
            digest: self.image,
            problem: problem.into(),
        }
    }
}

fn released(descriptor: &Descriptor, role: Role) -> ReleasedBlob {
    ReleasedBlob {
        digest: descriptor.digest,
        size: descriptor.size,
        role,
        media_type: descriptor.media_type.clone(),
        about: None,
        name: None,
    }
}
