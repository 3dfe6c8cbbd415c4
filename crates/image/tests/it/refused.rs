//! What cannot be an image gives a clear error, and leaves nothing in the store.

use std::os::unix::fs::FileExt;

use boltworks_fsx::{Meta, Node};
use boltworks_model::Timestamp;
use boltworks_recipe::resolved::{EntrypointKind, Image, PathKind, PathMutation};

use crate::files::layer_of;
use crate::kit::{Package, Site, image, rel};

fn refused(site: &Site, image: &Image) -> String {
    let before = site.store.list().unwrap();
    let error = site.build(image, 2).unwrap_err();
    assert_eq!(
        site.store.list().unwrap(),
        before,
        "something was left in the store"
    );
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

#[test]
fn a_service_bundle_without_s6() {
    let bundle = Image {
        entrypoint_kind: EntrypointKind::ServiceBundle,
        ..image()
    };
    insta::assert_snapshot!(refused(&Site::filled(), &bundle), @"entrypoint: a service bundle is run by s6, and no package brings /bin/s6-svscan: add s6 to contents.packages");
}

#[test]
fn a_user_that_is_none() {
    let mut image = image();
    image.accounts.run_as = Some("nobody".into());
    insta::assert_snapshot!(refused(&Site::filled(), &image), @"accounts.run-as: 'nobody' has no line in /etc/passwd: add it under accounts");
}

#[test]
fn a_path_that_leads_nowhere() {
    let mut image = image();
    image.paths.push(PathMutation {
        path: "/not/there".into(),
        kind: PathKind::Permissions,
        uid: None,
        gid: None,
        permissions: None,
        source: None,
        recursive: false,
    });
    insta::assert_snapshot!(refused(&Site::filled(), &image), @"'/not/there': nothing is there to change");
}

#[test]
fn two_packages_with_one_file() {
    let mut site = Site::filled();
    site.add(Package::new("other", "1-r0").file("usr/bin/web", 0o755, "another"));
    insta::assert_snapshot!(refused(&site, &image()), @"lay 'usr/bin/web' of other-1-r0: web-2.0_rc1-r0 has it too, with other content; one of them must declare that it replaces the other");
}

#[test]
fn a_package_that_is_a_place_of_the_database() {
    let mut site = Site::filled();
    let mut package = Package::new("other", "1-r0");
    let node = Node::dir(Meta::new(0o755, 0));
    package
        .tree
        .insert(rel("usr/lib/apk/db/installed/x"), node)
        .unwrap();
    site.add(package);
    insta::assert_snapshot!(refused(&site, &image()), @"'/usr/lib/apk/db/installed': it is a directory");
}

#[test]
fn a_package_with_a_database_of_its_own() {
    let with = |package: Package| {
        let mut site = Site::new();
        site.add(package);
        let image = Image {
            packages: vec!["other".parse().unwrap()],
            ..Image::default()
        };
        (site, image)
    };
    let other = || Package::new("other", "1-r0");
    let (site, image) = with(other().file("lib/apk/db/installed", 0o644, "P:nothing\n"));
    insta::assert_snapshot!(refused(&site, &image), @"lay 'lib/apk/db/installed' of other-1-r0: no package may have that, apk's own database lies there");
    let (site, image) = with(other().symlink("lib/apk", "/srv"));
    insta::assert_snapshot!(refused(&site, &image), @"other-1-r0: it brings '/lib/apk', and apk's database is looked for there");
    for harmless in [
        other().dir("lib/apk/db", 0o755),
        other().file("lib/apk/exec", 0o644, ""),
    ] {
        let (site, image) = with(harmless);
        let built = site.build(&image, 1).unwrap();
        let tree = layer_of(&site, &built);
        let link = tree.get(&rel("lib/apk/db")).unwrap();
        assert!(
            matches!(&link.kind, boltworks_fsx::Kind::Symlink(to) if to == b"../../usr/lib/apk/db")
        );
    }
}

#[test]
fn a_package_that_moves_the_database() {
    let refused = |packages: Vec<Package>| {
        let mut site = Site::new();
        for package in packages {
            site.add(package);
        }
        refused(&site, &Image::default())
    };
    let other = || Package::new("other", "1-r0");
    let moved = other()
        .symlink("usr/lib/apk", "/opt/l")
        .file("opt/l/db/installed", 0o644, "mine");
    insta::assert_snapshot!(refused(vec![moved]), @"other-1-r0: '/usr/lib/apk' must be a folder: apk's database is in /usr/lib/apk/db");
    for (link, target) in [
        ("usr/lib/apk/db", "/opt"),
        ("usr/lib/apk", "../share/apk"),
        ("usr/lib", "../lib"),
        ("usr", "opt"),
    ] {
        let first = Package::new("first", "1-r0").dir("opt", 0o755);
        let text = refused(vec![first, other().symlink(link, target)]);
        assert!(
            text.starts_with(&format!("other-1-r0: '/{link}' must be a folder")),
            "{text}"
        );
    }
    let text = refused(vec![other().file("usr/lib/apk/db", 0o644, "")]);
    assert!(
        text.starts_with("other-1-r0: '/usr/lib/apk/db' must"),
        "{text}"
    );
}

#[test]
fn a_package_whose_lib_is_somewhere_else() {
    let mut site = Site::new();
    site.add(Package::new("other", "1-r0").symlink("lib", "/a/b"));
    let built = site.build(&Image::default(), 1).unwrap();
    let tree = layer_of(&site, &built);
    let link = &tree.get(&rel("a/b/apk")).unwrap().kind;
    assert!(
        matches!(link, boltworks_fsx::Kind::Symlink(to) if to == b"../../usr/lib/apk"),
        "{link:?}"
    );
}

#[test]
fn a_package_that_rotted_on_the_disk() {
    let site = Site::filled();
    let digest = site.locked.packages[1].sha256;
    let file = site.path().join("blobs/sha256").join(digest.to_string());
    let options = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    options.read_exact_at(&mut byte, 1000).unwrap();
    options.write_all_at(&[byte[0] ^ 1], 1000).unwrap();
    let text = refused(&site, &image());
    assert!(
        text.contains("zlib-1.3.1-r2") && text.contains(&digest.to_string()),
        "{text}"
    );
}

#[test]
fn a_time_that_not_every_reader_takes() {
    let mut site = Site::filled();
    let at = |seconds| Some(Timestamp(seconds));
    site.created = at(-1);
    insta::assert_snapshot!(refused(&site, &image()), @"the image's time: 1969-12-31T23:59:59Z is no time that an image can carry: from 0 to 8589934591 seconds since 1970, 2242-03-16T12:56:31Z");
    site.created = at(253_402_300_799);
    insta::assert_snapshot!(refused(&site, &image()), @"the image's time: @253402300799 is no time that an image can carry: from 0 to 8589934591 seconds since 1970, 2242-03-16T12:56:31Z");
    site.created = at(i64::MAX);
    insta::assert_snapshot!(refused(&site, &image()), @"the image's time: @9223372036854775807 is no time that an image can carry: from 0 to 8589934591 seconds since 1970, 2242-03-16T12:56:31Z");
    for good in [Timestamp::EPOCH, Timestamp::LAST] {
        site.created = Some(good);
        let built = site.build(&image(), 1).unwrap();
        let config = boltworks_oci::read_config(&built.parts.config.bytes).unwrap();
        assert_eq!(config.created, Some(good.to_string()));
    }
    site.created = None;
    let mut late = Package::new("late", "1-r0");
    late.control.build_date = Some(Timestamp::LAST.0 + 1);
    site.add(late);
    insta::assert_snapshot!(refused(&site, &image()), @"the build date of late-1-r0: 2242-03-16T12:56:32Z is no time that an image can carry: from 0 to 8589934591 seconds since 1970, 2242-03-16T12:56:31Z");
}

#[test]
fn a_package_that_is_not_there() {
    let mut site = Site::filled();
    site.locked.packages[0].sha256 = boltworks_crypto::sha256(b"no such package");
    let text = refused(&site, &image());
    assert!(text.contains("baselayout-1-r0"), "{text}");
}
