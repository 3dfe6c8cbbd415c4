//! What a blob says it is (image-spec 1.1, media types).

/// An image manifest: one configuration, its layers.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image index: manifests, one for each platform.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer: a tar, gzip-compressed.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A layer: a tar, zstd-compressed.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// A layer: a tar as it is.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// A layer: an EROFS image as it is (erofs-image-spec, a draft).
pub const LAYER_EROFS: &str = "application/vnd.erofs";
/// The two bytes `{}`: the configuration of an artifact that has none.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// An SPDX document in JSON.
pub const SPDX: &str = "application/spdx+json";
/// An SPDX 3 document, which is JSON-LD: it has no type of its own.
pub const SPDX3: &str = "application/ld+json";
/// A `CycloneDX` document in JSON.
pub const CYCLONEDX: &str = "application/vnd.cyclonedx+json";

/// Whether a text has the form of a media type (RFC 6838, section 4.2).
pub fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        name.len() <= 127
            && name
                .bytes()
                .next()
                .is_some_and(|byte| byte.is_ascii_alphanumeric())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/')
        .is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        for good in [
            MANIFEST,
            INDEX,
            CONFIG,
            LAYER_GZIP,
            LAYER_ZSTD,
            LAYER,
            LAYER_EROFS,
            EMPTY,
            SPDX,
            SPDX3,
            CYCLONEDX,
        ] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "text/plain; charset=utf-8",
            "a/b/c",
            "a b/c",
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
