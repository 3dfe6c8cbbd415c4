//! Trees on disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;

use boltworks_fsx::{Kind, Meta, Node, Ownership, ScanOptions, Tree, WriteOptions};
use proptest::prelude::*;

use crate::arbitrary::{Wildness, seen, tree};
use crate::{folder, path};

/// Everything belongs to whoever runs the tests, so that nobody needs rights.
fn own() -> Ownership {
    Ownership::All {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

const ROOTS: Ownership = Ownership::All { uid: 0, gid: 0 };

fn write_options() -> WriteOptions {
    WriteOptions {
        ownership: own(),
        ..WriteOptions::default()
    }
}

fn scan_options() -> ScanOptions {
    ScanOptions {
        ownership: ROOTS,
        ..ScanOptions::default()
    }
}

fn meta(mode: u32) -> Meta {
    Meta::new(mode, 1_767_225_600)
}

fn file(text: &str) -> Node {
    Node::file(meta(0o644), text.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_attribute_survives_the_disk(mut tree in tree(Wildness::Disk)) {
        tree.ensure_dirs(&meta(0o1755));
        for (_, node) in tree.iter_mut() {
            if matches!(node.kind, Kind::Symlink(_)) {
                node.meta = Meta { mode: 0o777, xattrs: BTreeMap::default(), ..node.meta.clone() };
            }
            if matches!(node.kind, Kind::Fifo) {
                node.meta.xattrs.clear();
            }
        }
        let folder = folder();
        tree.write_to(&folder.root, write_options()).unwrap();
        let found = Tree::read_from(&folder.root, scan_options()).unwrap();
        prop_assert_eq!(seen(&found), seen(&tree));
    }
}

#[test]
fn owners_are_kept_or_refused() {
    let mut tree = Tree::new();
    let owned = |node: Node| Node {
        meta: Meta {
            uid: 1234,
            gid: 4321,
            ..node.meta
        },
        ..node
    };
    tree.insert(path("dir"), owned(Node::dir(meta(0o2755))))
        .unwrap();
    tree.insert(path("dir/file"), owned(Node::file(meta(0o6755), *b"x")))
        .unwrap();
    tree.insert(path("link"), owned(Node::symlink(meta(0), "dir")))
        .unwrap();
    let folder = folder();
    let result = tree.write_to(&folder.root, WriteOptions::default());
    if rustix::process::geteuid().is_root() {
        result.unwrap();
        let found = Tree::read_from(&folder.root, ScanOptions::default()).unwrap();
        assert_eq!(seen(&found), seen(&tree));
    } else {
        assert_eq!(
            result.unwrap_err().io_kind(),
            Some(ErrorKind::PermissionDenied)
        );
    }
}

#[test]
fn devices_need_permission() {
    let mut tree = Tree::new();
    let null = Node {
        meta: meta(0o666),
        kind: Kind::CharDevice { major: 1, minor: 3 },
    };
    tree.insert(path("null"), null).unwrap();
    let folder = folder();
    let error = tree.write_to(&folder.root, write_options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "lay out 'null': device nodes are not allowed here"
    );
    match tree.write_to(
        &folder.root,
        WriteOptions {
            devices: true,
            ..write_options()
        },
    ) {
        Ok(()) => {
            let found = Tree::read_from(&folder.root, scan_options()).unwrap();
            assert_eq!(seen(&found), seen(&tree));
        }
        Err(error) => assert_eq!(error.io_kind(), Some(ErrorKind::PermissionDenied)),
    }
}

#[test]
fn nothing_is_written_through_what_is_there() {
    let outside = folder();
    let target = folder();
    symlink(outside.disk.path(), target.disk.path().join("dir")).unwrap();
    symlink(
        outside.disk.path().join("made"),
        target.disk.path().join("file"),
    )
    .unwrap();
    let lay = |name: &str| {
        let mut tree = Tree::new();
        tree.insert(path(name), file("x")).unwrap();
        tree.write_to(&target.root, write_options())
            .unwrap_err()
            .io_kind()
    };
    assert_eq!(lay("dir/made"), Some(ErrorKind::AlreadyExists));
    assert_eq!(lay("file"), Some(ErrorKind::AlreadyExists));
    assert_eq!(outside.root.list().unwrap(), []);
}

#[test]
fn a_tree_holds_nothing_beneath_a_link_or_file() {
    let mut tree = Tree::new();
    tree.insert(path("a"), Node::symlink(meta(0), "/etc"))
        .unwrap();
    let error = tree.insert(path("a/b/passwd"), file("x")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("beneath something that is no directory"),
        "{error}"
    );
    tree.insert(path("d/e/f"), file("x")).unwrap();
    for name in ["d", "d/e"] {
        let error = tree.insert(path(name), file("x")).unwrap_err();
        assert!(error.to_string().contains("not empty"), "{error}");
    }
    tree.insert(path("d-"), file("beside")).unwrap();
    tree.insert(path("d0"), file("beside")).unwrap();
    let beneath: Vec<_> = tree
        .beneath(&path("d"))
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(beneath, ["d/e/f"]);
    tree.ensure_dirs(&meta(0o755));
    let names: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(names, ["a", "d", "d-", "d/e", "d/e/f", "d0"]);
}

#[test]
fn hard_links_end_at_files() {
    let link = |target: &str| Node {
        meta: meta(0o644),
        kind: Kind::Hardlink(path(target)),
    };
    let mut tree = Tree::new();
    tree.insert(path("a"), link("b")).unwrap();
    tree.insert(path("b"), link("z")).unwrap();
    tree.insert(path("z"), file("content")).unwrap();
    let folder_a = folder();
    tree.write_to(&folder_a.root, write_options()).unwrap();
    assert_eq!(
        fs::metadata(folder_a.disk.path().join("a"))
            .unwrap()
            .nlink(),
        3
    );
    assert_eq!(
        tree.file(&path("a")).unwrap().read_head(4).unwrap(),
        b"cont"
    );
    let found = Tree::read_from(&folder_a.root, scan_options()).unwrap();
    let kinds: Vec<_> = found
        .iter()
        .map(|(_, node)| matches!(node.kind, Kind::File(_)))
        .collect();
    assert_eq!(kinds, [true, false, false]);
    for target in ["nothing", "dir", "x"] {
        let mut tree = Tree::new();
        tree.insert(path("dir"), Node::dir(meta(0o755))).unwrap();
        tree.insert(path("x"), link(target)).unwrap();
        let error = tree.write_to(&folder().root, write_options()).unwrap_err();
        assert!(
            error.to_string().contains("hard link to nothing"),
            "{error}"
        );
    }
}

#[test]
fn sockets_are_refused_and_changed_files_noticed() {
    let folder = folder();
    folder.root.write(&path("file"), b"before", 0o644).unwrap();
    let tree = Tree::read_from(&folder.root, scan_options()).unwrap();
    folder
        .root
        .write(&path("file"), b"longer than before", 0o644)
        .unwrap();
    let error = tree.file(&path("file")).unwrap().open().err().unwrap();
    assert!(error.to_string().contains("changed its length"), "{error}");
    let _socket = UnixListener::bind(folder.disk.path().join("socket")).unwrap();
    let error = Tree::read_from(&folder.root, scan_options()).unwrap_err();
    assert_eq!(error.to_string(), "read 'socket': it is a socket");
}
