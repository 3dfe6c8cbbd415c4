//! An image for one or several architectures, brought to registries under its tags; and images that
//! are there already.
//!
//! What is tagged is an index, as apko's `publish` does it: also of one image.

use std::collections::BTreeMap;
use std::path::Path;

use boltworks_crypto::sha256;
use boltworks_image::BuiltImage;
use boltworks_model::{Ambient, Architecture, Sha256};
use boltworks_oci::{Descriptor, Manifest, Reference, common_index, media_type};
use boltworks_registry::{Access, Pushed, push, push_document};
use boltworks_release::Attachment;
use boltworks_store::Store;

use super::ImageOrder;
use super::exported::{write_index_sboms, write_sboms};
use super::image::{assemble, wanted};
use super::layouts::{self, Meant, Top};
use crate::registries::Registries;
use crate::releasing::attachments;
use crate::{Error, Home, Host};

/// An image to bring to registries.
#[derive(Debug, Clone)]
pub struct PublishOrder {
    /// The image. Its own architecture and its `out` are not used, but for the folder that `out` is
    /// in: without a factory, what is needed meanwhile lies there.
    pub image: ImageOrder,
    /// The architectures; where there are none, the one that is built without being asked for, or as
    /// apko does it all that the file names.
    pub architectures: Vec<Architecture>,
    /// Where it goes: several registries and repositories may be among them.
    pub tags: Vec<Reference>,
    /// Whether its SBOMs go along, as referrers.
    pub with_sboms: bool,
}

/// An image that was brought to registries.
#[derive(Debug, Clone)]
pub struct Published {
    /// The digest of the index.
    pub digest: Sha256,
    /// `registry/repository@digest` of the index, at the first tag.
    pub reference: String,
    /// The same of each image in it.
    pub images: Vec<(Option<Architecture>, String)>,
    /// What was done, for each repository.
    pub repositories: Vec<(String, Pushed)>,
    /// The SBOMs' files.
    pub sboms: Vec<std::path::PathBuf>,
    /// What a person should know, that stopped nothing.
    pub notes: Vec<String>,
}

/// Assembles an image for each architecture and brings all of them to the registries.
///
/// # Errors
/// Those of [`image`](super::image()), before anything is sent; then those of the registries. No tag
/// points at anything that is not whole.
pub fn publish(
    home: Option<&Home>,
    host: &Host,
    order: &PublishOrder,
    ambient: &Ambient<'_>,
) -> Result<Published, Error> {
    let destinations = destinations(&order.tags)?;
    let registries = Registries::new(host, *ambient)?;
    let mut desk = None;
    let (mut notes, mut sboms, mut images) = (Vec::new(), Vec::new(), Vec::new());
    let wanted = wanted(&order.image, &order.architectures);
    let together: Vec<Architecture> = wanted.iter().copied().flatten().collect();
    for architecture in wanted {
        let own = ImageOrder {
            architecture,
            together: together.clone(),
            ..order.image.clone()
        };
        let assembled = assemble(home, &own, &mut desk, ambient)?;
        let architecture = assembled.architecture;
        if own.sboms.folder.is_some() {
            sboms.extend(write_sboms(
                &assembled.built,
                assembled.store,
                &own,
                architecture,
            )?);
        }
        notes.extend(assembled.notes);
        notes.extend(assembled.built.warnings.iter().cloned());
        images.push((architecture, assembled.built));
    }
    let Some(desk) = &desk else {
        return Err(Error::asked(
            "the image is for no architecture",
            "name one with --arch",
        ));
    };
    if order.image.sboms.folder.is_some() {
        let built: Vec<_> = images.iter().map(|(arch, built)| (*arch, built)).collect();
        sboms.extend(write_index_sboms(&built, &desk.vendor, &order.image)?);
    }
    let store = &desk.store;
    let index = index_of(&images)?;
    let digest = store.put_bytes(&index)?.digest;
    let mut about = Vec::new();
    if order.with_sboms {
        about.extend(referrers(store, &images)?);
    }
    let top = Top::Stored(digest);
    let repositories = bring(&registries, store, (&top, &about), &destinations)?;
    let place = |digest: &Sha256| format!("{}@{}", destinations.first(), digest.prefixed());
    Ok(Published {
        digest,
        reference: place(&digest),
        images: images
            .iter()
            .map(|(architecture, built)| (Some(*architecture), place(&built.artifact.digest)))
            .collect(),
        repositories,
        sboms,
        notes,
    })
}

/// Brings what an OCI layout holds, or what the factory last made of an image, to the registries. What is
/// said about it goes along if that is wanted: SBOMs, and whatever else a layout has.
///
/// # Errors
/// A layout of which it is not clear what is meant; then those of the registries.
pub fn push_image(
    home: Option<&Home>,
    host: &Host,
    (from, with_documents): (&Path, bool),
    tags: &[Reference],
    ambient: &Ambient<'_>,
) -> Result<Published, Error> {
    let destinations = destinations(tags)?;
    let registries = Registries::new(host, *ambient)?;
    let (is_layout, meant) = match (layouts::meant(from)?, home, from.to_str()) {
        (Some(meant), ..) => (true, meant),
        (None, Some(home), Some(name)) => (false, of_factory(home, name)?),
        _ => return Err(no_image(&from.to_string_lossy())),
    };
    let Meant { store, top, about } = meant;
    let about = if with_documents { about } else { Vec::new() };
    let brought = bring(&registries, &store, (&top, &about), &destinations);
    let repositories = brought.map_err(|error| match error {
        Error::Registry(boltworks_registry::Error::Store(why)) if is_layout => {
            layouts::not_whole(from, why)
        }
        other => other,
    })?;
    let digest = match &top {
        Top::Stored(digest) => *digest,
        Top::Index(bytes) => sha256(bytes),
    };
    let reference = format!("{}@{}", destinations.first(), digest.prefixed());
    Ok(Published {
        digest,
        reference,
        images: Vec::new(),
        repositories,
        sboms: Vec::new(),
        notes: Vec::new(),
    })
}

/// What was last made of an image of the factory, and its SBOMs.
fn of_factory(home: &Home, name: &str) -> Result<Meant, Error> {
    let record = home.records().latest_good_for(&format!("image {name}"))?;
    let made = record.and_then(|record| Some((record.artifacts.first()?.digest, record)));
    let (digest, record) = made.ok_or_else(|| no_image(name))?;
    let store = home.store.clone();
    let size = store.open_blob(&digest)?.size();
    let subject = Descriptor::new(media_type::MANIFEST, digest, size);
    let mut about = Vec::new();
    for Attachment {
        digest, media_type, ..
    } in attachments(&record.documents, digest)
    {
        about.push(referrer(&store, &subject, (&media_type, digest))?);
    }
    Ok(Meant {
        store,
        top: Top::Stored(digest),
        about,
    })
}

fn no_image(name: &str) -> Error {
    Error::asked(
        format!("there is no layout '{name}', and no image of that name was made here"),
        "name the folder of an OCI layout, or make the image with `boltworks up`",
    )
}

/// The tags of each repository, in the order in which repositories are named.
struct Destinations(Vec<(Reference, Vec<String>)>);

impl Destinations {
    /// The first repository, with its registry.
    fn first(&self) -> String {
        self.0
            .first()
            .map(|(name, _)| repository(name))
            .unwrap_or_default()
    }
}

fn repository(name: &Reference) -> String {
    match name.registry() {
        Some(registry) => format!("{registry}/{}", name.repository()),
        None => name.repository().to_owned(),
    }
}

fn destinations(tags: &[Reference]) -> Result<Destinations, Error> {
    let mut destinations: Vec<(Reference, Vec<String>)> = Vec::new();
    for tag in tags {
        if tag.digest().is_some() {
            return Err(Error::asked(
                format!("{tag} names a digest"),
                "leave it out: the digest is what comes out",
            ));
        }
        if tag.registry().is_none() {
            return Err(Error::asked(
                format!("'{tag}' names no registry"),
                "write it like registry.example/team/web:1",
            ));
        }
        let word = tag.tag().unwrap_or("latest").to_owned();
        let known = destinations
            .iter_mut()
            .find(|(name, _)| repository(name) == repository(tag));
        match known {
            Some((_, words)) if words.contains(&word) => {}
            Some((_, words)) => words.push(word),
            None => destinations.push((tag.clone(), vec![word])),
        }
    }
    if destinations.is_empty() {
        return Err(Error::asked(
            "nothing says where the image goes",
            "name a tag like registry.example/team/web:1",
        ));
    }
    Ok(Destinations(destinations))
}

/// Brings an image to each repository, and before it what says something about it; tags it last.
fn bring(
    registries: &Registries<'_>,
    store: &Store,
    (top, about): (&Top, &[Sha256]),
    destinations: &Destinations,
) -> Result<Vec<(String, Pushed)>, Error> {
    let top = |registry: &boltworks_registry::Registry<'_>, tags: &[&str]| match top {
        Top::Stored(digest) => push(registry, store, digest, tags),
        Top::Index(bytes) => push_document(registry, store, bytes.clone(), tags),
    };
    let is_one = destinations.0.len() == 1;
    let (mut done, mut untagged) = (Vec::new(), Vec::new());
    // A registry that has the blobs in one repository need not be sent them for another.
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, tags) in &destinations.0 {
        let host = name.registry().unwrap_or_default();
        let mount_from = known.get(host).map(|from| (*from).to_owned());
        let registry = registries.open(name, Access::Push { mount_from })?;
        for about in about {
            push(&registry, store, about, &[])?;
        }
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let pushed = top(&registry, if is_one { tags.as_slice() } else { &[] })?;
        done.push((repository(name), pushed));
        untagged.push((registry, tags));
        known.entry(host).or_insert(name.repository());
    }
    // No registry has a tag before all have what it names.
    for (registry, tags) in untagged.iter().filter(|_| !is_one) {
        top(registry, tags)?;
    }
    Ok(done)
}

/// An index of the images. One of a single image is what the image's own layout has.
fn index_of(images: &[(Architecture, BuiltImage)]) -> Result<Vec<u8>, Error> {
    if let [(_, one)] = images {
        return Ok(one.parts.index.bytes.clone());
    }
    let parts: Vec<_> = images.iter().map(|(_, built)| &built.parts).collect();
    let index = common_index(&parts).and_then(|index| index.to_bytes());
    Ok(index.map_err(boltworks_registry::Error::from)?)
}

/// A manifest for each SBOM.
fn referrers(store: &Store, images: &[(Architecture, BuiltImage)]) -> Result<Vec<Sha256>, Error> {
    let mut manifests = Vec::new();
    for (_, built) in images {
        for document in [
            (media_type::SPDX, built.spdx),
            (media_type::SPDX3, built.spdx3),
            (media_type::CYCLONEDX, built.cyclonedx),
        ] {
            let subject = built.parts.manifest.descriptor();
            manifests.push(referrer(store, &subject, document)?);
        }
    }
    Ok(manifests)
}

/// A manifest of a document, with what it is about as its subject (image-spec 1.1, artifact guidance).
fn referrer(
    store: &Store,
    subject: &Descriptor,
    (kind, digest): (&str, Sha256),
) -> Result<Sha256, Error> {
    let empty = b"{}";
    let config = Descriptor::new(media_type::EMPTY, sha256(empty), empty.len() as u64);
    store.put_bytes(empty)?;
    let size = store.open_blob(&digest)?.size();
    let layer = Descriptor::new(kind, digest, size);
    let mut manifest = Manifest::new(config, vec![layer]);
    manifest.artifact_type = Some(kind.to_owned());
    manifest.subject = Some(subject.clone());
    let bytes = manifest
        .to_bytes()
        .map_err(boltworks_registry::Error::from)?;
    Ok(store.put_bytes(&bytes)?.digest)
}
