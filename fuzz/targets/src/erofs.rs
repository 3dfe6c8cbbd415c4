//! EROFS images, read, written again, and read once more.

use std::io::Write as _;
use std::sync::Arc;

use boltworks_fsx::erofs::{Entry, Policy, Reader, write};
use boltworks_fsx::{Kind, Limit, Node, Tree};

use crate::archive::scratch;
use crate::taken;

const POLICY: Policy = Policy {
    max_entries: 1024,
    max_attributes: Limit::kib(64),
};
/// Several names may point at the same bytes: no more of them are written again.
const MOST: u64 = 1 << 20;

/// Reads an image. What can be read whole is written again, and reads as the same.
pub fn erofs(data: &[u8]) {
    let Some((root, entries, tree)) = read(data) else {
        return;
    };
    assert!(
        entries.len() as u64 <= POLICY.max_entries,
        "the limit of names was passed"
    );
    let size: u64 = entries.iter().map(|entry| entry.size).sum();
    let Some(tree) = tree.filter(|_| size <= MOST) else {
        return;
    };
    if !entries.is_empty() {
        taken();
    }
    // What the kernel shows of nobody's owner or of a device has its place; one inode's attributes may have
    // been shared with so many others that they have none.
    let Ok((bytes, _)) = write(&tree, &root, 0, Vec::new()) else {
        return;
    };
    let (again, found, other) = read(&bytes).expect("what was written can be read");
    assert_eq!(again.meta, root.meta, "the root is another");
    assert_eq!(shape(&found), shape(&entries), "other names were read");
    let other = other.expect("what was written can be read whole");
    assert_eq!(contents(&other), contents(&tree), "other bytes were read");
}

/// The root, all names, and the tree if all contents can be read.
fn read(bytes: &[u8]) -> Option<(Node, Vec<Entry>, Option<Tree>)> {
    let (_, folder) = scratch();
    let mut file = folder.scratch().expect("a place in the scratch folder");
    file.write_all(bytes).expect("a place for a few kilobytes");
    let reader = Reader::open(Arc::new(file), POLICY).ok()?;
    let root = reader.root().ok()?;
    let entries = reader.entries().ok()?;
    let spare = folder.scratch().expect("a place in the scratch folder");
    let size: u64 = entries.iter().map(|entry| entry.size).sum();
    let tree = (size <= MOST).then(|| reader.tree(spare).ok()).flatten();
    Some((Node::dir(root), entries, tree))
}

fn shape(entries: &[Entry]) -> Vec<String> {
    let whole = |entry: &Entry| {
        let mut meta = entry.meta.clone();
        if matches!(entry.kind, boltworks_fsx::tar::EntryKind::Symlink(_)) {
            // A link's is always the same when it is written.
            meta.mode = 0o777;
        }
        format!("{:?} {meta:?} {:?} {}", entry.path, entry.kind, entry.size)
    };
    entries.iter().map(whole).collect()
}

fn contents(tree: &Tree) -> Vec<Vec<u8>> {
    let files = tree.iter().filter_map(|(_, node)| match &node.kind {
        Kind::File(content) => Some(content),
        _ => None,
    });
    let read = |content: &boltworks_fsx::Content| {
        let bytes = content.read_vec(Limit(MOST));
        bytes.expect("it is in the image")
    };
    files.map(read).collect()
}
