//! The room's tar against other programs: the `tar` crate, GNU tar, and bytes that Go's
//! `archive/tar` wrote.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;
use std::sync::Arc;

use boltworks_crypto::sha256;
use boltworks_fsx::tar::{Entry, EntryKind, Policy, Reader, Writer, read_tree};
use boltworks_fsx::{Kind, Meta, Node, Ownership, RelPath, ScanOptions, Tree, WriteOptions};
use proptest::prelude::*;

use crate::arbitrary::{Wildness, seen, tree};
use crate::{folder, path};

const DEVICES: Policy = Policy {
    max_entries: 100_000,
    max_file: boltworks_fsx::Limit::gib(1),
    max_total: boltworks_fsx::Limit::gib(1),
    max_extended: boltworks_fsx::Limit::mib(1),
    devices: true,
    duplicates: false,
    end_required: true,
};

/// What two readers must agree on.
#[derive(Debug, PartialEq)]
struct Common {
    path: Vec<u8>,
    kind: &'static str,
    link: Vec<u8>,
    numbers: (u32, u64, u64, u64),
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    content: Vec<u8>,
}

fn by_us(bytes: &[u8]) -> Vec<Common> {
    let mut reader = Reader::new(bytes, DEVICES);
    let mut all = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        all.push(common(entry, content));
    }
    all
}

fn common(entry: Entry, content: Vec<u8>) -> Common {
    let (kind, link) = match entry.kind {
        EntryKind::Dir => ("dir", vec![]),
        EntryKind::File => ("file", vec![]),
        EntryKind::Symlink(target) => ("symlink", target),
        EntryKind::Hardlink(target) => ("link", target.as_bytes().to_vec()),
        EntryKind::CharDevice { .. } => ("char", vec![]),
        EntryKind::BlockDevice { .. } => ("block", vec![]),
        EntryKind::Fifo => ("fifo", vec![]),
    };
    let meta = entry.meta;
    // The oracle gives times unsigned and takes no negative ones.
    let mtime = u64::try_from(meta.mtime).unwrap_or(0);
    Common {
        path: entry.path.as_bytes().to_vec(),
        kind,
        link,
        numbers: (meta.mode, meta.uid.into(), meta.gid.into(), mtime),
        xattrs: meta.xattrs,
        content,
    }
}

fn by_the_crate(bytes: &[u8]) -> Vec<Common> {
    let mut archive = tar::Archive::new(bytes);
    let mut all = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let kind = match entry.header().entry_type() {
            tar::EntryType::Directory => "dir",
            tar::EntryType::Regular => "file",
            tar::EntryType::Symlink => "symlink",
            tar::EntryType::Link => "link",
            tar::EntryType::Char => "char",
            tar::EntryType::Block => "block",
            tar::EntryType::Fifo => "fifo",
            other => panic!("{other:?}"),
        };
        let path = entry.path_bytes().into_owned();
        let link = entry
            .link_name_bytes()
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default();
        let header = entry.header();
        let mut numbers = (
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
        );
        let mut xattrs = BTreeMap::new();
        for record in entry.pax_extensions().unwrap().into_iter().flatten() {
            let record = record.unwrap();
            let key = record.key().unwrap();
            let number = || record.value().unwrap().parse().unwrap_or(0);
            match key {
                "uid" => numbers.1 = number(),
                "gid" => numbers.2 = number(),
                "mtime" => numbers.3 = number(),
                _ => {
                    let name = key
                        .strip_prefix("SCHILY.xattr.")
                        .map(|key| key.as_bytes().to_vec());
                    xattrs.extend(name.map(|name| (name, record.value_bytes().to_vec())));
                }
            }
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let path = path.strip_suffix(b"/").map(<[u8]>::to_vec).unwrap_or(path);
        all.push(Common {
            path,
            kind,
            link,
            numbers,
            xattrs,
            content,
        });
    }
    all
}

proptest! {
    #[test]
    fn the_tar_crate_reads_what_we_write(tree in tree(Wildness::Archive)) {
        let mut writer = Writer::new(Vec::new());
        for (path, node) in tree.iter().filter(|(path, node)| !has_newline(path, node)) {
            writer.append(path, node, &[]).unwrap();
        }
        let bytes = writer.finish_with_end().unwrap();
        prop_assert_eq!(by_us(&bytes), by_the_crate(&bytes));
    }

    #[test]
    fn we_read_what_the_tar_crate_writes(tree in tree(Wildness::Archive), is_gnu: bool) {
        let mut bytes = Vec::new();
        for (path, node) in tree.iter() {
            // What the crate cannot write is left out.
            bytes.extend(written(is_gnu, path, node).unwrap_or_default());
        }
        bytes.extend([0; 1024]);
        prop_assert_eq!(by_us(&bytes), by_the_crate(&bytes));
    }
}

/// The crate ends a PAX record at the first newline, and not where its length says.
fn has_newline(path: &RelPath, node: &Node) -> bool {
    let link: &[u8] = match &node.kind {
        Kind::Symlink(target) => target,
        Kind::Hardlink(target) => target.as_bytes(),
        _ => b"",
    };
    let values = node.meta.xattrs.values().map(Vec::as_slice);
    values
        .chain([path.as_bytes(), link])
        .any(|bytes| bytes.contains(&b'\n'))
}

/// One entry as the crate writes it.
fn written(is_gnu: bool, path: &RelPath, node: &Node) -> std::io::Result<Vec<u8>> {
    let mut header = if is_gnu {
        tar::Header::new_gnu()
    } else {
        tar::Header::new_ustar()
    };
    header.set_mode(node.meta.mode);
    header.set_mtime(u64::try_from(node.meta.mtime).unwrap_or(0) & 0o77_777_777_777);
    header.set_uid(u64::from(node.meta.uid) & 0o7_777_777);
    header.set_gid(u64::from(node.meta.gid) & 0o7_777_777);
    let mut content = Vec::new();
    let mut builder = tar::Builder::new(Vec::new());
    let kind = match &node.kind {
        Kind::File(bytes) => {
            bytes.copy_to(&mut content)?;
            tar::EntryType::Regular
        }
        Kind::Dir => tar::EntryType::Directory,
        Kind::Fifo => tar::EntryType::Fifo,
        Kind::Symlink(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            let target = String::from_utf8_lossy(target).into_owned();
            builder.append_link(&mut header, path.as_path(), target)?;
            return without_end(builder);
        }
        _ => return Ok(Vec::new()),
    };
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, path.as_path(), content.as_slice())?;
    without_end(builder)
}

fn without_end(builder: tar::Builder<Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut bytes = builder.into_inner()?;
    bytes.truncate(bytes.len() - 1024);
    Ok(bytes)
}

fn tar_program() -> Command {
    let mut command = Command::new("tar");
    command.env("LC_ALL", "C");
    command
}

/// A tree with what GNU tar takes from a process without rights.
fn laid_out() -> (crate::Folder, Tree) {
    let meta = |mode| Meta::new(mode, 1_767_225_600);
    let long = "n".repeat(180);
    let mut tree = Tree::new();
    tree.insert(path("bin"), Node::dir(meta(0o1755))).unwrap();
    tree.insert(path("bin/su"), Node::file(meta(0o4755), *b"su"))
        .unwrap();
    tree.insert(
        path(&format!("bin/{long}")),
        Node::file(meta(0o600), *b"long"),
    )
    .unwrap();
    tree.insert(
        path(&format!("d/{long}/{long}")),
        Node::file(meta(0o600), *b"longer"),
    )
    .unwrap();
    tree.insert(
        path("d/to"),
        Node::symlink(meta(0), format!("{long}/{long}")),
    )
    .unwrap();
    tree.insert(
        path("pipe"),
        Node {
            meta: meta(0o644),
            kind: Kind::Fifo,
        },
    )
    .unwrap();
    let link = Kind::Hardlink(path("bin/su"));
    tree.insert(
        path("z"),
        Node {
            meta: meta(0o4755),
            kind: link,
        },
    )
    .unwrap();
    tree.insert(
        RelPath::new(b"\xff\xfe".to_vec()).unwrap(),
        Node::file(meta(0o400), *b""),
    )
    .unwrap();
    tree.ensure_dirs(&meta(0o750));
    let folder = folder();
    let ownership = own();
    tree.write_to(
        &folder.root,
        WriteOptions {
            ownership,
            ..WriteOptions::default()
        },
    )
    .unwrap();
    (folder, tree)
}

fn own() -> Ownership {
    Ownership::All {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

#[test]
fn we_read_what_gnu_tar_writes() {
    let (folder, tree) = laid_out();
    for format in ["gnu", "pax"] {
        let out = crate::folder();
        let archive = out.disk.path().join("a.tar");
        let status = tar_program()
            .args([
                "--create",
                "--sort=name",
                "--owner=0",
                "--group=0",
                "--format",
                format,
            ])
            .arg("--file")
            .arg(&archive)
            .arg("--directory")
            .arg(folder.disk.path())
            .arg(".")
            .status()
            .unwrap();
        assert!(status.success());
        let file = Arc::new(out.root.open_file(&path("a.tar")).unwrap());
        let found = read_tree(&file, DEVICES).unwrap();
        assert_eq!(seen(&found), seen(&tree), "{format}");
    }
}

#[test]
fn gnu_tar_extracts_what_we_write() {
    let (_folder, tree) = laid_out();
    let mut writer = Writer::new(Vec::new());
    writer.append_tree(&tree).unwrap();
    let out = folder();
    out.root
        .write(&path("a.tar"), &writer.finish_with_end().unwrap(), 0o644)
        .unwrap();
    let target = Arc::new(out.root.make_dir(&path("target")).unwrap());
    let status = tar_program()
        .args(["--extract", "--preserve-permissions", "--no-same-owner"])
        .arg("--file")
        .arg(out.disk.path().join("a.tar"))
        .arg("--directory")
        .arg(out.disk.path().join("target"))
        .status()
        .unwrap();
    assert!(status.success());
    let ownership = Ownership::All { uid: 0, gid: 0 };
    let found = Tree::read_from(
        &target,
        ScanOptions {
            ownership,
            skip_xattrs: true,
        },
    )
    .unwrap();
    assert_eq!(seen(&found), seen(&tree));
}

/// Name, node, and whether it has a checksum in a PAX record.
fn entries_for_go() -> Vec<(String, Node, bool)> {
    let x = |count: usize| "x".repeat(count);
    let meta = |mode| Meta::new(mode, 1_767_225_600);
    let owned = |mode| Meta {
        uid: 1000,
        gid: 7,
        ..meta(mode)
    };
    let file = |text: &str| Node::file(meta(0o644), text.as_bytes());
    let mut far = Node::file(
        Meta {
            uid: 3_000_000,
            gid: 3_000_001,
            ..meta(0o755)
        },
        *b"xattr",
    );
    far.meta.xattrs.insert(b"user.k".to_vec(), b"v\0w".to_vec());
    vec![
        ("usr".into(), Node::dir(meta(0o755)), false),
        ("usr/a".into(), Node::file(owned(0o4755), *b"hello"), false),
        (format!("usr/{}", x(97)), file("split"), false),
        (format!("usr/{}/{}", x(60), x(100)), file("split"), false),
        (
            format!("usr/{}/{}", x(60), x(60)),
            Node::dir(meta(0o1777)),
            false,
        ),
        (format!("usr/{}", x(120)), file("pax"), false),
        (format!("usr/{}d", x(120)), Node::dir(meta(0o755)), false),
        ("usr/grün".into(), file("utf-8"), false),
        (
            "usr/s".into(),
            Node::symlink(meta(0o777), format!("../{}", x(120))),
            false,
        ),
        (
            "usr/h".into(),
            Node {
                meta: owned(0o4755),
                kind: Kind::Hardlink(path("usr/a")),
            },
            false,
        ),
        ("usr/x".into(), far, true),
        (format!("usr/{}y", x(97)), file("split no more"), true),
        (
            "usr/old".into(),
            Node::file(
                Meta {
                    mtime: -5,
                    ..meta(0o644)
                },
                *b"",
            ),
            false,
        ),
        (
            "null".into(),
            Node {
                meta: meta(0o666),
                kind: Kind::CharDevice { major: 1, minor: 3 },
            },
            false,
        ),
        (
            "pipe".into(),
            Node {
                meta: meta(0o600),
                kind: Kind::Fifo,
            },
            false,
        ),
    ]
}

/// The digest is that of what Go's `archive/tar` writes for the same entries.
#[test]
fn the_bytes_are_those_that_go_writes() {
    let mut writer = Writer::new(Vec::new());
    for (name, node, is_summed) in entries_for_go() {
        let extra = [("APK-TOOLS.checksum.SHA1".to_owned(), b"abc".to_vec())];
        writer
            .append(&path(&name), &node, if is_summed { &extra } else { &[] })
            .unwrap();
    }
    assert_eq!(
        sha256(&writer.finish_with_end().unwrap()).to_string(),
        "743a427ee52da4c471759a56c4441683ae95eaef4b914bff3d74177533c2d321"
    );
}
