//! The image for one architecture, out of a layout that somebody else wrote.

use std::collections::BTreeMap;

use boltworks_crypto::sha256;
use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::{Architecture, Sha256};
use boltworks_oci::layout::blob_path;
use boltworks_oci::{Descriptor, ImageParts, Index, Platform, media_type};
use boltworks_store::Store;

use crate::Error;

/// No document of an image is larger.
const DOCUMENT_LIMIT: Limit = Limit(4 << 20);
/// No layer is larger, compressed.
const LAYER_LIMIT: u64 = 16 << 30;
/// So many images without a platform are looked into to find the one that is meant.
const MOST_LOOKED_INTO: usize = 64;
const WHAT: &str = "the base image";

/// The parts of the image, whose blobs are in the store then, and its annotations.
pub(super) fn bring(
    folder: &Root,
    architecture: Architecture,
    store: &Store,
) -> Result<(ImageParts, BTreeMap<String, String>), Error> {
    let index = folder.read_vec(&RelPath::try_from("index.json")?, DOCUMENT_LIMIT);
    let index = index.map_err(|error| {
        if error.is_not_found() {
            Error::refused(WHAT, "there is no index.json in it: it is no OCI layout")
        } else {
            error.into()
        }
    })?;
    let mut index = boltworks_oci::read_index(&index)?;
    let mut manifests = index.manifests.iter();
    if let Some(inner) = manifests.find(|one| one.media_type == media_type::INDEX) {
        index = boltworks_oci::read_index(&document(folder, inner)?)?;
    }
    let manifest = of_platform(folder, &index, &Platform::from(architecture))?;
    let Some(manifest) = manifest else {
        let reason = format!("there is no image for {architecture} in it");
        return Err(Error::refused(WHAT, reason));
    };
    let bytes = document(folder, &manifest)?;
    let read = boltworks_oci::read_manifest(&bytes)?;
    let config = document(folder, &read.config)?;
    for layer in &read.layers {
        keep(folder, layer, store)?;
    }
    let parts = ImageParts::from_documents(bytes, config, sha256)?;
    Ok((parts, read.annotations))
}

/// The image for a platform. Where the index does not say which is for what, configurations do.
fn of_platform(
    folder: &Root,
    index: &Index,
    wanted: &Platform,
) -> Result<Option<Descriptor>, Error> {
    let images = index
        .manifests
        .iter()
        .filter(|one| one.media_type == media_type::MANIFEST);
    let (mut near, mut looked_into) = (None, 0);
    for image in images {
        let platform = match &image.platform {
            Some(platform) => platform.clone(),
            None if looked_into == MOST_LOOKED_INTO => continue,
            None => {
                looked_into += 1;
                let manifest = boltworks_oci::read_manifest(&document(folder, image)?)?;
                let config = boltworks_oci::read_config(&document(folder, &manifest.config)?)?;
                Platform {
                    architecture: config.architecture,
                    os: config.os,
                    variant: config.variant,
                    ..wanted.clone()
                }
            }
        };
        let is_named = platform.os == wanted.os && platform.architecture == wanted.architecture;
        if is_named && platform.variant == wanted.variant {
            return Ok(Some(image.clone()));
        }
        let is_near = platform.variant.is_none() || wanted.variant.is_none();
        if is_named && is_near && near.is_none() {
            near = Some(image.clone());
        }
    }
    Ok(near)
}

/// A small blob of the layout, if it is what its name says.
fn document(folder: &Root, named: &Descriptor) -> Result<Vec<u8>, Error> {
    let bytes = folder.read_vec(&place(named)?, DOCUMENT_LIMIT);
    let bytes = bytes.map_err(|error| missing(named, error))?;
    verify(named, sha256(&bytes), bytes.len() as u64)?;
    Ok(bytes)
}

/// A blob of the layout in the store, if it is what its name says.
fn keep(folder: &Root, named: &Descriptor, store: &Store) -> Result<(), Error> {
    if store.has(&named.digest)? && store.open_blob(&named.digest)?.size() == named.size {
        return Ok(());
    }
    if named.size > LAYER_LIMIT {
        let reason = format!(
            "the layer {} has {} bytes",
            named.digest.prefixed(),
            named.size
        );
        return Err(Error::refused(WHAT, reason));
    }
    let reader = folder.read(&place(named)?, Limit(named.size));
    let reader = reader.map_err(|error| missing(named, error))?;
    // What is longer than it may be ends here; nothing is named that was not hashed.
    let stored = store.put(reader, Limit(named.size))?;
    verify(named, stored.digest, stored.size)
}

fn place(named: &Descriptor) -> Result<RelPath, Error> {
    Ok(RelPath::try_from(blob_path(&named.digest).as_str())?)
}

fn missing(named: &Descriptor, error: boltworks_fsx::Error) -> Error {
    if error.is_not_found() {
        let reason = format!("its blob {} is not there", named.digest.prefixed());
        return Error::refused(WHAT, reason);
    }
    error.into()
}

fn verify(named: &Descriptor, found: Sha256, size: u64) -> Result<(), Error> {
    let reason = if found != named.digest {
        format!(
            "its blob {} is another: {}",
            named.digest.prefixed(),
            found.prefixed()
        )
    } else if size != named.size {
        format!(
            "its blob {} has {size} bytes, and is said to have {}",
            named.digest.prefixed(),
            named.size
        )
    } else {
        return Ok(());
    };
    Err(Error::refused(WHAT, reason))
}
