//! EROFS images: what the writer writes, the reader reads, and so do `fsck.erofs` and the kernel; what
//! `mkfs.erofs` writes is read too.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use boltworks_fsx::erofs::{Policy, Reader, write};
use boltworks_fsx::{
    Content, Error, Kind, Limit, Meta, Node, Root, ScanOptions, Tree, WriteOptions,
};
use proptest::prelude::*;

use crate::arbitrary::{Wildness, seen, tree};
use crate::{Folder, folder, path};

static WHOLE: LazyLock<Vec<u8>> =
    LazyLock::new(|| write(&everything(), &root(), 0, Vec::new()).unwrap().0);

fn root() -> Node {
    Node::dir(Meta::new(0o755, 7))
}

/// An image of the tree, in a folder of its own.
fn image(tree: &Tree, time: i64) -> (Folder, Arc<File>) {
    let folder = folder();
    let draft = folder.root.draft(&path("a.erofs"), 0o644).unwrap();
    let (draft, len) = write(tree, &root(), time, draft).unwrap();
    draft.commit().unwrap();
    let file = folder.root.open_file(&path("a.erofs")).unwrap();
    assert_eq!(file.metadata().unwrap().len(), len);
    (folder, Arc::new(file))
}

fn read(folder: &Folder, file: &Arc<File>) -> Result<Tree, Error> {
    let reader = Reader::open(Arc::clone(file), Policy::default())?;
    reader.tree(folder.root.scratch()?)
}

/// One of everything: contents on both sides of a block's end, a large folder, names of all sorts.
fn everything() -> Tree {
    let mut tree = Tree::new();
    let meta = |mode| Meta {
        uid: 70_000,
        gid: 8,
        ..Meta::new(mode, 1_700_000_000)
    };
    let mut put = |name: &str, node| drop(tree.insert(path(name), node).unwrap());
    for len in [0, 1, 63, 4031, 4032, 4033, 4096, 4097, 300_000] {
        let bytes: Vec<u8> = (0..len).map(|at: u32| at.to_le_bytes()[0] ^ 0x5a).collect();
        put(&format!("len-{len}"), Node::file(meta(0o640), bytes));
    }
    put("large", Node::dir(meta(0o1777)));
    for at in 0..500 {
        let name = format!("large/{at:0>40}");
        put(
            &name,
            Node::file(Meta::new(0o600, 0), format!("{at}").into_bytes()),
        );
    }
    put("odd", Node::dir(meta(0o2755)));
    for name in ["odd/!", "odd/-", "odd/.a", "odd/..a", "odd/ä", "odd/\u{1}"] {
        put(name, Node::symlink(meta(0), name));
    }
    put("odd/long", Node::symlink(meta(0), "x".repeat(4000)));
    put("setuid", Node::file(meta(0o4755), *b"s"));
    let target = path("setuid");
    put(
        "zero",
        Node {
            meta: meta(0o4755),
            kind: Kind::Hardlink(target),
        },
    );
    let mut capable = Node::file(meta(0o755), *b"c");
    // A capability as the kernel has it, revision 2: cap_net_bind_service.
    let bits = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let xattrs = &mut capable.meta.xattrs;
    xattrs.insert(b"security.capability".to_vec(), bits.to_vec());
    xattrs.insert(b"user.note".to_vec(), vec![b'n'; 200]);
    put("capable", capable);
    for (name, kind) in [
        ("null", Kind::CharDevice { major: 1, minor: 3 }),
        (
            "disk",
            Kind::BlockDevice {
                major: 259,
                minor: 70_000,
            },
        ),
        ("pipe", Kind::Fifo),
    ] {
        let meta = meta(0o660);
        put(name, Node { meta, kind });
    }
    tree
}

proptest! {
    #[test]
    fn every_attribute_survives(mut tree in tree(Wildness::Archive), time in -3..3_i64) {
        tree.ensure_dirs(&Meta::new(0o700, time));
        let (folder, file) = image(&tree, time);
        let mut expected = seen(&tree);
        for one in expected.values_mut().filter(|one| one.5 == "symlink") {
            one.0 = 0o777;
        }
        prop_assert_eq!(seen(&read(&folder, &file).unwrap()), expected);
    }

    #[test]
    fn a_broken_image_is_an_error_and_no_panic(
        at in 1024..60_000_usize, bytes in prop::collection::vec(any::<u8>(), 1..9)
    ) {
        let mut broken = WHOLE.clone();
        // Mostly where inodes are: those are at the end.
        let last = broken.len() - 9;
        let at = if at % 3 == 0 { at.min(last) } else { last - at };
        broken[at..at + bytes.len()].copy_from_slice(&bytes);
        let folder = folder();
        folder.root.write(&path("a"), &broken, 0o644).unwrap();
        let file = Arc::new(folder.root.open_file(&path("a")).unwrap());
        if let Ok(tree) = read(&folder, &file) {
            for (_, node) in tree.iter() {
                if let Kind::File(content) = &node.kind {
                    content.copy_to(&mut std::io::sink()).unwrap();
                }
            }
        }
    }
}

#[test]
fn everything_is_read_as_it_was_written() {
    let tree = everything();
    let (folder, file) = image(&tree, 0);
    let reader = Reader::open(Arc::clone(&file), Policy::default()).unwrap();
    assert_eq!(reader.root().unwrap(), root().meta);
    assert_eq!(seen(&read(&folder, &file).unwrap()), seen(&tree));
    let entries = reader.entries().unwrap();
    assert_eq!(entries.len(), tree.len());
}

#[test]
fn limits_hold() {
    let (_folder, file) = image(&everything(), 0);
    let said = |policy| {
        let reader = Reader::open(Arc::clone(&file), policy).unwrap();
        reader.entries().unwrap_err().to_string()
    };
    let policy = Policy::default();
    let few = said(Policy {
        max_entries: 500,
        ..policy
    });
    assert!(few.contains("more names than are allowed"), "{few}");
    let short = said(Policy {
        max_attributes: Limit(200),
        ..policy
    });
    assert!(short.contains("longer than allowed"), "{short}");
}

#[test]
fn what_has_no_place_is_refused() {
    let said = |name: &str, node: Node| {
        let mut tree = Tree::new();
        tree.insert(path(name), node).unwrap();
        let written = write(&tree, &root(), 0, std::io::sink());
        written.unwrap_err().to_string()
    };
    let meta = || Meta::new(0o644, 0);
    let mut odd = Node::file(meta(), *b"");
    odd.meta.xattrs.insert(b"odd".to_vec(), Vec::new());
    let device = Kind::CharDevice {
        major: 4096,
        minor: 0,
    };
    let link = Kind::Hardlink(path("none"));
    let with = |kind| Node { meta: meta(), kind };
    let all = [
        said("a/b", Node::file(meta(), *b"")),
        said("a", odd),
        said("a", with(device)),
        said("a", with(link)),
        said("a", Node::symlink(meta(), "x".repeat(4096))),
        said("a", Node::symlink(meta(), "")),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    write into EROFS 'a/b': the folder above it is not there
    write into EROFS 'a': EROFS has no place for an extended attribute of that name
    write into EROFS 'a': the device's number is out of range
    write into EROFS 'a': the file that it is a name of is not there
    write into EROFS 'a': the link's target is empty, too long or has a NUL byte
    write into EROFS 'a': the link's target is empty, too long or has a NUL byte
    ");
}

#[test]
fn a_file_that_has_another_length_by_now_is_an_error() {
    let folder = folder();
    folder.root.write(&path("a"), b"long", 0o644).unwrap();
    let mut tree = Tree::new();
    let content = Content::Path {
        root: Arc::clone(&folder.root),
        path: path("a"),
        len: 3,
    };
    let node = Node {
        meta: Meta::new(0o644, 0),
        kind: Kind::File(content),
    };
    tree.insert(path("a"), node).unwrap();
    assert!(write(&tree, &root(), 0, std::io::sink()).is_err());
}

/// Runs a program of erofs-utils.
fn run(program: &str, words: &[&str]) {
    let done = Command::new(program).args(words).output();
    let done = done.expect("there is no erofs-utils: apt-get install erofs-utils");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {words:?}: {said}");
}

/// What is in a folder on disk, but what no image can hold as it is.
fn on_disk(folder: &Path) -> Tree {
    let root = Arc::new(Root::open(folder).unwrap());
    Tree::read_from(&root, ScanOptions::default()).unwrap()
}

#[test]
fn fsck_extracts_what_was_written() {
    let tree = everything();
    let (folder, _) = image(&tree, 0);
    let image = folder.disk.path().join("a.erofs");
    let out = folder.disk.path().join("out");
    let extract = format!("--extract={}", out.display());
    run("fsck.erofs", &[&extract, image.to_str().unwrap()]);
    // It knows neither attributes nor several names of one file, and forgets setuid when it sets the owner.
    let mut expected = seen(&tree);
    let bytes = expected[&path("setuid")].clone();
    expected.insert(path("zero"), bytes);
    let mut found = seen(&on_disk(&out));
    for all in [&mut expected, &mut found] {
        for one in all.values_mut() {
            one.4.clear();
            one.0 &= if one.5 == "file" { 0o777 } else { 0o7777 };
        }
    }
    for (path, one) in &expected {
        assert_eq!(found.get(path), Some(one), "{path}");
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn the_kernel_mounts_what_was_written() {
    let tree = everything();
    let (folder, _) = image(&tree, 0);
    let image = folder.disk.path().join("a.erofs");
    let mounted = folder.disk.path().join("mounted");
    std::fs::create_dir(&mounted).unwrap();
    let paths = [image.to_str().unwrap(), mounted.to_str().unwrap()];
    // In a mount namespace of its own: nothing is left mounted, whatever happens.
    let script = "mount -t erofs -o ro,loop \"$0\" \"$1\" && cp -a \"$1\" \"$1.copy\"";
    let mut words = vec!["--mount", "sh", "-ec", script];
    words.extend(paths);
    run("unshare", &words);
    let copied = on_disk(&folder.disk.path().join("mounted.copy"));
    let (found, expected) = (seen(&copied), seen(&tree));
    for (path, one) in &expected {
        assert_eq!(found.get(path), Some(one), "{path}");
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn what_mkfs_writes_is_read() {
    let folder = folder();
    let (_own, file) = image(&everything(), 0);
    let tree = read(&folder, &file).unwrap();
    let source = folder.root.make_dir(&path("source")).unwrap();
    let options = WriteOptions {
        devices: true,
        ..WriteOptions::default()
    };
    tree.write_to(&source, options).unwrap();
    let place = |name: &str| folder.disk.path().join(name).display().to_string();
    for options in [
        &["-x", "-1"][..],
        &["-E", "force-inode-extended"],
        &["-z", "lz4hc"],
        &["--chunksize=4096"],
    ] {
        let (image, source) = (place("b.erofs"), place("source"));
        let words = [&["-T", "0"], options, &[&image, &source]].concat();
        run("mkfs.erofs", &words);
        let file = Arc::new(folder.root.open_file(&path("b.erofs")).unwrap());
        let reader = Reader::open(Arc::clone(&file), Policy::default()).unwrap();
        let entries = reader.entries().unwrap();
        let names: Vec<_> = entries.iter().map(|entry| &entry.path).collect();
        assert_eq!(names.len(), tree.len(), "{options:?}");
        if matches!(options[0], "-x" | "-E") {
            let again = reader.tree(folder.root.scratch().unwrap()).unwrap();
            for (path, node) in again.iter() {
                let (Kind::File(one), Some(other)) = (&node.kind, tree.file(path)) else {
                    continue;
                };
                assert_eq!(one.sha256().unwrap(), other.sha256().unwrap(), "{path}");
            }
        }
    }
}
