//! Package addresses (purl-spec): the names scanners look things up by.

use boltworks_model::Sha256;
use packageurl::PackageUrl;

/// `pkg:apk/<vendor>/<name>@<version>?arch=<architecture>`.
pub fn apk(vendor: &str, name: &str, version: &str, architecture: &str) -> String {
    build(
        "apk",
        (!vendor.is_empty()).then_some(vendor),
        name,
        version,
        &[("arch", architecture)],
    )
}

/// `pkg:oci/<name>@sha256:<digest>?arch=…&tag=…`; without an architecture, of an index of images.
pub fn oci(name: &str, digest: &Sha256, architecture: Option<&str>, tag: Option<&str>) -> String {
    let name = name.to_ascii_lowercase();
    let qualifiers = [("arch", architecture), ("tag", tag)];
    let qualifiers = qualifiers.into_iter();
    let qualifiers: Vec<_> = qualifiers
        .filter_map(|(key, value)| Some((key, value?)))
        .collect();
    build("oci", None, &name, &digest.prefixed(), &qualifiers)
}

/// `pkg:generic/<name>@<version>?checksum=…` and where it is: `download_url=…` for a source file,
/// `vcs_url=git+…@COMMIT` for a commit.
pub fn generic(
    name: &str,
    version: &str,
    sha256: &Sha256,
    place: Option<(&'static str, &str)>,
) -> String {
    let checksum = sha256.prefixed();
    let mut qualifiers = vec![("checksum", checksum.as_str())];
    qualifiers.extend(place);
    build("generic", None, name, version, &qualifiers)
}

/// The crate's only errors are an invalid type, an empty name and an invalid qualifier key;
/// the first and the last are constants here, and an empty name stays visible as `unnamed`.
fn build(
    kind: &'static str,
    namespace: Option<&str>,
    name: &str,
    version: &str,
    qualifiers: &[(&'static str, &str)],
) -> String {
    let name = if name.is_empty() { "unnamed" } else { name };
    let make = || -> Result<String, packageurl::Error> {
        let mut purl = PackageUrl::new(kind, name)?;
        if let Some(namespace) = namespace {
            purl.with_namespace(namespace)?;
        }
        purl.with_version(version)?;
        for (key, value) in qualifiers {
            purl.add_qualifier(*key, *value)?;
        }
        Ok(purl.to_string())
    };
    make().unwrap_or_else(|_| format!("pkg:{kind}/unnamed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encoded() {
        insta::assert_snapshot!(apk("Web", "libstdc++", "14.2.0-r1", "x86_64"), @"pkg:apk/web/libstdc%2B%2B@14.2.0-r1?arch=x86_64");
        insta::assert_snapshot!(apk("", "zlib", "1.3.1-r0", "x86_64"), @"pkg:apk/zlib@1.3.1-r0?arch=x86_64");
        let digest = Sha256::new([0xab; 32]);
        insta::assert_snapshot!(oci("Web", &digest, Some("amd64"), Some("1.4")), @"pkg:oci/web@sha256:abababababababababababababababababababababababababababababababab?arch=amd64&tag=1.4");
        insta::assert_snapshot!(generic("zlib", "1.3.1", &digest, Some(("download_url", "https://zlib.example/zlib-1.3.1.tar.gz"))), @"pkg:generic/zlib@1.3.1?checksum=sha256:abababababababababababababababababababababababababababababababab&download_url=https:%2F%2Fzlib.example%2Fzlib-1.3.1.tar.gz");
    }
}
