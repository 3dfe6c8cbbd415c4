//! A candidate from an image in the store.
//!
//! Documents about the image become referrers (image-spec 1.1, "associating artifacts"): a small
//! manifest whose subject is the image's and whose one layer is the document.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_crypto::sha256;
use boltworks_fsx::Limit;
use boltworks_gate::Origin;
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
    /// An image that is public already in the repository it is for: layers that are its, too, were
    /// hashed when it was released.
    pub before: Option<&'a Artifact>,
}

impl Candidate {
    /// Reads an image, finds and hashes every blob of it, and stores a referrer for each document.
    pub fn image(store: &Store, request: &ImageRequest<'_>) -> Result<Self, Error> {
        let documents = Documents::read(store, request.artifact)?;
        let public = request.public(store);
        let (candidate, referrers) = Self::walked(store, request, (&documents, &public))?;
        let mut batch = store.batch();
        for bytes in &referrers {
            batch.put_bytes(bytes)?;
        }
        batch.commit()?;
        Ok(candidate)
    }

    /// The same for many, on all cores; their referrers become durable together. The error is one for
    /// all of them.
    pub fn images(
        store: &Store,
        requests: &[ImageRequest<'_>],
    ) -> Result<Vec<Result<Self, Error>>, Error> {
        let read = requests.par_iter();
        let read = read.map(|request| {
            let documents = Documents::read(store, request.artifact)?;
            Ok((documents, request.public(store)))
        });
        let read: Vec<Result<_, Error>> = read.collect();
        // Each layer once, however many images have it.
        let new = read.iter().flatten().flat_map(|(documents, public)| {
            let layers = documents.layers().map(|layer| layer.digest);
            layers.filter(|digest| !public.contains(digest))
        });
        let new: BTreeSet<Sha256> = new.collect();
        store.hash_ahead(&Vec::from_iter(new));
        let walked = requests.par_iter().zip(read).map(|(request, read)| {
            let (documents, public) = read?;
            Self::walked(store, request, (&documents, &public))
        });
        let walked: Vec<_> = walked.collect();
        let mut batch = store.batch();
        for bytes in walked.iter().flatten().flat_map(|(_, referrers)| referrers) {
            batch.put_bytes(bytes)?;
        }
        batch.commit()?;
        let candidates = walked.into_iter();
        Ok(candidates.map(|walked| Ok(walked?.0)).collect())
    }

    /// The candidate, and the referrers that are to be stored for it.
    fn walked(
        store: &Store,
        request: &ImageRequest<'_>,
        (documents, public): (&Documents, &BTreeSet<Sha256>),
    ) -> Result<(Self, Vec<Vec<u8>>), Error> {
        let mut walk = Walk {
            store,
            public,
            image: request.artifact.digest,
            blobs: Vec::new(),
            referrers: Vec::new(),
        };
        walk.documents(documents)?;
        for attachment in request.attachments {
            walk.attach(attachment)?;
        }
        let mut blobs = walk.blobs;
        blobs.sort_unstable();
        blobs.dedup();
        let candidate = Self {
            artifact: request.artifact.clone(),
            members: request.members(),
            origins: request.origins(),
            blobs,
        };
        Ok((candidate, walk.referrers))
    }
}

impl ImageRequest<'_> {
    pub(crate) fn members(&self) -> Vec<Artifact> {
        let members = self.packages.iter().map(|inside| &inside.package);
        members.cloned().collect()
    }

    pub(crate) fn origins(&self) -> Vec<Origin> {
        self.packages.iter().map(Inside::origin).collect()
    }

    /// Layers that were hashed when they became public.
    fn public(&self, store: &Store) -> BTreeSet<Sha256> {
        let before = self.before.map(|before| Documents::read(store, before));
        // What cannot be read any more says of no layer that it is public.
        let before = before.and_then(Result::ok);
        let layers = before.iter().flat_map(Documents::layers);
        layers.map(|layer| layer.digest).collect()
    }
}

/// The documents that name an image's parts, each read once and hashed.
pub(crate) struct Documents {
    /// The index of its manifests, where it has one.
    index: Option<Descriptor>,
    manifests: Vec<(Descriptor, Manifest)>,
}

impl Documents {
    pub(crate) fn read(store: &Store, artifact: &Artifact) -> Result<Self, Error> {
        let problem = |problem: String| Error::Image {
            digest: artifact.digest,
            problem,
        };
        if artifact.coordinate.kind != ArtifactKind::Image {
            return Err(problem("the artifact is no image".to_owned()));
        }
        let bytes = store.read_bytes(&artifact.digest, DOCUMENT)?.into_inner();
        if bytes.len() as u64 != artifact.size {
            return Err(problem("its size is not the recorded one".to_owned()));
        }
        let top = |media_type| Descriptor::new(media_type, artifact.digest, artifact.size);
        let no_manifest = match read_manifest(&bytes) {
            Ok(manifest) => {
                return Ok(Self {
                    index: None,
                    manifests: vec![(top(media_type::MANIFEST), manifest)],
                });
            }
            Err(error) => error,
        };
        let index = read_index(&bytes).map_err(|_| no_manifest)?;
        let children = index.manifests.into_iter().map(|child| {
            if child.media_type != media_type::MANIFEST {
                return Err(problem(format!("its index names a '{}'", child.media_type)));
            }
            let bytes = store.read_bytes(&child.digest, DOCUMENT)?;
            let manifest = read_manifest(bytes.get())?;
            Ok((child, manifest))
        });
        Ok(Self {
            manifests: children.collect::<Result<_, _>>()?,
            index: Some(top(media_type::INDEX)),
        })
    }

    fn layers(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests
            .iter()
            .flat_map(|(_, manifest)| &manifest.layers)
    }

    /// How many bytes a client fetches that has nothing yet, as the documents say.
    pub(crate) fn download(&self) -> u64 {
        let manifests = self.manifests.iter();
        let parts = manifests.flat_map(|(own, manifest)| manifest.blobs().chain([own]));
        let all = parts.chain(&self.index);
        let sizes: BTreeMap<Sha256, u64> = all.map(|one| (one.digest, one.size)).collect();
        sizes
            .values()
            .fold(0, |sum, size| sum.saturating_add(*size))
    }
}

/// Goes through an image.
struct Walk<'a> {
    store: &'a Store,
    public: &'a BTreeSet<Sha256>,
    image: Sha256,
    blobs: Vec<ReleasedBlob>,
    /// What is to be stored: referrers, and the configuration they have.
    referrers: Vec<Vec<u8>>,
}

impl Walk<'_> {
    fn documents(&mut self, documents: &Documents) -> Result<(), Error> {
        if let Some(index) = &documents.index {
            self.add(index, Role::ImageIndex)?;
        }
        let mut manifests = documents.manifests.iter();
        manifests.try_for_each(|(descriptor, manifest)| self.manifest(manifest, descriptor))
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
        self.referrers.push(bytes);
        digest
    }

    /// Finds a blob, and hashes one that is not public.
    fn add(&mut self, descriptor: &Descriptor, role: Role) -> Result<(), Error> {
        let digest = descriptor.digest;
        let size = if self.public.contains(&digest) {
            let size = self.store.size(&digest)?;
            size.ok_or(boltworks_store::Error::Missing { digest })?
        } else {
            self.store.open_blob(&digest)?.size()
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
