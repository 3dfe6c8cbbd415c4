//! Images of several layers: together they are the image, apart they change with their packages.

#![expect(
    clippy::disallowed_methods,
    reason = "what is remembered on disk is damaged here"
)]

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use boltworks_apk::installed::{DATABASE, Database};
use boltworks_fsx::tar::{Policy, read_tree};
use boltworks_fsx::{Kind, Limit, Root, ScanOptions, Tree};
use boltworks_image::{BuiltImage, export_layout};
use boltworks_model::Sha256;
use boltworks_oci::Reference;
use boltworks_recipe::resolved::{Image, Layering, PathKind, PathMutation};

use crate::files::{layer_of, listing};
use crate::kit::{Package, Site, image, packages, rel, run};

fn layered(budget: u32) -> Image {
    Image {
        layering: Some(Layering {
            strategy: "origin".into(),
            budget,
        }),
        ..image()
    }
}

/// The layers' files, the lowest first.
fn layers(site: &Site, built: &BuiltImage) -> Vec<Tree> {
    let mut unpacked = 0;
    let layers = built.parts.layers.iter().map(|layer| {
        let blob = site.store.open_blob(&layer.digest).unwrap();
        let mut tar = tempfile::tempfile().unwrap();
        let mut gzip = flate2::read::GzDecoder::new(blob.reader());
        unpacked += io::copy(&mut gzip, &mut tar).unwrap();
        read_tree(&Arc::<File>::new(tar), Policy::default()).unwrap()
    });
    let layers = layers.collect();
    assert_eq!(unpacked, built.unpacked);
    layers
}

/// What is seen when one layer lies on the other.
fn merged(layers: &[Tree]) -> Tree {
    let mut all = Tree::new();
    for layer in layers {
        for (path, node) in layer.iter() {
            all.insert(path.clone(), node.clone()).unwrap();
        }
    }
    all
}

fn digests(built: &BuiltImage) -> Vec<Sha256> {
    let layers = built.parts.layers.iter();
    layers.map(|layer| layer.digest).collect()
}

fn installed(layer: &Tree) -> Vec<String> {
    let bytes = layer.file(&rel(DATABASE)).unwrap();
    let database = Database::read(&bytes.read_vec(Limit::mib(1)).unwrap()).unwrap();
    let names = database.packages.iter();
    names
        .map(|package| package.entry.name.to_string())
        .collect()
}

#[test]
fn layers_together_are_the_image() {
    let site = Site::filled();
    let whole = layer_of(&site, &site.build(&image(), 2).unwrap());
    for (budget, count) in [(0, 2), (1, 2), (2, 3), (3, 4), (10, 4)] {
        let built = site.build(&layered(budget), 2).unwrap();
        let layers = layers(&site, &built);
        assert_eq!(layers.len(), count, "{budget}");
        // But for the file that says how the image was asked for.
        let without = |tree: &Tree| {
            let mut lines = listing(tree);
            lines.retain(|line| !line.contains("etc/apko.json"));
            lines
        };
        assert_eq!(without(&merged(&layers)), without(&whole), "{budget}");
        for (layer, tree) in layers.iter().enumerate() {
            for (path, node) in tree.iter() {
                assert!(
                    path.ancestors().all(|above| tree.contains(&above)),
                    "{layer} {path}"
                );
                if let Kind::Hardlink(first) = &node.kind {
                    assert!(tree.file(first).is_some(), "{layer} {path}");
                }
            }
        }
        let names: Vec<_> = layers.iter().map(installed).collect();
        let (all, apart) = names.split_last().unwrap();
        assert_eq!(all, &["baselayout", "web", "zlib"]);
        let mut apart = apart.concat();
        apart.sort();
        assert_eq!(&apart, all, "{budget}");
    }
}

#[test]
fn a_changed_package_changes_its_layer_and_the_topmost() {
    // One key: a signature's length counts in the list of packages.
    let mut site = Site::filled();
    let before = site.build(&layered(10), 2).unwrap();
    site.locked.packages.clear();
    for mut package in packages() {
        if package.control.name.as_str() == "zlib" {
            package.control.version = "1.3.2-r0".parse().unwrap();
            package = package.file("lib/libz.so.1.3.1", 0o755, vec![0x7e; 70_000]);
        }
        site.add(package);
    }
    let after = site.build(&layered(10), 2).unwrap();
    let (before, after) = (digests(&before), digests(&after));
    let same = before.iter().zip(&after).map(|(one, other)| one == other);
    // zlib is the largest, and the lowest.
    assert_eq!(same.collect::<Vec<_>>(), [false, true, true, false]);
}

#[test]
fn layers_are_shared_by_images_and_known_again() {
    let site = Site::filled();
    let first = site.build(&layered(10), 2).unwrap();
    let other = Image {
        cmd: vec!["--other".into()],
        ..layered(10)
    };
    let other = site.build(&other, 1).unwrap();
    let (one, two) = (digests(&first), digests(&other));
    assert_eq!(one[..3], two[..3]);
    // Nothing of what is remembered decides a byte: damaged, it is not believed.
    for entry in std::fs::read_dir(site.path().join("written")).unwrap() {
        let path = entry.unwrap().path();
        let mut note = std::fs::read(&path).unwrap();
        let last = note.len() - 1;
        note[last] ^= 1;
        std::fs::write(&path, note).unwrap();
    }
    let again = site.build(&layered(10), 2).unwrap();
    assert_eq!(digests(&again), one);
    assert_eq!(again.unpacked, first.unpacked);
    std::fs::remove_dir_all(site.path().join("written")).unwrap();
    assert_eq!(digests(&site.build(&layered(10), 2).unwrap()), one);
}

#[test]
fn all_names_of_a_file_are_in_one_layer() {
    let site = Site::filled();
    let link = PathMutation {
        path: "/srv/web".into(),
        kind: PathKind::Hardlink,
        uid: None,
        gid: None,
        permissions: None,
        source: Some("/usr/bin/web".into()),
        recursive: false,
    };
    let mut asked = layered(10);
    asked.paths.push(link);
    let built = site.build(&asked, 2).unwrap();
    let layers = layers(&site, &built);
    for layer in &layers[..3] {
        assert!(!layer.contains(&rel("usr/bin/web")) && !layer.contains(&rel("usr/bin/web-admin")));
    }
    let top = &layers[3];
    let names = ["srv/web", "usr/bin/web", "usr/bin/web-admin"];
    assert!(names.iter().all(|name| top.contains(&rel(name))));
    assert!(top.contains(&rel("srv")));
}

#[test]
fn packages_that_replace_each_others_files_share_a_layer() {
    let mut site = Site::filled();
    let mut new = Package::new("web-ng", "3-r0").file("usr/bin/web", 0o755, "#!ng");
    new.control.replaces = vec!["web<3".parse().unwrap()];
    site.add(new);
    let built = site.build(&layered(10), 2).unwrap();
    let layers = layers(&site, &built);
    let names: Vec<_> = layers.iter().map(installed).collect();
    assert!(
        names.contains(&vec!["web".to_owned(), "web-ng".to_owned()]),
        "{names:?}"
    );
    assert_eq!(layers.len(), 4);
}

#[test]
fn umoci_unpacks_all_layers_to_the_image() {
    let site = Site::filled();
    let whole = layer_of(&site, &site.build(&image(), 2).unwrap());
    let built = site.build(&layered(10), 2).unwrap();
    let name: Reference = "factory.example/web:1.4".parse().unwrap();
    let folder = Root::create(&site.path().join("layout")).unwrap();
    export_layout(&[&built.parts], &site.store, Some(&name), &folder).unwrap();
    let path = |name: &str| site.path().join(name).to_str().unwrap().to_owned();
    let (source, bundle) = (format!("{}:1.4", path("layout")), path("bundle"));
    let is_root = run("id", "coreutils", &["-u"]).trim() == "0";
    let mut arguments = vec!["unpack", "--image", &source, &bundle];
    if !is_root {
        arguments.insert(1, "--rootless");
    }
    run("umoci", "umoci", &arguments);
    let root = Arc::new(Root::open(&Path::new(&bundle).join("rootfs")).unwrap());
    let seen = Tree::read_from(&root, ScanOptions::default()).unwrap();
    let lines = |tree: &Tree| {
        let mut lines = listing(tree);
        lines.retain(|line| !line.contains("etc/apko.json"));
        // Without privileges owners and attributes are not restored.
        let owner = |line: &String| {
            let (mode, rest) = line.split_once(' ').unwrap();
            let (_, rest) = rest.split_once(' ').unwrap();
            format!("{mode} {}", rest.trim_end_matches(" +xattr"))
        };
        if is_root {
            lines
        } else {
            lines.iter().map(owner).collect()
        }
    };
    assert_eq!(lines(&seen), lines(&whole));
}

#[test]
fn packages_that_were_laid_out_give_the_same_image_or_are_unpacked_anew() {
    let site = Site::filled();
    let first = site.build(&image(), 2).unwrap();
    let frames = site.path().join("frames");
    let files = |end: &str| {
        let entries = std::fs::read_dir(&frames).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.to_str().unwrap().ends_with(end))
            .collect();
        paths.sort();
        paths
    };
    assert_eq!((files(".data").len(), files(".note").len()), (3, 3));
    let anew = || {
        let _gone = std::fs::remove_dir_all(site.path().join("written"));
        site.build(&image(), 2).unwrap()
    };
    let same = |built: &BuiltImage| {
        assert_eq!(built.parts, first.parts);
        assert_eq!((built.spdx, built.cyclonedx), (first.spdx, first.cyclonedx));
    };
    // Not one package is asked for any more.
    let blobs: Vec<_> = site.locked.packages.iter().map(|one| one.sha256).collect();
    let blob = |digest: &Sha256| site.path().join("blobs/sha256").join(digest.to_string());
    let away = site.path().join("away");
    std::fs::rename(blob(&blobs[1]), &away).unwrap();
    same(&anew());
    std::fs::rename(&away, blob(&blobs[1])).unwrap();
    for end in [".data", ".note"] {
        for path in files(end) {
            let good = std::fs::read(&path).unwrap();
            for at in [0, good.len() / 2, good.len().saturating_sub(1)] {
                let mut bad = good.clone();
                if let Some(byte) = bad.get_mut(at) {
                    *byte ^= 0x20;
                }
                std::fs::write(&path, bad).unwrap();
                same(&anew());
            }
            std::fs::write(&path, &good[..good.len() / 2]).unwrap();
            same(&anew());
            std::fs::remove_file(&path).unwrap();
            same(&anew());
        }
    }
    std::fs::remove_dir_all(&frames).unwrap();
    std::fs::write(&frames, "").unwrap();
    same(&anew());
}
