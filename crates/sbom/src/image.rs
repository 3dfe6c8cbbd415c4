//! The documents of an image, and what is missing from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use boltworks_model::{Architecture, Sha256, Sha512, Timestamp};

use crate::cyclonedx::{Bom, Parts};
use crate::licence::Licence;
use crate::merge::{Merger, Own};
use crate::package::{describe, remark, supplier};
use crate::spdx::{Checksum, DOCUMENT_ID, Document, ExternalRef, Package};
use crate::spdx3::Graph;
use crate::{Error, Hash, purl};

/// What is known of an image when it is built.
#[derive(Debug, Clone)]
pub struct ImageFacts<'a> {
    /// The image's name: `web`.
    pub name: &'a str,
    /// Its tag.
    pub tag: Option<&'a str>,
    /// Who ships it.
    pub vendor: &'a str,
    /// What it runs on.
    pub architecture: Architecture,
    /// When it is said to be made.
    pub created: Timestamp,
    /// The digest of its manifest.
    pub manifest: Sha256,
    /// A second digest of it.
    pub manifest_sha512: Sha512,
    /// Its layers, lowest first.
    pub layers: &'a [LayerFact],
    /// The system its `os-release` names.
    pub os: Option<OsFacts<'a>>,
    /// The packages in it.
    pub packages: &'a [ImagePackage<'a>],
}

/// A layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerFact {
    /// The digest of the compressed bytes.
    pub digest: Sha256,
    /// The digest of the tar.
    pub diff_id: Sha256,
}

/// What an `os-release` says.
#[derive(Debug, Clone, Copy)]
pub struct OsFacts<'a> {
    /// `ID`.
    pub id: &'a str,
    /// `PRETTY_NAME` or `NAME`.
    pub name: &'a str,
    /// `VERSION_ID`.
    pub version: &'a str,
}

/// A package in an image.
#[derive(Debug, Clone)]
pub struct ImagePackage<'a> {
    /// The package's name.
    pub name: &'a str,
    /// Its full version.
    pub version: &'a str,
    /// The architecture it is for, under apk's name.
    pub architecture: &'a str,
    /// One line on what it is.
    pub description: &'a str,
    /// Its project's page, or empty.
    pub url: &'a str,
    /// Its licence lines; all of them apply.
    pub licences: &'a [String],
    /// Who looks after it, as it says itself, or empty.
    pub maintainer: &'a str,
    /// Two digests of the package file; absent where nobody has the file.
    pub digests: Option<(Sha256, Sha512)>,
    /// The places in [`ImageFacts::packages`] of the packages that satisfy its dependencies.
    pub depends_on: Vec<usize>,
    /// The document found in it, if there is one.
    pub document: Option<&'a Result<Own, String>>,
}

/// A package of which an image's documents know no more than its name: what is in it, and
/// what it was made from, is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Name and version.
    pub package: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.package, self.reason)
    }
}

/// The documents of an image.
#[derive(Debug, Clone)]
pub struct ImageSbom {
    /// SPDX 2.3.
    pub spdx: Document,
    /// The same as [`Document::to_json`] gives it.
    pub spdx_json: Vec<u8>,
    /// SPDX 3.0.1.
    pub spdx3: Graph,
    /// `CycloneDX` 1.6.
    pub cyclonedx: Bom,
    /// What is missing. Not empty means that evidence must be `Unknown`.
    pub gaps: Vec<Gap>,
    /// What a person should know: licence lines that are no expressions.
    pub notes: Vec<String>,
}

/// Describes an image: it CONTAINS its layers, its system and its packages, each with the
/// elements of its own document. A package without one is in it all the same, and is a [`Gap`].
pub fn for_image(facts: &ImageFacts<'_>, hash: Hash) -> Result<ImageSbom, Error> {
    let title = format!("{} {}", tagged(facts.name, facts.tag), facts.architecture);
    let document = Document::of_image(title, facts.vendor, facts.created);
    let mut merger = Merger::new(document);
    let image = image_element(&mut merger, facts);
    merger.relate(DOCUMENT_ID, "DESCRIBES", &image);
    for layer in facts.layers {
        let id = layer_element(&mut merger, *layer);
        merger.relate(&image, "CONTAINS", &id);
    }
    if let Some(os) = facts.os {
        let mut element = Package::new(merger.idents.make("OperatingSystem", os.id), os.id);
        element.version_info = (!os.version.is_empty()).then(|| os.version.to_owned());
        element.primary_package_purpose = Some("OPERATING-SYSTEM".to_owned());
        element.description = Some(os.name.to_owned());
        merger.relate(&image, "CONTAINS", &element.id);
        merger.add(element);
    }
    let mut gaps = Vec::new();
    let mut unknown = BTreeSet::new();
    let mut notes = Vec::new();
    let mut parts = Vec::new();
    for package in facts.packages {
        let licence = Licence::read(package.licences, hash);
        let name = format!("{}-{}", package.name, package.version);
        notes.extend(licence.notes.iter().map(|note| format!("{name}: {note}")));
        let (id, gap) = package_elements(&mut merger, facts.vendor, package, &licence);
        unknown.extend(gap.as_ref().map(|_| id.clone()));
        gaps.extend(gap.map(|reason| Gap {
            package: name,
            reason,
        }));
        merger.relate(&image, "CONTAINS", &id);
        parts.push(Parts {
            package,
            id,
            licence,
        });
    }
    relate_dependencies(&mut merger, &parts);
    let (spdx, spdx_json) = merger.document.sealed(hash)?;
    let spdx3 = Graph::of(&spdx, &unknown)?;
    let cyclonedx = Bom::for_image(facts, &parts, &spdx, &gaps, hash)?;
    Ok(ImageSbom {
        spdx,
        spdx_json,
        spdx3,
        cyclonedx,
        gaps,
        notes,
    })
}

fn image_element(merger: &mut Merger, facts: &ImageFacts<'_>) -> String {
    let id = merger.idents.make("Image", facts.name);
    let element = Package::new(id.clone(), facts.name);
    let mut element = container(element, facts.vendor, facts.manifest, image_purl(facts));
    element
        .checksums
        .push(Checksum::from(facts.manifest_sha512));
    merger.add(element);
    id
}

/// An image, or an index of images, by its digest.
pub(crate) fn container(
    mut element: Package,
    vendor: &str,
    digest: Sha256,
    address: String,
) -> Package {
    element.version_info = Some(digest.prefixed());
    element.supplier = Some(supplier(vendor));
    element.checksums.push(Checksum::from(digest));
    element.primary_package_purpose = Some("CONTAINER".to_owned());
    element.external_refs.push(ExternalRef::purl(address));
    element
}

/// `web:1.4`, or `web` where there is no tag.
pub(crate) fn tagged(name: &str, tag: Option<&str>) -> String {
    tag.map_or(name.to_owned(), |tag| format!("{name}:{tag}"))
}

/// The image's purl.
pub(crate) fn image_purl(facts: &ImageFacts<'_>) -> String {
    let architecture = Some(facts.architecture.go());
    purl::oci(facts.name, &facts.manifest, architecture, facts.tag)
}

fn layer_element(merger: &mut Merger, layer: LayerFact) -> String {
    let hex = layer.digest.to_string();
    let id = merger.idents.make("Layer", hex.get(..16).unwrap_or(&hex));
    let mut element = Package::new(id.clone(), layer.digest.prefixed());
    element.checksums.push(Checksum::from(layer.digest));
    element.primary_package_purpose = Some("ARCHIVE".to_owned());
    remark(
        &mut element,
        &format!("unpacked: {}", layer.diff_id.prefixed()),
    );
    merger.add(element);
    id
}

/// Adds what is known of one package: the elements of its own document, or one made here and
/// the reason why its own could not be used.
fn package_elements(
    merger: &mut Merger,
    vendor: &str,
    package: &ImagePackage<'_>,
    licence: &Licence,
) -> (String, Option<String>) {
    let own = match package.document {
        None => Err("it carries no SBOM".to_owned()),
        Some(Ok(own)) => merger.copy(own, package.name, package.version),
        Some(Err(reason)) => Err(reason.clone()),
    };
    let address = purl::apk(vendor, package.name, package.version, package.architecture);
    match own {
        Ok(id) => {
            if let Some(element) = merger.element_mut(&id) {
                let is_ours =
                    |one: &Checksum| matches!(one.algorithm.as_str(), "SHA256" | "SHA512");
                element.checksums.retain(|one| !is_ours(one));
                element.checksums.extend(checksums(package));
                if element.purl().is_none() {
                    element.external_refs.push(ExternalRef::purl(address));
                }
            }
            (id, None)
        }
        Err(reason) => {
            for extracted in &licence.extracted {
                merger.add_licence(extracted);
            }
            let name = format!("{}-{}", package.name, package.version);
            let mut element = Package::new(merger.idents.make("Package", &name), package.name);
            element.version_info = Some(package.version.to_owned());
            element.supplier = Some(supplier(vendor));
            describe(&mut element, package.description, package.url);
            element.license_declared = Some(licence.expression.clone());
            element.checksums = checksums(package);
            element.originator = originator(package.maintainer);
            element.external_refs.push(ExternalRef::purl(address));
            remark(&mut element, &reason);
            let id = element.id.clone();
            merger.add(element);
            (id, Some(reason))
        }
    }
}

fn checksums(package: &ImagePackage<'_>) -> Vec<Checksum> {
    let both = |(sha256, sha512)| vec![Checksum::from(sha256), Checksum::from(sha512)];
    package.digests.map(both).unwrap_or_default()
}

/// `Name <address>` as SPDX 2.3 writes a person (7.6): `Person: Name (address)`.
fn originator(maintainer: &str) -> Option<String> {
    let (name, address) = maintainer.split_once('<').unwrap_or((maintainer, ""));
    let (name, address) = (name.trim(), address.trim_end().trim_end_matches('>').trim());
    // What SPDX reads as an address ends a name.
    let name = name.replace(['(', ')'], "");
    match (name.as_str(), address) {
        ("" | "unknown", _) => None,
        (name, "") => Some(format!("Person: {name}")),
        (name, address) => Some(format!("Person: {name} ({address})")),
    }
}

fn relate_dependencies(merger: &mut Merger, parts: &[Parts<'_>]) {
    for part in parts {
        for target in part
            .package
            .depends_on
            .iter()
            .filter_map(|at| parts.get(*at))
        {
            if target.id != part.id {
                merger.relate(&part.id, "DEPENDS_ON", &target.id);
            }
        }
    }
}

/// The sources a package was generated from: address and SHA-256, by element id.
pub(crate) fn sources_of(spdx: &Document) -> BTreeMap<&str, Vec<&Package>> {
    let by_id: BTreeMap<&str, &Package> = spdx
        .packages
        .iter()
        .map(|one| (one.id.as_str(), one))
        .collect();
    let mut sources: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for relation in &spdx.relationships {
        if relation.kind == "GENERATED_FROM"
            && let Some(source) = by_id.get(relation.to.as_str())
        {
            sources.entry(&relation.from).or_default().push(source);
        }
    }
    sources
}
