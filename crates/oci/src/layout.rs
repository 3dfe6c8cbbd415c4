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

/// An image as an OCI layout (image-spec 1.1, image layout): `oci-layout`, `index.json` and
/// the blobs, blobs first, so that a reader never sees an index of what is not there.
///
/// The manifest stands in `index.json` under the reference's tag, or under no name without one.
pub fn oci_layout(image: &ImageParts, name: Option<&Reference>) -> Result<Vec<LayoutFile>, Error> {
    let index: Index = crate::read_index(&image.index.bytes)?;
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
    for layer in &image.layers {
        let body = Body::Blob {
            digest: layer.digest,
            size: layer.size,
        };
        blobs.insert(blob_path(&layer.digest), body);
    }
    for document in [&image.config, &image.manifest] {
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

/// An image as the files of a docker archive: configuration, layers, `manifest.json`.
pub fn docker_archive(image: &ImageParts, name: &Reference) -> Result<Vec<LayoutFile>, Error> {
    let config = image.config.digest.prefixed();
    let mut files = vec![LayoutFile {
        path: config.clone(),
        body: Body::Bytes(image.config.bytes.clone()),
    }];
    let mut layers = Vec::new();
    for layer in &image.layers {
        let path = format!("{}.tar.gz", layer.digest);
        // Two equal layers are one file.
        if !layers.contains(&path) {
            let body = Body::Blob {
                digest: layer.digest,
                size: layer.size,
            };
            files.push(LayoutFile {
                path: path.clone(),
                body,
            });
        }
        layers.push(path);
    }
    let saved = [Saved {
        config,
        repo_tags: vec![name.with_default_tag()],
        layers,
    }];
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
    use crate::parts::tests::parts;

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
        insta::assert_snapshot!(listing(&oci_layout(&parts(), Some(&name)).unwrap()), @r#"
blobs/sha256/2366547a89d552c578f4fc82b69e09b5e9edf61a7bf239055833b3a4b0ecff2c: 457 bytes
blobs/sha256/868b5a6ca75e08b60742ed576d609a5c81921c3c86ceac2d3bed08c919fb501e: 324 bytes
blobs/sha256/abababababababababababababababababababababababababababababababab: 1234 bytes
oci-layout: {"imageLayoutVersion":"1.0.0"}
index.json: {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:2366547a89d552c578f4fc82b69e09b5e9edf61a7bf239055833b3a4b0ecff2c","size":457,"platform":{"architecture":"amd64","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"1.4"}}],"annotations":{"org.opencontainers.image.title":"web"}}
"#);
    }

    #[test]
    fn a_docker_archive_is_whole() {
        let name: Reference = "factory.example:5000/web".parse().unwrap();
        insta::assert_snapshot!(listing(&docker_archive(&parts(), &name).unwrap()), @r#"
sha256:868b5a6ca75e08b60742ed576d609a5c81921c3c86ceac2d3bed08c919fb501e: 324 bytes
abababababababababababababababababababababababababababababababab.tar.gz: 1234 bytes
manifest.json: [{"Config":"sha256:868b5a6ca75e08b60742ed576d609a5c81921c3c86ceac2d3bed08c919fb501e","RepoTags":["factory.example:5000/web:latest"],"Layers":["abababababababababababababababababababababababababababababababab.tar.gz"]}]
"#);
    }
}
