//! Images through skopeo and curl.

use std::fs;

use boltworks_oci::media_type;
use serde_json::{Value, json};

use crate::Server;
use crate::client::{curl, get, skopeo};
use crate::fixture::Factory;

#[test]
fn skopeo_copies_by_tag_and_by_digest() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    factory.release_image("app/web:1.4", &image);
    let server = Server::of(&factory);
    let folder = tempfile::tempdir().unwrap();
    let digest = image.artifact.digest;
    for (name, reference) in [
        ("tag", ":1.4".to_owned()),
        ("digest", format!("@{}", digest.prefixed())),
    ] {
        let source = format!("docker://{}/app/web{reference}", server.address);
        let target = folder.path().join(name);
        let copy = format!("dir:{}", target.display());
        skopeo(&["copy", "--src-tls-verify=false", &source, &copy]);
        assert_eq!(
            fs::read(target.join("manifest.json")).unwrap(),
            image.parts.manifest.bytes
        );
        for digest in [image.parts.config.digest, image.parts.layers[0].digest] {
            let bytes = fs::read(target.join(digest.to_string())).unwrap();
            assert_eq!(boltworks_crypto::sha256(&bytes), digest);
        }
        let layout = format!(
            "oci:{}:x",
            folder.path().join(format!("{name}-oci")).display()
        );
        skopeo(&["copy", "--src-tls-verify=false", &source, &layout]);
        let inspected = skopeo(&["inspect", "--tls-verify=false", &source]);
        let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
        assert_eq!(inspected["Digest"], digest.prefixed());
        assert_eq!(inspected["RepoTags"], json!(["1.4"]));
    }
}

#[test]
fn manifests_say_what_they_are() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    factory.release_image("web:1", &image);
    let server = Server::of(&factory);
    let digest = image.artifact.digest.prefixed();
    for (reference, cache) in [
        ("1", "no-cache"),
        (&*digest, "public, max-age=31536000, immutable"),
    ] {
        let reply = get(&server, &format!("/v2/web/manifests/{reference}"));
        assert_eq!(
            (reply.status, &reply.body),
            (200, &image.parts.manifest.bytes)
        );
        assert_eq!(reply.header("content-type"), media_type::MANIFEST);
        assert_eq!(reply.header("docker-content-digest"), digest);
        assert_eq!(reply.header("etag"), format!("\"{digest}\""));
        assert_eq!(reply.header("cache-control"), cache);
        assert_eq!(
            reply.header("last-modified"),
            "Sun, 09 Sep 2001 01:46:40 GMT"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
    let reply = get(&server, "/v2/");
    assert_eq!((reply.status, &*reply.body), (200, &b"{}"[..]));
    assert_eq!(
        reply.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    let blob = get(
        &server,
        &format!("/v2/web/blobs/{}", image.parts.layers[0].digest.prefixed()),
    );
    assert_eq!(blob.header("content-type"), "application/octet-stream");
}

#[test]
fn errors_are_the_specifications() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    factory.release_image("web:1", &image);
    factory.release_image("shop:1", &factory.image("shop", b"other"));
    let unreleased = factory
        .store
        .put_bytes(b"secret")
        .unwrap()
        .digest
        .prefixed();
    let layer = image.parts.layers[0].digest.prefixed();
    let server = Server::of(&factory);
    for (path, status, code) in [
        ("/v2/web/manifests/2".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (
            "/v2/web/manifests/latest".to_owned(),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (
            format!("/v2/web/manifests/{layer}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (format!("/v2/web/blobs/{unreleased}"), 404, "BLOB_UNKNOWN"),
        (format!("/v2/shop/blobs/{layer}"), 404, "BLOB_UNKNOWN"),
        ("/v2/web/blobs/sha256:x".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/none/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/Web/tags/list".to_owned(), 400, "NAME_INVALID"),
        ("/v2/../../etc/passwd".to_owned(), 404, "NOT_FOUND"),
        (
            "/v2/web/tags/list?n=x".to_owned(),
            400,
            "PAGINATION_NUMBER_INVALID",
        ),
        ("/nothing".to_owned(), 404, "NOT_FOUND"),
        ("/apk/".to_owned(), 404, "NOT_FOUND"),
    ] {
        let reply = get(&server, &path);
        assert_eq!((reply.status, &*reply.code()), (status, code), "{path}");
        assert_eq!(reply.header("content-type"), "application/json");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
        for path in [
            "/v2/web/blobs/uploads/",
            "/v2/web/manifests/1",
            "/apk/os/x86_64/a.apk",
        ] {
            let reply = curl(&server, path, &["--request", method]);
            assert_eq!(
                (reply.status, &*reply.code()),
                (405, "UNSUPPORTED"),
                "{method} {path}"
            );
            assert_eq!(reply.header("allow"), "GET, HEAD");
        }
    }
    let large = "x".repeat(100_000);
    let push = curl(
        &server,
        "/v2/web/blobs/uploads/",
        &["--data-binary", &large],
    );
    assert_eq!(push.status, 405);
}

#[test]
fn lists_come_in_pages() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    for channel in ["web:a", "web:b", "web:c", "shop:1", "app/x:1"] {
        factory.release_image(channel, &image);
    }
    let server = Server::of(&factory);
    let all = get(&server, "/v2/web/tags/list");
    assert_eq!(
        all.json(),
        json!({ "name": "web", "tags": ["a", "b", "c"] })
    );
    assert_eq!(all.header("link"), "");
    let first = get(&server, "/v2/web/tags/list?n=2");
    assert_eq!(first.json()["tags"], json!(["a", "b"]));
    assert_eq!(
        first.header("link"),
        "</v2/web/tags/list?n=2&last=b>; rel=\"next\""
    );
    let last = get(&server, "/v2/web/tags/list?n=2&last=b");
    assert_eq!(last.json()["tags"], json!(["c"]));
    assert_eq!(last.header("link"), "");
    let none = get(&server, "/v2/web/tags/list?n=0");
    assert_eq!(
        (none.json()["tags"].clone(), none.header("link")),
        (json!([]), "")
    );
    let huge = get(&server, "/v2/web/tags/list?n=99999999999999999999");
    assert_eq!(huge.json()["tags"], json!(["a", "b", "c"]));
    let catalog = get(&server, "/v2/_catalog?n=1&last=app/x");
    assert_eq!(catalog.json(), json!({ "repositories": ["shop"] }));
    assert_eq!(
        catalog.header("link"),
        "</v2/_catalog?n=1&last=shop>; rel=\"next\""
    );
    let tags = skopeo(&[
        "list-tags",
        "--tls-verify=false",
        &format!("docker://{}/web", server.address),
    ]);
    let tags: Value = serde_json::from_slice(&tags.stdout).unwrap();
    assert_eq!(tags["Tags"], json!(["a", "b", "c"]));
}

#[test]
fn documents_are_listed_as_referrers() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    factory.release_image("web:1", &image);
    let server = Server::of(&factory);
    let path = format!("/v2/web/referrers/{}", image.artifact.digest.prefixed());
    let reply = get(&server, &path);
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, media_type::INDEX)
    );
    let listed = reply.json();
    assert_eq!(listed["manifests"][0]["artifactType"], media_type::SPDX);
    let referrer = listed["manifests"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let manifest = get(&server, &format!("/v2/web/manifests/{referrer}")).json();
    let document = manifest["layers"][0]["digest"].as_str().unwrap();
    let sbom = get(&server, &format!("/v2/web/blobs/{document}"));
    assert_eq!(sbom.json()["sbom"], image.artifact.digest.to_string());
    for (filter, count) in [
        ("application/spdx%2Bjson", 1),
        ("application/spdx+json", 1),
        ("x/y", 0),
    ] {
        let filtered = get(&server, &format!("{path}?artifactType={filter}"));
        assert_eq!(
            filtered.json()["manifests"].as_array().unwrap().len(),
            count
        );
        assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    }
    let unknown = get(
        &server,
        &format!("/v2/web/referrers/sha256:{}", "0".repeat(64)),
    );
    assert_eq!(
        (unknown.status, unknown.json()["manifests"].clone()),
        (200, json!([]))
    );
}

#[test]
fn blobs_come_in_parts_and_on_condition() {
    let mut factory = Factory::new();
    let content: Vec<u8> = (0..1_000_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    let image = factory.image("web", &content);
    factory.release_image("web:1", &image);
    let server = Server::of(&factory);
    let path = format!("/v2/web/blobs/{}", image.parts.layers[0].digest.prefixed());
    let whole = get(&server, &path);
    let size = whole.body.len();
    assert_eq!(
        (whole.status, whole.header("accept-ranges")),
        (200, "bytes")
    );
    assert_eq!(
        boltworks_crypto::sha256(&whole.body),
        image.parts.layers[0].digest
    );
    for (range, first, end) in [
        ("0-0", 0, 1),
        ("500-399999", 500, 400_000),
        ("700000-", 700_000, size),
        ("-10", size - 10, size),
        ("0-99999999", 0, size),
    ] {
        let part = curl(&server, &path, &["--range", range]);
        assert_eq!(
            (part.status, &*part.body),
            (206, &whole.body[first..end]),
            "{range}"
        );
        let expected = format!("bytes {first}-{}/{size}", end - 1);
        assert_eq!(part.header("content-range"), expected);
        assert_eq!(part.header("content-length"), (end - first).to_string());
    }
    let outside = curl(&server, &path, &["--range", "99999999-"]);
    assert_eq!(
        (outside.status, outside.header("content-range")),
        (416, &*format!("bytes */{size}"))
    );
    for range in ["0-1,5-6", "5-2", "x"] {
        let header = format!("Range: bytes={range}");
        assert_eq!(
            curl(&server, &path, &["--header", &header]).status,
            200,
            "{range}"
        );
    }
    let etag = whole.header("etag");
    let if_range = |value: &str| {
        let header = format!("If-Range: {value}");
        curl(&server, &path, &["--range", "0-0", "--header", &header]).status
    };
    assert_eq!((if_range(etag), if_range("\"other\"")), (206, 200));
    assert_eq!(if_range(whole.header("last-modified")), 206);
    assert_eq!(if_range("Sun, 09 Sep 2001 01:46:41 GMT"), 200);
    let condition = |header: &str| curl(&server, &path, &["--header", header]);
    let unchanged = condition(&format!("If-None-Match: \"x\", W/{etag}"));
    assert_eq!(
        (
            unchanged.status,
            unchanged.header("etag"),
            unchanged.body.len()
        ),
        (304, etag, 0)
    );
    assert_eq!(condition("If-None-Match: *").status, 304);
    assert_eq!(condition("If-None-Match: \"x\"").status, 200);
    assert_eq!(
        condition("If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT").status,
        304
    );
    assert_eq!(
        condition("If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT").status,
        200
    );
    assert_eq!(condition("If-Modified-Since: yesterday").status, 200);
}

#[test]
fn an_interrupted_download_is_resumed() {
    let mut factory = Factory::new();
    let image = factory.image("web", &vec![7; 300_000]);
    factory.release_image("web:1", &image);
    let server = Server::of(&factory);
    let digest = image.parts.layers[0].digest;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("layer");
    let whole = get(&server, &format!("/v2/web/blobs/{}", digest.prefixed())).body;
    fs::write(&target, &whole[..100_001]).unwrap();
    let output = format!("{}", target.display());
    let status = std::process::Command::new("curl")
        .args(["--silent", "--continue-at", "-", "--output", &output])
        .arg(server.url(&format!("/v2/web/blobs/{}", digest.prefixed())))
        .status()
        .expect("needs curl: apt-get install curl");
    assert!(status.success());
    assert_eq!(fs::read(&target).unwrap(), whole);
}

#[test]
fn head_says_what_get_would_say() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    factory.release_image("web:1", &image);
    let packages = [factory.package("zlib", "1.3.1-r0", b"z")];
    factory.release_repository("os/x86_64", &packages);
    let server = Server::of(&factory);
    let digest = image.artifact.digest.prefixed();
    for path in [
        "/".to_owned(),
        "/v2/".to_owned(),
        "/v2/_catalog".to_owned(),
        "/v2/web/tags/list".to_owned(),
        "/v2/web/manifests/1".to_owned(),
        format!("/v2/web/manifests/{digest}"),
        format!("/v2/web/referrers/{digest}"),
        format!("/v2/web/blobs/{}", image.parts.layers[0].digest.prefixed()),
        "/apk/os/x86_64/APKINDEX.tar.gz".to_owned(),
        "/apk/os/x86_64/zlib-1.3.1-r0.apk".to_owned(),
        "/keys/web.rsa.pub".to_owned(),
        "/v2/web/manifests/none".to_owned(),
        "/nothing".to_owned(),
    ] {
        let got = get(&server, &path);
        let mut head = curl(&server, &path, &["--head"]);
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(
            got.header("content-length"),
            got.body.len().to_string(),
            "{path}"
        );
        head.headers
            .insert("date".into(), got.header("date").into());
        assert_eq!(
            (head.status, head.headers),
            (got.status, got.headers),
            "{path}"
        );
    }
    let ranged = curl(
        &server,
        "/v2/web/manifests/1",
        &["--head", "--range", "0-0"],
    );
    assert_eq!(ranged.status, 200);
}
