//! A file that names an image of the factory to stand upon, built by itself: the images below it are
//! assembled with it, of what the factory has now.

use std::collections::BTreeMap;
use std::path::Path;

use boltworks_fsx::{RelPath, Root};
use boltworks_image::{BuiltImage, ImageRequest, build};
use boltworks_model::Ambient;
use boltworks_plan::Subject;
use boltworks_recipe::parsed::{Ground, Included, with_ground};
use boltworks_recipe::resolved::Image;
use boltworks_recipe::{check_image, parse_image};
use boltworks_rootfs::Locked;
use boltworks_store::Store;

use super::{Configuration, configuration};
use crate::catalog::Loaded;
use crate::derived::overlaid;
use crate::files::{Place, TEXT_LIMIT, no_text};
use crate::{Error, Home};

/// What an overlay stands upon.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The images below it, the lowest first.
    pub(super) images: Vec<Image>,
    /// The packages that a variant among them adds.
    pub(super) added: Vec<String>,
}

/// Reads an image file, which may be an overlay where there is a factory.
///
/// # Errors
/// Those of [`configuration`](super::configuration()), or that what it stands upon is no image.
pub fn configuration_of(home: Option<&Home>, file: &Path) -> Result<Configuration, Error> {
    let text = Place::of(file)?.read_text(TEXT_LIMIT)?;
    let parsed = parse_image(&file.to_string_lossy(), &text)?;
    let Some(home) = home.filter(|_| parsed.overlay.is_some()) else {
        return configuration(file, &[]);
    };
    let loaded = Loaded::read(home)?;
    let files: BTreeMap<String, String> = loaded
        .images
        .iter()
        .map(|(name, source)| (name.clone(), source.path.clone()))
        .collect();
    let mut upon = None;
    let mut added = Vec::new();
    let mut read = |ground: Ground<'_>| -> Result<Included, Error> {
        let file = match ground {
            Ground::Include(file) => file.to_owned(),
            Ground::Overlay(name, place) => {
                if let Some(why) = loaded.catalog.unread.get(&Subject::image(name)) {
                    return Err(not_understood(name, why));
                }
                let found = overlaid(home, &files, name, place)?;
                upon.get_or_insert(found.name);
                added.extend(found.packages);
                found.file
            }
        };
        let text = home
            .folder
            .read_text(&RelPath::try_from(file.as_str())?, TEXT_LIMIT);
        let text = text.map_err(|error| no_text(error, Path::new(&file)))?;
        Ok(Included { file, text })
    };
    let image = with_ground(parsed, &mut read)?;
    check_image(&image)?;
    let mut images = Vec::new();
    let mut next = upon.as_deref();
    while let Some(name) = next {
        let item = loaded.catalog.images.get(name);
        let item = item.ok_or_else(|| not_understood(name, "see `boltworks plan`"))?;
        images.push(item.image.clone());
        next = item.upon.as_deref();
    }
    images.reverse();
    Ok(Configuration {
        file: file.to_owned(),
        image,
        // No lock is made from it.
        checksum: String::new(),
        base: None,
        standing: Standing { images, added },
    })
}

fn not_understood(name: &str, why: &str) -> Error {
    Error::asked(
        format!("image {name}, which it stands upon, is not understood: {why}"),
        "correct its file first",
    )
}

/// An image and the packages of it.
pub(super) type Storey<'a> = (&'a Image, &'a Locked);

/// Builds an image upon those below it, of which nothing else is said than of it.
pub(super) fn build_upon(
    request: &ImageRequest<'_>,
    (below, upon): (&[Storey<'_>], Option<&ImageRequest<'_>>),
    (store, scratch): (&Store, &Root),
    ambient: &Ambient<'_>,
) -> Result<BuiltImage, Error> {
    let Some(((image, locked), rest)) = below.split_first() else {
        let own = ImageRequest { upon, ..*request };
        return Ok(build(&own, store, scratch, ambient)?);
    };
    let other = ImageRequest {
        image,
        locked,
        upon,
        ..*request
    };
    build_upon(request, (rest, Some(&other)), (store, scratch), ambient)
}
