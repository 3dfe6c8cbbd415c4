//! Images with one layer of EROFS: the same files as in layers of tar, as other programs see them.

use boltworks_fsx::{Limit, Root};
use boltworks_image::compatible::Compatible;
use boltworks_image::{Error, Form, ImageRequest, Memory, Series, build, export_archive, unpacked};
use boltworks_model::Cancel;
use boltworks_oci::{Descriptor, media_type, read_config, read_index, read_manifest};
use boltworks_recipe::resolved::{Format, Image};

use crate::files::listing;
use crate::kit::{Site, ambient, image, rel, run};

fn mountable() -> Image {
    Image {
        format: Format::Erofs,
        ..image()
    }
}

/// The files of the image as they are in its layers.
fn files(site: &Site, manifest: &[u8]) -> boltworks_fsx::Tree {
    let layers: Vec<Descriptor> = read_manifest(manifest).unwrap().layers;
    unpacked(&layers, &site.store, &site.scratch()).unwrap()
}

#[test]
fn it_has_the_files_of_the_image_of_tar() {
    let site = Site::filled();
    let (tar, erofs) = (
        site.build(&image(), 2).unwrap(),
        site.build(&mountable(), 2).unwrap(),
    );
    let (expected, found) = (
        files(&site, &tar.parts.manifest.bytes),
        files(&site, &erofs.parts.manifest.bytes),
    );
    // The file says of itself what its layers are.
    let but_itself = |tree: &boltworks_fsx::Tree| -> Vec<String> {
        let lines = listing(tree).into_iter();
        lines
            .filter(|line| !line.contains("etc/apko.json"))
            .collect()
    };
    assert_eq!(but_itself(&found), but_itself(&expected));
    for (path, node) in expected.iter() {
        let other = found.get(path).unwrap();
        assert_eq!(other.meta.mtime, node.meta.mtime, "{path}");
        assert_eq!(other.meta.xattrs, node.meta.xattrs, "{path}");
        let bytes = |tree: &boltworks_fsx::Tree| tree.file(path).map(|one| one.sha256().unwrap());
        if path.as_bytes() != b"etc/apko.json" {
            assert_eq!(bytes(&found), bytes(&expected), "{path}");
        }
    }
}

#[test]
fn its_documents_say_what_it_is() {
    let site = Site::filled();
    let built = site.build(&mountable(), 2).unwrap();
    let again = site.build(&mountable(), 1).unwrap();
    assert_eq!(built.parts, again.parts);
    let layers = &built.parts.layers;
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].media_type, media_type::LAYER_EROFS);
    assert_eq!(layers[0].digest, layers[0].diff_id);
    let config = read_config(&built.parts.config.bytes).unwrap();
    assert_eq!(config.os_features, ["erofs"]);
    let index = read_index(&built.parts.index.bytes).unwrap();
    let platform = index.manifests[0].platform.as_ref().unwrap();
    assert_eq!(platform.os_features, ["erofs"]);
}

#[test]
fn fsck_finds_nothing_wrong() {
    let site = Site::filled();
    let built = site.build(&mountable(), 2).unwrap();
    let blob = site.store.open_blob(&built.parts.layers[0].digest).unwrap();
    let path = site.path().join("layer.erofs");
    let mut out = std::fs::File::options()
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    std::io::copy(&mut blob.reader(), &mut out).unwrap();
    let extracted = format!("--extract={}", site.path().join("extracted").display());
    run(
        "fsck.erofs",
        "erofs-utils",
        &[&extracted, path.to_str().unwrap()],
    );
    assert!(site.path().join("extracted/usr/bin/web").exists());
}

#[test]
fn it_is_laid_once() {
    for compatible in [None, Some(Compatible::default())] {
        let site = Site::filled();
        let made = |memory: &Memory, image: &Image| {
            let (scratch, cancel) = (site.scratch(), Cancel::default());
            let request = ImageRequest {
                compatible: compatible.as_ref(),
                ..site.request(image)
            };
            let mut series = Series::new(&site.store, &scratch, memory);
            let built = series.build(&request, &ambient(&cancel)).unwrap();
            series.commit().unwrap();
            built
        };
        let first = made(&Memory::default(), &mountable());
        let root = Root::open(site.path()).unwrap();
        let layer = rel(&format!("blobs/sha256/{}", first.parts.layers[0].digest));
        let bytes = || root.read_vec(&layer, Limit::mib(4)).unwrap();
        let good = bytes();
        let bad = vec![0; good.len()];
        root.remove_file(&layer).unwrap();
        root.write(&layer, &bad, 0o444).unwrap();
        // Who takes layers by their names writes none; who reads them writes it anew.
        let named = made(&Memory::by_name(), &mountable());
        assert_eq!(named.parts, first.parts);
        assert!(bytes() == bad);
        let healed = made(&Memory::default(), &mountable());
        assert_eq!(healed.parts, first.parts);
        assert!(bytes() == good);
        // What is made of other files is another.
        let mut other = mountable();
        other.paths.pop();
        let other = made(&Memory::by_name(), &other);
        assert_ne!(other.parts.layers, first.parts.layers);
    }
}

#[test]
fn it_stands_alone() {
    let site = Site::filled();
    let (below, above) = (image(), mountable());
    let refused = |below: &Image, above: &Image| -> String {
        let lower = site.request(below);
        let mut request = site.request(above);
        request.upon = Some(&lower);
        let cancel = Cancel::default();
        let built = build(&request, &site.store, &site.scratch(), &ambient(&cancel));
        let error: Error = built.unwrap_err();
        error.to_string()
    };
    for (below, above) in [(&below, &above), (&above, &below)] {
        let said = refused(below, above);
        assert!(said.contains("of EROFS there is one layer"), "{said}");
    }
}

#[test]
fn no_archive_is_made_of_it_that_would_be_empty() {
    let site = Site::filled();
    let built = site.build(&mountable(), 2).unwrap();
    let name = "web:1.4".parse().unwrap();
    let export = |form| export_archive(&[&built.parts], &site.store, &name, form, Vec::new());
    let said = export(Form::Docker).unwrap_err().to_string();
    assert!(said.contains("would take them for empty ones"), "{said}");
    assert!(export(Form::Oci).is_ok());
}
