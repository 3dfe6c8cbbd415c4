//! The same facts in SPDX 3.0.1: JSON-LD, written and never read.
//!
//! A finished SPDX 2.3 [`Document`] is said again in the elements of the newer model (profiles
//! Core, Software and `SimpleLicensing`): a package becomes a `software_Package`, a relation the one
//! that means the same, turned round where the newer model has only the other direction. Licences
//! become elements of their own, and what nobody claims is left out instead of asserted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Error;
use crate::licence::NO_ASSERTION;
use crate::package::add_to;
use crate::spdx::{Checksum, DOCUMENT_ID, Document, ExternalRef, Package, Relationship, address};

/// What the elements' terms mean (SPDX 3.0.1, serialization).
const CONTEXT: &str = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
const VERSION: &str = "3.0.1";
/// The element for what is there and nobody knows.
const UNKNOWN: &str = "https://spdx.org/rdf/3.0.1/terms/Core/NoAssertionElement";
/// The element for what is not there.
const NOTHING: &str = "https://spdx.org/rdf/3.0.1/terms/Core/NoneElement";
/// The one creation information of all elements.
const CREATION: &str = "_:creation";

/// A document as JSON-LD.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Graph {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@graph")]
    elements: Vec<Value>,
}

impl Graph {
    /// What a sealed document says. `unknown` are the ids of packages of which nobody knows what
    /// is in them.
    pub fn of(document: &Document, unknown: &BTreeSet<String>) -> Self {
        Maker::new(document).run(document, unknown)
    }

    /// The document as compact JSON and a line end: equal documents are equal bytes.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// A graph while it grows.
struct Maker {
    namespace: String,
    elements: Vec<Value>,
    ids: Vec<String>,
    agents: BTreeMap<String, String>,
    licences: BTreeMap<String, String>,
    list_version: Option<String>,
    relations: usize,
}

impl Maker {
    fn new(document: &Document) -> Self {
        let list = document.creation_info.license_list_version.as_ref();
        Self {
            namespace: format!("{}-3", document.namespace),
            elements: Vec::new(),
            ids: Vec::new(),
            agents: BTreeMap::new(),
            licences: BTreeMap::new(),
            // SPDX 3 wants three numbers.
            list_version: list.map(|version| format!("{version}.0")),
            relations: 0,
        }
    }

    fn run(mut self, document: &Document, unknown: &BTreeSet<String>) -> Graph {
        let creators = self.creators(document);
        for licence in &document.has_extracted_licensing_infos {
            let id = self.id(&licence.license_id);
            let mut element = begin("simplelicensing_SimpleLicensingText", &id);
            put(&mut element, "name", &licence.license_id);
            put(
                &mut element,
                "simplelicensing_licenseText",
                &licence.extracted_text,
            );
            self.add(element);
        }
        for package in &document.packages {
            self.package(package);
        }
        self.relationships(document, unknown);
        let roots: Vec<String> = document.described().iter().map(|id| self.id(id)).collect();
        let (sbom, whole) = (self.id("Sbom"), self.id("Document"));
        let mut element = begin("software_Sbom", &sbom);
        put(&mut element, "name", &document.name);
        element.insert("software_sbomType".to_owned(), json!(["build"]));
        element.insert("rootElement".to_owned(), json!(roots));
        element.insert("element".to_owned(), json!(self.ids));
        self.add(element);
        let mut element = begin("SpdxDocument", &whole);
        put(&mut element, "name", &document.name);
        let licence = "https://spdx.org/licenses/CC0-1.0";
        put(&mut element, "dataLicense", licence);
        let profiles = ["core", "software", "simpleLicensing"];
        element.insert("profileConformance".to_owned(), json!(profiles));
        element.insert("rootElement".to_owned(), json!([sbom]));
        element.insert("element".to_owned(), json!(self.ids));
        self.add(element);
        let mut elements = vec![creators];
        elements.append(&mut self.elements);
        Graph {
            context: CONTEXT,
            elements,
        }
    }

    /// Who made the document and when.
    fn creators(&mut self, document: &Document) -> Value {
        let info = &document.creation_info;
        let (mut by, mut using) = (Vec::new(), Vec::new());
        for creator in &info.creators {
            match creator.strip_prefix("Tool: ") {
                Some(tool) => {
                    let id = self.id(&format!("Tool-{}", using.len() + 1));
                    let mut element = begin("Tool", &id);
                    put(&mut element, "name", tool);
                    self.add(element);
                    using.push(id);
                }
                None => by.extend(self.agent(creator)),
            }
        }
        if by.is_empty() {
            by.extend(self.agent("SoftwareAgent: boltworks"));
        }
        json!({
            "type": "CreationInfo",
            "@id": CREATION,
            "specVersion": VERSION,
            "created": info.created,
            "createdBy": by,
            "createdUsing": using,
        })
    }

    fn package(&mut self, package: &Package) {
        let id = self.id(&package.id);
        let mut element = begin("software_Package", &id);
        put(&mut element, "name", &package.name);
        let mut comment = package.comment.clone();
        let homepage = package.homepage.as_deref().filter(|url| is_claim(url));
        if let Some(url) = homepage.filter(|url| address(url).is_none()) {
            add_to(&mut comment, &format!("home page: {url}"));
        }
        for (key, text) in [
            ("description", package.description.as_deref()),
            ("comment", comment.as_deref()),
            ("software_packageVersion", package.version_info.as_deref()),
            ("software_homePage", homepage.and_then(address)),
            (
                "software_downloadLocation",
                Some(package.download_location.as_str()),
            ),
            ("software_copyrightText", package.copyright_text.as_deref()),
            ("software_sourceInfo", package.source_info.as_deref()),
            ("software_packageUrl", package.purl()),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty() && is_claim(text)) {
                put(&mut element, key, text);
            }
        }
        if let Some(purpose) = &package.primary_package_purpose {
            put(&mut element, "software_primaryPurpose", purpose_of(purpose));
        }
        let hashes: Vec<Value> = package.checksums.iter().map(hash).collect();
        let (names, places) = external(&package.external_refs);
        for (key, list) in [
            ("verifiedUsing", hashes),
            ("externalIdentifier", names),
            ("externalRef", places),
        ] {
            if !list.is_empty() {
                element.insert(key.to_owned(), Value::Array(list));
            }
        }
        let supplier = package.supplier.as_deref();
        if let Some(agent) = supplier.and_then(|text| self.agent(text)) {
            put(&mut element, "suppliedBy", &agent);
        }
        if let Some(agent) = package
            .originator
            .as_deref()
            .and_then(|text| self.agent(text))
        {
            element.insert("originatedBy".to_owned(), json!([agent]));
        }
        self.add(element);
        for (kind, expression) in [
            ("hasDeclaredLicense", &package.license_declared),
            ("hasConcludedLicense", &package.license_concluded),
        ] {
            let expression = expression.as_deref().filter(|text| is_claim(text));
            if let Some(licence) = expression.map(|text| self.licence(text)) {
                self.relate((&id, kind, &[licence]), None);
            }
        }
    }

    /// `Organization: web` as an element; none where nobody is named.
    fn agent(&mut self, text: &str) -> Option<String> {
        let (kind, name) = text.split_once(": ")?;
        let kind = match kind {
            "Organization" => "Organization",
            "Person" => "Person",
            _ => "SoftwareAgent",
        };
        if let Some(known) = self.agents.get(text) {
            return Some(known.clone());
        }
        let id = self.id(&format!("Agent-{}", self.agents.len() + 1));
        let mut element = begin(kind, &id);
        put(&mut element, "name", name);
        self.add(element);
        self.agents.insert(text.to_owned(), id.clone());
        Some(id)
    }

    fn licence(&mut self, expression: &str) -> String {
        if let Some(known) = self.licences.get(expression) {
            return known.clone();
        }
        let id = self.id(&format!("Licence-{}", self.licences.len() + 1));
        let mut element = begin("simplelicensing_LicenseExpression", &id);
        put(
            &mut element,
            "simplelicensing_licenseExpression",
            expression,
        );
        if let Some(version) = &self.list_version {
            put(&mut element, "simplelicensing_licenseListVersion", version);
        }
        let is_idchar = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        let words: BTreeSet<&str> = expression.split(|c| !is_idchar(c)).collect();
        let own = words.iter().filter(|word| word.starts_with("LicenseRef-"));
        let entry =
            |word: &&str| json!({"type": "DictionaryEntry", "key": word, "value": self.id(word)});
        let own: Vec<Value> = own.map(entry).collect();
        if !own.is_empty() {
            element.insert("simplelicensing_customIdToUri".to_owned(), json!(own));
        }
        self.add(element);
        self.licences.insert(expression.to_owned(), id.clone());
        id
    }

    /// One element for all that an element has the same relation to.
    fn relationships(&mut self, document: &Document, unknown: &BTreeSet<String>) {
        let mut order = Vec::new();
        let mut targets: BTreeMap<(String, Relation), Vec<String>> = BTreeMap::new();
        for relation in &document.relationships {
            if relation.kind == "DESCRIBES" && relation.from == DOCUMENT_ID {
                continue;
            }
            let kind = relation_of(relation);
            let (from, to) = if kind.turned {
                (&relation.to, &relation.from)
            } else {
                (&relation.from, &relation.to)
            };
            let key = (from.clone(), kind);
            let to = self.target(to);
            targets
                .entry(key)
                .or_insert_with_key(|key| {
                    order.push(key.clone());
                    Vec::new()
                })
                .push(to);
        }
        for key in order {
            let to = targets.remove(&key).unwrap_or_default();
            let (from, kind) = key;
            let from = self.target(&from);
            self.relate((&from, kind.name, &to), kind.comment.as_deref());
        }
        for id in unknown {
            let from = self.id(id);
            let comment = "what is in it is not known";
            self.relate((&from, "contains", &[UNKNOWN.to_owned()]), Some(comment));
        }
    }

    fn relate(&mut self, (from, kind, to): (&str, &str, &[String]), comment: Option<&str>) {
        self.relations += 1;
        let id = self.id(&format!("Relationship-{}", self.relations));
        let mut element = begin("Relationship", &id);
        put(&mut element, "from", from);
        put(&mut element, "relationshipType", kind);
        element.insert("to".to_owned(), json!(to));
        if to.iter().any(|id| id == UNKNOWN) {
            put(&mut element, "completeness", "noAssertion");
        }
        if let Some(comment) = comment {
            put(&mut element, "comment", comment);
        }
        self.add(element);
    }

    /// An element's address.
    fn id(&self, local: &str) -> String {
        format!("{}#{local}", self.namespace)
    }

    fn target(&self, local: &str) -> String {
        match local {
            NO_ASSERTION => UNKNOWN.to_owned(),
            "NONE" => NOTHING.to_owned(),
            DOCUMENT_ID => self.id("Document"),
            local => self.id(local),
        }
    }

    fn add(&mut self, element: Map<String, Value>) {
        let id = element.get("spdxId").and_then(Value::as_str);
        self.ids.extend(id.map(str::to_owned));
        self.elements.push(Value::Object(element));
    }
}

fn begin(kind: &str, id: &str) -> Map<String, Value> {
    let mut element = Map::new();
    put(&mut element, "type", kind);
    put(&mut element, "spdxId", id);
    put(&mut element, "creationInfo", CREATION);
    element
}

fn put(element: &mut Map<String, Value>, key: &str, text: &str) {
    element.insert(key.to_owned(), text.into());
}

/// Whether a text of SPDX 2.3 says anything.
fn is_claim(text: &str) -> bool {
    text != NO_ASSERTION && text != "NONE"
}

fn hash(checksum: &Checksum) -> Value {
    let algorithm = checksum.algorithm.to_ascii_lowercase();
    let algorithm = match algorithm.as_str() {
        "sha3-256" => "sha3_256",
        "sha3-384" => "sha3_384",
        "sha3-512" => "sha3_512",
        "blake2b-256" => "blake2b256",
        "blake2b-384" => "blake2b384",
        "blake2b-512" => "blake2b512",
        known @ ("sha1" | "sha224" | "sha256" | "sha384" | "sha512" | "md2" | "md4" | "md5"
        | "md6" | "blake3" | "adler32") => known,
        _ => "other",
    };
    json!({"type": "Hash", "algorithm": algorithm, "hashValue": checksum.checksum_value})
}

/// Names of a package elsewhere, and places that tell of it.
fn external(references: &[ExternalRef]) -> (Vec<Value>, Vec<Value>) {
    let (mut names, mut places) = (Vec::new(), Vec::new());
    for reference in references {
        let locator = &reference.reference_locator;
        let name = match reference.reference_type.as_str() {
            "purl" => "packageUrl",
            "cpe23Type" => "cpe23",
            "cpe22Type" => "cpe22",
            "swid" => "swid",
            "swh" => "swhid",
            "gitoid" => "gitoid",
            "advisory" | "fix" | "url" => {
                let kind = match reference.reference_type.as_str() {
                    "advisory" => "securityAdvisory",
                    "fix" => "securityFix",
                    _ => "securityOther",
                };
                places.push(json!({
                    "type": "ExternalRef", "externalRefType": kind, "locator": [locator],
                }));
                continue;
            }
            _ => "other",
        };
        names.push(json!({
            "type": "ExternalIdentifier", "externalIdentifierType": name, "identifier": locator,
        }));
    }
    (names, places)
}

fn purpose_of(purpose: &str) -> &'static str {
    match purpose {
        "APPLICATION" => "application",
        "ARCHIVE" => "archive",
        "CONTAINER" => "container",
        "DEVICE" => "device",
        "FILE" => "file",
        "FIRMWARE" => "firmware",
        "FRAMEWORK" => "framework",
        "INSTALL" => "install",
        "LIBRARY" => "library",
        "OPERATING-SYSTEM" => "operatingSystem",
        "SOURCE" => "source",
        _ => "other",
    }
}

/// What a relation is called in the newer model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Relation {
    name: &'static str,
    /// Whether it is said the other way round.
    turned: bool,
    comment: Option<String>,
}

/// SPDX 3.0.1, annex "Diffs from previous editions".
fn relation_of(relation: &Relationship) -> Relation {
    let (name, turned) = match relation.kind.as_str() {
        "AMENDS" => ("amendedBy", true),
        "ANCESTOR_OF" => ("ancestorOf", false),
        "CONTAINS" => ("contains", false),
        "CONTAINED_BY" => ("contains", true),
        "COPY_OF" => ("copiedTo", true),
        "DEPENDS_ON" => ("dependsOn", false),
        "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => ("dependsOn", true),
        "DESCENDANT_OF" => ("descendantOf", false),
        "DESCRIBES" => ("describes", false),
        "DESCRIBED_BY" => ("describes", true),
        "DISTRIBUTION_ARTIFACT" => ("hasDistributionArtifact", false),
        "DOCUMENTATION_OF" => ("hasDocumentation", true),
        "DYNAMIC_LINK" => ("hasDynamicLink", false),
        "EXPANDED_FROM_ARCHIVE" => ("expandsTo", true),
        "FILE_ADDED" => ("hasAddedFile", true),
        "FILE_DELETED" => ("hasDeletedFile", true),
        "GENERATED_FROM" => ("generates", true),
        "GENERATES" => ("generates", false),
        "PACKAGE_OF" => ("packagedBy", true),
        "PATCH_FOR" | "PATCH_APPLIED" => ("patchedBy", true),
        "STATIC_LINK" => ("hasStaticLink", false),
        "VARIANT_OF" => ("hasVariant", true),
        _ => {
            return Relation {
                name: "other",
                turned: false,
                comment: Some(relation.kind.clone()),
            };
        }
    };
    Relation {
        name,
        turned,
        comment: None,
    }
}
