//! A built image as files: an OCI layout, or an archive of one kind or another.

use std::io::{self, BufReader, Write};
use std::sync::Arc;

use boltworks_crypto::sha256;
use boltworks_fsx::tar::Writer;
use boltworks_fsx::{Batch, Content, Draft, Kind, Limit, Meta, Node, RelPath, Root, Tree};
use boltworks_model::Sha256;
use boltworks_oci::{Body, ImageParts, LayoutFile, Reference, layout, media_type};
use boltworks_store::Store;
use rayon::prelude::*;

use crate::Error;
use crate::skeleton::MTIME;

/// Why an archive of that form cannot have layers of EROFS: they begin as a tar ends that has nothing in it.
const NO_ARCHIVE: &str = "its layers are of EROFS: `docker load` and `podman load` would take them for \
                          empty ones; write an OCI layout, into a folder that is there";
/// No manifest or configuration is larger.
const DOCUMENT_LIMIT: Limit = Limit(4 << 20);
/// How much of a blob is copied at once.
const CHUNK: usize = 256 << 10;
/// The mode of exported files.
const MODE: u32 = 0o644;

/// What an archive looks like inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// What `docker load` and `podman load` take, and apko writes.
    Docker,
    /// An OCI layout in a tar, skopeo's `oci-archive`.
    Oci,
}

/// The parts of an image that is in the store, by the digest of its manifest.
pub fn load(store: &Store, manifest: &Sha256) -> Result<ImageParts, Error> {
    let manifest = store.read_bytes(manifest, DOCUMENT_LIMIT)?.into_inner();
    let config = boltworks_oci::read_manifest(&manifest)?.config.digest;
    let config = store.read_bytes(&config, DOCUMENT_LIMIT)?.into_inner();
    Ok(ImageParts::from_documents(manifest, config, sha256)?)
}

/// Writes images for one platform each into a folder as an OCI layout: the blobs, durable together,
/// then the index. An index that is there is replaced; other blobs stay, and what is there and whole is
/// not written again.
pub fn export_layout(
    images: &[&ImageParts],
    store: &Store,
    name: Option<&Reference>,
    folder: &Root,
) -> Result<(), Error> {
    let mut files = layout::oci_layout(images, name)?;
    let index = files.pop();
    for files in [files, Vec::from_iter(index)] {
        let drafts = files.into_par_iter();
        let drafts = drafts.map(|file| draft(file, store, folder));
        let mut batch = Batch::new();
        for draft in drafts.collect::<Result<Vec<_>, _>>()? {
            draft.map(|draft| batch.add(draft)).transpose()?;
        }
        batch.commit()?;
    }
    Ok(())
}

/// A file that is to be there; nothing where it is.
fn draft(file: LayoutFile, store: &Store, folder: &Root) -> Result<Option<Draft>, Error> {
    let path = RelPath::try_from(file.path.as_str())?;
    if let Body::Blob { digest, size } = &file.body
        && is_there(&path, (digest, *size), folder)
    {
        return Ok(None);
    }
    if let Some(parent) = path.parent() {
        folder.make_dir(&parent)?;
    }
    let mut draft = folder.draft(&path, MODE)?;
    let written = match file.body {
        Body::Bytes(bytes) => draft.write_all(&bytes),
        Body::Blob { digest, .. } => {
            let mut blob = BufReader::with_capacity(CHUNK, store.open_blob(&digest)?.reader());
            io::copy(&mut blob, &mut draft).map(|_| ())
        }
    };
    written.map_err(|source| Error::Write {
        action: "write the layout",
        source,
    })?;
    Ok(Some(draft))
}

/// Whether a blob lies there, whole and durable.
fn is_there(path: &RelPath, (digest, len): (&Sha256, u64), folder: &Root) -> bool {
    let Ok(file) = folder.open_file(path).map(Arc::new) else {
        return false;
    };
    let content = Content::Span {
        file: Arc::clone(&file),
        offset: 0,
        len,
    };
    file.metadata().is_ok_and(|there| there.len() == len)
        && content.sha256().is_ok_and(|found| found == *digest)
        && file.sync_all().is_ok()
}

/// Writes images for one platform each as an archive. Equal images and names give equal bytes.
pub fn export_archive<W: Write>(
    images: &[&ImageParts],
    store: &Store,
    name: &Reference,
    form: Form,
    out: W,
) -> Result<W, Error> {
    let mut layers = images.iter().flat_map(|image| &image.layers);
    if form == Form::Docker && layers.any(|layer| layer.media_type == media_type::LAYER_EROFS) {
        return Err(Error::refused(format!("archive {name}"), NO_ARCHIVE));
    }
    let files = match form {
        Form::Docker => layout::docker_archive(images, name)?,
        Form::Oci => layout::oci_layout(images, Some(name))?,
    };
    let mut tree = Tree::new();
    for LayoutFile { path, body } in files {
        let content = match body {
            Body::Bytes(bytes) => Content::Bytes(bytes.into()),
            Body::Blob { digest, .. } => {
                let blob = store.open_blob(&digest)?;
                Content::Span {
                    file: blob.file().clone(),
                    offset: 0,
                    len: blob.size(),
                }
            }
        };
        let node = Node {
            meta: Meta::new(MODE, MTIME),
            kind: Kind::File(content),
        };
        tree.insert(RelPath::try_from(path.as_str())?, node)?;
    }
    tree.ensure_dirs(&Meta::new(0o755, MTIME));
    let mut tar = Writer::new(out);
    tar.append_tree(&tree)?;
    let mut out = tar.finish_with_end()?;
    out.flush().map_err(|source| Error::Write {
        action: "write the archive",
        source,
    })?;
    Ok(out)
}
