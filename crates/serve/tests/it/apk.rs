//! The apk repository and the page for people.

use boltworks_apk::Index;
use boltworks_crypto::{Keyring, RsaPublicKey};

use crate::Server;
use crate::client::{curl, get};
use crate::fixture::Factory;

#[test]
fn a_client_finds_index_packages_and_key() {
    let mut factory = Factory::new();
    let packages = [
        factory.package("zlib", "1.3.1-r0", b"z"),
        factory.package("g++", "14.2-r0", b"g"),
    ];
    factory.release_repository("os/x86_64", &packages);
    let server = Server::of(&factory);
    let key = get(&server, "/keys/web.rsa.pub");
    assert_eq!(key.header("content-type"), "application/x-pem-file");
    let mut keys = Keyring::new();
    keys.insert("web.rsa.pub", RsaPublicKey::from_pem(&key.body).unwrap());
    let index = get(&server, "/apk/os/x86_64/APKINDEX.tar.gz");
    assert_eq!(index.header("content-type"), "application/gzip");
    let index = Index::read(&index.body, Some(&keys)).unwrap();
    assert_eq!(index.entries.len(), 2);
    for entry in &index.entries {
        let file = get(&server, &format!("/apk/os/x86_64/{}", entry.file_name()));
        assert_eq!((file.status, file.body.len() as u64), (200, entry.size));
    }
    assert_eq!(
        get(&server, "/apk/os/x86_64/g%2B%2B-14.2-r0.apk").status,
        200
    );
    for path in [
        "/apk/os/x86_64/zlib-1.3.1-r1.apk",
        "/apk/os/aarch64/APKINDEX.tar.gz",
        "/apk/os/x86_64/",
        "/apk/os/x86_64",
        "/apk/os/x86_64/records.db",
        "/apk/os/x86_64/../../records.db",
        "/apk/os/x86_64/%2e%2e/%2e%2e/records.db",
        "/apk/os/x86_64/..%2f..%2frecords.db",
        "/apk/../records.db",
        "/records.db",
        "/keys/../records.db",
        "/keys/other.rsa.pub",
        "/keys/",
        "/blobs/",
    ] {
        assert_eq!(get(&server, path).status, 404, "{path}");
    }
}

#[test]
fn a_client_that_has_the_newest_index_is_told_so() {
    let mut factory = Factory::new();
    let old = [factory.package("zlib", "1.3.1-r0", b"old")];
    let new = [factory.package("zlib", "1.3.1-r0", b"new")];
    factory.release_repository("os/x86_64", &old);
    let server = Server::of(&factory);
    let path = "/apk/os/x86_64/APKINDEX.tar.gz";
    let first = get(&server, path);
    assert_eq!(first.header("cache-control"), "no-cache");
    let since = format!("If-Modified-Since: {}", first.header("last-modified"));
    let tag = format!("If-None-Match: {}", first.header("etag"));
    let status = |header: &str| curl(&server, path, &["--header", header]).status;
    assert_eq!((status(&since), status(&tag)), (304, 304));
    // Released within the same second.
    factory.release_repository("os/x86_64", &new);
    assert_eq!((status(&since), status(&tag)), (200, 200));
    let package = get(&server, "/apk/os/x86_64/zlib-1.3.1-r0.apk");
    assert_eq!(
        boltworks_crypto::sha256(&package.body),
        new[0].artifact.digest
    );
    let kept = format!("/apk/os/x86_64/{}", old[0].artifact.digest.prefixed());
    let kept = get(&server, &kept);
    assert_eq!(boltworks_crypto::sha256(&kept.body), old[0].artifact.digest);
    assert_eq!(
        kept.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
}

#[test]
fn people_get_a_page() {
    let mut factory = Factory::new();
    let server = Server::of(&factory);
    let text = |arguments: &[&str]| {
        let reply = curl(&server, "/", arguments);
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        assert!(
            reply
                .header("content-security-policy")
                .starts_with("default-src 'none'")
        );
        String::from_utf8(reply.body).unwrap()
    };
    assert!(text(&[]).contains("Nothing yet."));
    let image = factory.image("web", b"hello");
    factory.release_image("web:1.4", &image);
    let packages = [factory.package("zlib", "1.3.1-r0", b"z")];
    factory.release_repository("os/x86_64", &packages);
    let page = text(&[]);
    for expected in [
        format!("podman pull {}/web:1.4", server.address),
        image.artifact.digest.prefixed(),
        format!("http://{}/apk/os", server.address),
        "/keys/web.rsa.pub".to_owned(),
        "judged: sbom, signature, repositories".to_owned(),
        "not judged: materials, origin, tests, vulnerabilities".to_owned(),
    ] {
        assert!(page.contains(&expected), "{expected} is not in {page}");
    }
    let fooled = text(&["--header", "Host: <script>alert(1)</script>"]);
    assert!(!fooled.contains("<script>") && fooled.contains("podman pull HOST/web:1.4"));
}
