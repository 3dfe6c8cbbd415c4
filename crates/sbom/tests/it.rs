//! What is written passes the validators its consumers use.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use boltworks_model::{Architecture, Sha256, Sha512, SourceKind, Timestamp};
use boltworks_sbom::{
    ImageFacts, ImagePackage, ImageSbom, IndexFacts, LayerFact, OsFacts, Own, PackageFacts,
    SourceFact, for_image, for_index, spdx_for_package, spdx3,
};

/// Good enough to tell texts apart; this room owns no hash function.
fn toy_hash(bytes: &[u8]) -> Sha256 {
    let mut state = [0x5a_u8; 32];
    for (at, byte) in bytes.iter().enumerate() {
        let slot = &mut state[at % 32];
        *slot = slot.rotate_left(3) ^ byte.wrapping_mul(31);
    }
    Sha256::new(state)
}

/// Runs the validator's script on a document; gives back what it complains of.
fn complaints(kind: &str, document: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("document.json");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test writes its own temporary file"
    )]
    std::fs::write(&file, document).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/kit/validate_sbom.py");
    #[expect(
        clippy::disallowed_methods,
        reason = "the validators are Python programs"
    )]
    let done = Command::new("python3")
        .arg(script)
        .arg(kind)
        .arg(&file)
        .output();
    let done = done.expect("python3 is needed: run 'apt-get install -y python3 python3-pip'");
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    match done.status.code() {
        Some(0) => String::new(),
        Some(1) => text,
        _ => panic!("the validator did not run: {text}"),
    }
}

fn package_document(name: &str, licence: &str) -> Vec<u8> {
    let sources = [
        SourceFact {
            uri: "https://zlib.example/zlib-1.3.1.tar.gz?x=y#z",
            kind: SourceKind::Tarball,
            sha256: Sha256::new([0xab; 32]),
            name: "zlib",
            version: "1.3.1",
        },
        SourceFact {
            uri: "git+https://git.example.org/zlib.git@4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            kind: SourceKind::Git,
            sha256: Sha256::new([0xef; 32]),
            name: "zlib",
            version: "1.3.1",
        },
        SourceFact {
            uri: "file://patches/fix build.patch",
            kind: SourceKind::Local,
            sha256: Sha256::new([0xcd; 32]),
            name: "zlib",
            version: "1.3.1",
        },
    ];
    let facts = PackageFacts {
        name,
        version: "1.3.1-r0",
        architecture: "x86_64",
        vendor: "web",
        description: "a \"library\" of ünïcode\tand tabs",
        url: "https://zlib.example/",
        licences: &[licence.to_owned()],
        copyright: &["Copyright 1995 Somebody".to_owned()],
        sources: &sources,
        recipe: Some(Sha256::new([0xef; 32])),
        created: Timestamp(1_767_225_600),
    };
    spdx_for_package(&facts, toy_hash)
        .unwrap()
        .0
        .to_json()
        .unwrap()
}

fn image(documents: &[(&str, Option<&[u8]>)]) -> ImageSbom {
    let licences = ["do what you like".to_owned(), "MIT OR Zlib".to_owned()];
    let own = documents
        .iter()
        .map(|(_, document)| document.map(Own::read));
    let own: Vec<_> = own.collect();
    let mut packages = Vec::new();
    for (at, ((name, _), document)) in documents.iter().zip(&own).enumerate() {
        packages.push(ImagePackage {
            name,
            version: "1.3.1-r0",
            architecture: "x86_64",
            description: "",
            url: "not an address",
            licences: &licences,
            maintainer: "Ann (at) Home <ann@home.example>",
            digests: Some((
                Sha256::new([u8::try_from(at).unwrap(); 32]),
                Sha512::new([u8::try_from(at).unwrap(); 64]),
            )),
            depends_on: vec![0, 0, at],
            document: document.as_ref(),
        });
    }
    let facts = ImageFacts {
        name: "web",
        tag: Some("1.4"),
        vendor: "web",
        architecture: Architecture::X86_64,
        created: Timestamp(1_767_225_600),
        manifest: Sha256::new([0x11; 32]),
        manifest_sha512: Sha512::new([0x11; 64]),
        layers: &[LayerFact {
            digest: Sha256::new([0x22; 32]),
            diff_id: Sha256::new([0x33; 32]),
        }],
        os: Some(OsFacts {
            id: "boltworks",
            name: "Boltworks OS",
            version: "1",
        }),
        packages: &packages,
    };
    for_image(&facts, toy_hash).unwrap()
}

#[test]
fn the_validators_see_what_is_wrong() {
    let good = String::from_utf8(package_document("zlib", "Zlib")).unwrap();
    let bad = good.replace(
        "\"licenseDeclared\":\"Zlib\"",
        "\"licenseDeclared\":\"Nonsense\"",
    );
    assert_ne!(bad, good);
    assert!(complaints("spdx", bad.as_bytes()).contains("Nonsense"));
    let good = image(&[("zlib", None)]).spdx3.as_json().to_vec();
    let good = String::from_utf8(good).unwrap();
    for (right, wrong) in [
        (
            "\"completeness\":\"noAssertion\"",
            "\"completeness\":\"nearly\"",
        ),
        (
            "#SPDXRef-Image-web\",\"creationInfo",
            "#SPDXRef-Image\",\"creationInfo",
        ),
    ] {
        let bad = good.replace(right, wrong);
        assert_ne!(bad, good);
        assert_ne!(complaints("spdx3", bad.as_bytes()), "", "{wrong}");
    }
    let good = image(&[("zlib", None)]).cyclonedx.to_json().unwrap();
    let bad = String::from_utf8(good)
        .unwrap()
        .replace("\"complete\"", "\"nearly\"");
    assert!(complaints("cyclonedx", bad.as_bytes()).contains("nearly"));
}

#[test]
fn package_documents_are_valid() {
    for licence in [
        "Zlib",
        "GPL-2.0+",
        "do what you like",
        "LicenseRef-own OR MIT",
        "",
    ] {
        let document = package_document("libstdc++", licence);
        assert_eq!(complaints("spdx", &document), "", "{licence}");
    }
}

#[test]
fn image_documents_are_valid_and_leave_nobody_out() {
    let zlib = package_document("zlib", "Zlib");
    let odd = package_document("g++", "do what you like");
    let other = package_document("other", "MIT");
    let documents: [(&str, Option<&[u8]>); 5] = [
        ("zlib", Some(&zlib)),
        ("g++", Some(&odd)),
        ("bare", None),
        ("broken", Some(b"{}")),
        ("foreign", Some(&other)),
    ];
    let sbom = image(&documents);
    let spdx = sbom.spdx.to_json().unwrap();
    let cyclonedx = sbom.cyclonedx.to_json().unwrap();
    assert_eq!(complaints("spdx", &spdx), "");
    assert_eq!(complaints("cyclonedx", &cyclonedx), "");
    let spdx3 = sbom.spdx3.as_json().to_vec();
    assert_eq!(complaints("spdx3", &spdx3), "");
    for (name, _) in documents {
        assert!(
            sbom.spdx.packages.iter().any(|one| one.name == name),
            "{name}"
        );
        assert!(
            sbom.cyclonedx.components.iter().any(|one| one.name == name),
            "{name}"
        );
    }
    let gaps: Vec<String> = sbom.gaps.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(gaps.join("\n"), @r"
bare-1.3.1-r0: it carries no SBOM
broken-1.3.1-r0: its SBOM cannot be read: the document is not valid SPDX JSON: missing field `spdxVersion` at line 1 column 2
foreign-1.3.1-r0: its document describes other 1.3.1-r0
");
    assert_eq!(image(&documents).spdx.to_json().unwrap(), spdx);
    assert_eq!(image(&documents).cyclonedx.to_json().unwrap(), cyclonedx);
    assert_eq!(image(&documents).spdx3.as_json().to_vec(), spdx3);
}

#[test]
fn the_document_of_an_index_is_valid() {
    let facts = IndexFacts {
        name: "web",
        tag: Some("1.4"),
        vendor: "web",
        created: Timestamp(1_767_225_600),
        index: Sha256::new([0x11; 32]),
        images: &[
            (Architecture::X86_64, Sha256::new([0x22; 32])),
            (Architecture::Aarch64, Sha256::new([0x33; 32])),
        ],
    };
    let document = for_index(&facts, toy_hash).unwrap();
    assert_eq!(complaints("spdx", &document.to_json().unwrap()), "");
    let graph = spdx3::Graph::of(&document, &std::collections::BTreeSet::new()).unwrap();
    assert_eq!(complaints("spdx3", graph.as_json()), "");
}

#[test]
fn every_source_is_named_in_both_documents() {
    let zlib = package_document("zlib", "Zlib");
    let sbom = image(&[("zlib", Some(&zlib))]);
    let related: Vec<String> = sbom
        .spdx
        .relationships
        .iter()
        .map(|one| format!("{} {} {}", one.from, one.kind, one.to))
        .collect();
    insta::assert_snapshot!(related.join("\n"), @r"
SPDXRef-DOCUMENT DESCRIBES SPDXRef-Image-web
SPDXRef-Image-web CONTAINS SPDXRef-Layer-2222222222222222
SPDXRef-Image-web CONTAINS SPDXRef-OperatingSystem-boltworks
SPDXRef-Package-zlib-1.3.1-r0 GENERATED_FROM SPDXRef-Source-zlib-1.3.1.tar.gz
SPDXRef-Package-zlib-1.3.1-r0 GENERATED_FROM SPDXRef-Source-zlib.gitC644b825dc642cb6eb9a060e54bf8d69288fbee4904
SPDXRef-Package-zlib-1.3.1-r0 GENERATED_FROM SPDXRef-Source-fixC32build.patch
SPDXRef-Package-zlib-1.3.1-r0 DESCRIBED_BY SPDXRef-Recipe-zlib-1.3.1-r0
SPDXRef-Image-web CONTAINS SPDXRef-Package-zlib-1.3.1-r0
");
    let component = &sbom.cyclonedx.components[1];
    insta::assert_snapshot!(serde_json::to_string_pretty(component).unwrap(), @r#"
{
  "type": "library",
  "bom-ref": "pkg:apk/web/zlib@1.3.1-r0?arch=x86_64",
  "supplier": {
    "name": "web"
  },
  "authors": [
    {
      "name": "Ann (at) Home <ann@home.example>"
    }
  ],
  "name": "zlib",
  "version": "1.3.1-r0",
  "hashes": [
    {
      "alg": "SHA-256",
      "content": "0000000000000000000000000000000000000000000000000000000000000000"
    },
    {
      "alg": "SHA-512",
      "content": "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    }
  ],
  "licenses": [
    {
      "expression": "LicenseRef-do-what-you-like-cea332bb AND (MIT OR Zlib)"
    }
  ],
  "purl": "pkg:apk/web/zlib@1.3.1-r0?arch=x86_64",
  "externalReferences": [
    {
      "url": "https://zlib.example/zlib-1.3.1.tar.gz?x=y#z",
      "type": "source-distribution",
      "hashes": [
        {
          "alg": "SHA-256",
          "content": "abababababababababababababababababababababababababababababababab"
        }
      ]
    }
  ]
}
"#);
}
