//! SPDX 2.3 documents in JSON: types, strict writing, bounded reading.
//!
//! What a foreign document says beyond these fields is kept in `other` and written again.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::{Sha256, Sha512, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::licence::NO_ASSERTION;
use crate::{Error, Hash, IMAGE_WRITER_VERSION, WRITER_VERSION, ident};

/// The id every document has itself.
pub const DOCUMENT_ID: &str = "SPDXRef-DOCUMENT";
/// The most bytes of one document that are read.
pub const MAX_BYTES: usize = 32 << 20;
/// The most elements of one kind in one document.
const MAX_ELEMENTS: usize = 200_000;

/// A document (SPDX 2.3, clause 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Always `SPDX-2.3` when written here.
    pub spdx_version: String,
    /// Always `CC0-1.0`.
    pub data_license: String,
    /// Always [`DOCUMENT_ID`].
    #[serde(rename = "SPDXID")]
    pub id: String,
    /// What the document is called.
    pub name: String,
    /// A URI that no other document has.
    #[serde(rename = "documentNamespace")]
    pub namespace: String,
    /// Who made it and when.
    pub creation_info: CreationInfo,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What the document is about; an older form of `DESCRIBES`.
    #[serde(
        default,
        rename = "documentDescribes",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub describes: Vec<String>,
    /// The packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
    /// The files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Value>,
    /// What `LicenseRef-` identifiers stand for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has_extracted_licensing_infos: Vec<ExtractedLicence>,
    /// How the elements hang together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relationships: Vec<Relationship>,
    /// What this crate does not read.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// Who made a document and when (SPDX 2.3, 6.7 to 6.9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationInfo {
    /// RFC 3339 in UTC.
    pub created: String,
    /// `Tool: …`, `Organization: …`.
    pub creators: Vec<String>,
    /// The licence list that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_list_version: Option<String>,
    /// What this crate does not read.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A package: anything that is shipped as one (SPDX 2.3, clause 7).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// What it is called.
    pub name: String,
    /// Its id in the document.
    #[serde(rename = "SPDXID")]
    pub id: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_info: Option<String>,
    /// `Organization: …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<String>,
    /// Who made it, where that is somebody else: `Organization: …`, `Person: …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originator: Option<String>,
    /// Where it comes from, or `NOASSERTION`.
    pub download_location: String,
    /// Whether its files are listed; `None` means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_analyzed: Option<bool>,
    /// Digests of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
    /// Its project's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// What is known of its origin, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_info: Option<String>,
    /// The licence found by looking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_concluded: Option<String>,
    /// The licence it states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_declared: Option<String>,
    /// Copyright lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copyright_text: Option<String>,
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Its names elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_refs: Vec<ExternalRef>,
    /// What it is for: `CONTAINER`, `SOURCE`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_package_purpose: Option<String>,
    /// What this crate does not read.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Package {
    /// A package of which nothing is claimed but its name.
    pub fn new(id: String, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            download_location: NO_ASSERTION.to_owned(),
            files_analyzed: Some(false),
            license_concluded: Some(NO_ASSERTION.to_owned()),
            license_declared: Some(NO_ASSERTION.to_owned()),
            copyright_text: Some(NO_ASSERTION.to_owned()),
            ..Self::default()
        }
    }

    /// Its purl, where it has one.
    pub fn purl(&self) -> Option<&str> {
        let is_purl = |one: &&ExternalRef| one.reference_type == "purl";
        self.external_refs
            .iter()
            .find(is_purl)
            .map(|one| one.reference_locator.as_str())
    }
}

/// A digest of a package (SPDX 2.3, 7.10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checksum {
    /// `SHA256`, `SHA1`, …
    pub algorithm: String,
    /// Hexadecimal digits.
    pub checksum_value: String,
}

impl From<Sha256> for Checksum {
    fn from(digest: Sha256) -> Self {
        Self {
            algorithm: "SHA256".to_owned(),
            checksum_value: digest.to_string(),
        }
    }
}

impl From<Sha512> for Checksum {
    fn from(digest: Sha512) -> Self {
        Self {
            algorithm: "SHA512".to_owned(),
            checksum_value: digest.to_string(),
        }
    }
}

/// A package's name elsewhere (SPDX 2.3, 7.21).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalRef {
    /// `PACKAGE-MANAGER`, `SECURITY`, …
    pub reference_category: String,
    /// `purl`, `cpe23Type`, …
    pub reference_type: String,
    /// The name.
    pub reference_locator: String,
    /// What this crate does not read.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl ExternalRef {
    /// A purl.
    pub fn purl(locator: String) -> Self {
        Self {
            reference_category: "PACKAGE-MANAGER".to_owned(),
            reference_type: "purl".to_owned(),
            reference_locator: locator,
            other: BTreeMap::new(),
        }
    }
}

/// What a `LicenseRef-` stands for (SPDX 2.3, clause 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractedLicence {
    /// The `LicenseRef-…`.
    pub license_id: String,
    /// Its text.
    pub extracted_text: String,
    /// What this crate does not read.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl ExtractedLicence {
    /// A reference and its text.
    pub const fn new(license_id: String, extracted_text: String) -> Self {
        Self {
            license_id,
            extracted_text,
            other: BTreeMap::new(),
        }
    }
}

/// How two elements hang together (SPDX 2.3, clause 11).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Relationship {
    /// The one.
    #[serde(rename = "spdxElementId")]
    pub from: String,
    /// `CONTAINS`, `GENERATED_FROM`, …
    #[serde(rename = "relationshipType")]
    pub kind: String,
    /// The other.
    #[serde(rename = "relatedSpdxElement")]
    pub to: String,
    /// What this crate does not read.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Relationship {
    /// `from` *kind* `to`.
    pub fn new(from: &str, kind: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            kind: kind.to_owned(),
            to: to.to_owned(),
            other: BTreeMap::new(),
        }
    }
}

impl Document {
    /// A package's document without elements.
    pub fn new(name: String, organization: &str, created: Timestamp) -> Self {
        Self::by(WRITER_VERSION, name, organization, created)
    }

    /// The same of an image or an index.
    pub(crate) fn of_image(name: String, organization: &str, created: Timestamp) -> Self {
        Self::by(IMAGE_WRITER_VERSION, name, organization, created)
    }

    fn by(writer: &str, name: String, organization: &str, created: Timestamp) -> Self {
        let mut creators = vec![format!("Tool: boltworks-{writer}")];
        if !organization.is_empty() {
            creators.push(format!("Organization: {organization}"));
        }
        Self {
            spdx_version: "SPDX-2.3".to_owned(),
            data_license: "CC0-1.0".to_owned(),
            id: DOCUMENT_ID.to_owned(),
            name,
            namespace: String::new(),
            creation_info: CreationInfo {
                created: created.to_string(),
                creators,
                license_list_version: license_list(),
                other: BTreeMap::new(),
            },
            comment: None,
            describes: Vec::new(),
            packages: Vec::new(),
            files: Vec::new(),
            has_extracted_licensing_infos: Vec::new(),
            relationships: Vec::new(),
            other: BTreeMap::new(),
        }
    }

    /// Adds a relation.
    pub(crate) fn relate(&mut self, from: &str, kind: &str, to: &str) {
        self.relationships.push(Relationship::new(from, kind, to));
    }

    /// Gives the document the namespace that its content has, and no other content.
    pub(crate) fn seal(self, hash: Hash) -> Result<Self, Error> {
        Ok(self.sealed(hash)?.0)
    }

    /// The same, and the document as JSON.
    pub(crate) fn sealed(mut self, hash: Hash) -> Result<(Self, Vec<u8>), Error> {
        const NONE: &[u8] = b"\"documentNamespace\":\"\"";
        self.namespace.clear();
        let mut json = self.to_json()?;
        self.namespace = ident::namespace(&self.name, &hash(&json));
        // In texts there is a stroke before such quotes.
        let place = json.windows(NONE.len()).position(|part| part == NONE);
        let Some(place) = place.map(|place| place + NONE.len() - 2) else {
            let json = self.to_json()?;
            return Ok((self, json));
        };
        let namespace = serde_json::to_vec(&self.namespace)?;
        json.splice(place..place + 2, namespace);
        Ok((self, json))
    }

    /// The document as compact JSON and a line end: equal documents are equal bytes.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a document of at most [`MAX_BYTES`].
    ///
    /// An error where it is not SPDX 2.2 or 2.3, has an id twice or of a wrong form, or has
    /// more than 200,000 elements of a kind.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let limit = |what, found, limit| {
            if found > limit {
                Err(Error::TooLarge { what, found, limit })
            } else {
                Ok(())
            }
        };
        limit("bytes", bytes.len(), MAX_BYTES)?;
        let document: Self = serde_json::from_slice(bytes)?;
        limit("packages", document.packages.len(), MAX_ELEMENTS)?;
        let licences = document.has_extracted_licensing_infos.len();
        limit("licences", licences, MAX_ELEMENTS)?;
        limit("files", document.files.len(), MAX_ELEMENTS)?;
        limit("relationships", document.relationships.len(), MAX_ELEMENTS)?;
        if !matches!(document.spdx_version.as_str(), "SPDX-2.2" | "SPDX-2.3") {
            return Err(Error::Rule(format!(
                "its version is '{}'",
                document.spdx_version
            )));
        }
        if document.id != DOCUMENT_ID {
            return Err(Error::Rule(format!("its id is '{}'", document.id)));
        }
        let mut seen = BTreeSet::from([DOCUMENT_ID]);
        for package in &document.packages {
            if !is_id(&package.id) {
                return Err(Error::Rule(format!("'{}' is no element id", package.id)));
            }
            if !seen.insert(&package.id) {
                return Err(Error::Rule(format!(
                    "two elements have the id {}",
                    package.id
                )));
            }
        }
        Ok(document)
    }

    /// Whether the document is about a package of this name.
    pub fn names_package(&self, name: &str) -> bool {
        let described: BTreeSet<&str> = self.described().into_iter().collect();
        self.packages
            .iter()
            .any(|one| one.name == name && described.contains(one.id.as_str()))
    }

    /// The ids of the elements the document is about, in its order, each once.
    pub fn described(&self) -> Vec<&str> {
        let describes = |one: &&Relationship| one.kind == "DESCRIBES" && one.from == DOCUMENT_ID;
        let related = self.relationships.iter().filter(describes);
        let mut seen = BTreeSet::new();
        self.describes
            .iter()
            .chain(related.map(|one| &one.to))
            .map(String::as_str)
            .filter(|id| seen.insert(*id))
            .collect()
    }
}

/// Whether a text is an element id: `SPDXRef-` and letters, digits, `.` and `-`.
pub(crate) fn is_id(text: &str) -> bool {
    text.strip_prefix("SPDXRef-").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
    })
}

/// The version of the licence list, `3.27` of the crate's `3.27.0`: SPDX wants two numbers.
fn license_list() -> Option<String> {
    let mut numbers = ::spdx::license_version().trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    (major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok())
        .then(|| format!("{major}.{minor}"))
}

/// A text as SPDX takes it for a home page or a download location: an address with a scheme
/// and a host that has a dot. Anything else is `None`, and stands in a comment instead.
pub(crate) fn address(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    let (_, top) = host.rsplit_once('.')?;
    let is_good = matches!(
        scheme,
        "http" | "https" | "ftp" | "git" | "ssh" | "svn" | "sftp"
    ) && !host.contains('@')
        && host.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.first().is_some_and(u8::is_ascii_alphanumeric)
                && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
                && bytes
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        })
        && top.len() >= 2
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    is_good.then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        Document::from_json(text.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_not_read_is_kept() {
        let text = r#"{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"x","documentNamespace":"urn:x","creationInfo":{"created":"2026-01-01T00:00:00Z","creators":["Tool: x"]},"packages":[{"name":"a","SPDXID":"SPDXRef-a","downloadLocation":"NONE","builtDate":"2026-01-01T00:00:00Z"}],"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-a"}],"snippets":[]}"#;
        let document = Document::from_json(text.as_bytes()).unwrap();
        assert_eq!(document.described(), ["SPDXRef-a"]);
        assert_eq!(
            String::from_utf8(document.to_json().unwrap()).unwrap(),
            format!("{text}\n")
        );
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let head = |rest: &str| {
            format!(
                r#"{{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"x","documentNamespace":"urn:x","creationInfo":{{"created":"","creators":[]}}{rest}}}"#
            )
        };
        assert!(Document::from_json(head("").as_bytes()).is_ok());
        let package = r#"{"name":"a","SPDXID":"SPDXRef-a","downloadLocation":"NONE"}"#;
        insta::assert_snapshot!(refused(&head(&format!(r#","packages":[{package},{package}]"#))), @"the document is not valid SPDX: two elements have the id SPDXRef-a");
        insta::assert_snapshot!(refused(&head(&format!(r#","packages":[{}]"#, package.replace("SPDXRef-a", "../a")))), @"the document is not valid SPDX: '../a' is no element id");
        insta::assert_snapshot!(refused(&head("").replace("SPDX-2.3", "SPDX-3.0")), @"the document is not valid SPDX: its version is 'SPDX-3.0'");
        insta::assert_snapshot!(refused("[]"), @"the document is not valid SPDX JSON");
        insta::assert_snapshot!(refused(&"[".repeat(10_000)), @"the document is not valid SPDX JSON");
    }

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in [
            "https://zlib.net/",
            "http://a.example/x?y=z",
            "git://git.example.org/x",
        ] {
            assert_eq!(address(good), Some(good));
        }
        for bad in [
            "",
            "zlib.net",
            "https://localhost/x",
            "https://127.0.0.1/",
            "https://a.b c/",
            "ftp:x",
            "https://u@a.example/",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(Document::from_json(&bytes).is_err());
        }
    }
}
