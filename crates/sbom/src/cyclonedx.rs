//! `CycloneDX` 1.6 in JSON: types, written and never read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::image::{Gap, ImageFacts, ImagePackage, image_purl, sources_of};
use crate::licence::{Licence, NO_ASSERTION};
use crate::spdx::{self, Document};
use crate::{Error, Hash, IMAGE_WRITER_VERSION, ident, purl};

/// A package of an image with its SPDX id and its licence.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) package: &'a ImagePackage<'a>,
    pub(crate) id: String,
    pub(crate) licence: Licence,
}

/// A document (`CycloneDX` 1.6, ECMA-424).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bom {
    /// Always `CycloneDX`.
    #[serde(rename = "bomFormat")]
    pub format: &'static str,
    /// Always `1.6`.
    pub spec_version: &'static str,
    /// `urn:uuid:…`, from the content.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serial_number: String,
    /// Always 1: a changed document is another document.
    pub version: u32,
    /// What the document is about, and who made it.
    pub metadata: Metadata,
    /// What is inside.
    pub components: Vec<Component>,
    /// What needs what.
    pub dependencies: Vec<Dependency>,
    /// How complete the lists are.
    pub compositions: Vec<Composition>,
}

/// What a document is about, and who made it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metadata {
    /// RFC 3339 in UTC.
    pub timestamp: String,
    /// What made it.
    pub tools: Tools,
    /// What it is about.
    pub component: Component,
}

/// What made a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tools {
    /// The programs.
    pub components: Vec<Component>,
}

/// A thing: an image, a system, a package, a program.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Component {
    /// `container`, `operating-system`, `library`, `application`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name inside the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bom_ref: Option<String>,
    /// Who ships it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Supplier>,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<Supplier>,
    /// What it is called.
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Digests of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<Digest>,
    /// Its licence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<LicenceChoice>,
    /// Its package address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// Its addresses elsewhere.
    #[serde(rename = "externalReferences", skip_serializing_if = "Vec::is_empty")]
    pub external_references: Vec<Reference>,
    /// What the format has no field for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// Who ships something, or looks after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Supplier {
    /// The name.
    pub name: String,
}

/// A digest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Digest {
    /// `SHA-256` or `SHA-512`.
    pub alg: &'static str,
    /// Hexadecimal digits.
    pub content: String,
}

/// A licence: an expression, or a name that is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LicenceChoice {
    /// A valid SPDX expression; the only entry of its list.
    Expression(String),
    /// A licence known by a name only.
    License {
        /// The name.
        name: String,
    },
}

/// An address.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reference {
    /// The address.
    pub url: String,
    /// `website`, `source-distribution`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Digests of what is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<Digest>,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Property {
    /// The name, with `boltworks:` in front.
    pub name: &'static str,
    /// The value.
    pub value: String,
}

/// What one component needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// The component.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// How complete the parts of some components are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Composition {
    /// `complete` or `unknown`.
    pub aggregate: &'static str,
    /// The components.
    pub assemblies: Vec<String>,
}

fn sha256(content: &impl ToString) -> Digest {
    Digest {
        alg: "SHA-256",
        content: content.to_string(),
    }
}

fn sha512(content: &impl ToString) -> Digest {
    Digest {
        alg: "SHA-512",
        content: content.to_string(),
    }
}

impl Bom {
    /// The document of an image. `spdx` is the finished SPDX document, whose sources it names.
    pub(crate) fn for_image(
        facts: &ImageFacts<'_>,
        parts: &[Parts<'_>],
        spdx: &Document,
        gaps: &[Gap],
        hash: Hash,
    ) -> Result<Self, Error> {
        let image = image_component(facts);
        let image_ref = image.bom_ref.clone().unwrap_or_default();
        let sources = sources_of(spdx);
        let mut components = Vec::new();
        let mut inside = Vec::new();
        if let Some(os) = facts.os {
            let reference = format!("os:{}", ident::sanitized(os.id));
            inside.push(reference.clone());
            components.push(Component {
                kind: "operating-system",
                bom_ref: Some(reference),
                name: os.id.to_owned(),
                version: (!os.version.is_empty()).then(|| os.version.to_owned()),
                description: Some(os.name.to_owned()),
                ..Component::default()
            });
        }
        let refs: Vec<String> = parts
            .iter()
            .map(|part| address(facts, part.package))
            .collect();
        let mut dependencies = BTreeMap::new();
        for (part, reference) in parts.iter().zip(&refs) {
            inside.push(reference.clone());
            let made_from = sources.get(part.id.as_str()).map_or(&[][..], Vec::as_slice);
            components.push(package_component(facts, part, reference, made_from));
            dependencies.insert(reference.clone(), needs(part.package, reference, &refs));
        }
        dependencies.insert(image_ref.clone(), inside);
        let dependency = |(reference, depends_on)| Dependency {
            reference,
            depends_on,
        };
        let mut bom = Self {
            format: "CycloneDX",
            spec_version: "1.6",
            serial_number: String::new(),
            version: 1,
            metadata: Metadata {
                timestamp: facts.created.to_string(),
                tools: tools(),
                component: image,
            },
            components,
            dependencies: dependencies.into_iter().map(dependency).collect(),
            compositions: compositions(image_ref, parts, &refs, gaps),
        };
        bom.serial_number = format!("urn:uuid:{}", ident::uuid(&hash(&bom.to_json()?)));
        Ok(bom)
    }

    /// The document as compact JSON and a line end: equal documents are equal bytes.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn image_component(facts: &ImageFacts<'_>) -> Component {
    let purl = image_purl(facts);
    let layer = |digest: String| Property {
        name: "boltworks:layer",
        value: digest,
    };
    Component {
        kind: "container",
        bom_ref: Some(purl.clone()),
        supplier: supplier(facts.vendor),
        name: facts.name.to_owned(),
        version: Some(facts.manifest.prefixed()),
        hashes: vec![sha256(&facts.manifest), sha512(&facts.manifest_sha512)],
        purl: Some(purl),
        properties: facts
            .layers
            .iter()
            .map(|one| layer(one.digest.prefixed()))
            .collect(),
        ..Component::default()
    }
}

fn tools() -> Tools {
    let boltworks = Component {
        kind: "application",
        name: "boltworks".to_owned(),
        version: Some(IMAGE_WRITER_VERSION.to_owned()),
        ..Component::default()
    };
    Tools {
        components: vec![boltworks],
    }
}

fn supplier(vendor: &str) -> Option<Supplier> {
    (!vendor.is_empty()).then(|| Supplier {
        name: vendor.to_owned(),
    })
}

/// `Name <address>`, as it is; a word for nobody is nobody.
fn author(maintainer: &str) -> Option<Supplier> {
    (!matches!(maintainer, "" | "unknown")).then(|| Supplier {
        name: maintainer.to_owned(),
    })
}

fn address(facts: &ImageFacts<'_>, package: &ImagePackage<'_>) -> String {
    purl::apk(
        facts.vendor,
        package.name,
        package.version,
        package.architecture,
    )
}

fn package_component(
    facts: &ImageFacts<'_>,
    part: &Parts<'_>,
    reference: &str,
    made_from: &[&spdx::Package],
) -> Component {
    let package = part.package;
    let website = spdx::address(package.url).map(|url| Reference {
        url: url.to_owned(),
        kind: "website",
        hashes: Vec::new(),
    });
    let source = |source: &&spdx::Package| {
        let url = spdx::address(&source.download_location)?;
        let digests = source
            .checksums
            .iter()
            .filter(|one| one.algorithm == "SHA256");
        Some(Reference {
            url: url.to_owned(),
            kind: "source-distribution",
            hashes: digests.map(|one| sha256(&one.checksum_value)).collect(),
        })
    };
    Component {
        kind: "library",
        bom_ref: Some(reference.to_owned()),
        supplier: supplier(facts.vendor),
        authors: author(package.maintainer).into_iter().collect(),
        name: package.name.to_owned(),
        version: Some(package.version.to_owned()),
        description: (!package.description.is_empty()).then(|| package.description.to_owned()),
        hashes: match &package.digests {
            Some((first, second)) => vec![sha256(first), sha512(second)],
            None => Vec::new(),
        },
        licenses: licences(&part.licence),
        purl: Some(reference.to_owned()),
        external_references: website
            .into_iter()
            .chain(made_from.iter().filter_map(source))
            .collect(),
        properties: Vec::new(),
    }
}

/// A `LicenseRef-` of ours means nothing here, where no text can stand beside it: its text
/// becomes the licence's name.
fn licences(licence: &Licence) -> Vec<LicenceChoice> {
    if licence.expression == NO_ASSERTION {
        return Vec::new();
    }
    match licence.extracted.as_slice() {
        [only] if only.license_id == licence.expression => {
            vec![LicenceChoice::License {
                name: only.extracted_text.clone(),
            }]
        }
        _ => vec![LicenceChoice::Expression(licence.expression.clone())],
    }
}

/// The references of what a package needs, sorted, each once, without itself.
fn needs(package: &ImagePackage<'_>, own: &str, refs: &[String]) -> Vec<String> {
    let mut needs: Vec<String> = package
        .depends_on
        .iter()
        .filter_map(|at| refs.get(*at))
        .cloned()
        .collect();
    needs.retain(|reference| reference != own);
    needs.sort();
    needs.dedup();
    needs
}

/// The list of an image's packages is complete; what is inside a package with a gap is unknown.
fn compositions(
    image: String,
    parts: &[Parts<'_>],
    refs: &[String],
    gaps: &[Gap],
) -> Vec<Composition> {
    let gaps: BTreeSet<&str> = gaps.iter().map(|gap| gap.package.as_str()).collect();
    let is_gap = |package: &ImagePackage<'_>| {
        gaps.contains(format!("{}-{}", package.name, package.version).as_str())
    };
    let unknown: Vec<String> = parts
        .iter()
        .zip(refs)
        .filter(|(part, _)| is_gap(part.package))
        .map(|(_, reference)| reference.clone())
        .collect();
    let mut compositions = vec![Composition {
        aggregate: "complete",
        assemblies: vec![image],
    }];
    if !unknown.is_empty() {
        compositions.push(Composition {
            aggregate: "unknown",
            assemblies: unknown,
        });
    }
    compositions
}
