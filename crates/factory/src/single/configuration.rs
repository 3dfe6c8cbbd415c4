//! An image file with what it includes, as apko finds and counts it.

use std::path::{Path, PathBuf};

use boltworks_crypto::sha256;
use boltworks_model::Architecture;
use boltworks_recipe::parsed::{Image, Included, with_included};
use boltworks_recipe::{check_image, parse_image, resolve_image};

use super::overlay::Standing;
use crate::Error;
use crate::files::{Place, TEXT_LIMIT};

/// An image file, and what it includes within it.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Its path, as the person named it.
    pub file: PathBuf,
    /// What is written, checked as apko checks it.
    pub image: Image,
    /// The digest of its bytes and of those it includes, one after the other, as locks have it.
    pub checksum: String,
    /// The layout of the base image and the folder of its lists, where they were found.
    pub base: Option<(PathBuf, PathBuf)>,
    /// What it stands upon, if it is an overlay.
    pub standing: Standing,
}

impl Configuration {
    /// The architectures that the file names, in its order; all, in apko's order, where it names none.
    pub fn architectures(&self) -> Result<Vec<Architecture>, Error> {
        let named = resolve_image(&self.image)?.archs;
        Ok(if self.image.archs.is_empty() {
            every_architecture()
        } else {
            named
        })
    }
}

/// All architectures, in the order in which apko takes them.
pub fn every_architecture() -> Vec<Architecture> {
    let mut all = Architecture::ALL.to_vec();
    all.sort_by_key(|architecture| architecture.oci().replace('/', ""));
    all
}

/// Reads an image file and what it includes. A path is looked for where it leads from the folder that
/// the program runs in, then beneath each of `folders`.
pub fn configuration(file: &Path, folders: &[PathBuf]) -> Result<Configuration, Error> {
    let mut bytes = Vec::new();
    let mut read = |path: &Path| -> Result<Included, Error> {
        let path = found(path, folders);
        let text = Place::of(&path)?.read_text(TEXT_LIMIT)?;
        bytes.extend_from_slice(text.as_bytes());
        Ok(Included {
            file: path.to_string_lossy().into_owned(),
            text,
        })
    };
    let own = read(file)?;
    let image = parse_image(&own.file, &own.text)?;
    let image = with_included(image, &mut |include| read(Path::new(include)))?;
    check_image(&image)?;
    let base = image.contents.baseimage.as_ref().map(|base| {
        let path = |text: &str| found(Path::new(text), folders);
        (path(&base.image), path(&base.apkindex))
    });
    Ok(Configuration {
        base,
        standing: Standing::default(),
        file: file.to_owned(),
        image,
        checksum: sha256(&bytes).integrity(),
    })
}

/// The first path at which something is; the path itself where nothing is anywhere.
fn found(path: &Path, folders: &[PathBuf]) -> PathBuf {
    let beneath = folders.iter().map(|folder| folder.join(path));
    for candidate in std::iter::once(path.to_owned()).chain(beneath) {
        let is_there = Place::of(&candidate).and_then(|place| place.stat());
        if matches!(is_there, Ok(Some(_))) {
            return candidate;
        }
    }
    path.to_owned()
}
