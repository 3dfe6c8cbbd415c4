//! Manifests and indexes, read strictly.
//!
//! Unknown fields are passed over, as the specification demands. What decides which bytes
//! are meant is strict: a document must not be readable as manifest *and* as index
//! (CVE-2021-41190), and its own media type must be the one it is read as.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Config, Descriptor, Error, json, media_type};

/// More layers than this and a manifest is refused: container engines stop at 127.
const MAX_LAYERS: usize = 128;
/// More manifests than this and an index is refused.
const MAX_MANIFESTS: usize = 4096;

/// One image: its configuration and its layers (image-spec 1.1, image manifest).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The manifest's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The type of an artifact that is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest this one says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// What else is said of the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// A manifest of these blobs.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Every blob the image consists of: the configuration, then the layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// The manifest's bytes: equal manifests are equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        json::write("manifest", self)
    }
}

/// Images of one name for several platforms (image-spec 1.1, image index).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The index's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
    /// What else is said of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// An index of these manifests.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::INDEX.to_owned()),
            manifests,
            annotations: BTreeMap::new(),
        }
    }

    /// The index's bytes: equal indexes are equal bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        json::write("index", self)
    }
}

/// Reads an image manifest of at most 4 MiB.
///
/// An error where it is no schema 2 manifest, could be read as an index too, holds a digest
/// that is not SHA-256, or names a layer of a type that is not an image layer.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, Error> {
    const WHAT: &str = "manifest";
    refuse_keys(WHAT, bytes, &["manifests", "fsLayers"])?;
    let manifest: Manifest = json::read(WHAT, bytes)?;
    verify_head(
        WHAT,
        manifest.schema_version,
        manifest.media_type.as_deref(),
        media_type::MANIFEST,
    )?;
    if manifest.layers.len() > MAX_LAYERS {
        return Err(Error::rule(
            WHAT,
            format!("it has {} layers", manifest.layers.len()),
        ));
    }
    for descriptor in manifest.blobs().chain(&manifest.subject) {
        descriptor.verify(WHAT)?;
    }
    Ok(manifest)
}

/// Reads an image index of at most 4 MiB, as strictly as [`read_manifest`].
pub fn read_index(bytes: &[u8]) -> Result<Index, Error> {
    const WHAT: &str = "index";
    refuse_keys(WHAT, bytes, &["config", "layers", "fsLayers"])?;
    let index: Index = json::read(WHAT, bytes)?;
    verify_head(
        WHAT,
        index.schema_version,
        index.media_type.as_deref(),
        media_type::INDEX,
    )?;
    if index.manifests.len() > MAX_MANIFESTS {
        return Err(Error::rule(
            WHAT,
            format!("it has {} manifests", index.manifests.len()),
        ));
    }
    for descriptor in &index.manifests {
        descriptor.verify(WHAT)?;
    }
    Ok(index)
}

/// Reads an image configuration of at most 4 MiB. Histories and layers must agree in number.
pub fn read_config(bytes: &[u8]) -> Result<Config, Error> {
    const WHAT: &str = "configuration";
    let config: Config = json::read(WHAT, bytes)?;
    if config.rootfs.kind != "layers" {
        return Err(Error::rule(WHAT, "rootfs.type is not 'layers'"));
    }
    let made = config
        .history
        .iter()
        .filter(|entry| entry.empty_layer != Some(true))
        .count();
    if !config.history.is_empty() && made != config.rootfs.diff_ids.len() {
        let layers = config.rootfs.diff_ids.len();
        return Err(Error::rule(
            WHAT,
            format!("history tells of {made} layers, rootfs of {layers}"),
        ));
    }
    Ok(config)
}

fn verify_head(
    what: &'static str,
    schema_version: u32,
    media_type: Option<&str>,
    expected: &str,
) -> Result<(), Error> {
    if schema_version != 2 {
        return Err(Error::rule(
            what,
            format!("schemaVersion is {schema_version}, not 2"),
        ));
    }
    match media_type {
        Some(other) if other != expected => Err(Error::rule(
            what,
            format!("its media type is '{other}', not '{expected}'"),
        )),
        _ => Ok(()),
    }
}

/// Refuses a document that has one of the keys of another kind of document.
fn refuse_keys(what: &'static str, bytes: &[u8], keys: &[&str]) -> Result<(), Error> {
    let fields: BTreeMap<String, Value> = json::read(what, bytes)?;
    match keys.iter().find(|key| fields.contains_key(**key)) {
        Some(key) => Err(Error::rule(
            what,
            format!("it has a '{key}', so it is two things at once"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use boltworks_model::Sha256;
    use proptest::prelude::*;

    use super::*;
    use crate::config::RootFs;
    use crate::{History, Platform, Process};

    fn descriptor(media_type: &str, byte: u8) -> Descriptor {
        Descriptor::new(media_type, Sha256::new([byte; 32]), u64::from(byte))
    }

    fn manifest() -> Manifest {
        let mut manifest = Manifest::new(
            descriptor(media_type::CONFIG, 1),
            vec![descriptor(media_type::LAYER_GZIP, 2)],
        );
        manifest.annotations.insert("b".into(), "2".into());
        manifest.annotations.insert("a".into(), "1".into());
        manifest
    }

    #[test]
    fn oci_spec_reads_what_is_written() {
        let bytes = manifest().to_bytes().unwrap();
        let theirs = oci_spec::image::ImageManifest::from_reader(&bytes[..]).unwrap();
        assert_eq!(
            theirs.layers()[0].digest().to_string(),
            Sha256::new([2; 32]).prefixed()
        );
        assert_eq!(theirs.layers()[0].size(), 2);
        assert_eq!(theirs.annotations().as_ref().unwrap()["a"], "1");
        let again = serde_json::to_vec(&theirs).unwrap();
        assert_eq!(read_manifest(&again).unwrap(), manifest());

        let mut child = descriptor(media_type::MANIFEST, 3);
        child.platform = Some(Platform::from(boltworks_model::Architecture::Armv7));
        let index = Index::new(vec![child]);
        let bytes = index.to_bytes().unwrap();
        let theirs = oci_spec::image::ImageIndex::from_reader(&bytes[..]).unwrap();
        assert_eq!(
            read_index(&serde_json::to_vec(&theirs).unwrap()).unwrap(),
            index
        );
    }

    #[test]
    fn oci_spec_reads_the_configuration() {
        let config = Config {
            created: Some("1970-01-01T00:00:00Z".into()),
            author: Some("us".into()),
            architecture: "amd64".into(),
            variant: None,
            os: "linux".into(),
            os_features: Vec::new(),
            process: Process {
                user: Some("65532".into()),
                env: vec!["PATH=/bin".into()],
                entrypoint: Some(vec!["/bin/true".into()]),
                volumes: ["/data".to_owned()].into(),
                labels: [("a".to_owned(), "b".to_owned())].into(),
                working_dir: Some("/".into()),
                stop_signal: Some("SIGTERM".into()),
                ..Process::default()
            },
            rootfs: RootFs::layers(vec![Sha256::new([2; 32])]),
            history: vec![History {
                created_by: Some("us".into()),
                ..History::default()
            }],
        };
        let bytes = serde_json::to_vec(&config).unwrap();
        let theirs = oci_spec::image::ImageConfiguration::from_reader(&bytes[..]).unwrap();
        assert_eq!(
            read_config(&serde_json::to_vec(&theirs).unwrap()).unwrap(),
            config
        );
        assert_eq!(read_config(&bytes).unwrap(), config);
    }

    fn refused(text: &str) -> String {
        let manifest = read_manifest(text.as_bytes()).unwrap_err();
        let source = std::error::Error::source(&manifest).map(|source| format!(": {source}"));
        format!("{manifest}{}", source.unwrap_or_default())
    }

    #[test]
    fn what_is_two_things_at_once_is_refused() {
        let text = String::from_utf8(manifest().to_bytes().unwrap()).unwrap();
        let both = text.replacen('{', r#"{"manifests":[],"#, 1);
        insta::assert_snapshot!(refused(&both), @"manifest: it has a 'manifests', so it is two things at once");
        let twice = text.replacen('{', r#"{"schemaVersion":2,"#, 1);
        assert!(refused(&twice).contains("duplicate field `schemaVersion`"));
        assert!(
            read_index(text.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("two things")
        );
    }

    #[test]
    fn digests_sizes_and_types_are_strict() {
        let text = String::from_utf8(manifest().to_bytes().unwrap()).unwrap();
        let hex = "02".repeat(32);
        for (from, to) in [
            (format!("sha256:{hex}"), format!("sha512:{hex}{hex}")),
            (format!("sha256:{hex}"), hex.clone()),
            (
                format!("sha256:{hex}"),
                "sha256:../../etc/passwd".to_owned(),
            ),
            (
                format!("sha256:{hex}"),
                format!("sha256:{}", hex.replace("02", "AB")),
            ),
            ("\"size\":2".to_owned(), "\"size\":-2".to_owned()),
            (
                "\"size\":2".to_owned(),
                "\"size\":9223372036854775808".to_owned(),
            ),
            (
                "\"schemaVersion\":2".to_owned(),
                "\"schemaVersion\":1".to_owned(),
            ),
            (media_type::LAYER_GZIP.to_owned(), "no type".to_owned()),
            (
                media_type::MANIFEST.to_owned(),
                media_type::INDEX.to_owned(),
            ),
        ] {
            assert!(text.contains(&from), "{from}");
            assert!(
                read_manifest(text.replace(&from, &to).as_bytes()).is_err(),
                "{to}"
            );
        }
        let long = format!("{text}{}", " ".repeat(json::LIMIT));
        assert!(matches!(
            read_manifest(long.as_bytes()),
            Err(Error::TooLarge { .. })
        ));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read_manifest(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(read_manifest(&bytes).is_err());
            prop_assert!(read_index(&bytes).is_err());
            prop_assert!(read_config(&bytes).is_err());
        }
    }
}
