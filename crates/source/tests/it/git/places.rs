//! Where a repository is found again: offline, moved, at mirrors, in folders; and that it is the same.

use boltworks_model::{Material, SourceKind};
use boltworks_source::{Checked, Error, Mirror, Origin, Override};

use super::{asked, branched, history, tagged};
use crate::Bench;
use crate::upstream::{Manner, Upstream};

#[test]
fn what_was_fetched_once_is_there_without_the_network() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    let checkout = tagged(&commits[7], "v1");
    let mut offline = bench.fetcher();
    offline.offline = true;
    let request = asked(&uri, &checkout);
    let error = offline.fetch(&request, &bench.ambient()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains(&uri) && error.contains(&commits[7]),
        "{error}"
    );
    assert_eq!(offline.known(&request).unwrap(), None);
    assert_eq!(offline.verify(&request).unwrap(), Checked::Missing);
    let fetched = bench.get(&uri, &checkout).unwrap();
    assert!(!upstream.requests().is_empty());
    let again = offline.fetch(&request, &bench.ambient()).unwrap();
    assert_eq!((again.digest, again.is_new), (fetched.digest, false));
    assert_eq!(again.material, fetched.material);
    assert_eq!(bench.get(&uri, &checkout).unwrap().digest, fetched.digest);
    assert_eq!(upstream.requests(), Vec::<String>::new());
    assert_eq!(
        offline.verify(&request).unwrap(),
        Checked::Good(fetched.digest)
    );
}

#[test]
fn the_blob_is_the_same_whatever_the_machine_is_set_to() {
    let upstream = Upstream::new();
    let (repository, commits) = history(&upstream);
    let address = upstream.http(Manner::Serve);
    let mut digests = Vec::new();
    for round in 0..3 {
        // The server packs in another way each time, and somebody sets what they like.
        let settings = ["0", "1", "9"];
        repository.git(["config", "pack.compression", settings[round]]);
        repository.git(["config", "pack.threads", settings[1 + round % 2]]);
        repository.git(["repack", "-a", "-d", "-f", "--quiet", "--depth=0"]);
        let home = tempfile::tempdir().unwrap();
        let evil = "[core]\n\thooksPath = /evil\n[url \"file:///\"]\n\tinsteadOf = http://\n";
        std::fs::write(home.path().join(".gitconfig"), evil).unwrap();
        let home = home.path().display().to_string();
        let bench = Bench::new(&[
            ("HOME", &home),
            ("GIT_CONFIG_GLOBAL", "/evil"),
            ("TZ", "Asia/Tokyo"),
        ]);
        let fetched = bench.get(&format!("{address}/x"), &branched(&commits[9], "main"));
        digests.push(fetched.unwrap().digest.to_string());
    }
    digests.dedup();
    // Other bytes are another form: whoever changes it changes `FORMAT`.
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[test]
fn a_moved_repository_and_a_disturbed_server_are_no_hindrance() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let there = upstream.http(Manner::Serve);
    let moved = upstream.http(Manner::Redirect(there));
    let bench = Bench::new(&[]);
    // What was moved is known by its commit as before.
    bench
        .get(&format!("{moved}/x"), &tagged(&commits[7], "v1"))
        .unwrap();
    upstream.requests();
    let disturbed = upstream.http(Manner::Disturbed(503, 1));
    bench
        .get(&format!("{disturbed}/x"), &tagged(&commits[7], "light"))
        .unwrap();
}

#[test]
fn mirrors_and_the_map_are_asked_for_repositories_too() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let there = upstream.http(Manner::Serve);
    let bench = Bench::new(&[]);
    let mut fetcher = bench.fetcher();
    fetcher.mirrors.push(Mirror {
        prefix: "http://no-such-host.invalid/".to_owned(),
        to: format!("{there}/"),
    });
    let gone = "http://no-such-host.invalid/x";
    // One that is of no use hides neither why upstream failed nor another mirror.
    let mut useless = bench.fetcher();
    useless.mirrors.push(Mirror {
        prefix: "http://no-such-host.invalid/".to_owned(),
        to: "https://user:secret@git.example/".to_owned(),
    });
    let error = useless.fetch(&asked(gone, &tagged(&commits[7], "v1")), &bench.ambient());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("Could not resolve host: no-such-host.invalid"),
        "{error}"
    );
    assert!(
        error.contains("https://…@git.example/x: a user's name or password"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
    fetcher.mirrors.splice(0..0, useless.mirrors);
    let wanted = tagged(&commits[7], "v1");
    let request = asked(gone, &wanted);
    let fetched = fetcher.fetch(&request, &bench.ambient()).unwrap();
    let Material::Source {
        uri, fetched_from, ..
    } = &fetched.material
    else {
        panic!("a source was expected");
    };
    assert_eq!(uri, &format!("git+{gone}@{}", commits[7]));
    assert_eq!(fetched_from.as_deref(), Some(format!("{there}/x").as_str()));
    let server = crate::server::Server::start(b"archive", [crate::server::Act::Serve]);
    fetcher.overrides.push(Override {
        package: "x".into(),
        version: "1".into(),
        uri: None,
        origin: Origin::Address(server.url("/x.tar.gz")),
        file: "x.tar.gz".into(),
        sha256: boltworks_crypto::sha256(b"archive"),
        kind: SourceKind::DebianOrig,
    });
    let mapped = fetcher.fetch(&request, &bench.ambient()).unwrap();
    let expected = Material::Source {
        uri: gone.to_owned(),
        fetched_from: Some(server.url("/x.tar.gz")),
        kind: SourceKind::DebianOrig,
        sha256: boltworks_crypto::sha256(b"archive"),
        recipe_digest: Some(format!("git:{}", commits[7])),
    };
    assert_eq!(mapped.material, expected);
}

#[test]
fn a_folder_of_files_that_were_fetched_before_will_do() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    let wanted = tagged(&commits[7], "v1");
    let fetched = bench.get(&uri, &wanted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(wanted.key());
    let mut blob = bench.store.open_blob(&fetched.digest).unwrap().reader();
    std::io::copy(&mut blob, &mut std::fs::File::create(&path).unwrap()).unwrap();
    let caches = [boltworks_fsx::Root::open(folder.path()).unwrap()];
    let get = || {
        let bench = Bench::new(&[]);
        let mut fetcher = bench.fetcher();
        fetcher.caches = &caches;
        fetcher.offline = true;
        fetcher.fetch(&asked(&uri, &wanted), &bench.ambient())
    };
    assert_eq!(get().unwrap().digest, fetched.digest);
    // What somebody changed is not taken.
    let mut bytes = std::fs::read(&path).unwrap();
    let pack = bytes.windows(4).position(|bytes| bytes == b"PACK").unwrap();
    bytes[pack + 60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(get(), Err(Error::Offline { .. })));
    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(get(), Err(Error::Offline { .. })));
}
