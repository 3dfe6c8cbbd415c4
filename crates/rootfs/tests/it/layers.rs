//! Environments that share what is below.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boltworks_apk::installed::{DATABASE, Database, InstalledPackage};
use boltworks_fsx::{Limit, Root};
use boltworks_model::PackageName;

use super::environments::{Site, me};
use super::rel;

const BASE: &str = "
    base 1
    bin -> usr/bin
    usr/
    usr/bin/
    usr/bin/sh = shell 755
";
const ONE: &str = "
    one 1
    usr/
    usr/share/one/file = one 644
    usr/share/one/same => usr/share/one/file
";
const TWO: &str = "
    two 1
    usr/share/two/ 700
    usr/share/two/file = two 644
";
/// It lies beneath a link of the base.
const MERGED: &str = "
    merged 1
    bin/merged = merged 755
";

fn own() -> BTreeSet<PackageName> {
    let names = ["one", "two", "merged"];
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn read(folder: &Path, path: &str) -> Option<String> {
    let root = Root::open(folder).unwrap();
    root.read_text(&rel(path), Limit::kib(4)).ok()
}

#[test]
fn what_environments_share_is_laid_once() {
    let site = Site::new(&[BASE, ONE, TWO, MERGED]);
    let wanted = [
        "base one",
        "base two",
        "base one two",
        "base",
        "base merged",
    ];
    let wanted = wanted.map(|names| site.locked(names));
    let ensure = || {
        let trees = site.trees();
        trees
            .ensure_all(&wanted, &own(), &site.store, me())
            .unwrap()
    };
    let lowers: Vec<Vec<PathBuf>> = ensure();
    let base = &lowers[3][0];
    for (place, own) in ["one", "two"].iter().enumerate() {
        let [layer, below] = &lowers[place][..] else {
            panic!("no layer: {lowers:?}");
        };
        assert_eq!(below, base);
        let file = format!("usr/share/{own}/file");
        assert_eq!(read(layer, &file).as_deref(), Some(*own));
        assert_eq!(
            (read(layer, "usr/bin/sh"), read(below, &file)),
            (None, None)
        );
    }
    assert_eq!(
        read(&lowers[2][0], "usr/share/one/same").as_deref(),
        Some("one")
    );
    // What a layer cannot show is one tree.
    let [whole] = &lowers[4][..] else {
        panic!("a layer: {lowers:?}");
    };
    assert_eq!(read(whole, "usr/bin/merged").as_deref(), Some("merged"));
    assert_eq!(read(whole, "usr/bin/sh").as_deref(), Some("shell"));
    // All of it is there the next time, and nothing is left in between.
    assert_eq!(ensure(), lowers);
    assert!(!base.parent().unwrap().with_file_name("new-layers").exists());
}

/// What an environment's database says: each package, and its paths.
fn listed(lowers: &[PathBuf]) -> Vec<(String, Vec<String>)> {
    let text = lowers.iter().find_map(|lower| read(lower, DATABASE));
    let database = Database::read(text.unwrap().as_bytes()).unwrap();
    let of = |package: &InstalledPackage| {
        let entry = &package.entry;
        let paths = package.directories.iter().flat_map(|directory| {
            let folder = directory.path.as_ref();
            let folder = folder.map_or_else(String::new, ToString::to_string);
            let files = directory.files.iter();
            files.map(move |file| format!("{folder}/{}", String::from_utf8_lossy(&file.name)))
        });
        (format!("{}-{}", entry.name, entry.version), paths.collect())
    };
    database.packages.iter().map(of).collect()
}

#[test]
fn a_guest_lists_its_packages() {
    let site = Site::new(&[BASE, ONE, TWO, MERGED]);
    let wanted = ["base two one", "base", "base merged"].map(|names| site.locked(names));
    let trees = site.trees();
    let lowers = trees
        .ensure_all(&wanted, &own(), &site.store, me())
        .unwrap();
    let paths =
        |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| (*path).to_owned()).collect() };
    let base = ("base-1".to_owned(), paths(&["/bin", "usr/bin/sh"]));
    let one = paths(&["usr/share/one/file", "usr/share/one/same"]);
    let two = paths(&["usr/share/two/file"]);
    assert_eq!(
        listed(&lowers[0]),
        [
            base.clone(),
            ("one-1".to_owned(), one),
            ("two-1".to_owned(), two)
        ]
    );
    assert_eq!(listed(&lowers[1]), std::slice::from_ref(&base));
    // Laid as one tree, where the link leads.
    let merged = ("merged-1".to_owned(), paths(&["usr/bin/merged"]));
    assert_eq!(listed(&lowers[2]), [base, merged]);
    let world = |at: usize| read(&lowers[at][0], "etc/apk/world").unwrap();
    assert_eq!(world(0), "base=1\none=1\ntwo=1\n");
    assert_eq!(world(1), "base=1\n");
    // apk 2 looks there.
    let link = std::fs::read_link(lowers[1][0].join("lib/apk")).unwrap();
    assert_eq!(link, Path::new("../usr/lib/apk"));
}
