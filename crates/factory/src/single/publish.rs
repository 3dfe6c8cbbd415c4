//! An image for one or several architectures, brought to registries under its tags; and images that
//! are there already.
//!
//! What is tagged is an index, as apko's `publish` does it: also of one image.

use std::collections::BTreeMap;
use std::path::Path;

use boltworks_crypto::sha256;
use boltworks_fsx::Limit;
use boltworks_image::BuiltImage;
use boltworks_model::{Ambient, Architecture, Sha256};
use boltworks_oci::{Descriptor, Manifest, Reference, common_index, media_type, read_index};
use boltworks_registry::{Access, Pushed, push};
use boltworks_store::Store;

use super::ImageOrder;
use super::exported::{write_index_sboms, write_sboms};
use super::image::{assemble, wanted};
use crate::files::{Place, folder};
use crate::registries::Registries;
use crate::{Error, Home, Host};

/// No index of a layout is larger.
const INDEX_LIMIT: Limit = Limit::mib(4);

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
    for architecture in wanted(&order.image, &order.architectures) {
        let own = ImageOrder {
            architecture,
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
    let mut roots = vec![digest];
    if order.with_sboms {
        roots.extend(referrers(store, &images)?);
    }
    let repositories = bring(&registries, store, &roots, &destinations)?;
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

/// Brings what an OCI layout holds, or what the factory last made of an image, to the registries.
///
/// # Errors
/// A layout of which it is not clear what is meant; then those of the registries.
pub fn push_image(
    home: Option<&Home>,
    host: &Host,
    from: &Path,
    tags: &[Reference],
    ambient: &Ambient<'_>,
) -> Result<Published, Error> {
    let destinations = destinations(tags)?;
    let registries = Registries::new(host, *ambient)?;
    let (store, digest) = match (folder(from).is_ok(), home, from.to_str()) {
        (true, ..) => of_layout(from)?,
        (_, Some(home), Some(name)) => (home.store.clone(), of_factory(home, name)?),
        _ => return Err(no_image(&from.to_string_lossy())),
    };
    let repositories = bring(&registries, &store, &[digest], &destinations)?;
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

/// The one image or index of a layout, whose blobs lie as a store's do.
fn of_layout(path: &Path) -> Result<(Store, Sha256), Error> {
    let text = Place::of(&path.join("index.json"))?.read_text(INDEX_LIMIT)?;
    let index = read_index(text.as_bytes()).map_err(boltworks_registry::Error::from)?;
    match index.manifests.as_slice() {
        [one] => Ok((Store::open_read_only(&folder(path)?)?, one.digest)),
        others => Err(Error::asked(
            format!("{} holds {} images", path.display(), others.len()),
            "push a layout with one image, or one whose index.json names one index",
        )),
    }
}

/// What was last made of an image of the factory.
fn of_factory(home: &Home, name: &str) -> Result<Sha256, Error> {
    let record = home.records().latest_good_for(&format!("image {name}"))?;
    let made = record.and_then(|record| record.artifacts.first().map(|made| made.digest));
    made.ok_or_else(|| no_image(name))
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

/// Brings the first of `roots` to each repository, and the others that say something about it; tags it
/// last.
fn bring(
    registries: &Registries<'_>,
    store: &Store,
    roots: &[Sha256],
    destinations: &Destinations,
) -> Result<Vec<(String, Pushed)>, Error> {
    let mut done = Vec::new();
    // A registry that has the blobs in one repository need not be sent them for another.
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, tags) in &destinations.0 {
        let host = name.registry().unwrap_or_default();
        let mount_from = known.get(host).map(|from| (*from).to_owned());
        let registry = registries.open(name, Access::Push { mount_from })?;
        for further in roots.iter().skip(1) {
            push(&registry, store, further, &[])?;
        }
        if let Some(root) = roots.first() {
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            done.push((repository(name), push(&registry, store, root, &tags)?));
        }
        known.entry(host).or_insert(name.repository());
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

/// A manifest for each SBOM, with the image as its subject (image-spec 1.1, artifact guidance).
fn referrers(store: &Store, images: &[(Architecture, BuiltImage)]) -> Result<Vec<Sha256>, Error> {
    let empty = b"{}";
    let config = Descriptor::new(media_type::EMPTY, sha256(empty), empty.len() as u64);
    store.put_bytes(empty)?;
    let mut manifests = Vec::new();
    for (_, built) in images {
        for (kind, digest) in [
            (media_type::SPDX, built.spdx),
            (media_type::SPDX3, built.spdx3),
            (media_type::CYCLONEDX, built.cyclonedx),
        ] {
            let size = store.open_blob(&digest)?.size();
            let layer = Descriptor::new(kind, digest, size);
            let mut manifest = Manifest::new(config.clone(), vec![layer]);
            manifest.artifact_type = Some(kind.to_owned());
            manifest.subject = Some(built.parts.manifest.descriptor());
            let bytes = manifest
                .to_bytes()
                .map_err(boltworks_registry::Error::from)?;
            manifests.push(store.put_bytes(&bytes)?.digest);
        }
    }
    Ok(manifests)
}
