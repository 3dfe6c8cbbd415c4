//! An image as files: an OCI layout, or the archive `docker load` takes.
//!
//! Both are told as data, a list of paths with small bytes or the digest of a stored blob;
//! whoever writes them streams the blobs.

use std::collections::BTreeMap;

use boltworks_model::Sha256;
use serde::Serialize;

use crate::{Descriptor, Error, ImageParts, Index, Reference, json};

/// The annotation of a layout's index that holds a tag (image-spec 1.1, annotations).
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// One file of a layout or an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutFile {
    /// Where it goes: relative, `/` between components, no `.` or `..`.
    pub path: String,
    /// What is in it.
    pub body: Body,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The blob with this digest and size.
    Blob {
        /// The blob's digest.
        digest: Sha256,
        /// The blob's bytes.
        size: u64,
    },
}

impl Body {
    /// How many bytes the file has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob { size, .. } => *size,
        }
    }
}

/// The path of a blob in a layout.
pub fn blob_path(digest: &Sha256) -> String {
    format!("blobs/sha256/{digest}")
}

/// Images for one platform each as an OCI layout (image-spec 1.1, image layout): `oci-layout`,
/// `index.json` and the blobs, blobs first, so that a reader never sees an index of what is not there.
///
/// The manifests stand in `index.json` under the reference's tag, or under no name without one.
pub fn oci_layout(
    images: &[&ImageParts],
    name: Option<&Reference>,
) -> Result<Vec<LayoutFile>, Error> {
    let index = crate::common_index(images)?;
    let tagged = |manifest: &Descriptor| {
        let mut annotations = manifest.annotations.clone();
        if let Some(tag) = name.and_then(Reference::tag) {
            annotations.insert(REF_NAME.to_owned(), tag.to_owned());
        }
        Descriptor {
            annotations,
            ..manifest.clone()
        }
    };
    let index = Index {
        manifests: index.manifests.iter().map(tagged).collect(),
        ..index
    };
    let mut blobs = BTreeMap::new();
    for layer in images.iter().flat_map(|image| &image.layers) {
        let body = Body::Blob {
            digest: layer.digest,
            size: layer.size,
        };
        blobs.insert(blob_path(&layer.digest), body);
    }
    for document in images
        .iter()
        .flat_map(|image| [&image.config, &image.manifest])
    {
        blobs.insert(
            blob_path(&document.digest),
            Body::Bytes(document.bytes.clone()),
        );
    }
    let last = [
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json", index.to_bytes()?),
    ];
    let last = last
        .into_iter()
        .map(|(path, bytes)| (path.to_owned(), Body::Bytes(bytes)));
    Ok(blobs
        .into_iter()
        .chain(last)
        .map(|(path, body)| LayoutFile { path, body })
        .collect())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Images for one platform each as the files of a docker archive: configurations, layers,
/// `manifest.json`. An image among several has its architecture behind its tag (`1.4-arm64`), as from
/// apko: the archive has no other way to tell them apart.
pub fn docker_archive(images: &[&ImageParts], name: &Reference) -> Result<Vec<LayoutFile>, Error> {
    let mut files: Vec<LayoutFile> = Vec::new();
    // What is equal is one file.
    let mut add = |path: &str, body: Body| {
        if !files.iter().any(|file| file.path == path) {
            let path = path.to_owned();
            files.push(LayoutFile { path, body });
        }
    };
    let mut saved = Vec::new();
    for image in images {
        let config = image.config.digest.prefixed();
        add(&config, Body::Bytes(image.config.bytes.clone()));
        let mut layers = Vec::new();
        for layer in &image.layers {
            let path = format!("{}.tar.gz", layer.digest);
            let body = Body::Blob {
                digest: layer.digest,
                size: layer.size,
            };
            add(&path, body);
            layers.push(path);
        }
        let tag = match images {
            [_] => name.with_default_tag(),
            _ => format!("{}-{}", name.with_default_tag(), image.platform.suffix()),
        };
        saved.push(Saved {
            config,
            repo_tags: vec![tag],
            layers,
        });
    }
    let bytes = json::write("archive manifest", &saved)?;
    files.push(LayoutFile {
        path: "manifest.json".to_owned(),
        body: Body::Bytes(bytes),
    });
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use boltworks_model::Architecture;

    use crate::parts::tests::{parts, parts_of};

    fn listing(files: &[LayoutFile]) -> String {
        let line = |file: &LayoutFile| {
            let body = match &file.body {
                Body::Bytes(bytes) if !file.path.contains("sha256") => {
                    String::from_utf8_lossy(bytes).into_owned()
                }
                body => format!("{} bytes", body.size()),
            };
            format!("{}: {body}", file.path)
        };
        files.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_layout_is_whole() {
        let name: Reference = "web:1.4".parse().unwrap();
        insta::assert_snapshot!(listing(&oci_layout(&[&parts()], Some(&name)).unwrap()), @r#"
blobs/sha256/2366547a89d552c578f4fc82b69e09b5e9edf61a7bf239055833b3a4b0ecff2c: 457 bytes
blobs/sha256/868b5a6ca75e08b60742ed576d609a5c81921c3c86ceac2d3bed08c919fb501e: 324 bytes
blobs/sha256/abababababababababababababababababababababababababababababababab: 1234 bytes
oci-layout: {"imageLayoutVersion":"1.0.0"}
index.json: {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:2366547a89d552c578f4fc82b69e09b5e9edf61a7bf239055833b3a4b0ecff2c","size":457,"platform":{"architecture":"amd64","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"1.4"}}],"annotations":{"org.opencontainers.image.title":"web"}}
"#);
    }

    #[test]
    fn several_images_are_together() {
        let name: Reference = "web:1.4".parse().unwrap();
        let images = [Architecture::X86_64, Architecture::Armv7].map(parts_of);
        let images = [&images[0], &images[1]];
        let layout = oci_layout(&images, Some(&name)).unwrap();
        let [.., Body::Bytes(index)] =
            &layout.iter().map(|file| &file.body).collect::<Vec<_>>()[..]
        else {
            panic!("no index");
        };
        let index = crate::read_index(index).unwrap();
        let platforms = index.manifests.iter().map(|manifest| {
            let platform = manifest.platform.as_ref().unwrap();
            (platform.suffix(), manifest.annotations[REF_NAME].clone())
        });
        let tag = || "1.4".to_owned();
        assert_eq!(
            platforms.collect::<Vec<_>>(),
            [("amd64".to_owned(), tag()), ("arm_v7".to_owned(), tag())]
        );
        // One layer, which both have.
        assert_eq!(layout.len(), 1 + 4 + 2);
        let archive = docker_archive(&images, &name).unwrap();
        let tags = listing(&archive);
        assert!(
            tags.contains(r#"["web:1.4-amd64"]"#) && tags.contains(r#"["web:1.4-arm_v7"]"#),
            "{tags}"
        );
        assert_eq!(archive.len(), 1 + 2 + 1);
    }

    #[test]
    fn a_docker_archive_is_whole() {
        let name: Reference = "factory.example:5000/web".parse().unwrap();
        insta::assert_snapshot!(listing(&docker_archive(&[&parts()], &name).unwrap()), @r#"
sha256:868b5a6ca75e08b60742ed576d609a5c81921c3c86ceac2d3bed08c919fb501e: 324 bytes
abababababababababababababababababababababababababababababababab.tar.gz: 1234 bytes
manifest.json: [{"Config":"sha256:868b5a6ca75e08b60742ed576d609a5c81921c3c86ceac2d3bed08c919fb501e","RepoTags":["factory.example:5000/web:latest"],"Layers":["abababababababababababababababababababababababababababababababab.tar.gz"]}]
"#);
    }
}
