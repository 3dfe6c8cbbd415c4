//! What a person names: a file that is one layer, or an OCI layout and a tag in it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_fsx::erofs::{Policy, Reader};
use boltworks_fsx::{Content, FileKind, Limit, RelPath, Root, verify_bytes};
use boltworks_model::{Architecture, visible_path};
use boltworks_oci::{Descriptor, media_type, read_index, read_manifest};

use crate::Error;
use crate::files::{Place, parent};

/// No document of a layout is larger.
const DOCUMENT_LIMIT: Limit = Limit::mib(4);
/// So deep an index may lie in another.
const DEPTH: usize = 3;
const NAME: &str = "org.opencontainers.image.ref.name";
/// What a layer is for (erofs-image-spec, 2.4): where nothing is said, to be laid over the others.
const ROLE: &str = "org.erofs.role";
const LOWER: &str = "overlay-lower";

/// Layers of EROFS.
#[derive(Debug)]
pub struct Source {
    /// As the person named it.
    pub named: String,
    /// The lowest first.
    pub layers: Vec<LayerFile>,
    /// Whether it is an image; else one layer alone.
    pub is_image: bool,
}

/// A layer on disk.
#[derive(Debug)]
pub struct LayerFile {
    /// The open file.
    pub file: Arc<File>,
    /// Where it is.
    pub path: PathBuf,
}

impl LayerFile {
    /// Opens the file system that it is.
    pub(super) fn reader(&self) -> Result<Reader, Error> {
        let reader = Reader::open(Arc::clone(&self.file), Policy::default());
        reader.map_err(|error| self.unread(&error))
    }

    /// Says of which file something is wrong.
    pub(super) fn unread(&self, error: &boltworks_fsx::Error) -> Error {
        Error::asked(
            format!("{}: {error}", visible_path(&self.path)),
            "name an image that was built with --format erofs, or a layer of one",
        )
    }
}

impl Source {
    /// What is named: `PATH`, `PATH:TAG`, each with `erofs:`, `oci:` or `oci-dir:` in front or not. Of an
    /// image for several architectures it is that for this one. Layers are hashed.
    ///
    /// # Errors
    /// Where nothing is there, where it is neither, and where a layer is not of EROFS.
    pub fn open(named: &OsStr, architecture: Architecture) -> Result<Self, Error> {
        let text = named.as_bytes();
        let shown = named.to_string_lossy().into_owned();
        if let Some(path) = text.strip_prefix(b"erofs:") {
            return Self::layer(Path::new(OsStr::from_bytes(path)), shown);
        }
        let prefix = [b"oci-dir:".as_slice(), b"oci:"];
        let bare = prefix.iter().find_map(|prefix| text.strip_prefix(*prefix));
        let (path, tag) = parted(bare.unwrap_or(text))?;
        match (kind(&path)?, bare, &tag) {
            (Some(FileKind::Dir), ..) => Self::layout(&path, tag.as_deref(), architecture, shown),
            (Some(FileKind::File), None, None) => Self::layer(&path, shown),
            (Some(_), ..) => Err(Error::asked(
                format!("'{shown}' is no OCI layout"),
                "name a folder with an image, and its tag behind a colon; or a file that is one layer",
            )),
            (None, ..) => Err(Error::asked(
                format!("'{shown}' is not there"),
                "name a folder with an image, or a file that is one layer",
            )),
        }
    }

    fn layer(path: &Path, named: String) -> Result<Self, Error> {
        let file = Arc::new(Place::of(path)?.open()?);
        let layer = LayerFile {
            file,
            path: path.to_owned(),
        };
        Ok(Self {
            named,
            layers: vec![layer],
            is_image: false,
        })
    }

    fn layout(
        path: &Path,
        tag: Option<&str>,
        architecture: Architecture,
        named: String,
    ) -> Result<Self, Error> {
        let folder = Root::open(path)?;
        let mut found = folder.read_vec(&RelPath::try_from("index.json")?, DOCUMENT_LIMIT);
        if matches!(&found, Err(error) if error.is_not_found()) {
            return Err(Error::asked(
                format!("'{named}' is no OCI layout: it has no index.json"),
                "make one: apko build --format erofs IMAGE.yaml NAME:TAG FOLDER",
            ));
        }
        let mut tag = tag;
        for _ in 0..DEPTH {
            let manifests = read_index(&found?).map_err(boltworks_image::Error::from)?;
            let one = chosen(manifests.manifests, tag.take(), architecture)?;
            let bytes = document(&folder, &one)?;
            if one.media_type != media_type::INDEX {
                return Self::image(&folder, path, &bytes, named);
            }
            found = Ok(bytes);
        }
        Err(Error::asked(
            format!("in '{named}' an index lies in an index that lies in another"),
            "name an OCI layout with an image, or with an index of images",
        ))
    }

    fn image(folder: &Root, path: &Path, manifest: &[u8], named: String) -> Result<Self, Error> {
        let manifest = read_manifest(manifest).map_err(boltworks_image::Error::from)?;
        let mut layers = Vec::new();
        for layer in &manifest.layers {
            verify(layer)?;
            let name = blob(layer)?;
            let file = Arc::new(folder.open_file(&name)?);
            let content = Content::Checked {
                file: Arc::clone(&file),
                offset: 0,
                len: layer.size,
                sha256: layer.digest,
            };
            content
                .copy_to(&mut std::io::sink())
                .map_err(|source| boltworks_fsx::Error::Io {
                    action: "read the layer",
                    path: name.to_string(),
                    source,
                })?;
            layers.push(LayerFile {
                file,
                path: path.join(name.as_path()),
            });
        }
        if layers.is_empty() {
            return Err(Error::asked(
                format!("the image in '{named}' has no layers"),
                "name another",
            ));
        }
        Ok(Self {
            named,
            layers,
            is_image: true,
        })
    }
}

/// A path, and the tag behind it if the path alone is not there.
fn parted(text: &[u8]) -> Result<(PathBuf, Option<String>), Error> {
    let whole = PathBuf::from(OsStr::from_bytes(text));
    let colon = text.iter().rposition(|byte| *byte == b':');
    let Some(colon) = colon.filter(|at| *at > 0) else {
        return Ok((whole, None));
    };
    if kind(&whole)?.is_some() {
        return Ok((whole, None));
    }
    let (path, tag) = text.split_at(colon);
    let tag = tag.get(1..).unwrap_or_default();
    let tag = String::from_utf8_lossy(tag).into_owned();
    Ok((PathBuf::from(OsStr::from_bytes(path)), Some(tag)))
}

/// What is at a path, links followed.
fn kind(path: &Path) -> Result<Option<FileKind>, Error> {
    if path.file_name().is_none() {
        // `.`, `..` and `/` have no name of their own.
        return Ok(Root::open(path).is_ok().then_some(FileKind::Dir));
    }
    if Root::open(parent(path)).is_err() {
        return Ok(None);
    }
    Ok(Place::of(path)?.stat()?.map(|stat| stat.kind))
}

/// The one manifest that is meant.
fn chosen(
    manifests: Vec<Descriptor>,
    tag: Option<&str>,
    architecture: Architecture,
) -> Result<Descriptor, Error> {
    let names: Vec<String> = manifests
        .iter()
        .filter_map(|one| one.annotations.get(NAME).cloned())
        .collect();
    let is_named = |one: &Descriptor| {
        let name = one.annotations.get(NAME).map(String::as_str);
        // What stands there may be the tag, or the whole name.
        let is_tag = |tag: &str| name == Some(tag) || name.is_some_and(|name| has_tag(name, tag));
        tag.is_none_or(is_tag)
    };
    let is_ours = |one: &Descriptor| {
        let platform = one.platform.as_ref();
        platform.is_none_or(|platform| platform.architecture == architecture.go())
    };
    let left = manifests.into_iter().filter(|one| is_named(one));
    let mut left: Vec<Descriptor> = left.filter(|one| is_ours(one)).collect();
    match (left.pop(), left.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(Error::asked(
            format!("there are several images for {architecture}"),
            format!("name a tag behind a colon: {}", names.join(", ")),
        )),
        (None, _) => Err(Error::asked(
            format!(
                "there is no image{} for {architecture}",
                tag.map(|tag| format!(" {tag}")).unwrap_or_default()
            ),
            format!(
                "name another architecture with --arch, or one of these tags: {}",
                names.join(", ")
            ),
        )),
    }
}

fn has_tag(name: &str, tag: &str) -> bool {
    name.strip_suffix(tag)
        .is_some_and(|before| before.ends_with(':'))
}

fn blob(named: &Descriptor) -> Result<RelPath, Error> {
    Ok(RelPath::try_from(
        format!("blobs/sha256/{}", named.digest).as_str(),
    )?)
}

fn document(folder: &Root, named: &Descriptor) -> Result<Vec<u8>, Error> {
    let bytes = folder.read_vec(&blob(named)?, DOCUMENT_LIMIT)?;
    let checked = verify_bytes(bytes, &named.digest).map_err(boltworks_fsx::Error::from)?;
    Ok(checked.into_inner())
}

/// Refuses a layer that is not a file system to be laid over others.
fn verify(layer: &Descriptor) -> Result<(), Error> {
    let kind = layer.media_type.as_str();
    if kind != media_type::LAYER_EROFS {
        return Err(Error::asked(
            format!("a layer is '{kind}', and not of EROFS"),
            "build the image with --format erofs",
        ));
    }
    match layer.annotations.get(ROLE).map(String::as_str) {
        None | Some("" | LOWER) => Ok(()),
        Some(role) => Err(Error::asked(
            format!("a layer of the role '{role}' is not read here"),
            "name an image whose layers are laid one over the other",
        )),
    }
}
