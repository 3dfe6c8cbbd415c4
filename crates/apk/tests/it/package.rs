//! Sound packages.

use boltworks_apk::diff::{Change, FileChange, How, ListChange};
use boltworks_apk::{
    Difference, Error, IndexEntry, OpenOptions, PackageFile, Parts, Scratch, ScriptKind, Scripts,
    Signed, WriteOptions, diff, sign, write_data, write_package,
};
use boltworks_crypto::{sha1, sha256};
use boltworks_fsx::{Content, Kind, Limit, Meta, Node, RelPath, Tree};
use boltworks_model::Timestamp;
use proptest::prelude::*;

use crate::kit::*;

/// Every sort of entry with every attribute.
fn full() -> Tree {
    let mut tree = tree();
    let mut put = |name: &str, node: Node| tree.insert(path(name), node).unwrap();
    let owned = |mode, uid, gid| Meta {
        uid,
        gid,
        ..Meta::new(mode, EPOCH)
    };
    let mut capable = owned(0o4755, 12, 34);
    capable
        .xattrs
        .insert(b"security.capability".to_vec(), vec![1, 0, 0, 2, 0xff, 10]);
    capable.xattrs.insert(b"user.x".to_vec(), b"a=b\n".to_vec());
    put("usr/bin/capable", Node::file(capable, *b"capable"));
    put(
        "usr/bin/again",
        Node {
            meta: owned(0o755, 0, 0),
            kind: Kind::Hardlink(path("usr/bin/hello")),
        },
    );
    // A hard link must come after what it is another name of.
    let link = tree.remove(&path("usr/bin/again")).unwrap();
    let mut put = |name: &str, node: Node| tree.insert(path(name), node).unwrap();
    put("usr/bin/hello2", link);
    put("tmp", Node::dir(owned(0o1777, 0, 0)));
    put("var", Node::dir(owned(0o755, 0, 0)));
    put("var/mail", Node::dir(owned(0o2775, 65_532, 3_000_000)));
    put("var/empty", Node::file(owned(0o600, 1, 2), *b""));
    put(
        "var/pipe",
        Node {
            meta: owned(0o644, 0, 0),
            kind: Kind::Fifo,
        },
    );
    put("var/ä b", Node::file(owned(0o644, 0, 0), "ü".as_bytes()));
    let long = format!("var/{}/{}", "d".repeat(120), "e".repeat(140));
    put(&long, Node::file(owned(0o644, 0, 0), *b"far"));
    put(
        "var/link",
        Node::symlink(owned(0o777, 0, 0), "x".repeat(300)),
    );
    tree.ensure_dirs(&Meta::new(0o755, EPOCH));
    tree
}

/// Paths, attributes and contents, for comparison.
fn told(tree: &Tree) -> Vec<String> {
    let told = tree.iter().map(|(path, node)| {
        let kind = match &node.kind {
            Kind::File(content) => format!("{:?}", content.read_vec(Limit::mib(1)).unwrap()),
            other => format!("{other:?}"),
        };
        format!("{path:?} {:?} {kind}", node.meta)
    });
    told.collect()
}

fn unpacked(bytes: &[u8]) -> Tree {
    open(bytes).unwrap().tree(&scratch().1).unwrap()
}

#[test]
fn every_attribute_survives() {
    let tree = full();
    let (bytes, written) = write(&control(), &Scripts::new(), &tree);
    assert_eq!(told(&unpacked(&bytes)), told(&tree));
    assert_eq!(written.size, bytes.len() as u64);
    let [_, control, data, end] = sections(&bytes);
    assert_eq!(end, bytes.len());
    assert_eq!(written.identity, sha1(&bytes[control..data]));
    assert_eq!(written.data_hash, sha256(&bytes[data..]));
}

#[test]
fn what_is_said_of_a_package_survives() {
    let scripts: Scripts = ScriptKind::ALL
        .into_iter()
        .map(|kind| (kind, kind.name().as_bytes().to_vec()))
        .collect();
    let (bytes, written) = write(&control(), &scripts, &tree());
    let package = open(&bytes).unwrap();
    let mut expected = control();
    expected.installed_size = written.installed_size;
    expected.datahash = Some(written.data_hash);
    assert_eq!(package.control(), &expected);
    assert_eq!(package.scripts(), &scripts);
    assert_eq!(
        package.embedded()[".melange.yaml"],
        b"package:\n  name: hello\n"
    );
    assert_eq!(package.signed_by(), [KEY]);
    assert_eq!(package.identity(), written.identity);
    assert_eq!(
        IndexEntry::from_package(&package),
        IndexEntry::new(&control(), &written)
    );
}

#[test]
fn one_pass_gives_what_two_passes_give() {
    let (bytes, _) = write(&control(), &Scripts::new(), &full());
    let (_directory, root) = scratch();
    let keyring = keyring();
    let options = OpenOptions {
        keyring: Some(&keyring),
        ..OpenOptions::default()
    };
    let mut shared = Scratch::new(&root).unwrap();
    assert!(shared.is_empty());
    let (package, one) = PackageFile::unpack(file(&root, &bytes), &options, &mut shared).unwrap();
    let two = package.unpack_into(&mut shared).unwrap();
    assert_eq!(told(&one.tree), told(&full()));
    assert_eq!(told(&two.tree), told(&full()));
    assert_eq!(one.checksums, two.checksums);
    assert_eq!(one.checksums[&path("usr/bin/hi")], sha1(b"hello"));
    let hello = sha1(b"#!/bin/sh\necho hello\n");
    assert_eq!(one.checksums[&path("usr/bin/hello")], hello);
    assert_eq!(one.checksums[&path("usr/bin/hello2")], hello);
    assert_eq!(
        PackageFile::open(file(&root, &bytes), &options)
            .unwrap()
            .control(),
        package.control()
    );
}

#[test]
fn equal_input_gives_equal_bytes_and_the_head_may_come_last() {
    let noise: Vec<u8> = (0..9_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let mut tree = full();
    tree.insert(
        path("usr/noise"),
        Node::file(Meta::new(0o644, EPOCH), noise),
    )
    .unwrap();
    let (control, scripts) = (control(), Scripts::new());
    let parts = Parts {
        control: &control,
        scripts: &scripts,
        embedded: &[],
        tree: &tree,
    };
    let options = WriteOptions {
        level: 0,
        ..WriteOptions::new(EPOCH)
    };
    let mut whole = Vec::new();
    let written = write_package(&mut whole, &parts, signer(), &options).unwrap();
    assert_eq!(whole.len() as u64, written.size);
    assert!(whole.len() > 9_000_000);

    let mut data = Vec::new();
    let (mut head, apart) = write_data(&mut data, &parts, signer(), &options).unwrap();
    assert_eq!(apart, written);
    assert_eq!(sha256(&data), written.data_hash);
    head.append(&mut data);
    assert_eq!(sha256(&whole), sha256(&head));
}

#[test]
fn no_file_is_newer_than_the_epoch() {
    let mut tree = Tree::new();
    tree.insert(path("new"), Node::file(Meta::new(0o644, EPOCH + 9), *b"x"))
        .unwrap();
    tree.insert(path("old"), Node::file(Meta::new(0o644, 9), *b"x"))
        .unwrap();
    let read = unpacked(&write(&control(), &Scripts::new(), &tree).0);
    let time = |name: &str| read.get(&path(name)).unwrap().meta.mtime;
    assert_eq!((time("new"), time("old")), (EPOCH, 9));
}

#[test]
fn directories_that_are_left_out_are_roots() {
    let mut tree = Tree::new();
    tree.insert(path("a/b/c"), Node::file(Meta::new(0o644, 0), *b"x"))
        .unwrap();
    let read = unpacked(&write(&control(), &Scripts::new(), &tree).0);
    assert_eq!(
        read.get(&path("a/b")).unwrap().meta,
        Meta::new(0o755, EPOCH)
    );
}

#[test]
fn the_installed_size_counts_files_and_links_but_no_file_system() {
    let size = |tree: &Tree| write(&control(), &Scripts::new(), tree).1.installed_size;
    assert_eq!(size(&Tree::new()), 0);
    assert_eq!(size(&tree()), 21 + 5);
    let mut twice = tree();
    let meta = Meta::new(0o755, EPOCH);
    twice
        .insert(
            path("usr/bin/hello2"),
            Node {
                meta,
                kind: Kind::Hardlink(path("usr/bin/hello")),
            },
        )
        .unwrap();
    assert_eq!(size(&twice), 21 + 5);
    let mut empty = Tree::new();
    empty
        .insert(path("var"), Node::dir(Meta::new(0o755, 0)))
        .unwrap();
    assert_eq!(size(&empty), 1);
}

#[test]
fn an_empty_package_is_one() {
    let (bytes, _) = write(&control(), &Scripts::new(), &Tree::new());
    assert!(unpacked(&bytes).is_empty());
}

#[test]
fn what_apk_would_not_take_is_not_written() {
    let refusal = |name: &str, node: Node| {
        let mut tree = tree();
        tree.insert(path(name), node).unwrap();
        let (control, scripts) = (control(), Scripts::new());
        let parts = Parts {
            control: &control,
            scripts: &scripts,
            embedded: &[],
            tree: &tree,
        };
        let options = WriteOptions::new(EPOCH);
        reasons(&write_package(&mut Vec::new(), &parts, signer(), &options).unwrap_err())
    };
    let meta = || Meta::new(0o644, 0);
    let node = |kind| Node { meta: meta(), kind };
    insta::assert_snapshot!(refusal(".hidden", Node::file(meta(), *b"")), @"take '.hidden' into a package: apk takes a name at the top that begins with '.' for its own");
    insta::assert_snapshot!(refusal("usr/a\nb", Node::file(meta(), *b"")), @r"take 'usr/a\nb' into a package: its name holds a control character");
    insta::assert_snapshot!(refusal("usr/link", Node::symlink(meta(), "a\nb")), @"take 'usr/link' into a package: the target it links to holds a control character");
    insta::assert_snapshot!(refusal("dev", node(Kind::CharDevice { major: 1, minor: 3 })), @"take 'dev' into a package: a package holds no devices");
    insta::assert_snapshot!(refusal("usr/z", node(Kind::Hardlink(path("usr/none")))), @"take 'usr/z' into a package: it is a hard link to something that is no file before it");
    insta::assert_snapshot!(refusal("usr/a", node(Kind::Hardlink(path("usr/bin/hello")))), @"take 'usr/a' into a package: it is a hard link to something that is no file before it");
    insta::assert_snapshot!(refusal("usr/z", node(Kind::Hardlink(path("usr/bin")))), @"take 'usr/z' into a package: it is a hard link to something that is no file before it");
}

#[test]
fn times_are_those_that_a_reader_takes() {
    let write = |time: i64, of_file: i64| {
        let (control, scripts, mut tree) = (control(), Scripts::new(), Tree::new());
        let node = Node::file(Meta::new(0o644, of_file), *b"x");
        tree.insert(path("usr/x"), node).unwrap();
        let parts = Parts {
            control: &control,
            scripts: &scripts,
            embedded: &[],
            tree: &tree,
        };
        let mut bytes = Vec::new();
        let options = WriteOptions::new(time);
        let written = write_package(&mut bytes, &parts, signer(), &options);
        written.map(|_| bytes)
    };
    for (time, of_file) in [(0, 0), (Timestamp::LAST.0, i64::MAX), (EPOCH, -1)] {
        let files = unpacked(&write(time, of_file).unwrap());
        let found = files.get(&path("usr/x")).unwrap().meta.mtime;
        assert_eq!(found, of_file.min(time));
    }
    for time in [-1, 1 << 33, i64::MIN, i64::MAX] {
        let refused = reasons(&write(time, 0).unwrap_err());
        let range = "it must be from 0 to 8589934591 seconds since 1970 (the year 2242)";
        assert_eq!(refused, format!("write the time {time}: {range}"));
        let signed = sign(sound().as_slice(), signer(), time, &mut Vec::new());
        assert_eq!(reasons(&signed.unwrap_err()), refused);
    }
}

#[test]
fn control_files_and_key_names_that_would_be_something_else_are_not_written() {
    let refusal = |name: &str, key: &str| {
        let (control, scripts, tree) = (control(), Scripts::new(), tree());
        let embedded: [(&str, &[u8]); 1] = [(name, b"")];
        let parts = Parts {
            control: &control,
            scripts: &scripts,
            embedded: &embedded,
            tree: &tree,
        };
        let pem = signer().key.to_pem().unwrap();
        let key_again = boltworks_crypto::RsaPrivateKey::from_pem(pem.expose().as_bytes()).unwrap();
        let signer = boltworks_crypto::Signer {
            name: key.into(),
            key: key_again,
        };
        let options = WriteOptions::new(EPOCH);
        reasons(&write_package(&mut Vec::new(), &parts, &signer, &options).unwrap_err())
    };
    for name in [
        ".PKGINFO",
        ".SIGN.RSA.x",
        ".post-install",
        ".INSTALL",
        "plain",
        ".a/b",
        ".",
        "..",
    ] {
        let text = refusal(name, KEY);
        assert!(text.contains("cannot be a further file"), "{name}: {text}");
    }
    for key in ["web.pub", "a/b.rsa.pub", "a b.rsa.pub", "ä.rsa.pub"] {
        let text = refusal(".melange.yaml", key);
        assert!(text.contains("the name of a key ends in"), "{key}: {text}");
    }
}

#[test]
fn a_package_may_get_another_signature() {
    let bytes = sound();
    let mut other = Vec::new();
    assert_eq!(
        sign(bytes.as_slice(), stranger(), EPOCH, &mut other).unwrap(),
        Signed::Package
    );
    assert!(matches!(open(&other), Err(Error::Untrusted { .. })));
    let mut again = Vec::new();
    sign(other.as_slice(), signer(), EPOCH, &mut again).unwrap();
    assert_eq!(again, bytes);
    let unsigned = &bytes[sections(&bytes)[1]..];
    assert!(matches!(open(unsigned), Err(Error::Unsigned)));
    let package =
        PackageFile::read(Content::Bytes(unsigned.into()), &OpenOptions::default()).unwrap();
    assert!(package.signatures().is_empty() && package.signed_by().is_empty());
    let mut signed = Vec::new();
    sign(unsigned, signer(), EPOCH, &mut signed).unwrap();
    assert_eq!(signed, bytes);
}

/// A difference, a line for each thing that differs.
fn told_difference(difference: &Difference) -> String {
    let change = |change: &Change| format!("{}: {} | {}", change.what, change.left, change.right);
    let file = |file: &FileChange| match &file.how {
        How::OnlyLeft => format!("- {}", file.path),
        How::OnlyRight => format!("+ {}", file.path),
        How::Changed(changes) => {
            let changes: Vec<_> = changes.iter().map(change).collect();
            format!("{} {}", file.path, changes.join(", "))
        }
    };
    let list = |list: &ListChange| {
        format!(
            "{}: {:?} | {:?}",
            list.what, list.only_left, list.only_right
        )
    };
    let lines = difference.fields.iter().map(change);
    let lines = lines.chain(difference.lists.iter().map(list));
    let files = difference
        .control_files
        .iter()
        .chain(&difference.files)
        .map(file);
    lines.chain(files).collect::<Vec<_>>().join("\n")
}

#[test]
fn two_packages_are_compared() {
    let left = open(&sound()).unwrap();
    assert!(diff(&left, &left).unwrap().is_empty());

    let mut control = control();
    control.version = "1.1-r0".parse().unwrap();
    control.depends.push("zlib>=1.3".parse().unwrap());
    control.licenses.pop();
    let mut tree = tree();
    tree.remove(&path("usr/bin/hi"));
    tree.insert(
        path("usr/bin/hello"),
        Node::file(Meta::new(0o4755, EPOCH), *b"other"),
    )
    .unwrap();
    tree.insert(
        path("usr/lib"),
        Node::symlink(Meta::new(0o777, EPOCH), "bin"),
    )
    .unwrap();
    let scripts: Scripts = [(ScriptKind::Trigger, b"true".to_vec())]
        .into_iter()
        .collect();
    let right = open(&write(&control, &scripts, &tree).0).unwrap();
    let difference = diff(&left, &right).unwrap();
    assert!(!difference.is_empty() && !difference.is_only_in_form());
    insta::assert_snapshot!(told_difference(&difference), @r#"
    pkgver: 1.0-r0 | 1.1-r0
    size: 26 | 8
    license: ["Apache-2.0"] | []
    depend: [] | ["zlib>=1.3"]
    + .trigger
    usr/bin/hello mode: 0755 | 4755, size: 21 | 5, content: sha256:bfdeaeb08cffb6a36438bcd12dda25417e3cdd36f1e7e482a2849d539225288b | sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa
    - usr/bin/hi
    + usr/lib
    "#);
}

#[test]
fn packages_that_differ_only_in_form_are_told_apart() {
    let left = open(&sound()).unwrap();

    let mut bytes = Vec::new();
    let (control, scripts, tree) = (control(), Scripts::new(), tree());
    let embedded: [(&str, &[u8]); 1] = [(".melange.yaml", b"package:\n  name: hello\n")];
    let parts = Parts {
        control: &control,
        scripts: &scripts,
        embedded: &embedded,
        tree: &tree,
    };
    let options = WriteOptions {
        level: 1,
        ..WriteOptions::new(EPOCH)
    };
    write_package(&mut bytes, &parts, signer(), &options).unwrap();
    let difference = diff(&left, &open(&bytes).unwrap()).unwrap();
    assert!(!difference.is_empty() && difference.is_only_in_form());
}

fn node() -> impl Strategy<Value = Node> {
    let meta =
        (0_u32..0o10000, 0_u32..9_999_999, -9_i64..EPOCH).prop_map(|(mode, uid, mtime)| Meta {
            uid,
            gid: uid / 2,
            ..Meta::new(mode, mtime)
        });
    (0_u8..4, meta, any::<Vec<u8>>(), "[a-z/.]{1,20}").prop_map(|(kind, meta, bytes, target)| {
        match kind {
            0 => Node::dir(meta),
            1 => Node::symlink(meta, target),
            _ => Node::file(meta, bytes),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(
        nodes in prop::collection::vec(("[a-d][a-z.]{0,2}(/[a-z\\xff]{1,120}){0,3}", node()), 0..12),
    ) {
        let mut tree = Tree::new();
        for (name, node) in nodes {
            // What is in a tree already stays.
            let path: RelPath = path(&name);
            if !tree.contains(&path) {
                tree.insert(path, node).ok();
            }
        }
        let bytes = write(&control(), &Scripts::new(), &tree).0;
        prop_assert_eq!(&write(&control(), &Scripts::new(), &tree).0, &bytes);
        tree.ensure_dirs(&Meta::new(0o755, EPOCH));
        prop_assert_eq!(told(&unpacked(&bytes)), told(&tree));
    }
}

/// Zeros are compressed as far as deflate goes; what is written is read all the same.
#[test]
fn a_package_of_zeros_is_read() {
    const SIZE: u64 = 200_000_000;
    let (_directory, root) = scratch();
    let mut sparse = root.draft(&path("zeros"), 0o644).unwrap();
    sparse.file().unwrap().set_len(SIZE).unwrap();
    sparse.commit().unwrap();
    let content = Content::Path {
        root: std::sync::Arc::new(root),
        path: path("zeros"),
        len: SIZE,
    };
    let mut tree = Tree::new();
    let node = Node {
        meta: Meta::new(0o644, EPOCH),
        kind: Kind::File(content),
    };
    tree.insert(path("usr/zeros"), node).unwrap();
    let (bytes, written) = write(&control(), &Scripts::new(), &tree);
    assert!(SIZE / bytes.len() as u64 > 256, "{}", bytes.len());
    assert_eq!(written.installed_size, SIZE);
    assert_eq!(open(&bytes).unwrap().control().installed_size, SIZE);
}
