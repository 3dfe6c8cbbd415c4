//! The same facts in SPDX 3.0.1: JSON-LD, written and never read.
//!
//! A finished SPDX 2.3 [`Document`] is said again in the elements of the newer model (profiles
//! Core, Software and `SimpleLicensing`): a package becomes a `software_Package`, a relation the one
//! that means the same, turned round where the newer model has only the other direction. Licences
//! become elements of their own, and what nobody claims is left out instead of asserted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;
use crate::ident;
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

/// A document as JSON-LD: equal documents are equal bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph(Vec<u8>);

impl Graph {
    /// What a sealed document says. `unknown` are the ids of packages of which nobody knows what
    /// is in them.
    pub fn of(document: &Document, unknown: &BTreeSet<String>) -> Result<Self, Error> {
        Maker::new(document).run(document, unknown)
    }

    /// Compact JSON and a line end.
    pub fn as_json(&self) -> &[u8] {
        &self.0
    }
}

/// A graph while it grows.
struct Maker {
    namespace: String,
    /// The elements, each with a comma in front.
    elements: Vec<u8>,
    ids: Vec<String>,
    agents: BTreeMap<String, String>,
    licences: BTreeMap<String, String>,
    list_version: Option<String>,
    relations: usize,
}

/// An element while it grows: JSON without its last brace.
struct Element {
    id: String,
    text: Vec<u8>,
}

impl Element {
    fn new(kind: &str, id: String) -> Result<Self, Error> {
        let mut element = Self {
            text: Vec::with_capacity(256),
            id: String::new(),
        };
        element.text.extend_from_slice(b"{\"type\":");
        serde_json::to_writer(&mut element.text, kind)?;
        element.put("spdxId", &id)?;
        element.put("creationInfo", CREATION)?;
        element.id = id;
        Ok(element)
    }

    fn put<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        self.text.push(b',');
        serde_json::to_writer(&mut self.text, key)?;
        self.text.push(b':');
        Ok(serde_json::to_writer(&mut self.text, value)?)
    }
}

impl Maker {
    fn new(document: &Document) -> Self {
        let list = document.creation_info.license_list_version.as_ref();
        Self {
            namespace: ident::short_namespace(&document.namespace),
            elements: Vec::new(),
            ids: Vec::new(),
            agents: BTreeMap::new(),
            licences: BTreeMap::new(),
            // SPDX 3 wants three numbers.
            list_version: list.map(|version| format!("{version}.0")),
            relations: 0,
        }
    }

    fn add(&mut self, mut element: Element) {
        self.elements.push(b',');
        self.elements.append(&mut element.text);
        self.elements.push(b'}');
        self.ids.push(element.id);
    }

    fn run(mut self, document: &Document, unknown: &BTreeSet<String>) -> Result<Graph, Error> {
        let creators = self.creators(document)?;
        for licence in &document.has_extracted_licensing_infos {
            let id = self.id(&licence.license_id);
            let mut element = Element::new("simplelicensing_SimpleLicensingText", id)?;
            element.put("name", &licence.license_id)?;
            element.put("simplelicensing_licenseText", &licence.extracted_text)?;
            self.add(element);
        }
        for package in &document.packages {
            self.package(package)?;
        }
        self.relationships(document, unknown)?;
        let roots: Vec<String> = document.described().iter().map(|id| self.id(id)).collect();
        let mut element = Element::new("software_Sbom", self.id("Sbom"))?;
        element.put("name", &document.name)?;
        element.put("software_sbomType", &["build"])?;
        element.put("rootElement", &roots)?;
        element.put("element", &self.ids)?;
        let sbom = [element.id.clone()];
        self.add(element);
        let mut element = Element::new("SpdxDocument", self.id("Document"))?;
        element.put("name", &document.name)?;
        element.put("dataLicense", "https://spdx.org/licenses/CC0-1.0")?;
        let profiles = ["core", "software", "simpleLicensing"];
        element.put("profileConformance", &profiles)?;
        element.put("rootElement", &sbom)?;
        element.put("element", &self.ids)?;
        self.add(element);
        let head = format!("{{\"@context\":\"{CONTEXT}\",\"@graph\":[{creators}");
        let mut text = head.into_bytes();
        text.append(&mut self.elements);
        text.extend_from_slice(b"]}\n");
        Ok(Graph(text))
    }

    /// Who made the document and when.
    fn creators(&mut self, document: &Document) -> Result<Value, Error> {
        let info = &document.creation_info;
        let (mut by, mut using) = (Vec::new(), Vec::new());
        for creator in &info.creators {
            match creator.strip_prefix("Tool: ") {
                Some(tool) => {
                    let id = self.id(&format!("Tool-{}", using.len() + 1));
                    let mut element = Element::new("Tool", id.clone())?;
                    element.put("name", tool)?;
                    self.add(element);
                    using.push(id);
                }
                None => by.extend(self.agent(creator)?),
            }
        }
        if by.is_empty() {
            by.extend(self.agent("SoftwareAgent: boltworks")?);
        }
        Ok(json!({
            "type": "CreationInfo",
            "@id": CREATION,
            "specVersion": VERSION,
            "created": info.created,
            "createdBy": by,
            "createdUsing": using,
        }))
    }

    fn package(&mut self, package: &Package) -> Result<(), Error> {
        let id = self.id(&package.id);
        let mut element = Element::new("software_Package", id.clone())?;
        element.put("name", &package.name)?;
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
                element.put(key, text)?;
            }
        }
        if let Some(purpose) = &package.primary_package_purpose {
            element.put("software_primaryPurpose", purpose_of(purpose))?;
        }
        let hashes: Vec<Hash<'_>> = package.checksums.iter().map(hash).collect();
        if !hashes.is_empty() {
            element.put("verifiedUsing", &hashes)?;
        }
        let (names, places) = external(&package.external_refs);
        if !names.is_empty() {
            element.put("externalIdentifier", &names)?;
        }
        if !places.is_empty() {
            element.put("externalRef", &places)?;
        }
        let agent = |maker: &mut Self, text: Option<&String>| {
            let agent = text.map(|text| maker.agent(text)).transpose()?;
            Ok::<_, Error>(agent.flatten())
        };
        if let Some(agent) = agent(self, package.supplier.as_ref())? {
            element.put("suppliedBy", &agent)?;
        }
        if let Some(agent) = agent(self, package.originator.as_ref())? {
            element.put("originatedBy", &[agent])?;
        }
        self.add(element);
        for (kind, expression) in [
            ("hasDeclaredLicense", &package.license_declared),
            ("hasConcludedLicense", &package.license_concluded),
        ] {
            if let Some(text) = expression.as_deref().filter(|text| is_claim(text)) {
                let licence = self.licence(text)?;
                self.relate((&id, kind, &[licence]), None)?;
            }
        }
        Ok(())
    }

    /// `Organization: web` as an element; none where nobody is named.
    fn agent(&mut self, text: &str) -> Result<Option<String>, Error> {
        let Some((kind, name)) = text.split_once(": ") else {
            return Ok(None);
        };
        let kind = match kind {
            "Organization" => "Organization",
            "Person" => "Person",
            _ => "SoftwareAgent",
        };
        if let Some(known) = self.agents.get(text) {
            return Ok(Some(known.clone()));
        }
        let id = self.id(&format!("Agent-{}", self.agents.len() + 1));
        let mut element = Element::new(kind, id.clone())?;
        element.put("name", name)?;
        self.add(element);
        self.agents.insert(text.to_owned(), id.clone());
        Ok(Some(id))
    }

    fn licence(&mut self, expression: &str) -> Result<String, Error> {
        if let Some(known) = self.licences.get(expression) {
            return Ok(known.clone());
        }
        let id = self.id(&format!("Licence-{}", self.licences.len() + 1));
        let mut element = Element::new("simplelicensing_LicenseExpression", id.clone())?;
        element.put("simplelicensing_licenseExpression", expression)?;
        if let Some(version) = &self.list_version {
            element.put("simplelicensing_licenseListVersion", version)?;
        }
        let is_idchar = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        let words: BTreeSet<&str> = expression.split(|c| !is_idchar(c)).collect();
        let own = words.iter().filter(|word| word.starts_with("LicenseRef-"));
        let entry =
            |word: &&str| json!({"type": "DictionaryEntry", "key": word, "value": self.id(word)});
        let own: Vec<Value> = own.map(entry).collect();
        if !own.is_empty() {
            element.put("simplelicensing_customIdToUri", &own)?;
        }
        self.add(element);
        self.licences.insert(expression.to_owned(), id.clone());
        Ok(id)
    }

    /// One element for all that an element has the same relation to.
    fn relationships(
        &mut self,
        document: &Document,
        unknown: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let mut places: HashMap<(&str, Relation<'_>), usize> = HashMap::new();
        let mut rows: Vec<((&str, Relation<'_>), Vec<String>)> = Vec::new();
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
            let key = (from.as_str(), kind);
            let place = *places.entry(key).or_insert_with(|| {
                rows.push((key, Vec::new()));
                rows.len() - 1
            });
            if let Some((_, targets)) = rows.get_mut(place) {
                targets.push(self.target(to));
            }
        }
        for ((from, kind), to) in rows {
            let from = self.target(from);
            self.relate((&from, kind.name, &to), kind.comment)?;
        }
        for id in unknown {
            let from = self.id(id);
            let comment = "what is in it is not known";
            self.relate((&from, "contains", &[UNKNOWN.to_owned()]), Some(comment))?;
        }
        Ok(())
    }

    fn relate(
        &mut self,
        (from, kind, to): (&str, &str, &[String]),
        comment: Option<&str>,
    ) -> Result<(), Error> {
        self.relations += 1;
        let id = self.id(&format!("Relationship-{}", self.relations));
        let mut element = Element::new("Relationship", id)?;
        element.put("from", from)?;
        element.put("relationshipType", kind)?;
        element.put("to", to)?;
        if to.iter().any(|id| id == UNKNOWN) {
            element.put("completeness", "noAssertion")?;
        }
        if let Some(comment) = comment {
            element.put("comment", comment)?;
        }
        self.add(element);
        Ok(())
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
}

/// Whether a text of SPDX 2.3 says anything.
fn is_claim(text: &str) -> bool {
    text != NO_ASSERTION && text != "NONE"
}

#[derive(Serialize)]
struct Hash<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    algorithm: &'static str,
    #[serde(rename = "hashValue")]
    value: &'a str,
}

/// The algorithms that both models call the same.
const KNOWN: [&str; 11] = [
    "sha1", "sha224", "sha256", "sha384", "sha512", "md2", "md4", "md5", "md6", "blake3", "adler32",
];

fn hash(checksum: &Checksum) -> Hash<'_> {
    let algorithm = checksum.algorithm.to_ascii_lowercase();
    let algorithm = match algorithm.as_str() {
        "sha3-256" => "sha3_256",
        "sha3-384" => "sha3_384",
        "sha3-512" => "sha3_512",
        "blake2b-256" => "blake2b256",
        "blake2b-384" => "blake2b384",
        "blake2b-512" => "blake2b512",
        known => KNOWN.iter().find(|one| **one == known).unwrap_or(&"other"),
    };
    Hash {
        kind: "Hash",
        algorithm,
        value: &checksum.checksum_value,
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Relation<'a> {
    name: &'static str,
    /// Whether it is said the other way round.
    turned: bool,
    comment: Option<&'a str>,
}

/// SPDX 3.0.1, annex "Diffs from previous editions".
fn relation_of(relation: &Relationship) -> Relation<'_> {
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
                comment: Some(&relation.kind),
            };
        }
    };
    Relation {
        name,
        turned,
        comment: None,
    }
}
