//! What the writer writes, the reader reads.

use std::sync::Arc;

use boltworks_fsx::tar::{Names, Policy, Reader, Writer, read_tree};
use boltworks_fsx::{Content, Kind, Limit, Meta, Node, Tree};
use proptest::prelude::*;

use crate::arbitrary::{Wildness, seen, tree};
use crate::{folder, path};

const ANY: Policy = Policy {
    max_entries: 1_000,
    max_file: Limit::gib(1024),
    max_total: Limit::gib(2048),
    max_extended: Limit::mib(1),
    devices: true,
    duplicates: false,
    end_required: true,
};

fn archive(tree: &Tree) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.append_tree(tree).unwrap();
    writer.finish_with_end().unwrap()
}

/// Through the streaming reader, contents copied.
fn streamed(bytes: &[u8]) -> Tree {
    let mut reader = Reader::new(bytes, ANY);
    let mut tree = Tree::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        std::io::copy(&mut reader, &mut content).unwrap();
        assert_eq!(content.len() as u64, entry.size);
        let path = entry.path.clone();
        tree.insert(path, entry.into_node(|| Content::Bytes(content.into())))
            .unwrap();
    }
    tree
}

proptest! {
    #[test]
    fn every_attribute_survives(tree in tree(Wildness::Archive)) {
        let bytes = archive(&tree);
        prop_assert_eq!(&bytes, &archive(&tree));
        prop_assert_eq!(seen(&streamed(&bytes)), seen(&tree));

        let folder = folder();
        folder.root.write(&path("a.tar"), &bytes, 0o644).unwrap();
        let file = Arc::new(folder.root.open_file(&path("a.tar")).unwrap());
        prop_assert_eq!(seen(&read_tree(&file, ANY).unwrap()), seen(&tree));
    }
}

#[test]
fn more_than_eight_gib_are_written_and_read() {
    // A sparse file: it has no bytes on disk, and its content is passed over, not read.
    let size: u64 = (8 << 30) + 5;
    let folder = folder();
    let big = folder.root.scratch().unwrap();
    big.set_len(size).unwrap();
    let content = Content::Span {
        file: Arc::new(big),
        offset: 0,
        len: size,
    };
    let mut tree = Tree::new();
    tree.insert(
        path("big"),
        Node {
            meta: Meta::new(0o644, 0),
            kind: Kind::File(content),
        },
    )
    .unwrap();
    // Only the headers are kept; a short read is enough for them.
    let mut head = Head(Vec::new());
    let error = Writer::new(&mut head).append_tree(&tree).unwrap_err();
    assert!(error.to_string().contains("write the tar archive"));
    let mut reader = Reader::new(head.0.as_slice(), ANY);
    let entry = reader.next_entry().unwrap().unwrap();
    assert_eq!(
        (entry.size, entry.pax["size"].as_slice()),
        (size, b"8589934597".as_slice())
    );
    let error = reader.next_entry().unwrap_err();
    assert!(
        error.to_string().contains("cut off within a file"),
        "{error}"
    );

    let archive = folder.root.scratch().unwrap();
    std::io::Write::write_all(&mut &archive, &head.0[..3 * 512]).unwrap();
    archive
        .set_len(3 * 512 + size.next_multiple_of(512) + 1024)
        .unwrap();
    let found = read_tree(&Arc::new(archive), ANY).unwrap();
    assert_eq!(found.file(&path("big")).unwrap().len(), size);
}

/// Takes 4 KiB and no more.
struct Head(Vec<u8>);

impl std::io::Write for Head {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = 4096 - self.0.len();
        self.0.extend_from_slice(&bytes[..room.min(bytes.len())]);
        Ok(room.min(bytes.len()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn names_of_owners_and_extra_records_are_written() {
    let mut writer = Writer::with_names(Vec::new(), Names::Root);
    let node = Node::file(Meta::new(0o644, 7), *b"x");
    writer.append(&path("plain"), &node, &[]).unwrap();
    let extra = [("APK-TOOLS.checksum.SHA1".to_owned(), b"00ff".to_vec())];
    writer.append(&path("summed"), &node, &extra).unwrap();
    for key in [
        "path",
        "size",
        "SCHILY.xattr.user.x",
        "",
        "a=b",
        "GNU.sparse.major",
    ] {
        let error = writer
            .append(&path("bad"), &node, &[(key.to_owned(), vec![])])
            .unwrap_err();
        assert!(error.to_string().contains("extra PAX record"), "{error}");
    }
    let bytes = writer.finish_without_end().unwrap();
    assert_eq!(
        bytes.len(),
        512 * (2 + 4),
        "the plain entry has no extended header"
    );
    let mut reader = Reader::new(bytes.as_slice(), Policy::default());
    let plain = reader.next_entry().unwrap().unwrap();
    assert_eq!(
        (plain.uname.as_slice(), plain.gname.as_slice()),
        (&b"root"[..], &b"root"[..])
    );
    assert!(plain.pax.is_empty());
    let summed = reader.next_entry().unwrap().unwrap();
    assert_eq!(summed.pax["APK-TOOLS.checksum.SHA1"], b"00ff");
    assert_eq!(summed.offset, 512 * 5);
    assert!(reader.next_entry().unwrap().is_none());
    assert!(reader.next_entry().unwrap().is_none());
}

#[test]
fn what_no_archive_can_hold_is_refused() {
    let refused = |node: Node| {
        Writer::new(Vec::new())
            .append(&path("x"), &node, &[])
            .unwrap_err()
            .to_string()
    };
    assert!(refused(Node::symlink(Meta::new(0, 0), "")).contains("target is empty"));
    assert!(refused(Node::symlink(Meta::new(0, 0), "a\0b")).contains("NUL"));
    let device = Kind::CharDevice {
        major: 1 << 21,
        minor: 0,
    };
    assert!(
        refused(Node {
            meta: Meta::new(0, 0),
            kind: device
        })
        .contains("out of range")
    );
    let mut node = Node::file(Meta::new(0, 0), *b"");
    node.meta.xattrs.insert(b"user.\xff".to_vec(), vec![]);
    assert!(refused(node).contains("not plain text"));
}
