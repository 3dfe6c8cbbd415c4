//! OCI documents and the names of images.

use boltworks_oci::{Reference, read_config, read_index, read_manifest};

use crate::{taken, text};

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
