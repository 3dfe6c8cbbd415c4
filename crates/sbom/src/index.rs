//! The document of an index: the images for several architectures that have one name.

use boltworks_model::{Architecture, Sha256, Timestamp};

use crate::image::{container, tagged};
use crate::spdx::{DOCUMENT_ID, Document, Package};
use crate::{Error, Hash, purl};

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
    let title = tagged(facts.name, facts.tag);
    let mut document = Document::of_image(title, facts.vendor, facts.created);
    let element = |digest: Sha256, architecture: Option<&str>| {
        let name = digest.prefixed();
        let id = format!("SPDXRef-Package-{}", name.replace(':', "-"));
        let address = purl::oci(facts.name, &digest, architecture, facts.tag);
        container(Package::new(id, name), facts.vendor, digest, address)
    };
    let mut index = element(facts.index, None);
    index.description = Some("an index of images for several architectures".to_owned());
    document.relate(DOCUMENT_ID, "DESCRIBES", &index.id);
    let mut images = Vec::new();
    for (architecture, digest) in facts.images {
        let image = element(*digest, Some(architecture.go()));
        document.relate(&index.id, "VARIANT_OF", &image.id);
        images.push(image);
    }
    document.packages.push(index);
    document.packages.append(&mut images);
    document.seal(hash)
}
