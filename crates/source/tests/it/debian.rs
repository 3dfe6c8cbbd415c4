//! The real archives, as this machine's own clients are configured to reach them.

use std::collections::BTreeMap;

use boltworks_fsx::{Limit, Root};
use boltworks_model::{Material, SourceKind};
use boltworks_source::debian::Settings;
use boltworks_source::{DebianArchive, Error, Machine, Origin, Override, Request};

use crate::Bench;

fn archive(bench: &Bench, mirror: &str) -> DebianArchive {
    let settings = Settings {
        suite: "trixie".into(),
        mirror: mirror.into(),
        keyring: boltworks_source::debian::KEYRING.into(),
        architecture: "amd64".into(),
        environment: BTreeMap::new(),
    };
    DebianArchive::new(
        bench.root.make_dir(&"apt".try_into().unwrap()).unwrap(),
        settings,
    )
    .unwrap()
}

fn zlib() -> Override {
    Override {
        package: "zlib".into(),
        version: "1.3.1".into(),
        uri: None,
        origin: Origin::Debian {
            name: "zlib".into(),
            version: Some("1:0".into()),
        },
        file: "zlib_1.3.dfsg+really1.3.1.orig.tar.gz".into(),
        sha256: "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb"
            .parse()
            .unwrap(),
        kind: SourceKind::DebianOrigRepacked,
    }
}

/// One test for all that needs the real index: it is fetched once.
#[test]
fn the_real_archive_has_sources_and_packages() {
    let bench = Bench::new(&[]);
    let machine = Machine::new(Root::open("/".as_ref()).unwrap(), BTreeMap::new());
    let archive = archive(&bench, &machine.debian_archive().unwrap());
    let mut fetcher = bench.fetcher();
    fetcher.debian = Ok(&archive);
    fetcher.overrides.push(zlib());
    let request = Request {
        uri: "https://no-such-host.invalid/zlib-1.3.1.tar.gz",
        known_by: boltworks_crypto::sha256(b"upstream's").into(),
        package: "zlib",
        version: "1.3.1",
    };
    let fetched = fetcher.fetch(&request, &bench.ambient()).unwrap();
    let Material::Source {
        fetched_from,
        kind,
        recipe_digest,
        ..
    } = fetched.material
    else {
        panic!("a source was expected")
    };
    assert!(
        fetched_from
            .unwrap()
            .ends_with("/pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz")
    );
    assert_eq!(kind, SourceKind::DebianOrigRepacked);
    assert!(recipe_digest.is_some());

    let wrong = Override {
        sha256: boltworks_crypto::sha256(b"another"),
        ..zlib()
    };
    fetcher.overrides = vec![wrong];
    let error = fetcher
        .fetch(&request, &bench.ambient())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("sha256:60dd315c07f6") && error.contains("was found"),
        "{error}"
    );

    let names = ["hello".to_owned()];
    let debs = archive.resolve(&names, &bench.ambient()).unwrap();
    let hello = debs.iter().find(|deb| deb.name == "hello").unwrap();
    assert!(debs.iter().any(|deb| deb.name == "libc6"));
    let folder = archive
        .download(std::slice::from_ref(hello), &bench.ambient())
        .unwrap();
    let stored = bench
        .store
        .put(folder.open(hello).unwrap(), Limit::mib(64))
        .unwrap();
    assert_eq!((stored.digest, stored.size), (hello.sha256, hello.size));

    let error = archive
        .resolve(&["no-such-package".to_owned()], &bench.ambient())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Unable to locate package no-such-package"),
        "{error}"
    );
    for bad in ["--help", "a b", "", "zlib-", "Zlib"] {
        assert!(
            matches!(
                archive.resolve(&[bad.into()], &bench.ambient()),
                Err(Error::Unspeakable { .. })
            ),
            "{bad}"
        );
    }
}

#[test]
fn an_archive_that_nobody_signed_is_refused() {
    let bench = Bench::new(&[]);
    let mirror = bench
        .root
        .make_dir(&"mirror/dists/trixie/main".try_into().unwrap())
        .unwrap();
    drop(mirror);
    let release = "Suite: trixie\nCodename: trixie\nComponents: main\nArchitectures: amd64\n\
                   Date: Thu, 26 Nov 2026 00:00:00 UTC\nSHA256:\n";
    let path = "mirror/dists/trixie/Release".try_into().unwrap();
    bench.root.write(&path, release.as_bytes(), 0o644).unwrap();
    let mirror = format!("file:{}/mirror", bench.folder.path().display());
    let error = archive(&bench, &mirror)
        .update(&bench.ambient())
        .unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error}");
    assert!(error.to_string().contains("not signed"), "{error}");
}

#[test]
fn values_that_would_mislead_apt_are_refused() {
    let bench = Bench::new(&[]);
    let root = || bench.root.try_clone().unwrap();
    let good = Settings {
        suite: "trixie".into(),
        mirror: "http://m.example/debian".into(),
        keyring: "/k.gpg".into(),
        architecture: "amd64".into(),
        environment: BTreeMap::new(),
    };
    let refused = |settings: Settings| DebianArchive::new(root(), settings).unwrap_err();
    let bad = [
        Settings {
            suite: "trixie main\ndeb http://evil/ x".into(),
            ..good.clone()
        },
        Settings {
            mirror: "http://m.example/ [trusted=yes]".into(),
            ..good.clone()
        },
        Settings {
            keyring: "k.gpg".into(),
            ..good.clone()
        },
        Settings {
            architecture: String::new(),
            ..good.clone()
        },
    ];
    for settings in bad {
        assert!(
            matches!(refused(settings.clone()), Error::Unspeakable { .. }),
            "{settings:?}"
        );
    }
    let missing = Settings {
        keyring: "/no/such/keyring.gpg".into(),
        ..good
    };
    assert!(
        refused(missing)
            .to_string()
            .contains("debian-archive-keyring")
    );
}
