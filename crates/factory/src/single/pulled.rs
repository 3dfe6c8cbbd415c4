//! An image of a registry, brought into a folder as an OCI layout.

use std::path::Path;

use boltworks_fsx::{Batch, RelPath, Root};
use boltworks_model::{Ambient, Architecture, Sha256};
use boltworks_oci::layout::REF_NAME;
use boltworks_oci::{Index, Platform, Reference};
use boltworks_registry::{Access, Limits, pull};
use boltworks_store::Store;

use crate::registries::Registries;
use crate::{Error, Host};

/// The mode of the layout's files.
const MODE: u32 = 0o644;

/// Pulls what a name points at, with the images for all architectures or for one, into a folder; its
/// digest. The index of a layout that is there is replaced; its blobs stay, and are not pulled again.
///
/// # Errors
/// Those of the registry. The layout's index is written last: without it there is no layout.
pub fn pull_image(
    host: &Host,
    name: &Reference,
    architecture: Option<Architecture>,
    out: &Path,
    ambient: &Ambient<'_>,
) -> Result<Sha256, Error> {
    let registries = Registries::new(host, *ambient)?;
    let registry = registries.open(name, Access::Pull)?;
    let folder = Root::create(out)?;
    // The blobs of a layout lie as a store's do.
    let store = Store::open(&folder)?;
    let limits = Limits {
        platform: architecture.map(Platform::from),
        ..Limits::default()
    };
    let mut root = pull(&registry, &store, name, &limits)?;
    let digest = root.digest;
    if name.digest().is_none() {
        let tag = name.tag().unwrap_or("latest").to_owned();
        root.annotations.insert(REF_NAME.to_owned(), tag);
    }
    let index = Index::new(vec![root]);
    let index = index.to_bytes().map_err(boltworks_registry::Error::from)?;
    let mut batch = Batch::new();
    for (file, bytes) in [
        (
            "oci-layout",
            br#"{"imageLayoutVersion":"1.0.0"}"#.as_slice(),
        ),
        ("index.json", &index),
    ] {
        batch.write(&folder, &RelPath::try_from(file)?, bytes, MODE)?;
    }
    batch.commit()?;
    Ok(digest)
}
