//! Images that become durable together: as they would be alone, or not at all.

use boltworks_fsx::{Limit, Root};
use boltworks_image::compatible::Compatible;
use boltworks_image::{BuiltImage, Error, ImageRequest, Memory, Series};
use boltworks_model::{Cancel, Sha256};
use boltworks_recipe::resolved::{Image, Layering, PathKind, PathMutation};

use crate::kit::{Site, ambient, image, rel};

/// In layers, so that two of them can share some.
fn starting(cmd: &str) -> Image {
    Image {
        cmd: vec![cmd.into()],
        layering: Some(Layering {
            strategy: "origin".into(),
            budget: 10,
        }),
        ..image()
    }
}

/// One in which a path has another mode.
fn changed(cmd: &str, path: &str) -> Image {
    let mut image = starting(cmd);
    image.paths.push(PathMutation {
        path: path.into(),
        kind: PathKind::Permissions,
        uid: None,
        gid: None,
        permissions: Some(0o700),
        source: None,
        recursive: false,
    });
    image
}

/// One that is refused when its packages are there already.
fn refused() -> Image {
    changed("--never", "/etc/nothing")
}

fn make(series: &mut Series<'_>, site: &Site, image: &Image) -> Result<BuiltImage, Error> {
    let cancel = Cancel::default();
    series.build(&site.request(image), &ambient(&cancel))
}

/// Everything that the image's name stands for.
fn blobs(built: &BuiltImage) -> Vec<Sha256> {
    let documents = [built.spdx, built.spdx3, built.cyclonedx];
    let parts = [&built.parts.manifest, &built.parts.config];
    let layers = built.parts.layers.iter().map(|layer| layer.digest);
    let parts = parts.into_iter().map(|part| part.digest);
    documents.into_iter().chain(parts).chain(layers).collect()
}

fn is_whole(site: &Site, built: &BuiltImage) -> bool {
    let is_there = |digest: &Sha256| site.store.read_bytes(digest, Limit::mib(1)).is_ok();
    blobs(built).iter().all(is_there)
}

/// Forgets what is known of layers and packages: it decides nothing.
fn forget(site: &Site) {
    let root = Root::open(site.path()).unwrap();
    for folder in ["written", "layers", "frames"] {
        root.remove_tree(&rel(folder)).unwrap();
    }
}

#[test]
fn what_one_image_changes_is_as_it_was_in_the_next() {
    let (site, memory) = (Site::filled(), Memory::default());
    let scratch = site.scratch();
    let wanted = [
        starting("--one"),
        changed("--file", "/usr/bin/ping"),
        changed("--folder", "/usr/bin"),
        starting("--other"),
        changed("--again", "/usr/bin"),
    ];
    let mut built = Vec::new();
    for image in &wanted {
        // What is durable is remembered by the images that follow.
        let mut series = Series::new(&site.store, &scratch, &memory);
        built.push(make(&mut series, &site, image).unwrap());
        series.commit().unwrap();
    }
    let layers: Vec<_> = built.iter().map(|built| &built.parts.layers[..3]).collect();
    assert_eq!(layers[0], layers[3]);
    assert_eq!(layers[2], layers[4]);
    assert_ne!(layers[0], layers[1]);
    assert_ne!(layers[0], layers[2]);
    forget(&site);
    for (image, built) in wanted.iter().zip(&built) {
        assert_eq!(site.build(image, 2).unwrap().parts, built.parts);
    }
}

#[test]
fn images_of_a_series_are_those_that_are_made_alone() {
    let (site, memory) = (Site::filled(), Memory::default());
    let scratch = site.scratch();
    let mut series = Series::new(&site.store, &scratch, &memory);
    let wanted = [starting("--one"), starting("--other"), starting("--one")];
    let built: Vec<_> = wanted
        .iter()
        .map(|image| make(&mut series, &site, image).unwrap())
        .collect();
    let shared = &built[0].parts.layers[..3];
    assert_eq!(shared, &built[1].parts.layers[..3], "neither was known");
    let all = built.iter().flat_map(blobs);
    for digest in all {
        assert!(
            !site.store.has(&digest).unwrap(),
            "visible before it is durable"
        );
    }
    assert_eq!(series.commit().unwrap(), None);
    forget(&site);
    for (image, built) in wanted.iter().zip(&built) {
        assert!(is_whole(&site, built));
        let alone = site.build(image, 2).unwrap();
        assert_eq!(alone.parts, built.parts);
        assert_eq!(blobs(&alone), blobs(built));
        assert_eq!(alone.unpacked, built.unpacked);
    }
}

#[test]
fn none_stands_upon_another_and_is_laid_as_by_apko() {
    let (site, memory) = (Site::filled(), Memory::default());
    let scratch = site.scratch();
    let mut series = Series::new(&site.store, &scratch, &memory);
    let (image, compatible) = (image(), Compatible::default());
    let below = site.request(&image);
    let both = ImageRequest {
        upon: Some(&below),
        base: None,
        compatible: Some(&compatible),
        ..below
    };
    let cancel = Cancel::default();
    let error = series.build(&both, &ambient(&cancel)).unwrap_err();
    insta::assert_snapshot!(error, @"image web: it cannot stand upon another and be laid as apko lays images");
}

#[test]
fn a_series_that_is_not_finished_leaves_nothing() {
    let (site, memory) = (Site::filled(), Memory::default());
    let scratch = site.scratch();
    let mut series = Series::new(&site.store, &scratch, &memory);
    let built = make(&mut series, &site, &starting("--one")).unwrap();
    let beside = series.put_bytes(b"beside").unwrap();
    drop(series);
    for digest in blobs(&built).iter().chain([&beside]) {
        assert!(!site.store.has(digest).unwrap());
    }
    // Nothing is remembered of layers that are not there.
    let again = site.build(&starting("--one"), 2).unwrap();
    assert_eq!(again.parts, built.parts);
    assert!(is_whole(&site, &again));
}

#[test]
fn an_image_that_fails_does_no_harm_to_the_others() {
    let (site, memory) = (Site::filled(), Memory::default());
    let scratch = site.scratch();
    let mut series = Series::new(&site.store, &scratch, &memory);
    let before = make(&mut series, &site, &starting("--one")).unwrap();
    let error = make(&mut series, &site, &refused()).unwrap_err();
    assert!(error.to_string().contains("etc/nothing"), "{error}");
    let after = make(&mut series, &site, &starting("--other")).unwrap();
    series.commit().unwrap();
    for built in [&before, &after] {
        assert!(is_whole(&site, built));
    }
}
