//! `boltworks image push LAYOUT:TAG` to registries that fail, lie and refuse.

use boltworks_crypto::sha256;
use boltworks_oci::layout::REF_NAME;
use boltworks_oci::{Descriptor, Index, Manifest, media_type};

use crate::kit::{Answer, Desk};
use crate::server::{Faults, Lie, Server};

/// Sent in two pieces.
const LARGE: usize = 20 << 20;

/// A folder with an OCI layout of two images.
fn desk() -> Desk {
    let desk = Desk::new();
    let put = |kind: &str, bytes: &[u8]| {
        let digest = sha256(bytes);
        desk.write(&format!("layout/blobs/sha256/{digest}"), bytes);
        Descriptor::new(kind, digest, bytes.len() as u64)
    };
    let mut large = vec![7; LARGE];
    for (at, byte) in large.iter_mut().enumerate().step_by(1000) {
        *byte = u8::try_from(at % 251).unwrap();
    }
    let large = put(media_type::LAYER_GZIP, &large);
    let mut images = Vec::new();
    for tag in ["1", "2"] {
        let config = format!(r#"{{"architecture":"amd64","os":"linux","author":"{tag}"}}"#);
        let config = put(media_type::CONFIG, config.as_bytes());
        let small = put(media_type::LAYER_GZIP, tag.repeat(100).as_bytes());
        let manifest = Manifest::new(config, vec![large.clone(), small]);
        let mut image = put(media_type::MANIFEST, &manifest.to_bytes().unwrap());
        image
            .annotations
            .insert(REF_NAME.to_owned(), tag.to_owned());
        images.push(image);
    }
    let index = Index::new(images).to_bytes().unwrap();
    desk.write("layout/index.json", index);
    desk.write("layout/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    desk
}

/// Brings the second image to two tags.
fn push(desk: &Desk, server: &Server) -> Answer {
    let to = &server.host;
    desk.run_with(
        &format!("image push layout:2 {to}/team/web:2 {to}/team/web:latest"),
        &[("HOME", "/nonexistent"), ("no_proxy", "127.0.0.1")],
    )
}

/// The same, to a registry that does what it should by now.
#[track_caller]
fn verify_pushed(desk: &Desk, server: &Server) {
    push(desk, server).with_code(0);
    assert_eq!(server.verify_tags(), 2);
    let state = server.state();
    assert_eq!(
        state.tags.keys().collect::<Vec<_>>(),
        ["team/web:2", "team/web:latest"]
    );
    // Not the other image of the layout.
    assert_eq!(state.manifests.len(), 1);
}

#[test]
fn a_registry_that_lies_is_told_of_and_given_no_tag() {
    let look = "help: look at the registry, and at proxies before it: no tag was set";
    let again = "help: run the same command again later: what is there is not sent again";
    let check = "help: check the registry's name, the network and its proxy";
    for (lie, what, help) in [
        (Lie::BlobDigest, "it says the digest is 'sha256:", look),
        (Lie::ManifestDigest, "it says the digest is 'sha256:", look),
        (Lie::HeadDigest, "it says the digest is 'sha256:", look),
        (
            Lie::LargeRange,
            "it says that it has 100000000000 bytes",
            look,
        ),
        (Lie::Forgetful, "it answered 404", again),
        (Lie::EndlessHeaders, "response header is too big", check),
        (
            Lie::RedirectUpload,
            "what is sent goes to the former only",
            check,
        ),
    ] {
        let (desk, server, other) = (desk(), Server::lying(lie), Server::start());
        server.state().elsewhere = format!("http://{}", other.host);
        let failed = push(&desk, &server).with_code(1);
        for said in ["error: ", server.host.as_str(), what, help] {
            assert!(failed.err.contains(said), "{lie:?}: {said}: {failed:?}");
        }
        assert_eq!(server.state().tags.len(), 0, "{lie:?}");
        assert_eq!(other.state().log.len(), 0, "{lie:?}");
        server.state().lie = None;
        verify_pushed(&desk, &server);
    }
}

#[test]
fn whatever_fails_at_random_the_same_command_ends_it() {
    let one = |seed: u64| {
        let (desk, server) = (desk(), Server::start());
        server.state().seed = seed;
        server.state().faults = Faults {
            reset: 8,
            refuse: 8,
            lose: 8,
            tear: 16,
            ..Faults::default()
        };
        let pushed = push(&desk, &server);
        let tags = server.verify_tags();
        if pushed.code == 0 {
            assert_eq!(tags, 2);
        } else {
            let is_told = pushed.err.contains("error: ") && pushed.err.contains("help: ");
            assert!(pushed.code == 1 && is_told, "{pushed:?}");
        }
        server.state().faults = Faults::default();
        verify_pushed(&desk, &server);
    };
    std::thread::scope(|scope| {
        for seed in 0..6 {
            scope.spawn(move || one(seed));
        }
    });
}

#[test]
fn one_registry_that_fails_leaves_the_others_without_a_tag() {
    let (desk, good, bad) = (desk(), Server::start(), Server::lying(Lie::ManifestDigest));
    let push = || {
        let to = [&good, &bad].map(|server| format!("{}/team/web:2", server.host));
        desk.run_with(
            &format!("image push layout:2 {}", to.join(" ")),
            &[("HOME", "/nonexistent"), ("no_proxy", "127.0.0.1")],
        )
    };
    let failed = push().with_code(1);
    assert!(failed.err.contains(&bad.host), "{failed:?}");
    for server in [&good, &bad] {
        assert_eq!(server.state().tags.len(), 0);
    }
    bad.state().lie = None;
    push().with_code(0);
    for server in [&good, &bad] {
        assert_eq!(server.verify_tags(), 1);
    }
}

#[test]
fn who_is_not_let_in_is_told_how() {
    let (desk, server) = (desk(), Server::start());
    server.state().challenge = Some("Basic realm=\"all\"".to_owned());
    let failed = push(&desk, &server).with_code(1);
    for said in [
        "it answered 401: who are you (UNAUTHORIZED)",
        "docker login",
    ] {
        assert!(failed.err.contains(said), "{failed:?}");
    }
    assert_eq!(server.state().tags.len(), 0);
}

#[test]
fn what_is_not_whole_here_is_not_tagged() {
    let (desk, server) = (desk(), Server::start());
    let refused = |what: &str| {
        let failed = push(&desk, &server).with_code(2);
        assert!(failed.err.contains(what), "{failed:?}");
        assert_eq!(server.state().tags.len(), 0);
        assert_eq!(server.state().manifests.len(), 0);
    };
    let small = sha256("2".repeat(100).as_bytes());
    let blob = format!("layout/blobs/sha256/{small}");
    desk.write(&blob, "3".repeat(100));
    refused(&format!(
        "the layout layout:2 is not whole: its blob sha256:{small} is damaged"
    ));
    std::fs::remove_file(desk.path(&blob)).unwrap();
    refused(&format!(
        "the layout layout:2 is not whole: the blob sha256:{small} is not in it"
    ));
    let index = String::from_utf8(desk.read("layout/index.json")).unwrap();
    let index = index.replace(r#"ref.name":"2""#, r#"ref.name":"3""#);
    desk.write("layout/index.json", index);
    refused("layout holds no image of the tag 2: there are 1 (sha256:");
    desk.write("layout/index.json", "{");
    refused("layout/index.json: index is not valid");
}
