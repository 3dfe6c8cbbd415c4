//! What happens beneath a running server: releases, damage, a state made anew.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use boltworks_fsx::Root;
use boltworks_records::Records;
use boltworks_serve::Limits;
use boltworks_store::Store;

use crate::Server;
use crate::client::get;
use crate::fixture::Factory;

#[test]
fn a_server_may_start_before_anything_is_recorded() {
    let mut factory = Factory::new();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path().to_owned(), Limits::default());
    assert_eq!(get(&server, "/v2/").status, 200);
    assert_eq!(get(&server, "/v2/web/manifests/1").status, 500);
    factory.store = Store::open(&Root::open(folder.path()).unwrap()).unwrap();
    let early = get(&server, "/v2/web/manifests/1");
    assert_eq!(
        (early.status, early.header("retry-after"), &*early.code()),
        (503, "5", "UNAVAILABLE")
    );
    factory.records = Records::open(&folder.path().join("records.db")).unwrap();
    assert_eq!(get(&server, "/v2/web/manifests/1").status, 404);
    let image = factory.image("web", b"hello");
    factory.release_image("web:1", &image);
    assert_eq!(
        get(&server, "/v2/web/manifests/1").body,
        image.parts.manifest.bytes
    );
}

#[test]
fn a_state_that_was_made_anew_is_opened_again() {
    let mut factory = Factory::new();
    let old = factory.image("web", b"old");
    factory.release_image("web:1", &old);
    let server = Server::of(&factory);
    assert_eq!(get(&server, "/v2/web/manifests/1").status, 200);
    let path = factory.folder.path().to_owned();
    for name in ["records.db", "records.db-wal", "records.db-shm"] {
        fs::remove_file(path.join(name)).unwrap();
    }
    fs::remove_dir_all(path.join("blobs")).unwrap();
    factory.store = Store::open(&Root::open(&path).unwrap()).unwrap();
    factory.records = Records::open(&path.join("records.db")).unwrap();
    assert_eq!(get(&server, "/v2/web/manifests/1").status, 404);
    let new = factory.image("web", b"new");
    factory.release_image("web:1", &new);
    let reply = get(&server, "/v2/web/manifests/1");
    assert_eq!(reply.body, new.parts.manifest.bytes);
    let layer = format!("/v2/web/blobs/{}", new.parts.layers[0].digest.prefixed());
    assert_eq!(get(&server, &layer).status, 200);
}

#[test]
fn a_damaged_blob_is_not_served_and_the_stranger_is_not_told_why() {
    let mut factory = Factory::new();
    let image = factory.image("web", b"hello");
    factory.release_image("web:1", &image);
    let server = Server::of(&factory);
    let digest = image.parts.layers[0].digest;
    let path = format!("/v2/web/blobs/{}", digest.prefixed());
    assert_eq!(get(&server, &path).status, 200);
    let file = factory
        .folder
        .path()
        .join("blobs/sha256")
        .join(digest.to_string());
    let mut bytes = fs::read(&file).unwrap();
    bytes[0] ^= 1;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, bytes).unwrap();
    let reply = get(&server, &path);
    let text = String::from_utf8(reply.body).unwrap();
    assert_eq!(reply.status, 500);
    assert_eq!(
        text,
        r#"{"errors":[{"code":"UNKNOWN","message":"internal error, number 1 in the log"}]}"#
    );
    assert_eq!(get(&server, "/v2/web/manifests/1").status, 200);
}

/// While channels move as fast as they can, whoever reads a manifest finds all of its parts.
#[test]
fn readers_never_see_a_release_with_missing_parts() {
    let mut factory = Factory::new();
    let images: Vec<_> = (0..40_u8)
        .map(|number| factory.image("web", &[number; 1000]))
        .collect();
    factory.release_image("web:1", &images[0]);
    let server = Server::of(&factory);
    let is_done = AtomicBool::new(false);
    let read = || {
        let mut seen = std::collections::BTreeSet::new();
        while !is_done.load(Ordering::Relaxed) {
            let manifest = get(&server, "/v2/web/manifests/1");
            assert_eq!(manifest.status, 200);
            let parts = manifest.json();
            for digest in [&parts["config"]["digest"], &parts["layers"][0]["digest"]] {
                let digest = digest.as_str().unwrap();
                assert_eq!(get(&server, &format!("/v2/web/blobs/{digest}")).status, 200);
            }
            let digest = manifest.header("docker-content-digest").to_owned();
            let referrers = get(&server, &format!("/v2/web/referrers/{digest}"));
            assert_eq!(referrers.json()["manifests"].as_array().unwrap().len(), 1);
            seen.insert(digest);
        }
        seen.len()
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for _ in 0..2 {
            for image in &images {
                factory.release_image("web:1", image);
            }
        }
        is_done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 1, "the readers saw no move");
        }
    });
}
