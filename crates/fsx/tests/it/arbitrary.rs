//! Arbitrary trees: every kind and attribute, names long, short and not UTF-8.

use std::collections::BTreeMap;

use boltworks_fsx::{Content, Kind, Meta, Node, RelPath, Tree};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// How wild a tree may be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Wildness {
    /// What an archive can hold.
    Archive,
    /// What a disk takes from this process: owner and devices are its administrator's.
    Disk,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-c]{1,2}".prop_map(String::into_bytes),
        1 => "[a-z.-]{3,120}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 1..60),
        1 => "[ä-ü]{1,40}".prop_map(String::into_bytes),
        1 => "[x-z]{120,255}".prop_map(String::into_bytes),
    ]
}

fn rel_path() -> impl Strategy<Value = RelPath> {
    vec(name(), 1..6).prop_filter_map("not a path", |names| RelPath::new(names.join(&b'/')).ok())
}

fn meta(wildness: Wildness) -> impl Strategy<Value = Meta> {
    let number = prop_oneof![0..u32::MAX, 0..3_000_u32];
    let xattrs = btree_map("user\\.[a-z]{1,8}", vec(any::<u8>(), 0..40), 0..3);
    let times = prop_oneof![0..2_000_000_000_i64, -5_000..5_i64, Just(1_i64 << 33)];
    (0..0o10000_u32, number.clone(), number, times, xattrs).prop_map(
        move |(mode, uid, gid, mtime, xattrs)| {
            let xattrs = xattrs
                .into_iter()
                .map(|(key, value)| (key.into_bytes(), value))
                .collect();
            match wildness {
                Wildness::Archive => Meta {
                    mode,
                    uid,
                    gid,
                    mtime,
                    xattrs,
                },
                // Without its owner's rights a directory cannot be read back.
                Wildness::Disk => Meta {
                    mode: mode | 0o700,
                    uid: 0,
                    gid: 0,
                    mtime,
                    xattrs,
                },
            }
        },
    )
}

fn kind(wildness: Wildness) -> impl Strategy<Value = Kind> {
    let target = vec(1..=255_u8, 1..130);
    let device = (0..1_u32 << 12, 0..1_u32 << 20);
    let bytes = || {
        prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 500..1030)]
            .prop_map(|bytes| Kind::File(Content::Bytes(bytes.into())))
    };
    let devices = u32::from(wildness == Wildness::Archive);
    prop_oneof![
        4 => bytes(),
        3 => Just(Kind::Dir),
        1 => target.prop_map(Kind::Symlink),
        1 => Just(Kind::Fifo),
        1 => Just(Kind::Hardlink("placeholder".parse().unwrap())),
        devices => device.clone().prop_map(|(major, minor)| Kind::CharDevice { major, minor }),
        devices => device.prop_map(|(major, minor)| Kind::BlockDevice { major, minor }),
    ]
}

/// A tree where hard links lead to files, and share their attributes as they would on disk.
pub(crate) fn tree(wildness: Wildness) -> impl Strategy<Value = Tree> {
    vec((rel_path(), meta(wildness), kind(wildness)), 0..24).prop_map(|nodes| {
        let mut tree = Tree::new();
        let mut links = Vec::new();
        for (path, meta, kind) in nodes {
            if matches!(kind, Kind::Hardlink(_)) {
                links.push(path);
            } else {
                // What does not fit is left out.
                drop(tree.insert(path, Node { meta, kind }));
            }
        }
        for path in links {
            let file = tree
                .iter()
                .find(|(target, node)| **target < path && matches!(node.kind, Kind::File(_)))
                .map(|(target, node)| (target.clone(), node.meta.clone()));
            if let Some((target, meta)) = file.filter(|_| !tree.contains(&path)) {
                drop(tree.insert(
                    path,
                    Node {
                        meta,
                        kind: Kind::Hardlink(target),
                    },
                ));
            }
        }
        tree
    })
}

/// A node in a form that can be compared: contents read, a link's meaningless mode left out.
pub(crate) type Seen = (
    u32,
    u32,
    u32,
    i64,
    BTreeMap<Vec<u8>, Vec<u8>>,
    String,
    Vec<u8>,
);

pub(crate) fn seen(tree: &Tree) -> BTreeMap<RelPath, Seen> {
    tree.iter()
        .map(|(path, node)| (path.clone(), seen_node(node)))
        .collect()
}

fn seen_node(node: &Node) -> Seen {
    let (kind, bytes) = match &node.kind {
        Kind::File(content) => {
            let mut bytes = Vec::new();
            content.copy_to(&mut bytes).unwrap();
            (String::from("file"), bytes)
        }
        Kind::Symlink(target) => (String::from("symlink"), target.clone()),
        Kind::Hardlink(target) => (String::from("hardlink"), target.as_bytes().to_vec()),
        other => (format!("{other:?}"), Vec::new()),
    };
    let meta = &node.meta;
    (
        meta.mode,
        meta.uid,
        meta.gid,
        meta.mtime,
        meta.xattrs.clone(),
        kind,
        bytes,
    )
}
