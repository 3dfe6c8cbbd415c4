//! OCI documents and the names of images.

use boltworks_crypto::sha256;
use boltworks_oci::layout::{docker_archive, oci_layout};
use boltworks_oci::{ImageParts, Reference, read_config, read_index, read_manifest};
use serde_json::{Value, json};

use crate::{mend, taken, text};

/// A manifest, an index or a configuration; never two of the first two at once.
pub fn oci_document(data: &[u8]) {
    let (manifest, index) = (read_manifest(data), read_index(data));
    assert!(
        manifest.is_err() || index.is_err(),
        "it is a manifest and an index"
    );
    if let Ok(manifest) = manifest {
        taken();
        let bytes = manifest.to_bytes().expect("what was read can be written");
        assert_eq!(
            read_manifest(&bytes).ok().as_ref(),
            Some(&manifest),
            "the manifest changed"
        );
        assert_eq!(manifest.blobs().count(), manifest.layers.len() + 1);
    }
    if let Ok(index) = index {
        let bytes = index.to_bytes().expect("what was read can be written");
        assert_eq!(read_index(&bytes).ok(), Some(index), "the index changed");
    }
    if let Ok(config) = read_config(data) {
        let bytes = serde_json::to_vec(&config).expect("what was read can be written");
        assert_eq!(
            read_config(&bytes).ok(),
            Some(config),
            "the configuration changed"
        );
    }
}

/// A manifest and a configuration of one image: a length of four bytes, then so many bytes of the
/// first, then the second. The manifest is made to name the configuration.
pub fn oci_parts(data: &[u8]) {
    let (manifest, config) = mend::parted(data);
    let Ok(Value::Object(mut document)) = serde_json::from_slice(manifest) else {
        return;
    };
    let digest = sha256(config).prefixed();
    let media_type = "application/vnd.oci.image.config.v1+json";
    let descriptor = json!({ "mediaType": media_type, "digest": digest, "size": config.len() });
    document.insert("config".to_owned(), descriptor);
    let manifest = Value::Object(document).to_string().into_bytes();
    let Ok(parts) = ImageParts::from_documents(manifest, config.to_vec(), sha256) else {
        return;
    };
    taken();
    let name: Reference = "registry.example/web:1.4".parse().expect("a name");
    let layout = oci_layout(&[&parts], Some(&name)).expect("what was read can be laid out");
    let archive = docker_archive(&[&parts], &name).expect("what was read can be laid out");
    for file in layout.iter().chain(&archive) {
        let is_plain = |part: &str| !matches!(part, "" | "." | "..");
        assert!(
            file.path.split('/').all(is_plain),
            "'{}' is elsewhere",
            file.path
        );
    }
    let again = ImageParts::from_documents(parts.manifest.bytes.clone(), config.to_vec(), sha256);
    assert_eq!(
        again.ok().map(|parts| parts.index.bytes),
        Some(parts.index.bytes)
    );
}

/// The name of an image on every line.
pub fn oci_reference(data: &[u8]) {
    for line in text(data).unwrap_or_default().lines() {
        let Ok(reference) = line.parse::<Reference>() else {
            continue;
        };
        taken();
        assert_eq!(reference.to_string(), line, "the name was changed");
        assert_eq!(
            reference.to_string().parse().ok().as_ref(),
            Some(&reference)
        );
        let tagged: Reference = reference
            .with_default_tag()
            .parse()
            .expect("with a tag it is a name too");
        assert_eq!(tagged.repository(), reference.repository());
        assert_eq!(tagged.registry(), reference.registry());
        assert_eq!(tagged.tag(), Some(reference.tag().unwrap_or("latest")));
        assert!(!reference.short_name().is_empty() && !reference.short_name().contains('/'));
    }
}
