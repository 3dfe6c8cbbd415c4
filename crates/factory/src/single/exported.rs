//! Images as files: a layout, an archive, or their files alone; and SBOMs.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use boltworks_crypto::sha256;
use boltworks_fsx::gzip::{Format, Gzip};
use boltworks_fsx::{Batch, Limit, RelPath, Root};
use boltworks_image::{BuiltImage, Form, export_archive, export_layout, write_cpio};
use boltworks_model::{Architecture, Sha256};
use boltworks_oci::{ImageParts, common_index};
use boltworks_sbom::spdx3::Graph;
use boltworks_sbom::{IndexFacts, for_index};
use boltworks_store::{BlobFile, Store};

use super::image::{Assembly, ImageOrder, Sboms, Shape};
use crate::Error;
use crate::files::Place;

/// No SBOM is larger.
const SBOM_LIMIT: Limit = Limit::gib(1);
/// How cpio archives are compressed.
const CPIO_FORMAT: Format = Format {
    level: 6,
    piece: 1 << 20,
};
/// The mode of files that are made.
const MODE: u32 = 0o644;

/// Refuses, before anything is made, an archive that would be loaded as an empty image.
pub(super) fn verify_form(order: &ImageOrder) -> Result<(), Error> {
    let format = order.configuration.image.format.as_ref();
    let is_erofs = format.is_some_and(|format| format.as_str() == "erofs");
    if !is_erofs || order.shape != Shape::Image || Place::of(&order.out)?.is_folder()? {
        return Ok(());
    }
    Err(Error::asked(
        format!(
            "{} would be an archive, and layers of EROFS `docker load` and `podman load` take for empty \
             ones",
            order.out.display()
        ),
        "name a folder that is there: an OCI layout is written into it",
    ))
}

/// Writes an image for each architecture; what names it, and whether it is a layout.
pub(super) fn deliver(
    images: &[Assembly],
    store: &Store,
    order: &ImageOrder,
) -> Result<(Sha256, bool), Error> {
    let place = Place::of(&order.out)?;
    let parts: Vec<&ImageParts> = images.iter().map(|made| &made.built.parts).collect();
    let digest = match parts.as_slice() {
        [one] => one.manifest.digest,
        _ => sha256(
            &common_index(&parts)
                .and_then(|index| index.to_bytes())
                .map_err(boltworks_image::Error::from)?,
        ),
    };
    if let (Shape::Tar | Shape::Cpio, [one]) = (order.shape, parts.as_slice())
        && let [layer] = one.layers.as_slice()
    {
        deliver_files(&store.open_blob(&layer.digest)?, &place, order)?;
        return Ok((digest, false));
    }
    if place.is_folder()? {
        let folder = Root::open(&order.out)?;
        export_layout(&parts, store, Some(&order.name), &folder)?;
        return Ok((digest, true));
    }
    let draft = place.draft(MODE)?;
    export_archive(&parts, store, &order.name, Form::Docker, draft)?.commit()?;
    Ok((digest, false))
}

/// Writes the files of an image's one layer.
fn deliver_files(layer: &BlobFile, place: &Place, order: &ImageOrder) -> Result<(), Error> {
    let mut draft = place.draft(MODE)?;
    let failed = |source| place.failed("write the files", source);
    let is_gzip = order.out.as_os_str().as_bytes().ends_with(b".gz");
    match (order.shape, is_gzip) {
        (Shape::Cpio, true) => {
            let gzip = Gzip::new(&mut draft, CPIO_FORMAT).map_err(failed)?;
            let gzip = write_cpio(&mut || layer.reader(), gzip)?;
            gzip.finish().map_err(failed)?;
        }
        (Shape::Cpio, false) => {
            write_cpio(&mut || layer.reader(), &mut draft)?;
        }
        (Shape::Tar | Shape::Image, _) => {
            io::copy(&mut layer.reader(), &mut draft).map_err(failed)?;
        }
    }
    draft.commit()?;
    Ok(())
}

/// Writes the SBOMs of an image for one architecture.
pub(super) fn write_sboms(
    built: &BuiltImage,
    store: &Store,
    order: &ImageOrder,
    architecture: Architecture,
) -> Result<Vec<PathBuf>, Error> {
    let Sboms {
        folder: _,
        spdx,
        cyclonedx,
        spdx3,
    } = &order.sboms;
    let wanted: [(bool, &str, Sha256); 3] = [
        (*spdx, "spdx", built.spdx),
        (*spdx3, "spdx3", built.spdx3),
        (*cyclonedx, "cdx", built.cyclonedx),
    ];
    let mut documents = Vec::new();
    for (_, form, digest) in wanted.into_iter().filter(|(is_wanted, ..)| *is_wanted) {
        let bytes = store.read_bytes(&digest, SBOM_LIMIT)?.into_inner();
        documents.push((format!("sbom-{architecture}.{form}.json"), bytes));
    }
    keep(&documents, order)
}

/// Writes the SBOMs of the index of several images, or as apko does it of one.
pub(super) fn write_index_sboms(
    images: &[(Architecture, &BuiltImage)],
    vendor: &str,
    order: &ImageOrder,
) -> Result<Vec<PathBuf>, Error> {
    let Sboms { spdx, spdx3, .. } = order.sboms;
    let Some((_, first)) = images.first() else {
        return Ok(Vec::new());
    };
    let is_wanted = order.shape == Shape::Image && (order.as_apko || images.len() > 1);
    if !is_wanted || !(spdx || spdx3) {
        return Ok(Vec::new());
    }
    let parts: Vec<&ImageParts> = images.iter().map(|(_, built)| &built.parts).collect();
    let index = common_index(&parts).and_then(|index| index.to_bytes());
    let members: Vec<_> = images
        .iter()
        .map(|(architecture, built)| (*architecture, built.artifact.digest))
        .collect();
    let facts = IndexFacts {
        name: order.name.short_name(),
        tag: order.name.tag(),
        vendor,
        created: first.created,
        index: sha256(&index.map_err(boltworks_image::Error::from)?),
        images: &members,
    };
    let document = for_index(&facts, sha256)?;
    let mut documents = Vec::new();
    if spdx {
        documents.push(("sbom-index.spdx.json".to_owned(), document.to_json()?));
    }
    if spdx3 {
        let graph = Graph::of(&document, &BTreeSet::new())?;
        let bytes = graph.as_json().to_vec();
        documents.push(("sbom-index.spdx3.json".to_owned(), bytes));
    }
    keep(&documents, order)
}

/// Writes documents into the folder for SBOMs, all of them or none.
fn keep(documents: &[(String, Vec<u8>)], order: &ImageOrder) -> Result<Vec<PathBuf>, Error> {
    let path = match &order.sboms.folder {
        Some(folder) => folder.as_path(),
        None => order.out.parent().unwrap_or(Path::new("")),
    };
    let mut written = Vec::new();
    let mut batch = Batch::new();
    for (name, bytes) in documents {
        let here = path == Path::new("");
        let folder = Root::create(if here { Path::new(".") } else { path })?;
        batch.write(&folder, &RelPath::try_from(name.as_str())?, bytes, MODE)?;
        written.push(path.join(name));
    }
    batch.commit()?;
    Ok(written)
}
