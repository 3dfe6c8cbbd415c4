//! The document that travels inside a package.
//!
//! It is part of the package's bytes, so nothing may enter it that two equal actions could
//! differ in: not the mirror a source came from, not the recipe's text (a comment would
//! rebuild the world), not the builder.

use boltworks_model::{Sha256, SourceKind, Timestamp};

use crate::ident::Idents;
use crate::licence::{Licence, NO_ASSERTION};
use crate::spdx::{self, Checksum, DOCUMENT_ID, Document, ExternalRef};
use crate::{Error, Hash, purl};

/// What is known of a package when it is built.
#[derive(Debug, Clone)]
pub struct PackageFacts<'a> {
    /// The package's name.
    pub name: &'a str,
    /// Its full version, `1.3.1-r0`.
    pub version: &'a str,
    /// The architecture it is for, under apk's name.
    pub architecture: &'a str,
    /// Who ships it: the namespace of its purl and the document's organization.
    pub vendor: &'a str,
    /// One line on what it is.
    pub description: &'a str,
    /// Its project's page, or empty.
    pub url: &'a str,
    /// Its licence lines, as the recipe has them; all of them apply.
    pub licences: &'a [String],
    /// Its copyright lines, as the recipe has them.
    pub copyright: &'a [String],
    /// What it was made from.
    pub sources: &'a [SourceFact<'a>],
    /// The digest of the *resolved* recipe, never of its text.
    pub recipe: Option<Sha256>,
    /// The build's `SOURCE_DATE_EPOCH`.
    pub created: Timestamp,
}

/// One source of a package.
#[derive(Debug, Clone)]
pub struct SourceFact<'a> {
    /// The address the recipe names, never the mirror it came from.
    pub uri: &'a str,
    /// What sort of source it is.
    pub kind: SourceKind,
    /// Its bytes.
    pub sha256: Sha256,
    /// The software it holds: the recipe's name and version without `-rN`.
    pub name: &'a str,
    /// See `name`.
    pub version: &'a str,
}

/// Where a package keeps its document, relative to the root.
pub fn package_path(name: &str, version: &str) -> String {
    format!("var/lib/db/sbom/{name}-{version}.spdx.json")
}

/// The document of a package: it DESCRIBES the package, which is made from its sources
/// and described by its recipe. Second: a note for each licence line that is no expression.
pub fn spdx_for_package(
    facts: &PackageFacts<'_>,
    hash: Hash,
) -> Result<(Document, Vec<String>), Error> {
    let name = format!("{}-{}", facts.name, facts.version);
    let mut document = Document::new(name.clone(), facts.vendor, facts.created);
    let mut idents = Idents::default();
    let licence = Licence::read(facts.licences, hash);
    let id = idents.make("Package", &name);
    let mut package = spdx::Package::new(id.clone(), facts.name);
    package.version_info = Some(facts.version.to_owned());
    package.supplier = Some(supplier(facts.vendor));
    describe(&mut package, facts.description, facts.url);
    package.license_declared = Some(licence.expression.clone());
    package.copyright_text = Some(match facts.copyright {
        [] => NO_ASSERTION.to_owned(),
        lines => lines.join("\n"),
    });
    if !licence.notes.is_empty() {
        remark(&mut package, &licence.notes.join("; "));
    }
    let address = purl::apk(facts.vendor, facts.name, facts.version, facts.architecture);
    package.external_refs.push(ExternalRef::purl(address));
    document.packages.push(package);
    document.relate(DOCUMENT_ID, "DESCRIBES", &id);
    for source in facts.sources {
        let element = source_element(source, &mut idents);
        document.relate(&id, "GENERATED_FROM", &element.id);
        document.packages.push(element);
    }
    if let Some(digest) = facts.recipe {
        let mut recipe = spdx::Package::new(idents.make("Recipe", &name), format!("{name} recipe"));
        recipe.checksums.push(Checksum::from(digest));
        remark(
            &mut recipe,
            "the checksum is of the recipe as resolved, not of its text",
        );
        document.relate(&id, "DESCRIBED_BY", &recipe.id);
        document.packages.push(recipe);
    }
    document.has_extracted_licensing_infos = licence.extracted;
    Ok((document.seal(hash)?, licence.notes))
}

fn source_element(source: &SourceFact<'_>, idents: &mut Idents) -> spdx::Package {
    let path = source.uri.split(['?', '#']).next().unwrap_or_default();
    let file = path
        .rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(source.name);
    let mut element = spdx::Package::new(idents.make("Source", file), source.name);
    element.version_info = Some(source.version.to_owned());
    element.checksums.push(Checksum::from(source.sha256));
    element.primary_package_purpose = Some("SOURCE".to_owned());
    // The recipe's address does not give the bytes of a file that somebody repacked.
    let is_repacked = source.kind == SourceKind::DebianOrigRepacked;
    let is_git = source.kind == SourceKind::Git;
    let plain = source.uri.strip_prefix("git+").filter(|_| is_git);
    let location = spdx::address(plain.unwrap_or(source.uri)).map(|_| source.uri);
    let location = location.filter(|_| !is_repacked);
    match location {
        Some(address) => address.clone_into(&mut element.download_location),
        None => remark(&mut element, &format!("from {}", source.uri)),
    }
    element.source_info = Some(source_words(source.kind).to_owned());
    let place = if is_git { "vcs_url" } else { "download_url" };
    let place = location.map(|location| (place, location));
    let address = purl::generic(source.name, source.version, &source.sha256, place);
    element.external_refs.push(ExternalRef::purl(address));
    element
}

const fn source_words(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Tarball => "upstream's own release file",
        SourceKind::Git => {
            "a commit of upstream's repository; the checksum is of the archive of its objects"
        }
        SourceKind::DebianOrig => "upstream's release file as Debian's archive keeps it",
        SourceKind::DebianOrigRepacked => "upstream's release file as Debian repacked it",
        SourceKind::Sdist => "a Python source distribution",
        SourceKind::SourcesJar => "a Maven sources jar",
        SourceKind::Crate => "a crate",
        SourceKind::Npm => "an npm tarball",
        SourceKind::Local => "a file beside the recipe",
    }
}

/// Who ships something, as SPDX writes it.
pub(crate) fn supplier(vendor: &str) -> String {
    match vendor {
        "" => NO_ASSERTION.to_owned(),
        vendor => format!("Organization: {vendor}"),
    }
}

/// Description and home page; an address SPDX does not take stands in the comment.
pub(crate) fn describe(package: &mut spdx::Package, description: &str, url: &str) {
    if !description.is_empty() {
        package.description = Some(description.to_owned());
    }
    package.homepage = spdx::address(url).map(str::to_owned);
    if package.homepage.is_none() && !url.is_empty() {
        remark(package, &format!("home page: {url}"));
    }
}

/// Adds a sentence to a package's comment.
pub(crate) fn remark(package: &mut spdx::Package, text: &str) {
    add_to(&mut package.comment, text);
}

/// The same to any comment.
pub(crate) fn add_to(comment: &mut Option<String>, text: &str) {
    let comment = comment.get_or_insert_default();
    if !comment.is_empty() {
        comment.push_str("; ");
    }
    comment.push_str(text);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Good enough to tell texts apart; the real one comes from `crypto`.
    pub(crate) fn toy_hash(bytes: &[u8]) -> Sha256 {
        let mut state = [0x5a_u8; 32];
        for (at, byte) in bytes.iter().enumerate() {
            let slot = &mut state[at % 32];
            *slot = slot.rotate_left(3) ^ byte.wrapping_mul(31);
        }
        Sha256::new(state)
    }

    fn source() -> SourceFact<'static> {
        SourceFact {
            uri: "https://zlib.example/fossils/zlib-1.3.1.tar.gz",
            kind: SourceKind::Tarball,
            sha256: Sha256::new([0xab; 32]),
            name: "zlib",
            version: "1.3.1",
        }
    }

    fn document(url: &str, licences: &[String]) -> Document {
        let sources = [source()];
        let facts = PackageFacts {
            name: "zlib",
            version: "1.3.1-r0",
            architecture: "x86_64",
            vendor: "web",
            description: "compression library",
            url,
            licences,
            copyright: &[],
            sources: &sources,
            recipe: Some(Sha256::new([0xcd; 32])),
            created: Timestamp(1_767_225_600),
        };
        spdx_for_package(&facts, toy_hash).unwrap().0
    }

    #[test]
    fn the_document_is_whole() {
        let document = document("https://zlib.example/", &["Zlib".to_owned()]);
        let text = serde_json::to_string(&document)
            .unwrap()
            .replace("{\"", "\n{\"");
        insta::assert_snapshot!(text, @r#"
{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"zlib-1.3.1-r0","documentNamespace":"https://spdx.org/spdxdocs/boltworks/zlib-1.3.1-r0-b572051c556339de1ea9ce63a2ae89ce23be108c1c4ee1950808f7c4c3e9f127","creationInfo":
{"created":"2026-01-01T00:00:00Z","creators":["Tool: boltworks-sbom-1","Organization: web"],"licenseListVersion":"3.29"},"packages":[
{"name":"zlib","SPDXID":"SPDXRef-Package-zlib-1.3.1-r0","versionInfo":"1.3.1-r0","supplier":"Organization: web","downloadLocation":"NOASSERTION","filesAnalyzed":false,"homepage":"https://zlib.example/","licenseConcluded":"NOASSERTION","licenseDeclared":"Zlib","copyrightText":"NOASSERTION","description":"compression library","externalRefs":[
{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:apk/web/zlib@1.3.1-r0?arch=x86_64"}]},
{"name":"zlib","SPDXID":"SPDXRef-Source-zlib-1.3.1.tar.gz","versionInfo":"1.3.1","downloadLocation":"https://zlib.example/fossils/zlib-1.3.1.tar.gz","filesAnalyzed":false,"checksums":[
{"algorithm":"SHA256","checksumValue":"abababababababababababababababababababababababababababababababab"}],"sourceInfo":"upstream's own release file","licenseConcluded":"NOASSERTION","licenseDeclared":"NOASSERTION","copyrightText":"NOASSERTION","externalRefs":[
{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:generic/zlib@1.3.1?checksum=sha256:abababababababababababababababababababababababababababababababab&download_url=https:%2F%2Fzlib.example%2Ffossils%2Fzlib-1.3.1.tar.gz"}],"primaryPackagePurpose":"SOURCE"},
{"name":"zlib-1.3.1-r0 recipe","SPDXID":"SPDXRef-Recipe-zlib-1.3.1-r0","downloadLocation":"NOASSERTION","filesAnalyzed":false,"checksums":[
{"algorithm":"SHA256","checksumValue":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"}],"licenseConcluded":"NOASSERTION","licenseDeclared":"NOASSERTION","copyrightText":"NOASSERTION","comment":"the checksum is of the recipe as resolved, not of its text"}],"relationships":[
{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-Package-zlib-1.3.1-r0"},
{"spdxElementId":"SPDXRef-Package-zlib-1.3.1-r0","relationshipType":"GENERATED_FROM","relatedSpdxElement":"SPDXRef-Source-zlib-1.3.1.tar.gz"},
{"spdxElementId":"SPDXRef-Package-zlib-1.3.1-r0","relationshipType":"DESCRIBED_BY","relatedSpdxElement":"SPDXRef-Recipe-zlib-1.3.1-r0"}]}
"#);

        assert_eq!(
            Document::from_json(&document.to_json().unwrap()).unwrap(),
            document
        );
    }

    #[test]
    fn a_commit_is_named_as_one() {
        let commit = SourceFact {
            uri: "git+https://git.example/zlib.git@4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            kind: SourceKind::Git,
            ..source()
        };
        let element = source_element(&commit, &mut Idents::default());
        assert_eq!(element.download_location, commit.uri);
        let address = serde_json::to_string(&element.external_refs).unwrap();
        insta::assert_snapshot!(address, @r#"[{"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:generic/zlib@1.3.1?checksum=sha256:abababababababababababababababababababababababababababababababab&vcs_url=git%2Bhttps:%2F%2Fgit.example%2Fzlib.git%404b825dc642cb6eb9a060e54bf8d69288fbee4904"}]"#);
    }

    #[test]
    fn the_namespace_follows_the_content() {
        let first = document("https://zlib.example/", &["Zlib".to_owned()]);
        let same = document("https://zlib.example/", &["Zlib".to_owned()]);
        let other = document("https://zlib.example/", &["MIT".to_owned()]);
        assert_eq!(first.namespace, same.namespace);
        assert_ne!(first.namespace, other.namespace);
    }

    #[test]
    fn what_spdx_does_not_take_stands_in_the_comment() {
        let document = document("zlib", &["do what you like".to_owned()]);
        let package = &document.packages[0];
        assert_eq!(package.homepage, None);
        insta::assert_snapshot!(package.comment.as_deref().unwrap(), @"home page: zlib; the licence 'do what you like' is no SPDX expression: LicenseRef-do-what-you-like-cea332bb");
        assert_eq!(document.has_extracted_licensing_infos.len(), 1);
    }
}
