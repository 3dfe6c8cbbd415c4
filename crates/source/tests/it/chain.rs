//! The chain, with servers that are there, gone, wrong or broken.

use boltworks_crypto::{sha256, sha512};
use boltworks_model::{Material, Sha256, SourceKind};
use boltworks_source::{Checked, Error, Fetched, KnownBy, Mirror, Origin, Override, Request};

use crate::Bench;
use crate::server::{Act, Server};

/// Nobody has this name.
const GONE: &str = "http://no-such-host.invalid/x-1.tar.gz";

fn body() -> Vec<u8> {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn request(uri: &str, expected: impl Into<KnownBy<'static>>) -> Request<'_> {
    Request {
        uri,
        known_by: expected.into(),
        package: "x",
        version: "1",
    }
}

fn elsewhere(address: String, bytes: &[u8]) -> Override {
    Override {
        package: "x".into(),
        version: "1".into(),
        uri: None,
        origin: Origin::Address(address),
        file: "x-1.tar.gz".into(),
        sha256: sha256(bytes),
        kind: SourceKind::DebianOrigRepacked,
    }
}

/// Where the bytes came from, by the material.
fn from(fetched: &Fetched) -> Option<&str> {
    match &fetched.material {
        Material::Source { fetched_from, .. } => fetched_from.as_deref(),
        _ => None,
    }
}

#[test]
fn what_was_fetched_once_is_there_without_the_network() {
    let bench = Bench::new(&[]);
    let server = Server::start(&body(), [Act::Serve]);
    let uri = server.url("/x-1.tar.gz");
    let request = request(&uri, sha256(&body()));
    let fetched = bench.fetcher().fetch(&request, &bench.ambient()).unwrap();
    assert!(fetched.is_new && fetched.size == 200_000);
    assert_eq!(from(&fetched), None);
    let mut offline = bench.fetcher();
    offline.offline = true;
    let again = offline.fetch(&request, &bench.ambient()).unwrap();
    assert_eq!((again.digest, again.is_new), (fetched.digest, false));
    assert_eq!(again.material, fetched.material);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(
        offline.verify(&request).unwrap(),
        Checked::Good(fetched.digest)
    );
}

#[test]
fn offline_says_what_is_missing() {
    let bench = Bench::new(&[]);
    let mut fetcher = bench.fetcher();
    fetcher.offline = true;
    fetcher
        .overrides
        .push(elsewhere("http://b.example/y".into(), b"other"));
    let request = request(GONE, sha256(b"x"));
    let error = fetcher
        .fetch(&request, &bench.ambient())
        .unwrap_err()
        .to_string();
    assert!(error.contains(GONE), "{error}");
    assert!(error.contains(&sha256(b"other").prefixed()), "{error}");
    assert_eq!(fetcher.verify(&request).unwrap(), Checked::Missing);
    assert_eq!(fetcher.known(&request).unwrap(), None);
}

#[test]
fn wrong_bytes_are_named_and_not_kept() {
    let bench = Bench::new(&[]);
    let server = Server::start(b"evil", [Act::Serve]);
    let error = bench
        .fetcher()
        .fetch(
            &request(&server.url("/x"), sha256(b"good")),
            &bench.ambient(),
        )
        .unwrap_err();
    assert!(matches!(error, Error::WrongDigest { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&sha256(b"good").prefixed()) && text.contains(&sha256(b"evil").prefixed()),
        "{text}"
    );
    assert_eq!(bench.store.list().unwrap(), Vec::<Sha256>::new());
    assert_eq!(bench.parts(), Vec::<String>::new());
}

#[test]
fn a_map_to_other_bytes_decides_wherever_upstream_is_reached() {
    let bench = Bench::new(&[]);
    let upstream = Server::start(b"good", [Act::Serve]);
    let other = Server::start(b"other", [Act::Serve]);
    let mut fetcher = bench.fetcher();
    fetcher.overrides.push(elsewhere(other.url("/y"), b"other"));
    let fetched = fetcher
        .fetch(
            &request(&upstream.url("/x"), sha256(b"good")),
            &bench.ambient(),
        )
        .unwrap();
    assert_eq!(fetched.digest, sha256(b"other"));
    assert!(upstream.requests().is_empty());
}

#[test]
fn after_a_wrong_answer_the_mirror_is_asked() {
    let bench = Bench::new(&[]);
    let wrong = Server::start(b"evil", [Act::Serve]);
    let right = Server::start(b"good", [Act::Serve]);
    let uri = wrong.url("/x");
    let mut fetcher = bench.fetcher();
    fetcher.mirrors.push(Mirror {
        prefix: wrong.url("/"),
        to: right.url("/m/"),
    });
    let fetched = fetcher
        .fetch(&request(&uri, sha256(b"good")), &bench.ambient())
        .unwrap();
    assert_eq!(from(&fetched), Some(right.url("/m/x").as_str()));
}

#[test]
fn the_map_replaces_address_and_digest_and_the_material_says_so() {
    let bench = Bench::new(&[]);
    let other = Server::start(b"repacked", [Act::Serve]);
    let mut fetcher = bench.fetcher();
    fetcher
        .overrides
        .push(elsewhere(other.url("/y"), b"repacked"));
    let request = request(GONE, sha256(b"upstream"));
    let fetched = fetcher.fetch(&request, &bench.ambient()).unwrap();
    let expected = Material::Source {
        uri: GONE.into(),
        fetched_from: Some(other.url("/y")),
        kind: SourceKind::DebianOrigRepacked,
        sha256: sha256(b"repacked"),
        recipe_digest: Some(sha256(b"upstream").prefixed()),
    };
    assert_eq!(fetched.material, expected);
    assert_eq!(fetcher.known(&request).unwrap().unwrap().material, expected);
    let unrelated = Request {
        version: "2",
        ..request
    };
    assert!(matches!(
        fetcher.fetch(&unrelated, &bench.ambient()),
        Err(Error::Unavailable { .. })
    ));
}

#[test]
fn every_place_is_named_when_none_has_it() {
    let bench = Bench::new(&[]);
    let missing = Server::start(b"", [Act::Status(404, String::new())]);
    let mut fetcher = bench.fetcher();
    fetcher.mirrors.push(Mirror {
        prefix: "http://no-such-host.invalid/".into(),
        to: missing.url("/"),
    });
    let error = fetcher
        .fetch(&request(GONE, sha256(b"x")), &bench.ambient())
        .unwrap_err()
        .to_string();
    let error = error.replace(&missing.url(""), "MIRROR");
    insta::assert_snapshot!(error, @r"
    fetch http://no-such-host.invalid/x-1.tar.gz:
      http://no-such-host.invalid/x-1.tar.gz: reach no-such-host.invalid: its name is not known here
      MIRROR/x-1.tar.gz: the server answered 404
    ");
    fetcher.mirrors.clear();
    let alone = fetcher
        .fetch(&request(GONE, sha256(b"x")), &bench.ambient())
        .unwrap_err();
    assert_eq!(
        alone.to_string(),
        "fetch http://no-such-host.invalid/x-1.tar.gz: reach no-such-host.invalid: its name is not \
         known here"
    );
}

#[test]
fn a_broken_transfer_goes_on_in_the_next_run() {
    let bench = Bench::new(&[]);
    let server = Server::start(
        &body(),
        [
            Act::CloseAfter(120_000),
            Act::Status(403, String::new()),
            Act::Serve,
        ],
    );
    let uri = server.url("/x");
    let request = request(&uri, sha256(&body()));
    assert!(bench.fetcher().fetch(&request, &bench.ambient()).is_err());
    assert_eq!(bench.parts().len(), 1);
    let fetched = bench.fetcher().fetch(&request, &bench.ambient()).unwrap();
    assert_eq!(fetched.size, 200_000);
    assert!(server.requests()[2].contains("range: bytes=120000-"));
    assert_eq!(bench.parts(), Vec::<String>::new());
}

#[test]
fn a_beginning_of_another_file_is_thrown_away() {
    let bench = Bench::new(&[]);
    let server = Server::start(
        &vec![b'o'; 100_000],
        [
            Act::CloseAfter(60_000),
            Act::Status(403, String::new()),
            Act::Serve,
        ],
    );
    let uri = server.url("/x");
    let request = request(&uri, sha256(&body()));
    assert!(bench.fetcher().fetch(&request, &bench.ambient()).is_err());
    server.replace(&body(), "\"two\"");
    let fetched = bench.fetcher().fetch(&request, &bench.ambient()).unwrap();
    assert_eq!(fetched.digest, sha256(&body()));
}

#[test]
fn a_sha512_is_as_good() {
    let bench = Bench::new(&[]);
    let server = Server::start(&body(), [Act::Serve]);
    let uri = server.url("/x");
    let request = request(&uri, sha512(&body()));
    assert!(
        bench
            .fetcher()
            .fetch(&request, &bench.ambient())
            .unwrap()
            .is_new
    );
    assert!(
        !bench
            .fetcher()
            .fetch(&request, &bench.ambient())
            .unwrap()
            .is_new
    );
    let wrong = Request {
        known_by: sha512(b"no").into(),
        ..request
    };
    assert!(matches!(
        bench.fetcher().fetch(&wrong, &bench.ambient()),
        Err(Error::WrongDigest { .. })
    ));
}

#[test]
fn a_damaged_blob_is_found() {
    let bench = Bench::new(&[]);
    let server = Server::start(&body(), [Act::Serve]);
    let uri = server.url("/x");
    let request = request(&uri, sha256(&body()));
    let digest = bench
        .fetcher()
        .fetch(&request, &bench.ambient())
        .unwrap()
        .digest;
    let path = format!("blobs/sha256/{digest}");
    bench
        .root
        .write(&path.as_str().try_into().unwrap(), b"rotten", 0o444)
        .unwrap();
    let checked = bench.fetcher().verify(&request).unwrap();
    assert!(
        matches!(checked, Checked::Bad(ref why) if why.contains("damaged")),
        "{checked:?}"
    );
}

#[test]
fn a_source_distribution_is_found_at_the_index() {
    let files = Server::start(b"sdist", [Act::Serve]);
    let page = format!(
        r#"{{"meta":{{"api-version":"1.1"}},"name":"x","files":[
            {{"filename":"x-1.tar.gz","url":"{}","hashes":{{"sha256":"{}"}},"size":5}}]}}"#,
        files.url("/p/x-1.tar.gz"),
        sha256(b"sdist"),
    );
    let index = Server::start(page.as_bytes(), [Act::Serve]);
    index.set_media_type("application/vnd.pypi.simple.v1+json");
    let bench = Bench::new(&[("PIP_INDEX_URL", &index.url("/simple"))]);
    let good = request("pypi:X/x-1.tar.gz", sha256(b"sdist"));
    let fetched = bench.fetcher().fetch(&good, &bench.ambient()).unwrap();
    assert_eq!(from(&fetched), Some(files.url("/p/x-1.tar.gz").as_str()));
    assert!(index.requests()[0].starts_with("get /simple/x/ http/1.1"));
    assert!(index.requests()[0].contains("accept: application/vnd.pypi.simple.v1+json"));
    let wrong = request("pypi:x/x-1.tar.gz", sha256(b"no"));
    assert!(matches!(
        bench.fetcher().fetch(&wrong, &bench.ambient()),
        Err(Error::WrongDigest { .. })
    ));
    let absent = request("pypi:x/x-2.tar.gz", sha256(b"no"));
    let error = bench
        .fetcher()
        .fetch(&absent, &bench.ambient())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("none of its 1 files is called so"),
        "{error}"
    );
}

#[test]
fn an_address_nobody_knows_is_refused() {
    let bench = Bench::new(&[]);
    for uri in [
        "ftp://a.example/x",
        "file:///etc/passwd",
        "/etc/passwd",
        "pypi:x",
    ] {
        let result = bench
            .fetcher()
            .fetch(&request(uri, sha256(b"x")), &bench.ambient());
        assert!(matches!(result, Err(Error::Unusable { .. })), "{uri}");
    }
}

#[test]
fn what_nobody_knows_is_found_out() {
    let bench = Bench::new(&[]);
    let broken = Server::start(&body(), [Act::CloseAfter(70_000), Act::Serve]);
    let found = bench
        .fetcher()
        .discover(&broken.url("/x-2.tar.gz"), &bench.ambient())
        .unwrap();
    assert_eq!((found.sha256, found.size), (sha256(&body()), 200_000));
    assert_eq!(found.sha512, sha512(&body()));
    assert!(bench.store.has(&found.sha256).unwrap());

    let mirror = Server::start(b"two", [Act::Serve]);
    let mut fetcher = bench.fetcher();
    fetcher.mirrors.push(Mirror {
        prefix: "http://no-such-host.invalid/".into(),
        to: mirror.url("/"),
    });
    let found = fetcher.discover(GONE, &bench.ambient()).unwrap();
    assert_eq!(
        (found.sha256, found.from),
        (sha256(b"two"), mirror.url("/x-1.tar.gz"))
    );
    fetcher.mirrors.clear();
    let error = fetcher.discover(GONE, &bench.ambient()).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    fetcher.offline = true;
    let error = fetcher.discover(GONE, &bench.ambient()).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error}");
}
