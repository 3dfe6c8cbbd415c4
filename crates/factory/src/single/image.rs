//! One image: assembled from packages that are there, and delivered as a layout or an archive.
//!
//! Nothing is recorded and nothing released: what comes out is files, as from apko.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use boltworks_image::Compression;
use boltworks_image::{BuiltImage, ImageRequest};
use boltworks_model::{Ambient, Architecture, Sha256, Timestamp};
use boltworks_oci::Reference;
use boltworks_recipe::resolve_image;
use boltworks_recipe::resolved::{Format, Image};
use boltworks_store::Store;
use boltworks_version::apk::Dependency;

use super::below::Below;
use super::compatible::{self, Laying};
use super::desk::Desk;
use super::exported::{self, write_index_sboms, write_sboms};
use super::making::Making;
use super::overlay::{Storey, build_upon};
use super::own::{Takes, with_files_own};
use super::{Configuration, Lock};
use crate::derived::with_packages;
use crate::files::parent;
use crate::repository::Given;
use crate::{Error, Home};

/// One image to assemble.
#[derive(Debug, Clone)]
pub struct ImageOrder {
    /// Its file, and what it includes.
    pub configuration: Configuration,
    /// What decides which packages it is made of, where there is one.
    pub lock: Option<Lock>,
    /// Whether the packages are those that apko chooses, fetched from the addresses that are named.
    pub as_apko: bool,
    /// Its name and tag.
    pub name: Reference,
    /// A folder that is there, for an OCI layout; or the name of an archive.
    pub out: PathBuf,
    /// What of it is wanted.
    pub shape: Shape,
    /// How its layers are compressed.
    pub compression: Compression,
    /// Its architecture; else the one that its file and the factory have in common.
    pub architecture: Option<Architecture>,
    /// The machine's: it is made where nothing else is said, of those that its file names if it can be.
    pub host: Architecture,
    /// Packages that are there beside the factory's.
    pub given: Given,
    /// Packages in it beside those its file names.
    pub packages: Vec<Dependency>,
    /// Annotations beside those its file sets; these win.
    pub annotations: BTreeMap<String, String>,
    /// The time in it; else the factory's, else that of its newest package.
    pub created: Option<Timestamp>,
    /// The SBOMs that are written.
    pub sboms: Sboms,
    /// What there is to know where its layers are to be as apko lays them.
    pub laying: Option<Laying>,
    /// The architectures that are made in one, whose packages are chosen together: set by who makes them.
    pub together: Vec<Architecture>,
}

/// What of an image is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// All of it.
    Image,
    /// Its files, as one compressed tar.
    Tar,
    /// Its files, as a cpio archive; compressed where its name ends in `.gz`.
    Cpio,
}

/// Which SBOMs are written, and where.
#[derive(Debug, Clone, Default)]
pub struct Sboms {
    /// The folder; the one that `out` is in, where it is absent.
    pub folder: Option<PathBuf>,
    /// `sbom-ARCH.spdx.json`
    pub spdx: bool,
    /// `sbom-ARCH.cdx.json`
    pub cyclonedx: bool,
    /// `sbom-ARCH.spdx3.json`
    pub spdx3: bool,
}

/// An image for one architecture.
#[derive(Debug, Clone)]
pub struct Assembly {
    /// Its architecture.
    pub architecture: Architecture,
    /// The image.
    pub built: BuiltImage,
}

/// An image that was delivered.
#[derive(Debug, Clone)]
pub struct ImageOut {
    /// The image for each architecture.
    pub images: Vec<Assembly>,
    /// Its name by content: of the one manifest, or of the index of several.
    pub digest: Sha256,
    /// Whether it is a layout; else it is an archive.
    pub is_layout: bool,
    /// The SBOMs' files.
    pub sboms: Vec<PathBuf>,
    /// What a person should know, that stopped nothing.
    pub notes: Vec<String>,
}

/// Assembles an image and delivers it. Without a factory its packages come from the repositories
/// given, and from folders that its file names. `architectures` are those that are asked for; where
/// there are none, it is the order's or the one that is built without being asked for, or as apko does
/// it all that the file names.
pub fn image(
    home: Option<&Home>,
    order: &ImageOrder,
    architectures: &[Architecture],
    ambient: &Ambient<'_>,
) -> Result<ImageOut, Error> {
    exported::verify_form(order)?;
    let mut desk = None;
    let (mut images, mut notes) = (Vec::new(), Vec::new());
    let wanted = wanted(order, architectures);
    let together: Vec<Architecture> = wanted.iter().copied().flatten().collect();
    for architecture in wanted {
        let own = ImageOrder {
            architecture,
            together: together.clone(),
            ..order.clone()
        };
        let assembled = assemble(home, &own, &mut desk, ambient)?;
        let new = assembled.notes.into_iter();
        notes.extend(new.filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        images.push(Assembly {
            architecture: assembled.architecture,
            built: assembled.built,
        });
    }
    let desk = desk.ok_or_else(nowhere)?;
    let (digest, is_layout) = exported::deliver(&images, &desk.store, order)?;
    let mut sboms = Vec::new();
    for made in &images {
        sboms.extend(write_sboms(
            &made.built,
            &desk.store,
            order,
            made.architecture,
        )?);
    }
    let owned: Vec<_> = images
        .iter()
        .map(|made| (made.architecture, &made.built))
        .collect();
    sboms.extend(write_index_sboms(&owned, &desk.vendor, order)?);
    Ok(ImageOut {
        images,
        digest,
        is_layout,
        sboms,
        notes,
    })
}

/// The architectures that are built.
pub(super) fn wanted(order: &ImageOrder, asked: &[Architecture]) -> Vec<Option<Architecture>> {
    let is_for_all = order.as_apko && order.architecture.is_none();
    let mut wanted = match order.configuration.architectures() {
        _ if !asked.is_empty() => asked.to_vec(),
        Ok(all) if is_for_all => all,
        // What cannot be understood is told of where the image is assembled.
        _ => return vec![order.architecture],
    };
    if order.as_apko {
        // So they stand in the index.
        wanted.sort_by_key(|architecture| architecture.oci());
    }
    wanted.into_iter().map(Some).collect()
}

/// An image that is in a store, and nowhere else yet.
pub(super) struct Assembled<'d> {
    pub(super) built: BuiltImage,
    pub(super) architecture: Architecture,
    pub(super) notes: Vec<String>,
    /// Where it is.
    pub(super) store: &'d Store,
}

/// Assembles an image at a desk, which is set up for the first one.
pub(super) fn assemble<'d>(
    home: Option<&Home>,
    order: &ImageOrder,
    desk: &'d mut Option<Desk>,
    ambient: &Ambient<'_>,
) -> Result<Assembled<'d>, Error> {
    let standing = &order.configuration.standing;
    let image = resolve_image(&order.configuration.image)?;
    let image = with_packages(&image, &standing.added);
    let mut image = image.map_err(|why| Error::asked(why, "correct it in boltworks.yaml"))?;
    image.packages.extend(order.packages.iter().cloned());
    let annotations = order.annotations.clone();
    image.annotations.extend(annotations);
    if order.shape != Shape::Image {
        image.layering = None;
        image.format = Format::Tar;
    } else if !order.as_apko && image.base.is_none() {
        image.part_by_origin();
    }
    refuse_layering(order, &image)?;
    let mut notes = Vec::new();
    let takes = if order.as_apko {
        Takes::Addresses
    } else {
        Takes::Folders
    };
    let given = with_files_own(&order.given, &image, takes, &mut notes);
    let desk = match (&mut *desk, home) {
        (Some(_), _) => desk.as_mut(),
        (None, Some(home)) => Some(desk.insert(Desk::of_factory(home)?)),
        (None, None) if given.repositories.is_empty() && order.lock.is_none() => None,
        (None, None) => Some(desk.insert(Desk::apart(parent(&order.out))?)),
    };
    let desk = desk.ok_or_else(nowhere)?;
    let architecture = architecture(order, &image, desk.architecture, &mut notes)?;
    let below = Below::of(&order.configuration, &image, architecture)?;
    let making = Making {
        home,
        order,
        image: &image,
        architecture,
        below: below.as_ref(),
    };
    let (mut all, given) = match &order.lock {
        Some(lock) => making.of_lock(lock, desk, given, (&mut notes, ambient))?,
        None => making.of_choice(desk, given, (&mut notes, ambient))?,
    };
    // The last is the image's own; before it are those of what it stands upon.
    let locked = all.pop().unwrap_or_default();
    let keyring = given.keyring(desk.keys.as_ref())?;
    let beneath = below.as_ref().map(Below::wanted).transpose()?;
    let beneath = beneath.unwrap_or_default();
    let laid = compatible::compatible(
        order,
        (&image, architecture),
        (&locked, &beneath),
        &given.keys,
    )?;
    let base = below.map(|below| below.open(architecture, (&desk.store, &desk.scratch)));
    let base = base.transpose()?;
    let request = ImageRequest {
        name: order.name.short_name(),
        tag: order.name.tag(),
        vendor: &desk.vendor,
        image: &image,
        architecture,
        locked: &locked,
        keyring: &keyring,
        created: order.created.or(desk.epoch),
        upon: None,
        base: base.as_ref(),
        compression: order.compression,
        compatible: laid.as_ref(),
    };
    let storeys: Vec<Storey<'_>> = standing.images.iter().zip(&all).collect();
    let place = (&desk.store, &desk.scratch);
    let built = build_upon(&request, (&storeys, None), place, ambient)?;
    notes.extend(built.notes.iter().cloned());
    Ok(Assembled {
        built,
        architecture,
        notes,
        store: &desk.store,
    })
}

/// Upon a base image there is one layer more.
fn refuse_layering(order: &ImageOrder, image: &Image) -> Result<(), Error> {
    match &image.base {
        Some(base) if order.configuration.image.layering.is_some() => {
            let what = "upon a base image there is one layer more, and the file asks for layering";
            Err(base.error(what, "leave layering out").into())
        }
        _ => Ok(()),
    }
}

fn nowhere() -> Error {
    Error::asked(
        "there is no factory here and no repository to take packages from",
        "go to a factory, make one with `boltworks init FOLDER`, or name a repository with `-r FOLDER`",
    )
}

/// The one architecture that is asked for or left.
fn architecture(
    order: &ImageOrder,
    image: &Image,
    own: Option<Architecture>,
    notes: &mut Vec<String>,
) -> Result<Architecture, Error> {
    let wanted = order.architecture.or(own);
    let archs = image.archs.as_slice();
    let is_named = !order.configuration.image.archs.is_empty();
    let chosen = match (wanted, archs) {
        // apko's flag stands in the place of what the file names.
        (Some(wanted), _) if order.as_apko || archs.is_empty() || archs.contains(&wanted) => wanted,
        (None, [first, ..]) if !archs.contains(&order.host) => *first,
        (None, _) => order.host,
        (Some(wanted), _) => {
            let known: Vec<&str> = archs.iter().map(|arch| arch.apk()).collect();
            return Err(Error::asked(
                format!("the image is not for {wanted}"),
                format!("its file names: {}", known.join(", ")),
            ));
        }
    };
    let others: Vec<&str> = archs
        .iter()
        .filter(|arch| **arch != chosen)
        .map(|arch| arch.apk())
        .collect();
    if is_named && !others.is_empty() && order.architecture.is_none() {
        notes.push(format!(
            "made for {chosen}; its file also names {}: ask for them with --arch",
            others.join(", ")
        ));
    }
    Ok(chosen)
}
