//! Push and pull against a real server on loopback that fails, stalls, resets, refuses and lies.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod server;

use std::sync::Mutex;
use std::time::Duration;

use boltworks_crypto::sha256;
use boltworks_fsx::Root;
use boltworks_model::{Ambient, Cancel, Clock, Entropy, Sha256, Timestamp};
use boltworks_net::{Client, Login, Settings};
use boltworks_oci::{Descriptor, Index, Manifest, Platform, Reference, media_type};
use boltworks_registry::{Access, Error, Held, Limits, Pushed, Registry, pull, push};
use boltworks_store::Store;
use server::{Faults, Lie, Server};

/// A clock that only notes how long was slept.
#[derive(Default)]
struct Sleepless(Mutex<Duration>);

impl Clock for Sleepless {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// A store with an index of two images, which share a layer that is sent in pieces.
struct Desk {
    _folder: tempfile::TempDir,
    store: Store,
    index: Sha256,
    layer: Sha256,
    client: Client,
    clock: Sleepless,
    cancel: Cancel,
}

/// More than one piece.
const LARGE: usize = 20 << 20;

impl Desk {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Root::open(folder.path()).unwrap()).unwrap();
        Self {
            _folder: folder,
            store,
            index: sha256(b""),
            layer: sha256(b""),
            client: Client::new(Settings {
                // Longer than an honest answer takes on a busy machine.
                stall: Duration::from_secs(1),
                ..Settings::default()
            }),
            clock: Sleepless::default(),
            cancel: Cancel::default(),
        }
    }

    fn new() -> Self {
        let mut desk = Self::empty();
        let mut large = vec![7; LARGE];
        for (at, byte) in large.iter_mut().enumerate().step_by(1000) {
            *byte = u8::try_from(at % 251).unwrap();
        }
        let layer = desk.put(media_type::LAYER_GZIP, &large);
        desk.layer = layer.digest;
        let mut manifests = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let config = desk.put(media_type::CONFIG, architecture.as_bytes());
            let small = desk.put(media_type::LAYER_GZIP, &architecture.as_bytes().repeat(100));
            let manifest = Manifest::new(config, vec![layer.clone(), small]);
            let mut named = desk.put(media_type::MANIFEST, &manifest.to_bytes().unwrap());
            named.platform = Some(platform(architecture));
            manifests.push(named);
        }
        let index = Index::new(manifests).to_bytes().unwrap();
        desk.index = desk.put(media_type::INDEX, &index).digest;
        desk
    }

    fn put(&self, kind: &str, bytes: &[u8]) -> Descriptor {
        let stored = self.store.put_bytes(bytes).unwrap();
        Descriptor::new(kind, stored.digest, stored.size)
    }

    fn ambient(&self) -> Ambient<'_> {
        Ambient {
            clock: &self.clock,
            entropy: &NoEntropy,
            sink: &(),
            cancel: &self.cancel,
        }
    }

    fn registry(&self, server: &Server, held: Option<Held>) -> Registry<'_> {
        let access = Access::Push { mount_from: None };
        Registry::new(&self.client, &name(server), access, held, self.ambient()).unwrap()
    }

    fn push(&self, server: &Server) -> Result<Pushed, Error> {
        push(
            &self.registry(server, None),
            &self.store,
            &self.index,
            &["1", "latest"],
        )
    }

    fn pull(&self, server: &Server, limits: &Limits) -> Result<Descriptor, Error> {
        pull(
            &self.registry(server, None),
            &self.store,
            &name(server),
            limits,
        )
    }
}

fn platform(architecture: &str) -> Platform {
    Platform {
        architecture: architecture.to_owned(),
        os: "linux".to_owned(),
        os_features: Vec::new(),
        variant: None,
    }
}

fn name(server: &Server) -> Reference {
    format!("{}/team/web:1", server.host).parse().unwrap()
}

fn asked(server: &Server, method: &str) -> usize {
    let state = server.state();
    let is_it = |head: &&String| head.starts_with(method);
    state.log.iter().filter(is_it).count()
}

#[test]
fn an_index_is_pushed_once_and_pulled_back() {
    let (desk, server) = (Desk::new(), Server::start());
    desk.registry(&server, None).check().unwrap();
    let pushed = desk.push(&server).unwrap();
    assert_eq!((pushed.digest, pushed.sent), (desk.index, 5));
    assert_eq!(server.verify_tags(), 2);
    // The layer of both images went once, in two pieces.
    assert_eq!(asked(&server, "PATCH"), 2);
    let again = desk.push(&server).unwrap();
    assert_eq!((again.sent, again.there), (0, 0));
    assert_eq!(asked(&server, "POST"), 5);

    let other = Desk::empty();
    let root = other.pull(&server, &Limits::default()).unwrap();
    assert_eq!(root.digest, desk.index);
    assert_eq!(other.store.list().unwrap(), desk.store.list().unwrap());
    let one = Desk::empty();
    let limits = Limits {
        platform: Some(platform("arm64")),
        ..Limits::default()
    };
    one.pull(&server, &limits).unwrap();
    assert_eq!(one.store.list().unwrap().len(), 5);
    let limits = Limits {
        bytes: 1000,
        ..Limits::default()
    };
    let error = Desk::empty().pull(&server, &limits).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn whatever_goes_wrong_at_random_nothing_half_is_tagged() {
    let mut whole = 0;
    for seed in 0..12 {
        let (desk, server) = (Desk::new(), Server::start());
        let faults = Faults {
            reset: 6,
            stall: 2,
            refuse: 8,
            lose: 6,
            tear: 8,
        };
        server.state().faults = faults;
        server.state().seed = seed;
        let pushed = desk.push(&server);
        let tags = server.verify_tags();
        match pushed {
            Ok(_) => assert_eq!(tags, 2),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        }
        let other = Desk::empty();
        match other.pull(&server, &Limits::default()) {
            Ok(root) => {
                assert_eq!(root.digest, desk.index);
                assert_eq!(other.store.list().unwrap(), desk.store.list().unwrap());
                whole += 1;
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    // Three requests of ten fail and each is tried five times: a run of some forty requests is
    // given up in one of twelve cases, so that fewer than half are whole in no one's lifetime.
    assert!(whole >= 6, "only {whole} of 12 came through");
}

#[test]
fn a_torn_upload_goes_on_where_it_was_torn() {
    let (desk, server) = (Desk::new(), Server::start());
    let mut torn = 0;
    for seed in 0..40 {
        server.state().faults = Faults {
            tear: 60,
            ..Faults::default()
        };
        server.state().seed = seed;
        server.state().blobs.clear();
        server.state().manifests.clear();
        server.state().log.clear();
        if desk.push(&server).is_err() {
            continue;
        }
        server.verify_tags();
        let state = server.state();
        let ranges = state.log.iter().filter_map(|head| {
            let line = head
                .lines()
                .find(|line| line.starts_with("content-range: "))?;
            line.strip_prefix("content-range: ")?
                .split_once('-')?
                .0
                .parse::<usize>()
                .ok()
        });
        torn += ranges.filter(|first| first % (16 << 20) != 0).count();
        if torn > 0 {
            break;
        }
    }
    assert!(torn > 0, "no upload went on in the middle of a piece");
}

#[test]
fn what_a_registry_says_of_digests_is_not_believed() {
    for lie in [Lie::BlobDigest, Lie::ManifestDigest, Lie::HeadDigest] {
        let (desk, server) = (Desk::new(), Server::lying(lie));
        let error = desk.push(&server).unwrap_err();
        assert!(matches!(error, Error::Lied { .. }), "{lie:?}: {error}");
        assert_eq!(server.state().tags.len(), 0, "{lie:?}");
    }
    for lie in [Lie::BlobBytes, Lie::BlobLength, Lie::ManifestBytes] {
        let (desk, server) = (Desk::new(), Server::start());
        desk.push(&server).unwrap();
        server.state().lie = Some(lie);
        let other = Desk::empty();
        let error = other.pull(&server, &Limits::default()).unwrap_err();
        assert!(!error.to_string().is_empty());
        // Nothing was kept under a name that is not its own, and no manifest at all.
        for digest in other.store.list().unwrap() {
            other.store.open_blob(&digest).unwrap();
            assert_ne!(digest, desk.index);
        }
    }
}

#[test]
fn answers_without_end_end() {
    for lie in [Lie::EndlessHeaders, Lie::LargeRange] {
        let (desk, server) = (Desk::new(), Server::lying(lie));
        let error = desk.push(&server).unwrap_err();
        assert_eq!(server.state().tags.len(), 0, "{lie:?}: {error}");
    }
    let (desk, server) = (Desk::new(), Server::start());
    desk.push(&server).unwrap();
    server.state().lie = Some(Lie::EndlessManifest);
    let error = Desk::empty().pull(&server, &Limits::default()).unwrap_err();
    let is_it = matches!(error, Error::Net(boltworks_net::Error::TooLarge { .. }));
    assert!(is_it, "{error}");
}

#[test]
fn a_registry_that_forgets_uploads_is_given_up() {
    let (desk, server) = (Desk::new(), Server::lying(Lie::Forgetful));
    let error = desk.push(&server).unwrap_err();
    assert!(
        matches!(error, Error::Refused { status: 404, .. }),
        "{error}"
    );
    assert!(asked(&server, "PATCH") < 10);
}

fn login() -> Held {
    Held::Login(Login::new("me", "hunter2"))
}

#[test]
fn a_token_is_fetched_and_fetched_again() {
    let (desk, server, tokens) = (Desk::new(), Server::start(), Server::start());
    // `me:hunter2`
    let basic = "Basic bWU6aHVudGVyMg==".to_owned();
    tokens.state().wanted = vec![basic.clone()];
    tokens.state().token = Some("one".to_owned());
    let challenge = format!(
        r#"Bearer realm="http://{}/token?x=1",service="the registry""#,
        tokens.host
    );
    server.state().challenge = Some(challenge);
    server.state().wanted = vec!["Bearer one".to_owned()];
    let registry = desk.registry(&server, Some(login()));
    push(&registry, &desk.store, &desk.index, &["1"]).unwrap();
    assert_eq!(tokens.state().log.len(), 1);
    let asked = tokens.state().log[0].clone();
    assert!(
        asked.starts_with(
            "GET /token?x=1&service=the%20registry&scope=repository%3Ateam%2Fweb%3Apull%2Cpush "
        ),
        "{asked}"
    );
    // The token runs out.
    tokens.state().token = Some("two".to_owned());
    server.state().wanted = vec!["Bearer two".to_owned()];
    push(&registry, &desk.store, &desk.index, &["2"]).unwrap();
    assert_eq!(tokens.state().log.len(), 2);
    assert!(
        server
            .state()
            .log
            .iter()
            .all(|head| !head.contains("Basic"))
    );
    assert!(
        tokens
            .state()
            .log
            .iter()
            .all(|head| !head.contains("Bearer"))
    );
    // Another who may not.
    tokens.state().wanted = vec!["Basic other".to_owned()];
    server.state().wanted.clear();
    let error = push(&registry, &desk.store, &desk.index, &["3"]).unwrap_err();
    assert!(
        matches!(error, Error::Denied { status: 401, .. }),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter2"));
    assert_eq!(server.state().tags.len(), 2);
}

#[test]
fn a_password_is_asked_for_once_and_nobody_is_told_so() {
    let (desk, server) = (Desk::new(), Server::start());
    server.state().challenge = Some("Basic realm=\"r\"".to_owned());
    server.state().wanted = vec!["Basic bWU6aHVudGVyMg==".to_owned()];
    push(
        &desk.registry(&server, Some(login())),
        &desk.store,
        &desk.index,
        &["1"],
    )
    .unwrap();
    let error = desk.push(&server).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "log in to {}/team/web as nobody, for no login is known for it: it answered 401: who are you (UNAUTHORIZED)",
            server.host
        )
    );
}

#[test]
fn a_password_crosses_no_network_unprotected() {
    let (desk, server) = (Desk::new(), Server::start());
    server.state().challenge = Some("Bearer realm=\"http://token.test/\"".to_owned());
    let registry = desk.registry(&server, Some(login()));
    let error = push(&registry, &desk.store, &desk.index, &["1"]).unwrap_err();
    assert!(matches!(error, Error::Unprotected { .. }), "{error}");
}

#[test]
fn no_credential_leaves_its_origin() {
    for lie in [
        Lie::RedirectUpload,
        Lie::LocationElsewhere,
        Lie::RedirectBlob,
    ] {
        let (desk, server, other) = (Desk::new(), Server::start(), Server::start());
        // The other one asks for it, too.
        server.state().challenge = Some("Basic realm=\"r\"".to_owned());
        server.state().wanted = vec!["Basic bWU6aHVudGVyMg==".to_owned()];
        server.state().elsewhere = format!("http://{}", other.host);
        if lie == Lie::RedirectBlob {
            push(
                &desk.registry(&server, Some(login())),
                &desk.store,
                &desk.index,
                &["1"],
            )
            .unwrap();
            other.state().blobs = server.state().blobs.clone();
        } else {
            other.state().challenge = Some("Basic realm=\"r\"".to_owned());
        }
        server.state().lie = Some(lie);
        if lie == Lie::RedirectBlob {
            let fresh = Desk::empty();
            let registry = fresh.registry(&server, Some(login()));
            pull(&registry, &fresh.store, &name(&server), &Limits::default()).unwrap();
            assert_eq!(fresh.store.list().unwrap(), desk.store.list().unwrap());
            assert!(!other.state().log.is_empty());
        } else {
            let registry = desk.registry(&server, Some(login()));
            let error = push(&registry, &desk.store, &desk.index, &["1"]).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            if lie == Lie::RedirectUpload {
                let is_it = matches!(error, Error::Net(boltworks_net::Error::Elsewhere { .. }));
                assert!(is_it, "{error}");
                assert!(other.state().log.is_empty());
            }
            assert_eq!(server.state().tags.len(), 0);
        }
        for head in &other.state().log {
            assert!(!head.contains("authorization"), "{lie:?}: {head}");
        }
    }
}

#[test]
fn referrers_are_listed_with_and_without_help() {
    for has_referrers in [false, true] {
        let (desk, server) = (Desk::new(), Server::start());
        server.state().has_referrers = has_referrers;
        desk.push(&server).unwrap();
        let config = desk.put(media_type::EMPTY, b"{}");
        let bytes = desk
            .store
            .read_bytes(&desk.index, boltworks_fsx::Limit::mib(1))
            .unwrap();
        let subject = Descriptor::new(media_type::INDEX, desk.index, bytes.get().len() as u64);
        for text in ["one", "two", "two"] {
            let layer = desk.put(media_type::SPDX, text.as_bytes());
            let mut manifest = Manifest::new(config.clone(), vec![layer]);
            manifest.artifact_type = Some(media_type::SPDX.to_owned());
            manifest.subject = Some(subject.clone());
            let digest = desk
                .put(media_type::MANIFEST, &manifest.to_bytes().unwrap())
                .digest;
            push(&desk.registry(&server, None), &desk.store, &digest, &[]).unwrap();
        }
        let tag = format!("team/web:sha256-{}", desk.index);
        assert_eq!(server.state().tags.contains_key(&tag), !has_referrers);
        let listed = desk.registry(&server, None).referrers(&desk.index).unwrap();
        assert_eq!(listed.len(), if has_referrers { 0 } else { 2 });
        for one in listed {
            assert_eq!(one.artifact_type.as_deref(), Some(media_type::SPDX));
        }
    }
}

#[test]
fn what_is_not_whole_here_is_not_begun() {
    let (desk, server) = (Desk::new(), Server::start());
    let gone = Descriptor::new(media_type::LAYER_GZIP, sha256(b"gone"), 4);
    let config = desk.put(media_type::CONFIG, b"x");
    let manifest = Manifest::new(config.clone(), vec![gone])
        .to_bytes()
        .unwrap();
    let digest = desk.put(media_type::MANIFEST, &manifest).digest;
    let registry = desk.registry(&server, None);
    assert!(push(&registry, &desk.store, &digest, &["1"]).is_err());
    assert!(server.state().log.is_empty());
    let mut wrong = desk.put(media_type::LAYER_GZIP, b"four");
    wrong.size = 5;
    let manifest = Manifest::new(config, vec![wrong]).to_bytes().unwrap();
    let digest = desk.put(media_type::MANIFEST, &manifest).digest;
    let error = push(&registry, &desk.store, &digest, &["1"]).unwrap_err();
    assert!(matches!(error, Error::Unfit { .. }), "{error}");
    assert_eq!(server.state().tags.len(), 0);
}

#[test]
fn a_pressed_button_ends_a_push() {
    let (desk, server) = (Desk::new(), Server::start());
    desk.cancel.press();
    let error = desk.push(&server).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(asked(&server, "PUT"), 0);
}
