//! What of an image that is laid upon a base is the base's: annotations, the process, layers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use boltworks_model::Timestamp;
use boltworks_oci::{History, Layer, Process};
use boltworks_recipe::resolved::Format;

use super::Base;
use crate::build::ImageRequest;
use crate::layers::Part;
use crate::tree::Composed;
use crate::upper::{self, Side};
use crate::works::source;
use crate::{Error, process};

/// The digest of the base, as image-spec names it (annotations).
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Refuses what cannot be laid upon a base.
pub(crate) fn verify(request: &ImageRequest<'_>) -> Result<(), Error> {
    let reason = if request.base.is_none() {
        return Ok(());
    } else if request.upon.is_some() {
        "it cannot be laid upon a base image and stand upon another"
    } else if request.image.layering.is_some() {
        "upon a base image there is one layer more, and no layering"
    } else if request.image.format == Format::Erofs {
        "no layer of EROFS is laid upon a base image"
    } else {
        return Ok(());
    };
    Err(Error::refused(format!("image {}", request.name), reason))
}

/// What is said of the image; upon a base, what that says too.
pub(crate) fn annotations(
    request: &ImageRequest<'_>,
    created: Timestamp,
) -> BTreeMap<String, String> {
    let own = process::annotations(request.image, created);
    let Some(base) = request.base else {
        return own;
    };
    let mut all = base.annotations.clone();
    if request.compatible.is_none() {
        let digest = base.parts.manifest.digest.prefixed();
        all.insert(BASE_DIGEST.to_owned(), digest);
    }
    all.extend(own);
    all
}

/// How a container of the image starts; upon a base, as one of that does.
pub(crate) fn process(
    request: &ImageRequest<'_>,
    created: Timestamp,
    annotations: &BTreeMap<String, String>,
) -> Result<Process, Error> {
    let Some(base) = request.base else {
        return process::process(request.image, annotations.clone());
    };
    let is_as_apko = request.compatible.is_some();
    let labels = if is_as_apko {
        process::annotations(request.image, created)
    } else {
        annotations.clone()
    };
    let own = process::process(request.image, labels)?;
    Ok(process::upon(&base.config.process, own, is_as_apko))
}

/// The one layer above a base.
pub(crate) fn part(
    request: &ImageRequest<'_>,
    (composed, packages): (&Composed, usize),
    base: &Base,
) -> Result<Part<'static>, Error> {
    let own = Side {
        tree: &composed.tree,
        source: &|path| source(composed, request, path),
    };
    let below = Side {
        tree: &base.tree,
        source: &|_| None,
    };
    Ok(Part {
        packages: (0..packages).collect(),
        tree: Cow::Owned(upper::above(own, below, false)?),
    })
}

/// How the base's layers came about.
pub(crate) fn history(request: &ImageRequest<'_>) -> Vec<History> {
    let base = request.base;
    base.map_or_else(Vec::new, |base| base.config.history.clone())
}

/// The layers of the base and how many bytes they have unpacked; none without one.
pub(crate) fn layers(request: &ImageRequest<'_>) -> (Vec<Layer>, u64) {
    let base = request.base;
    base.map_or_else(Default::default, |base| {
        (base.parts.layers.clone(), base.unpacked)
    })
}
