//! Repositories: the index and every package behind it.

use boltworks_crypto::{Keyring, RsaPrivateKey, Signer};
use boltworks_gate::Subject;
use boltworks_model::{Artifact, Sha256};
use boltworks_release::{ApkFile, Error};

use crate::fixture::{Factory, MADE, Package, cleared, name};
use crate::{bytes, released};

#[test]
fn index_packages_and_keys_are_public() {
    let mut factory = Factory::new();
    let packages = [
        factory.package("zlib", "1.3.1-r0", b"z"),
        factory.package("musl", "1.2.5-r1", b"m"),
    ];
    let release = factory.release_repository("os/x86_64", &packages);
    let released = released(&factory);
    let index = released.apk_index("os", "x86_64").unwrap().unwrap();
    assert_eq!((index.digest, index.since), (release.after(), MADE));
    for package in &packages {
        let name = package.entry.file_name();
        for file in [
            ApkFile::Name(&name),
            ApkFile::Digest(&package.artifact.digest),
        ] {
            let found = released.apk_file("os", "x86_64", file).unwrap().unwrap();
            assert_eq!(
                (found.digest, found.size),
                (package.artifact.digest, package.artifact.size)
            );
        }
        assert!(
            released
                .apk_file("os", "aarch64", ApkFile::Name(&name))
                .unwrap()
                .is_none()
        );
        assert!(
            released
                .blob("os/x86_64", &package.artifact.digest)
                .unwrap()
                .is_none()
        );
    }
    let keys = released.public_keys().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].name.as_str(), &keys[0].repositories[..]),
        ("web.rsa.pub", &["os/x86_64".to_owned()][..])
    );
    let key = released.public_key("web.rsa.pub").unwrap().unwrap();
    assert!(bytes(&key).starts_with(b"-----BEGIN PUBLIC KEY-----"));
    assert!(
        released
            .apk_file("os", "x86_64", ApkFile::Name("web.rsa.pub"))
            .unwrap()
            .is_none()
    );
    assert!(released.public_key("zlib-1.3.1-r0.apk").unwrap().is_none());
    assert!(released.repositories("", 10).unwrap().is_empty());
}

#[test]
fn a_rebuilt_package_takes_the_name_and_the_old_one_keeps_its_digest() {
    let mut factory = Factory::new();
    let musl = factory.package("musl", "1.2.5-r1", b"m");
    let old = factory.package("zlib", "1.3.1-r0", b"old");
    let new = factory.package("zlib", "1.3.1-r0", b"new");
    let first = factory.release_repository("os/x86_64", &[musl.clone(), old.clone()]);
    let second = factory.release_repository("os/x86_64", &[musl, new.clone()]);
    assert_eq!(second.before, Some(first.after()));
    let released = released(&factory);
    let found = |file: ApkFile<'_>| {
        released
            .apk_file("os", "x86_64", file)
            .unwrap()
            .unwrap()
            .digest
    };
    assert_eq!(
        found(ApkFile::Name("zlib-1.3.1-r0.apk")),
        new.artifact.digest
    );
    assert_eq!(
        found(ApkFile::Digest(&old.artifact.digest)),
        old.artifact.digest
    );
    assert_eq!(found(ApkFile::Digest(&first.after())), first.after());
    assert_eq!(found(ApkFile::Index), second.after());
}

#[test]
fn what_the_gate_is_told_comes_from_the_index() {
    let factory = Factory::new();
    let packages = [factory.package("zlib", "1.3.1-r0", b"z")];
    let index = factory.index(&packages);
    let candidate = factory
        .repository_candidate("os/x86_64", &index, &packages)
        .unwrap();
    assert_eq!(candidate.members(), [packages[0].artifact.clone()]);
    let origins = candidate.origins().unwrap();
    assert_eq!(origins[0].repository, "os");
    assert_eq!(
        (origins[0].package.as_str(), origins[0].sha256),
        ("zlib-1.3.1-r0", packages[0].artifact.digest)
    );
}

#[test]
fn a_repository_that_is_not_what_its_index_says_is_no_candidate() {
    let factory = Factory::new();
    let zlib = factory.package("zlib", "1.3.1-r0", b"z");
    let other = factory.package("zlib", "1.3.1-r0", b"other bytes");
    let musl = factory.package("musl", "1.2.5-r1", b"m");
    let both = factory.index(&[zlib.clone(), musl.clone()]);
    let check = |channel: &str, index: &Artifact, packages: &[Package], expected: &str| {
        let refused = factory
            .repository_candidate(channel, index, packages)
            .unwrap_err();
        assert!(
            refused.to_string().contains(expected),
            "{refused}, not {expected}"
        );
    };
    let good = [zlib.clone(), musl.clone()];
    assert!(
        factory
            .repository_candidate("os/x86_64", &both, &good)
            .is_ok()
    );
    for channel in ["os", "os/aarch64", "os/amd64", "os/x86_64:1", "x86_64"] {
        check(channel, &both, &good, "needs a channel named after");
    }
    check(
        "os/x86_64",
        &musl.artifact,
        &good,
        "as part of its repository's index",
    );
    check(
        "os/x86_64",
        &both,
        std::slice::from_ref(&zlib),
        "lists musl-1.2.5-r1.apk, which was not",
    );
    check(
        "os/x86_64",
        &factory.index(std::slice::from_ref(&zlib)),
        &good,
        "does not list apk/musl",
    );
    check(
        "os/x86_64",
        &both,
        &[zlib.clone(), zlib.clone(), musl.clone()],
        "twice",
    );
    check(
        "os/x86_64",
        &both,
        &[other, musl.clone()],
        "is not the package that the index lists",
    );
    let twice = factory.index(&[zlib.clone(), zlib.clone()]);
    check("os/x86_64", &twice, std::slice::from_ref(&zlib), "twice");
    let mut lost = zlib;
    lost.artifact.digest = Sha256::new([7; 32]);
    check("os/x86_64", &both, &[lost, musl], "does not have it");
}

#[test]
fn nobody_elses_signature_will_do() {
    let mut factory = Factory::new();
    let packages = [factory.package("zlib", "1.3.1-r0", b"z")];
    let index = factory.index(&packages);
    factory.signer = Signer {
        name: "web.rsa.pub".into(),
        key: RsaPrivateKey::generate_short().unwrap(),
    };
    let stranger = factory.index(&packages);
    let refused = factory
        .repository_candidate("os/x86_64", &stranger, &packages)
        .unwrap_err();
    assert!(matches!(refused, Error::Index(_)), "{refused}");
    // The index is signed by the new key, its package by the old one.
    factory.keys = Keyring::new();
    factory
        .keys
        .insert("web.rsa.pub", factory.signer.key.public());
    let refused = factory
        .repository_candidate("os/x86_64", &stranger, &packages)
        .unwrap_err();
    assert!(matches!(refused, Error::Package { .. }), "{refused}");
    assert!(
        factory
            .repository_candidate("os/x86_64", &index, &packages)
            .is_err()
    );
}

#[test]
fn what_was_judged_for_one_repository_does_not_go_to_another() {
    let mut factory = Factory::new();
    let packages = [factory.package("zlib", "1.3.1-r0", b"z")];
    let index = factory.index(&packages);
    let candidate = factory
        .repository_candidate("os/x86_64", &index, &packages)
        .unwrap();
    let refused = boltworks_release::publish(
        &mut factory.records,
        &name("extras/x86_64"),
        None,
        cleared(candidate),
        MADE,
    );
    assert!(matches!(refused, Err(Error::Channel { .. })));
}
