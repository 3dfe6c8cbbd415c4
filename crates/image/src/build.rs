//! From a request to an image in the store.

use std::cell::Cell;
use std::sync::Arc;

use boltworks_crypto::{Keyring, sha256, sha512};
use boltworks_fsx::{Root, Tree};
use boltworks_model::{
    Ambient, Architecture, Artifact, ArtifactKind, Coordinate, Event, Gaps, Sha256, Timestamp,
    Verdict,
};
use boltworks_oci::ImageParts;
use boltworks_recipe::resolved::Image;
use boltworks_rootfs::{Frames, Locked, Opened, open_frames, open_locked};
use boltworks_sbom::{Gap, ImageFacts, ImageSbom, LayerFact};
use boltworks_store::Store;

use crate::Error;
use crate::base::Base;
use crate::compatible::Compatible;
use crate::contents::{PackageContents, System};
use crate::laid::{Laid, Open, lay};
use crate::layer::Compression;
use crate::memory::Memory;
use crate::works::Works;

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
    /// The image that somebody else made and that this one is laid upon: not of one that stands upon
    /// another.
    pub base: Option<&'a Base>,
    /// How layers are compressed.
    pub compression: Compression,
    /// What decides layers as apko lays them, if they are to be laid so: not of one that stands upon
    /// another.
    pub compatible: Option<&'a Compatible>,
}

/// An image in the store. Its name is the digest of its manifest.
#[derive(Debug, Clone)]
pub struct BuiltImage {
    /// The manifest: its digest, its own size. The whole image's size is [`ImageParts::size`].
    pub artifact: Artifact,
    /// Manifest, configuration and layers, all of which are in the store; and an index, which is not.
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
    let memory = Memory::default();
    let mut series = Series::new(store, scratch, &memory);
    let mut built = series.build(request, ambient)?;
    built.notes.extend(series.commit()?);
    Ok(built)
}

/// Images that are made one after the other, share what they can, and become durable together, at the
/// price of few syncs. Nothing of it may be relied on before [`Series::commit`] returns.
pub struct Series<'a> {
    scratch: &'a Root,
    works: Works<'a>,
}

impl<'a> Series<'a> {
    /// Without any image yet. What is remembered need not be looked for.
    pub fn new(store: &'a Store, scratch: &'a Root, memory: &'a Memory) -> Self {
        Self {
            scratch,
            works: Works::new(store, memory),
        }
    }

    /// Makes one image, see [`build`].
    pub fn build(
        &mut self,
        request: &ImageRequest<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<BuiltImage, Error> {
        let Self { scratch, works } = self;
        let job = format!("image {}", request.name);
        let step = |step: &str| ambient.sink.event(Event::Step { job: &job, step });
        step("unpack");
        let (store, shelf) = (works.store, &works.memory.shelf);
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
        self.works.commit()
    }
}

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
    let sbom = describe(
        request,
        (&opened, works.memory),
        &composed.tree,
        &parts,
        created,
    )?;
    for document in [&parts.config, &parts.manifest] {
        batch.put_bytes(&document.bytes)?;
    }
    let spdx = batch.put_bytes(&sbom.spdx_json)?;
    let spdx3 = batch.put_bytes(sbom.spdx3.as_json())?;
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
        packages: opened.len() + request.base.map_or(0, |base| base.controls.len()),
        unpacked,
        gaps: sbom.gaps,
        notes,
        warnings: composed.warnings,
    })
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
    (opened, memory): (&[Arc<Opened>], &Memory),
    tree: &Tree,
    parts: &ImageParts,
    created: Timestamp,
) -> Result<ImageSbom, Error> {
    let own = (request.locked.packages.as_slice(), opened);
    let packages = PackageContents::read(request.base, own, memory)?;
    let packages: Vec<_> = packages.iter().map(PackageContents::facts).collect();
    let system = match (System::read(tree)?, request.base) {
        (None, Some(base)) => System::read(&base.tree)?,
        (found, _) => found,
    };
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
