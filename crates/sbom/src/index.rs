//! The document of an index: the images for several architectures that have one name.

use boltworks_model::{Architecture, Sha256, Timestamp};

use crate::package::supplier;
use crate::spdx::{Checksum, DOCUMENT_ID, Document, ExternalRef, Package};
use crate::{Error, Hash, IMAGE_WRITER_VERSION, purl};

/// What is known of an index when its images are built.
#[derive(Debug, Clone)]
pub struct IndexFacts<'a> {
    /// The images' name: `web`.
    pub name: &'a str,
    /// Their tag.
    pub tag: Option<&'a str>,
    /// Who ships them.
    pub vendor: &'a str,
    /// When they are said to be made.
    pub created: Timestamp,
    /// The digest of the index.
    pub index: Sha256,
    /// The images, each by the digest of its manifest. What is in one says its own document.
    pub images: &'a [(Architecture, Sha256)],
}

/// Describes an index: it is a `VARIANT_OF` each of its images, as apko writes it.
pub fn for_index(facts: &IndexFacts<'_>, hash: Hash) -> Result<Document, Error> {
    let title = facts
        .tag
        .map_or(facts.name.to_owned(), |tag| format!("{}:{tag}", facts.name));
    let mut document = Document::new(title, facts.vendor, facts.created);
    document.made_by(IMAGE_WRITER_VERSION);
    let element = |digest: Sha256, address: String| {
        let name = digest.prefixed();
        let id = format!("SPDXRef-Package-{}", name.replace(':', "-"));
        let mut element = Package::new(id, name.clone());
        element.version_info = Some(name);
        element.supplier = Some(supplier(facts.vendor));
        element.checksums.push(Checksum::from(digest));
        element.primary_package_purpose = Some("CONTAINER".to_owned());
        element.external_refs.push(ExternalRef::purl(address));
        element
    };
    let address = purl::index(facts.name, &facts.index, facts.tag);
    let mut index = element(facts.index, address);
    index.description = Some("an index of images for several architectures".to_owned());
    document.relate(DOCUMENT_ID, "DESCRIBES", &index.id);
    let mut images = Vec::new();
    for (architecture, digest) in facts.images {
        let architecture = architecture.go();
        let address = purl::oci(facts.name, digest, architecture, facts.tag, None);
        let image = element(*digest, address);
        document.relate(&index.id, "VARIANT_OF", &image.id);
        images.push(image);
    }
    document.packages.push(index);
    document.packages.append(&mut images);
    document.seal(hash)
}
