//! Copies a package's own document into an image's.
//!
//! Elements keep their ids where these are free or already mean the same element; a taken id
//! gets a number. Files stay behind: each package's own document lists them, inside the image.

use std::collections::{BTreeMap, BTreeSet};

use crate::ident::{Idents, numbered};
use crate::spdx::{DOCUMENT_ID, Document, ExtractedLicence, Package, Relationship};

/// Keys that only make sense beside the files.
const FILE_KEYS: [&str; 3] = [
    "packageVerificationCode",
    "hasFiles",
    "licenseInfoFromFiles",
];

/// A package's own document as images take it over: without its files, which stay in the package.
#[derive(Debug, Clone)]
pub struct Own(Document);

impl Own {
    /// Reads one; or why it cannot be used, in words.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let own = Document::from_json(bytes);
        own.map(Self::of).map_err(|error| {
            let why = boltworks_model::chain(&error);
            format!("its SBOM cannot be read: {why}")
        })
    }

    fn of(mut own: Document) -> Self {
        own.files = Vec::new();
        own.packages.iter_mut().for_each(without_files);
        let kept = own.packages.iter().map(|package| package.id.as_str());
        let kept: BTreeSet<String> = kept.chain([DOCUMENT_ID]).map(str::to_owned).collect();
        own.relationships
            .retain(|one| kept.contains(&one.from) && kept.contains(&one.to));
        Self(own)
    }
}

/// An image's document while it grows.
#[derive(Debug)]
pub(crate) struct Merger {
    pub(crate) document: Document,
    pub(crate) idents: Idents,
    /// The place of each element of `document.packages`.
    places: BTreeMap<String, usize>,
    /// The text of each `LicenseRef-` of the document.
    licences: BTreeMap<String, String>,
    /// What became of each `LicenseRef-` of the packages' own documents.
    wanted: BTreeMap<String, Wanted>,
    relations: BTreeSet<(String, String, String)>,
}

/// The ids tried for one that was wanted.
#[derive(Debug, Default)]
struct Wanted {
    /// How many.
    tried: u32,
    /// The first of them that has a text.
    by_text: BTreeMap<String, String>,
}

impl Merger {
    pub(crate) fn new(document: Document) -> Self {
        let mut idents = Idents::default();
        idents.claim(&document.id);
        Self {
            document,
            idents,
            places: BTreeMap::new(),
            licences: BTreeMap::new(),
            wanted: BTreeMap::new(),
            relations: BTreeSet::new(),
        }
    }

    /// Adds an element whose id came from [`Self::idents`].
    pub(crate) fn add(&mut self, package: Package) {
        self.places
            .insert(package.id.clone(), self.document.packages.len());
        self.document.packages.push(package);
    }

    /// An element added before.
    pub(crate) fn element_mut(&mut self, id: &str) -> Option<&mut Package> {
        self.document.packages.get_mut(*self.places.get(id)?)
    }

    /// Relates two elements, once.
    pub(crate) fn relate(&mut self, from: &str, kind: &str, to: &str) {
        if self
            .relations
            .insert((from.to_owned(), kind.to_owned(), to.to_owned()))
        {
            self.document
                .relationships
                .push(Relationship::new(from, kind, to));
        }
    }

    /// Adds what a `LicenseRef-` stands for; gives back the id it has here.
    pub(crate) fn add_licence(&mut self, licence: &ExtractedLicence) -> String {
        let text = &licence.extracted_text;
        let wanted = self.wanted.entry(licence.license_id.clone()).or_default();
        while !wanted.by_text.contains_key(text) {
            wanted.tried += 1;
            let id = numbered(&licence.license_id, wanted.tried);
            let there = self.licences.entry(id.clone()).or_insert_with(|| {
                let copy = ExtractedLicence {
                    license_id: id.clone(),
                    ..licence.clone()
                };
                self.document.has_extracted_licensing_infos.push(copy);
                text.clone()
            });
            wanted.by_text.entry(there.clone()).or_insert(id);
        }
        wanted.by_text.get(text).cloned().unwrap_or_default()
    }

    /// Copies the elements of a package's own document; gives back the id of the package.
    ///
    /// An error, in words, where the document is not about this package.
    pub(crate) fn copy(
        &mut self,
        Own(own): &Own,
        name: &str,
        version: &str,
    ) -> Result<String, String> {
        let root = root_of(own, name, version)?;
        let renamed: BTreeMap<String, String> = own
            .has_extracted_licensing_infos
            .iter()
            .map(|licence| (licence.license_id.clone(), self.add_licence(licence)))
            .filter(|(old, new)| old != new)
            .collect();
        let mut ids = BTreeMap::new();
        for package in &own.packages {
            let mut package = package.clone();
            let old = package.id.clone();
            for expression in [
                &mut package.license_declared,
                &mut package.license_concluded,
            ] {
                *expression = expression.take().map(|text| with_renamed(&text, &renamed));
            }
            ids.insert(old, self.copy_element(package));
        }
        for relation in &own.relationships {
            let from = ids.get(&relation.from);
            let to = ids.get(&relation.to);
            if let (Some(from), Some(to)) = (from, to) {
                self.relate(from, &relation.kind, to);
            }
        }
        ids.remove(root)
            .ok_or_else(|| format!("its document has no element {root}"))
    }

    fn copy_element(&mut self, mut package: Package) -> String {
        let there = self
            .places
            .get(&package.id)
            .and_then(|at| self.document.packages.get(*at));
        if there == Some(&package) {
            return package.id;
        }
        package.id = self.idents.claim(&package.id);
        let id = package.id.clone();
        self.add(package);
        id
    }
}

/// The id of the element that is this package, among those the document describes.
fn root_of<'a>(own: &'a Document, name: &str, version: &str) -> Result<&'a str, String> {
    let described: BTreeSet<&str> = own.described().into_iter().collect();
    let mut found = own
        .packages
        .iter()
        .filter(|one| described.contains(one.id.as_str()));
    let is_it = |one: &&Package| one.name == name && one.version_info.as_deref() == Some(version);
    match found.clone().find(is_it) {
        Some(package) => Ok(&package.id),
        None => Err(match found.next() {
            Some(other) => format!(
                "its document describes {} {}",
                other.name,
                other.version_info.as_deref().unwrap_or("without a version")
            ),
            None => "its document describes no package".to_owned(),
        }),
    }
}

fn without_files(package: &mut Package) {
    package.files_analyzed = Some(false);
    for key in FILE_KEYS {
        package.other.remove(key);
    }
}

/// An expression with some of its `LicenseRef-` identifiers replaced.
fn with_renamed(expression: &str, renamed: &BTreeMap<String, String>) -> String {
    if renamed.is_empty() {
        return expression.to_owned();
    }
    let is_idchar = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '+');
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_idchar(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        out.push_str(renamed.get(word).map_or(word, String::as_str));
        let end = after.find(is_idchar).unwrap_or(after.len());
        let (between, next) = after.split_at(end);
        out.push_str(between);
        rest = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use boltworks_model::Timestamp;

    use super::*;

    fn own(name: &str, licence: &str, text: &str) -> Document {
        let mut document = Document::new(name.into(), "", Timestamp::EPOCH);
        let mut package = Package::new("SPDXRef-Package".into(), name);
        package.version_info = Some("1-r0".into());
        package.license_declared = Some(licence.into());
        package.files_analyzed = None;
        package
            .other
            .insert("hasFiles".into(), serde_json::json!(["SPDXRef-f"]));
        document.packages.push(package);
        document
            .packages
            .push(Package::new("SPDXRef-Source".into(), "source"));
        document.has_extracted_licensing_infos =
            vec![ExtractedLicence::new("LicenseRef-x".into(), text.into())];
        for (from, kind, to) in [
            (DOCUMENT_ID, "DESCRIBES", "SPDXRef-Package"),
            ("SPDXRef-Package", "GENERATED_FROM", "SPDXRef-Source"),
            ("SPDXRef-Package", "CONTAINS", "SPDXRef-f"),
            ("SPDXRef-Package", "STATIC_LINK", "DocumentRef-y:SPDXRef-z"),
        ] {
            document
                .relationships
                .push(Relationship::new(from, kind, to));
        }
        document
    }

    #[test]
    fn ids_stay_unique_and_equal_elements_stay_one() {
        let mut merger = Merger::new(Document::new("image".into(), "", Timestamp::EPOCH));
        let licence = "MIT AND (LicenseRef-x OR LicenseRef-x-y)";
        assert_eq!(
            merger
                .copy(&Own::of(own("a", licence, "one")), "a", "1-r0")
                .unwrap(),
            "SPDXRef-Package"
        );
        assert_eq!(
            merger
                .copy(&Own::of(own("b", licence, "two")), "b", "1-r0")
                .unwrap(),
            "SPDXRef-Package-2"
        );
        let ids: Vec<&str> = merger
            .document
            .packages
            .iter()
            .map(|one| one.id.as_str())
            .collect();
        assert_eq!(
            ids,
            ["SPDXRef-Package", "SPDXRef-Source", "SPDXRef-Package-2"]
        );
        let second = &merger.document.packages[2];
        let expected = "MIT AND (LicenseRef-x-2 OR LicenseRef-x-y)";
        assert_eq!(second.license_declared.as_deref(), Some(expected));
        assert_eq!(second.files_analyzed, Some(false));
        assert!(second.other.is_empty());
        let relations: Vec<String> = merger
            .document
            .relationships
            .iter()
            .map(|one| format!("{} {} {}", one.from, one.kind, one.to))
            .collect();
        assert_eq!(
            relations,
            [
                "SPDXRef-Package GENERATED_FROM SPDXRef-Source",
                "SPDXRef-Package-2 GENERATED_FROM SPDXRef-Source"
            ]
        );
    }

    #[test]
    fn licences_of_one_name_stay_apart_and_equal_ones_stay_one() {
        let mut merger = Merger::new(Document::new("image".into(), "", Timestamp::EPOCH));
        let mut add = |id: &str, text: &str| {
            merger.add_licence(&ExtractedLicence::new(id.into(), text.into()))
        };
        assert_eq!(add("LicenseRef-x-2", "two"), "LicenseRef-x-2");
        assert_eq!(add("LicenseRef-x", "one"), "LicenseRef-x");
        assert_eq!(add("LicenseRef-x", "three"), "LicenseRef-x-3");
        assert_eq!(add("LicenseRef-x", "two"), "LicenseRef-x-2");
        assert_eq!(add("LicenseRef-x", "three"), "LicenseRef-x-3");
        assert_eq!(add("LicenseRef-x-2", "three"), "LicenseRef-x-2-2");
        assert_eq!(merger.document.has_extracted_licensing_infos.len(), 4);
    }

    #[test]
    fn a_document_with_many_of_everything_is_copied_quickly() {
        const MANY: usize = 150_000;
        let mut own = own("last", "MIT", "");
        for number in 0..MANY {
            let id = format!("SPDXRef-{number}");
            own.relationships
                .push(Relationship::new(DOCUMENT_ID, "DESCRIBES", &id));
            own.packages.push(Package::new(id, "other"));
            own.has_extracted_licensing_infos
                .push(ExtractedLicence::new(
                    "LicenseRef-x".into(),
                    number.to_string(),
                ));
        }
        own.packages.reverse();
        assert!(own.names_package("last"));
        assert_eq!(own.described().len(), MANY + 1);
        let mut merger = Merger::new(Document::new("image".into(), "", Timestamp::EPOCH));
        assert_eq!(
            merger.copy(&Own::of(own), "last", "1-r0").as_deref(),
            Ok("SPDXRef-Package")
        );
        let licences = &merger.document.has_extracted_licensing_infos;
        assert_eq!(licences.len(), MANY + 1);
    }

    #[test]
    fn a_document_about_something_else_is_refused() {
        let mut merger = Merger::new(Document::new("image".into(), "", Timestamp::EPOCH));
        let refused = merger
            .copy(&Own::of(own("a", "MIT", "")), "b", "1-r0")
            .unwrap_err();
        assert_eq!(refused, "its document describes a 1-r0");
        let refused = merger
            .copy(&Own::of(own("a", "MIT", "")), "a", "2-r0")
            .unwrap_err();
        assert_eq!(refused, "its document describes a 1-r0");
        let mut empty = own("a", "MIT", "");
        empty.relationships.clear();
        assert_eq!(
            merger.copy(&Own::of(empty), "a", "1-r0").unwrap_err(),
            "its document describes no package"
        );
        assert!(merger.document.packages.is_empty());
    }
}
