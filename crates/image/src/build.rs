//! From a request to an image in the store.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use boltworks_crypto::{Keyring, sha256, sha512};
use boltworks_fsx::{RelPath, Root, Tree};
use boltworks_model::{
    Ambient, Architecture, Artifact, ArtifactKind, Coordinate, Event, Gaps, Sha256, Timestamp,
    Verdict,
};
use boltworks_oci::{ImageParts, ImagePlan};
use boltworks_recipe::resolved::Image;
use boltworks_rootfs::{Frames, Locked, Opened, Shelf, open_frames, open_locked};
use boltworks_sbom::{Gap, ImageFacts, ImageSbom, LayerFact};
use boltworks_store::{Batch, Store};

use crate::compatible::{self, Compatible, Material};
use crate::contents::{PackageContents, System};
use crate::known::{Key, Source};
use crate::layer::{Compression, StoredLayer};
use crate::layers::Part;
use crate::pieces::Note;
use crate::tree::Composed;
use crate::upper::{self, Side};
use crate::{Error, layer, layers, process, tree};

/// Who made the image, in its configuration and history.
const AUTHOR: &str = "boltworks";
const TITLE: &str = "org.opencontainers.image.title";
const VENDOR: &str = "org.opencontainers.image.vendor";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What an image is to be made of.
#[derive(Debug, Clone, Copy)]
pub struct ImageRequest<'a> {
    /// The image's name: `web`.
    pub name: &'a str,
    /// Its tag, which its SBOMs name.
    pub tag: Option<&'a str>,
    /// Who ships it: the namespace of the packages' purls.
    pub vendor: &'a str,
    /// The image file.
    pub image: &'a Image,
    /// The architecture it is for.
    pub architecture: Architecture,
    /// The packages, in install order.
    pub locked: &'a Locked,
    /// The keys apk in the image trusts.
    pub keyring: &'a Keyring,
    /// `SOURCE_DATE_EPOCH`. Without it, the newest build date of the packages.
    pub created: Option<Timestamp>,
    /// The image it stands upon: the layers of that are its first ones, and one more is above them.
    pub upon: Option<&'a Self>,
    /// How layers are compressed.
    pub compression: Compression,
    /// What decides layers as apko lays them, if they are to be laid so.
    pub compatible: Option<&'a Compatible>,
}

/// An image in the store. Its name is the digest of its manifest.
#[derive(Debug, Clone)]
pub struct BuiltImage {
    /// The manifest: its digest, its own size. The whole image's size is [`ImageParts::size`].
    pub artifact: Artifact,
    /// Manifest, configuration, index and layers; all are in the store.
    pub parts: ImageParts,
    /// When it is said to be made.
    pub created: Timestamp,
    /// The SPDX document in the store.
    pub spdx: Sha256,
    /// The SPDX 3 document in the store.
    pub spdx3: Sha256,
    /// The `CycloneDX` document in the store.
    pub cyclonedx: Sha256,
    /// How many packages are in it.
    pub packages: usize,
    /// How many bytes it has unpacked.
    pub unpacked: u64,
    /// Packages of which the SBOMs know only the name.
    pub gaps: Vec<Gap>,
    /// What a person should know, that stops nothing.
    pub notes: Vec<String>,
    /// Files a person should look at: setuid, writable by everybody, devices. They are in the
    /// image as they were asked for.
    pub warnings: Vec<String>,
}

impl BuiltImage {
    /// Whether the SBOMs are complete: a package without a document makes them `Unknown`.
    pub fn sbom_verdict(&self) -> Verdict {
        let gaps: Vec<String> = self.gaps.iter().map(ToString::to_string).collect();
        Gaps::try_from(gaps).map_or(Verdict::Pass, Verdict::Unknown)
    }
}

/// Makes an image. Equal requests give equal bytes. Everything becomes durable together, at
/// the end: a run that fails leaves nothing.
///
/// `scratch` holds unpacked files meanwhile. Threads are those of the rayon pool this is
/// called in.
pub fn build(
    request: &ImageRequest<'_>,
    store: &Store,
    scratch: &Root,
    ambient: &Ambient<'_>,
) -> Result<BuiltImage, Error> {
    let shelf = Shelf::default();
    let mut series = Series::new(store, scratch, &shelf);
    let mut built = series.build(request, ambient)?;
    built.notes.extend(series.commit()?);
    Ok(built)
}

/// Images that are made one after the other, share what they can, and become durable together, at the
/// price of few syncs. Nothing of it may be relied on before [`Series::commit`] returns.
pub struct Series<'a> {
    scratch: &'a Root,
    shelf: &'a Shelf,
    works: Works<'a>,
}

impl<'a> Series<'a> {
    /// Without any image yet. Packages that are on the shelf need not be opened.
    pub fn new(store: &'a Store, scratch: &'a Root, shelf: &'a Shelf) -> Self {
        let works = Works {
            store,
            batch: store.batch(),
            fresh: Vec::new(),
        };
        Self {
            scratch,
            shelf,
            works,
        }
    }

    /// Makes one image, see [`build`].
    pub fn build(
        &mut self,
        request: &ImageRequest<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<BuiltImage, Error> {
        let Self {
            scratch,
            shelf,
            works,
        } = self;
        let job = format!("image {}", request.name);
        let step = |step: &str| ambient.sink.event(Event::Step { job: &job, step });
        step("unpack");
        let store = works.store;
        let known = Cell::new(0);
        let frames = |locked: &Locked| {
            let Frames { opened, known: own } = open_frames(locked, store, (scratch, shelf))?;
            known.set(known.get() + own);
            Ok(opened)
        };
        match of_packages(request, &frames, works, (ambient, &step)) {
            Err(error) if known.get() > 0 && is_damage(&error) => {
                // What was laid out is not what it was; the packages themselves are.
                step("unpack anew");
                let whole = |locked: &Locked| {
                    let opened = open_locked(locked, store, scratch)?;
                    Ok(opened.into_iter().map(Arc::new).collect())
                };
                of_packages(request, &whole, works, (ambient, &step))
            }
            made => made,
        }
    }

    /// Keeps some bytes beside the images; their digest.
    pub fn put_bytes(&mut self, bytes: &[u8]) -> Result<Sha256, Error> {
        Ok(self.works.batch.put_bytes(bytes)?)
    }

    /// Makes all of it durable. What a person should know of it that stops nothing.
    pub fn commit(self) -> Result<Option<String>, Error> {
        let Works {
            store,
            mut batch,
            fresh,
        } = self.works;
        let mut note = None;
        for fresh in fresh {
            note = note.or(forgotten(fresh.remember((store, &mut batch))));
        }
        batch.commit()?;
        Ok(note)
    }
}

/// Where layers are made.
struct Works<'a> {
    store: &'a Store,
    batch: Batch<'a>,
    /// Those that were not known, to be remembered when they are durable.
    fresh: Vec<Fresh>,
}

/// How packages are opened.
type Open<'a> = dyn Fn(&Locked) -> Result<Vec<Arc<Opened>>, Error> + 'a;

/// Whether bytes were read that are not what they must be.
fn is_damage(error: &Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref().map(std::io::Error::kind);
        if kind == Some(std::io::ErrorKind::InvalidData) {
            return true;
        }
        next = error.source();
    }
    false
}

fn of_packages(
    request: &ImageRequest<'_>,
    open: &Open<'_>,
    works: &mut Works<'_>,
    (ambient, step): (&Ambient<'_>, &dyn Fn(&str)),
) -> Result<BuiltImage, Error> {
    let Laid {
        opened,
        composed,
        created,
        parts,
        unpacked,
        notes: laid_notes,
    } = lay(request, open, works, (ambient, step))?;
    let batch = &mut works.batch;
    step("describe");
    let sbom = describe(request, &opened, &composed.tree, &parts, created)?;
    for document in [&parts.config, &parts.manifest, &parts.index] {
        batch.put_bytes(&document.bytes)?;
    }
    let spdx = batch.put_bytes(&sbom.spdx.to_json()?)?;
    let spdx3 = batch.put_bytes(&sbom.spdx3.to_json()?)?;
    let cyclonedx = batch.put_bytes(&sbom.cyclonedx.to_json()?)?;
    let mut notes = sbom.notes;
    notes.extend(laid_notes);
    Ok(BuiltImage {
        artifact: artifact(request, &parts),
        parts,
        created,
        spdx,
        spdx3,
        cyclonedx,
        packages: opened.len(),
        unpacked,
        gaps: sbom.gaps,
        notes,
        warnings: composed.warnings,
    })
}

/// An image whose layers are in a batch.
struct Laid {
    opened: Vec<Arc<Opened>>,
    composed: Composed,
    created: Timestamp,
    parts: ImageParts,
    unpacked: u64,
    /// What a person should know of how it was laid.
    notes: Vec<String>,
}

impl Laid {
    /// The package that a path is of, by its digest.
    fn source<'a>(&'a self, request: &ImageRequest<'_>, path: &RelPath) -> Option<Source<'a>> {
        source(&self.composed, request, path)
    }
}

fn source<'a>(
    composed: &'a Composed,
    request: &ImageRequest<'_>,
    path: &RelPath,
) -> Option<Source<'a>> {
    let (package, own) = composed.brought_by(path)?;
    Some((request.locked.packages.get(package)?.sha256, own))
}

/// Lays an image and, before it, what it stands upon.
fn lay(
    request: &ImageRequest<'_>,
    open: &Open<'_>,
    works: &mut Works<'_>,
    (ambient, step): (&Ambient<'_>, &dyn Fn(&str)),
) -> Result<Laid, Error> {
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
        None => tree::compose(request, &opened)?,
    };
    let created = created(request.created, &opened)?;
    let mut annotations = process::annotations(request.image, created);
    if let Some((_, below)) = &below {
        let digest = below.parts.manifest.digest.prefixed();
        annotations.entry(BASE_DIGEST.to_owned()).or_insert(digest);
    }
    let process = process::process(request.image, annotations.clone())?;
    step("compress");
    let comment = match (annotations.get(TITLE), annotations.get(VENDOR)) {
        (Some(title), Some(vendor)) => Some(format!("{title} by {vendor}")),
        _ => None,
    };
    let wanted = match &below {
        None if own.is_some() => Vec::new(),
        None => parts(request, &composed, &opened)?,
        Some(below) => vec![above(request, (&composed, opened.len()), below)?],
    };
    let (mut layers, mut unpacked) = match below {
        Some((_, laid)) => (laid.parts.layers, laid.unpacked),
        None => (Vec::new(), 0),
    };
    let mut all = Vec::new();
    for part in wanted {
        all.push(works.layer(request, &composed, &part)?);
        ambient.cancel.check()?;
    }
    for layer in 0..own.as_ref().map_or(0, |own| own.groups.len()) {
        if let Some(own) = &own {
            all.push(works.own_layer(request, (own, layer))?);
        }
        ambient.cancel.check()?;
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
        source: &|path| below.source(other, path),
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
    request: &ImageRequest<'_>,
    composed: &'c Composed,
    opened: &[Arc<Opened>],
) -> Result<Vec<Part<'c>>, Error> {
    let tree = &composed.tree;
    let Some(layering) = &request.image.layering else {
        return Ok(vec![layers::whole(tree, opened.len())]);
    };
    let controls: Vec<_> = opened.iter().map(|one| &one.control).collect();
    layers::part(
        tree,
        |path| composed.brought_by(path).map(|(package, _)| package),
        layers::groups(&controls, layering.budget),
        (&composed.database_path, &composed.database),
    )
}

/// A layer, and how many bytes its tar has.
type Found = (boltworks_oci::Layer, u64);

/// A layer that was not known.
struct Fresh {
    /// What it is made of, where that is looked for.
    key: Option<Key>,
    note: Note,
    stored: StoredLayer,
}

impl Fresh {
    fn found(&self) -> Found {
        (self.stored.layer.clone(), self.stored.unpacked)
    }

    fn remember(self, (store, batch): (&Store, &mut Batch<'_>)) -> Result<(), Error> {
        let StoredLayer {
            layer,
            unpacked,
            pieces,
        } = self.stored;
        self.note.write(layer.digest, &pieces, batch)?;
        self.key.map_or(Ok(()), |key| {
            key.remember((&layer, unpacked), (store, batch))
        })
    }
}

impl Works<'_> {
    /// The layer that is known to be made of this, or a new one.
    fn layer(
        &mut self,
        request: &ImageRequest<'_>,
        composed: &Composed,
        part: &Part<'_>,
    ) -> Result<Found, Error> {
        let key = Key::of(&part.tree, request.compression, |path| {
            source(composed, request, path)
        })?;
        let mut fresh = self.fresh.iter();
        let fresh = fresh.find(|fresh| fresh.key == Some(key));
        if let Some(found) = fresh.map(Fresh::found).or_else(|| key.find(self.store)) {
            return Ok(found);
        }
        let first = part.packages.first();
        let first = first.and_then(|&at| request.locked.packages.get(at));
        let first = first.map_or("", |package| package.name.as_str());
        let of = format!("{} {} {first}", request.name, request.architecture);
        let (note, known) = Note::read(&of, request.compression, self.store)?;
        let stored = layer::write(&part.tree, Arc::new(known), self.store, &mut self.batch)?;
        Ok(self.keep(Fresh {
            key: Some(key),
            note,
            stored,
        }))
    }

    /// A layer as apko lays it.
    fn own_layer(
        &mut self,
        request: &ImageRequest<'_>,
        (own, layer): (&compatible::Laid, usize),
    ) -> Result<Found, Error> {
        let first = own.groups.get(layer).and_then(|group| group.first());
        let first = first.and_then(|&at| request.locked.packages.get(at));
        let first = first.map_or("", |package| package.name.as_str());
        let of = format!(
            "compatible {} {} {first}",
            request.name, request.architecture
        );
        let (note, known) = Note::read(&of, request.compression, self.store)?;
        let places = (self.store, &mut self.batch);
        let stored = own.write(layer, Arc::new(known), places)?;
        Ok(self.keep(Fresh {
            key: None,
            note,
            stored,
        }))
    }

    fn keep(&mut self, fresh: Fresh) -> Found {
        let found = fresh.found();
        self.fresh.push(fresh);
        found
    }
}

/// The time of the image: the one asked for, or when its newest package was built. It stands in the
/// configuration, the annotations and the SBOMs; what the layer holds has times of its own. One that
/// no package can have is refused: some readers of those documents have no room for it.
fn created(asked: Option<Timestamp>, opened: &[Arc<Opened>]) -> Result<Timestamp, Error> {
    let of_package = |one: &Arc<Opened>| {
        let control = &one.control;
        let what = format!("the build date of {}-{}", control.name, control.version);
        Some((Timestamp(control.build_date?), what))
    };
    let newest = || opened.iter().filter_map(of_package).max();
    let asked = asked.map(|time| (time, "the image's time".to_owned()));
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

fn artifact(request: &ImageRequest<'_>, parts: &ImageParts) -> Artifact {
    Artifact {
        coordinate: Coordinate {
            kind: ArtifactKind::Image,
            name: request.name.to_owned(),
            version: request.tag.unwrap_or("latest").to_owned(),
            architecture: request.architecture,
        },
        digest: parts.manifest.digest,
        size: parts.manifest.size(),
    }
}

fn describe(
    request: &ImageRequest<'_>,
    opened: &[Arc<Opened>],
    tree: &Tree,
    parts: &ImageParts,
    created: Timestamp,
) -> Result<ImageSbom, Error> {
    let packages = PackageContents::read(&request.locked.packages, opened)?;
    let packages: Vec<_> = packages.iter().map(PackageContents::facts).collect();
    let system = System::read(tree)?;
    let layers: Vec<LayerFact> = parts
        .layers
        .iter()
        .map(|layer| LayerFact {
            digest: layer.digest,
            diff_id: layer.diff_id,
        })
        .collect();
    let facts = ImageFacts {
        name: request.name,
        tag: request.tag,
        vendor: request.vendor,
        architecture: request.architecture,
        created,
        manifest: parts.manifest.digest,
        manifest_sha512: sha512(&parts.manifest.bytes),
        layers: &layers,
        os: system.as_ref().map(System::facts),
        packages: &packages,
    };
    Ok(boltworks_sbom::for_image(&facts, sha256)?)
}

/// That a layer is not remembered makes the next one slower, and no image worse.
fn forgotten(written: Result<(), Error>) -> Option<String> {
    let error = written.err()?;
    let mut text = "the layer is not remembered, and the next one will take longer".to_owned();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    Some(text)
}
