//! From a request to layers: those of what it stands upon, then its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_crypto::sha256;
use boltworks_model::{Ambient, Timestamp};
use boltworks_oci::{ImageParts, ImagePlan, media_type};
use boltworks_recipe::resolved::Format;
use boltworks_rootfs::{Locked, Opened};
use boltworks_store::Store;

use crate::base::Base;
use crate::base::upon::{self, BASE_DIGEST};
use crate::build::ImageRequest;
use crate::compatible::{self, Material};
use crate::layers::{Part, Wanted};
use crate::tree::Composed;
use crate::upper::{self, Side};
use crate::works::{Works, source};
use crate::{Error, layers, tree};

/// Who made the image, in its configuration and history.
const AUTHOR: &str = "boltworks";
const TITLE: &str = "org.opencontainers.image.title";
const VENDOR: &str = "org.opencontainers.image.vendor";

/// How packages are opened.
pub(crate) type Open<'a> = dyn Fn(&Locked) -> Result<Vec<Arc<Opened>>, Error> + 'a;

/// An image whose layers are in a batch.
pub(crate) struct Laid {
    pub(crate) opened: Vec<Arc<Opened>>,
    pub(crate) composed: Composed,
    pub(crate) created: Timestamp,
    pub(crate) parts: ImageParts,
    pub(crate) unpacked: u64,
    /// What a person should know of how it was laid.
    pub(crate) notes: Vec<String>,
}

/// Lays an image and, before it, what it stands upon.
pub(crate) fn lay(
    request: &ImageRequest<'_>,
    open: &Open<'_>,
    works: &mut Works<'_>,
    (ambient, step): (&Ambient<'_>, &dyn Fn(&str)),
) -> Result<Laid, Error> {
    verify_ground(request)?;
    upon::verify(request)?;
    let below = request.upon.map(|other| {
        let laid = lay(other, open, works, (ambient, step))?;
        Ok::<_, Error>((other, laid))
    });
    let below = below.transpose()?;
    let opened = open(request.locked)?;
    ambient.cancel.check()?;
    step("compose");
    let own = as_apko(request, &opened, works.store)?;
    let composed = match &own {
        Some(own) => Composed::of_tree(own.tree()?)?,
        None => tree::compose(request, &opened, works.memory)?,
    };
    let created = created(request, &opened)?;
    let mut annotations = upon::annotations(request, created);
    if let Some((_, below)) = &below {
        let digest = below.parts.manifest.digest.prefixed();
        annotations.entry(BASE_DIGEST.to_owned()).or_insert(digest);
    }
    let process = upon::process(request, created, &annotations)?;
    step("compress");
    let is_erofs = request.image.format == Format::Erofs;
    let comment = comment(&annotations);
    let wanted = if own.is_some() || is_erofs {
        Vec::new()
    } else {
        parts((request, works), (&composed, &opened), below.as_ref())?
    };
    let (mut layers, mut unpacked) = match below {
        Some((_, laid)) => (laid.parts.layers, laid.unpacked),
        None => upon::layers(request),
    };
    let mut all = works.layers(request, &composed, wanted, ambient.cancel)?;
    if is_erofs {
        all.push(works.erofs_layer(request, &composed, own.as_ref())?);
    }
    for own in own.iter().filter(|_| !is_erofs) {
        for layer in 0..own.groups.len() {
            all.push(works.own_layer(request, (own, layer))?);
            ambient.cancel.check()?;
        }
    }
    for (layer, bytes) in all {
        unpacked += bytes;
        let comment = comment.clone();
        layers.push(boltworks_oci::Layer { comment, ..layer });
    }
    let plan = ImagePlan {
        architecture: request.architecture,
        created,
        author: AUTHOR.to_owned(),
        process,
        annotations,
        below: upon::history(request),
    };
    let parts = ImageParts::new(&plan, layers, sha256)?;
    Ok(Laid {
        opened,
        composed,
        created,
        parts,
        unpacked,
        notes: own.map(|own| own.notes).unwrap_or_default(),
    })
}

/// What the history says of each layer.
fn comment(annotations: &BTreeMap<String, String>) -> Option<String> {
    let (title, vendor) = (annotations.get(TITLE)?, annotations.get(VENDOR)?);
    Some(format!("{title} by {vendor}"))
}

/// Refuses to lay what cannot be laid upon another image.
fn verify_ground(request: &ImageRequest<'_>) -> Result<(), Error> {
    let is_erofs = |one: &ImageRequest<'_>| one.image.format == Format::Erofs;
    let stands = request.upon.is_some() || request.base.is_some();
    let mut parts = [Some(request), request.upon].into_iter().flatten();
    let (below, _) = upon::layers(request);
    let mut kinds = below.iter().map(|layer| layer.media_type);
    let has_erofs = parts.any(is_erofs) || kinds.any(|kind| kind == media_type::LAYER_EROFS);
    let reason = if request.upon.is_some() && request.compatible.is_some() {
        "it cannot stand upon another and be laid as apko lays images"
    } else if stands && has_erofs {
        "of EROFS there is one layer: neither can it stand upon another image nor another upon it"
    } else {
        return Ok(());
    };
    Err(Error::refused(format!("image {}", request.name), reason))
}

/// The files as apko lays them, if they are to be laid so.
fn as_apko(
    request: &ImageRequest<'_>,
    opened: &[Arc<Opened>],
    store: &Store,
) -> Result<Option<compatible::Laid>, Error> {
    let material = request.compatible.map(|compatible| Material {
        image: request.image,
        compatible,
        architecture: request.architecture,
        locked: request.locked,
        opened,
        store,
        base: request.base,
    });
    material
        .map(|material| compatible::lay(&material))
        .transpose()
}

/// The layer above those of the image that it stands upon.
fn above(
    request: &ImageRequest<'_>,
    (composed, packages): (&Composed, usize),
    (other, below): &(&ImageRequest<'_>, Laid),
) -> Result<Part<'static>, Error> {
    let own = Side {
        tree: &composed.tree,
        source: &|path| source(composed, request, path),
    };
    let under = Side {
        tree: &below.composed.tree,
        source: &|path| source(&below.composed, other, path),
    };
    let is_layered = ground(other).image.layering.is_some();
    Ok(Part {
        packages: (0..packages).collect(),
        tree: Cow::Owned(upper::above(own, under, is_layered)?),
    })
}

/// The image at the bottom, which stands upon no other.
fn ground<'r>(request: &'r ImageRequest<'r>) -> &'r ImageRequest<'r> {
    request.upon.map_or(request, ground)
}

/// The layers that are to be, the lowest first.
fn parts<'c>(
    (request, works): (&ImageRequest<'_>, &Works<'_>),
    (composed, opened): (&'c Composed, &[Arc<Opened>]),
    below: Option<&(&ImageRequest<'_>, Laid)>,
) -> Result<Vec<Wanted<'c>>, Error> {
    let count = opened.len();
    if let Some(below) = below {
        let part = above(request, (composed, count), below)?;
        return Ok(vec![Wanted::Other(part)]);
    }
    if let Some(base) = request.base {
        let part = upon::part(request, (composed, count), base)?;
        return Ok(vec![Wanted::Other(part)]);
    }
    let Some(layering) = &request.image.layering else {
        return Ok(vec![layers::whole(&composed.tree, count)]);
    };
    let controls: Vec<_> = opened.iter().map(|one| &one.control).collect();
    let groups = layers::groups(&controls, layering.budget);
    layers::part(composed, groups, |packages| {
        works.known(request, composed, packages)
    })
}

/// The time of the image: the one asked for, or when its newest package was built. It stands in the
/// configuration, the annotations and the SBOMs; what the layer holds has times of its own. One that
/// no package can have is refused: some readers of those documents have no room for it.
fn created(request: &ImageRequest<'_>, opened: &[Arc<Opened>]) -> Result<Timestamp, Error> {
    let of_package = |one: &Arc<Opened>| {
        let control = &one.control;
        let what = format!("the build date of {}-{}", control.name, control.version);
        Some((Timestamp(control.build_date?), what))
    };
    let below = request.base.and_then(Base::newest);
    let below = below.map(|time| (Timestamp(time), "a build date of the base image".to_owned()));
    let newest = || opened.iter().filter_map(of_package).chain(below).max();
    let asked = request
        .created
        .map(|time| (time, "the image's time".to_owned()));
    let Some((time, what)) = asked.or_else(newest) else {
        return Ok(Timestamp::EPOCH);
    };
    if time.is_packable() {
        return Ok(time);
    }
    let last = Timestamp::LAST;
    let reason = format!(
        "{time} is no time that an image can carry: from 0 to {} seconds since 1970, {last}",
        last.0
    );
    Err(Error::refused(what, reason))
}
