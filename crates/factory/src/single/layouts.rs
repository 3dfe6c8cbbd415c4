//! What of an OCI layout is meant to be pushed: the one image, those of one tag for several platforms, or
//! what a tag behind the folder names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use boltworks_fsx::Limit;
use boltworks_model::{Sha256, visible_path};
use boltworks_oci::layout::REF_NAME;
use boltworks_oci::{Descriptor, Index, media_type, read_index, read_manifest};
use boltworks_registry::Error as Registry;
use boltworks_store::Store;

use crate::Error;
use crate::files::{Place, folder};

/// No index or manifest of a layout is larger.
const DOCUMENT_LIMIT: Limit = Limit::mib(4);
/// No more images are told of.
const MOST_TOLD: usize = 12;

/// What is meant.
pub(super) struct Meant {
    /// Its blobs lie as a store's do.
    pub(super) store: Store,
    pub(super) top: Top,
    /// Manifests that say something about it: SBOMs, signatures.
    pub(super) about: Vec<Sha256>,
}

/// What a tag is to point at.
#[derive(Debug, Clone)]
pub(super) enum Top {
    /// A manifest or an index of the store.
    Stored(Sha256),
    /// An index of images of the store.
    Index(Vec<u8>),
}

/// What `FOLDER` or `FOLDER:TAG` names; nothing where there is no such folder.
///
/// # Errors
/// A layout of which it is not clear what is meant, with what is in it.
pub(super) fn meant(named: &Path) -> Result<Option<Meant>, Error> {
    let Some((path, tag)) = parted(named) else {
        return Ok(None);
    };
    let file = path.join("index.json");
    let text = Place::of(&file)?.read_text(DOCUMENT_LIMIT)?;
    let index = read_index(text.as_bytes()).map_err(|why| {
        let file = file.display();
        Error::asked(format!("{file}: {why}"), "make the layout or pull it again")
    })?;
    let store = Store::open_read_only(&folder(&path)?)?;
    let (mut images, mut others) = (Vec::new(), Vec::new());
    for entry in &index.manifests {
        match subject(&store, entry) {
            Some(subject) => others.push((subject, entry.digest)),
            None => images.push(entry),
        }
    }
    let all = tagged(&images);
    let found = match &tag {
        Some(tag) => all.get(&Some(tag.as_str())),
        None if all.len() == 1 => all.values().next(),
        None => None,
    };
    let top = found
        .and_then(|images| top(images).transpose())
        .transpose()?;
    let Some(top) = top else {
        return Err(unclear(&path, tag.as_deref(), &all));
    };
    let mut pushed = BTreeSet::new();
    for image in found.into_iter().flatten() {
        pushed.insert(image.digest);
        if image.media_type == media_type::INDEX {
            let bytes = store.read_bytes(&image.digest, DOCUMENT_LIMIT)?;
            let inner = read_index(bytes.get()).map_err(Registry::from)?;
            pushed.extend(inner.manifests.iter().map(|one| one.digest));
        }
    }
    let about = others
        .into_iter()
        .filter(|(subject, _)| pushed.contains(subject))
        .map(|(_, digest)| digest)
        .collect();
    Ok(Some(Meant { store, top, about }))
}

/// That a blob of a layout cannot be used.
pub(super) fn not_whole(named: &Path, why: boltworks_store::Error) -> Error {
    use boltworks_store::Error::{Damaged, Missing};
    let what = match why {
        Missing { digest } => format!("the blob {} is not in it", digest.prefixed()),
        Damaged { digest, found } => format!(
            "its blob {} is damaged, and has the digest {}",
            digest.prefixed(),
            found.prefixed()
        ),
        other => return Registry::from(other).into(),
    };
    Error::asked(
        format!("the layout {} is not whole: {what}", named.display()),
        "make it or pull it again; no tag was set",
    )
}

/// The folder, and the tag behind it.
fn parted(named: &Path) -> Option<(PathBuf, Option<String>)> {
    if folder(named).is_ok() {
        return Some((named.to_owned(), None));
    }
    let (path, tag) = named.to_str()?.rsplit_once(':')?;
    let is_tag = !tag.is_empty() && !tag.contains('/');
    (is_tag && folder(Path::new(path)).is_ok()).then(|| (path.into(), Some(tag.to_owned())))
}

/// What a manifest says something about, if it does.
fn subject(store: &Store, entry: &Descriptor) -> Option<Sha256> {
    if entry.media_type != media_type::MANIFEST {
        return None;
    }
    let bytes = store.read_bytes(&entry.digest, DOCUMENT_LIMIT).ok()?;
    let manifest = read_manifest(bytes.get()).ok()?;
    manifest.subject.map(|subject| subject.digest)
}

/// The images of each tag.
fn tagged<'i>(images: &[&'i Descriptor]) -> BTreeMap<Option<&'i str>, Vec<&'i Descriptor>> {
    let mut all: BTreeMap<_, Vec<&Descriptor>> = BTreeMap::new();
    for image in images {
        let name = image.annotations.get(REF_NAME).map(String::as_str);
        // Some write the whole name there.
        let tag = name.map(|name| {
            let last = name.rsplit('/').next().unwrap_or(name);
            last.rsplit_once(':').map_or(name, |(_, tag)| tag)
        });
        all.entry(tag).or_default().push(image);
    }
    all
}

/// What stands for the images of one tag: the only one, or an index of those for several platforms.
fn top(images: &[&Descriptor]) -> Result<Option<Top>, Error> {
    if let [one] = images {
        return Ok(Some(Top::Stored(one.digest)));
    }
    let platforms: BTreeSet<String> = images.iter().filter_map(|one| platform(one)).collect();
    if platforms.len() < images.len() {
        return Ok(None);
    }
    let bare = |image: &&Descriptor| {
        let mut image = Descriptor::clone(image);
        image.annotations.remove(REF_NAME);
        image
    };
    let index = Index::new(images.iter().map(bare).collect());
    Ok(Some(Top::Index(index.to_bytes().map_err(Registry::from)?)))
}

fn platform(image: &Descriptor) -> Option<String> {
    let platform = image.platform.as_ref()?;
    Some(format!("{}/{}", platform.os, platform.suffix()))
}

/// What is in a layout, where it is not clear what is meant.
fn unclear(
    path: &Path,
    tag: Option<&str>,
    all: &BTreeMap<Option<&str>, Vec<&Descriptor>>,
) -> Error {
    let told = all.iter().map(|(tag, images)| {
        let images = images
            .iter()
            .map(|image| platform(image).unwrap_or_else(|| image.digest.prefixed()));
        let images: Vec<String> = images.collect();
        format!("{} ({})", tag.unwrap_or("no tag"), images.join(", "))
    });
    let mut told: Vec<String> = told.collect();
    if let Some(more) = told.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        told.truncate(MOST_TOLD);
        told.push(format!("and {more} more"));
    }
    let path = visible_path(path);
    let what = match tag {
        _ if told.is_empty() => format!("{path} holds no image"),
        Some(tag) if all.contains_key(&Some(tag)) => {
            format!(
                "{path} holds several images of the tag {tag} for one platform: {}",
                told.join(", ")
            )
        }
        Some(tag) => format!(
            "{path} holds no image of the tag {tag}: there are {}",
            told.join(", ")
        ),
        None => format!("{path} holds several images: {}", told.join(", ")),
    };
    let example = all.keys().flatten().next().unwrap_or(&"TAG");
    let help = format!("name one by its tag: {path}:{example}");
    Error::asked(what, help)
}
