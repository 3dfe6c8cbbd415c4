//! SPDX documents of others, and licence lines.

use std::collections::BTreeSet;

use boltworks_crypto::sha256;
use boltworks_model::{Architecture, Sha256, Sha512, Timestamp};
use boltworks_sbom::licence::{Licence, NO_ASSERTION};
use boltworks_sbom::spdx::{DOCUMENT_ID, Document};
use boltworks_sbom::{ImageFacts, ImagePackage, LayerFact, OsFacts, Own, for_image};

use crate::{taken, text};

/// A package's document: both ways, and copied into an image's.
pub fn spdx(data: &[u8]) {
    let document = Document::from_json(data).ok();
    if let Some(document) = &document {
        taken();
        let bytes = document.to_json().expect("what was read can be written");
        let again = Document::from_json(&bytes).expect("what was written can be read");
        let rewritten = again.to_json().expect("what was read can be written");
        // Numbers may lose their last digit when they are read, and only then.
        let settled = Document::from_json(&rewritten).expect("what was written can be read");
        assert!(
            again == *document || settled == again,
            "what was written reads differently"
        );
        assert!(
            document.described().len() <= document.relationships.len() + document.describes.len()
        );
    }
    check_image(data, document.is_some());
}

fn check_image(data: &[u8], is_document: bool) {
    let layers = [LayerFact {
        digest: Sha256::new([1; 32]),
        diff_id: Sha256::new([2; 32]),
    }];
    let licences = ["Zlib".to_owned()];
    let own = Own::read(data);
    let package = ImagePackage {
        name: "zlib",
        version: "1.3.1-r0",
        architecture: "x86_64",
        description: "The deflate compression library",
        url: "https://zlib.example",
        licences: &licences,
        maintainer: "Somebody <somebody@zlib.example>",
        digests: Some((Sha256::new([3; 32]), Sha512::new([3; 64]))),
        depends_on: vec![1],
        document: Some(&own),
    };
    let packages = [
        package.clone(),
        ImagePackage {
            name: "musl",
            depends_on: vec![0],
            ..package
        },
    ];
    let facts = ImageFacts {
        name: "web",
        tag: Some("1.4"),
        vendor: "web",
        architecture: Architecture::X86_64,
        created: Timestamp(1_767_225_600),
        manifest: Sha256::new([4; 32]),
        manifest_sha512: Sha512::new([4; 64]),
        layers: &layers,
        os: Some(OsFacts {
            id: "web",
            name: "Web",
            version: "1",
        }),
        packages: &packages,
    };
    let sbom = for_image(&facts, sha256).expect("whatever is in it, it can be described");
    assert!(
        is_document || sbom.gaps.len() == packages.len(),
        "what is no document was used"
    );
    let bytes = sbom.spdx.to_json().expect("it can be written");
    let own = Document::from_json(&bytes).expect("our own document can be read");
    let ids: BTreeSet<&str> = own.packages.iter().map(|one| one.id.as_str()).collect();
    let is_known = |id: &str| id == DOCUMENT_ID || ids.contains(id);
    for relation in &own.relationships {
        assert!(
            is_known(&relation.from) && is_known(&relation.to),
            "{relation:?} leads nowhere"
        );
    }
    assert!(
        !sbom
            .cyclonedx
            .to_json()
            .expect("it can be written")
            .is_empty()
    );
}

/// A licence on every line; what comes out is an expression that stays as it is.
pub fn licence(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let lines: Vec<&str> = text.lines().take(8).collect();
    let licence = Licence::read(&lines, sha256);
    assert!(!licence.expression.is_empty());
    if licence.expression == NO_ASSERTION || licence.expression.len() > 4096 {
        return;
    }
    taken();
    let again = Licence::read(&[&licence.expression], sha256);
    assert!(
        again.notes.is_empty(),
        "{}: {:?}",
        licence.expression,
        again.notes
    );
    assert_eq!(
        again.expression, licence.expression,
        "the expression is not stable"
    );
    let names = |licence: &Licence| -> BTreeSet<String> {
        licence
            .extracted
            .iter()
            .map(|one| one.license_id.clone())
            .collect()
    };
    assert_eq!(names(&again), names(&licence), "a reference lost its text");
}
