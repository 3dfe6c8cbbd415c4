//! What is in an image of EROFS: its layers as one, as overlayfs lays them.
//!
//! A device 0:0 takes away what is of its name below, and a folder whose attribute `trusted.overlay.opaque` is
//! `y` all that is in that folder below (the kernel's `overlayfs.rst`, "whiteouts and opaque directories").
//! Where there is one layer it is shown as it is.

use std::collections::BTreeMap;

use boltworks_fsx::erofs::Entry;
use boltworks_fsx::tar::EntryKind;
use boltworks_model::Timestamp;

use super::source::Source;
use crate::Error;

const OPAQUE: &[u8] = b"trusted.overlay.opaque";

/// A name in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Type and permissions as `ls -l` has them.
    pub mode: String,
    /// Owner and group.
    pub owner: (u32, u32),
    /// How many bytes; of a device its numbers; of a folder 0.
    pub size: String,
    /// When it was changed last.
    pub time: Timestamp,
    /// The path, without `/` in front.
    pub path: Vec<u8>,
    /// Where a link leads.
    pub target: Option<Vec<u8>>,
}

/// Everything in an image, folder by folder.
pub fn listed(source: &Source) -> Result<Vec<Line>, Error> {
    let mut layers = Vec::new();
    for layer in &source.layers {
        let entries = layer.reader()?.entries();
        layers.push(entries.map_err(|error| layer.unread(&error))?);
    }
    Ok(merged(layers).iter().map(line).collect())
}

/// A path's parts: in their order a folder comes before what is in it, and that before its neighbours.
type Parts = Vec<Vec<u8>>;

/// Layers laid one over the other, the lowest first.
fn merged(layers: Vec<Vec<Entry>>) -> Vec<Entry> {
    let is_stack = layers.len() > 1;
    let mut all: BTreeMap<Parts, Entry> = BTreeMap::new();
    for entry in layers.into_iter().flatten() {
        let parts: Parts = entry.path.components().map(<[u8]>::to_vec).collect();
        let removal = EntryKind::CharDevice { major: 0, minor: 0 };
        let is_removal = is_stack && entry.kind == removal;
        let opaque = entry.meta.xattrs.get(OPAQUE);
        let is_open = entry.kind == EntryKind::Dir
            && !(is_stack && opaque.is_some_and(|value| value == b"y"));
        if !is_open {
            clear(&mut all, &parts);
        }
        if is_removal {
            all.remove(&parts);
        } else {
            all.insert(parts, entry);
        }
    }
    all.into_values().collect()
}

/// Takes away what is in a folder.
fn clear(all: &mut BTreeMap<Parts, Entry>, folder: &Parts) {
    let from = all.range(folder.clone()..);
    let beneath = from
        .map(|(parts, _)| parts)
        .take_while(|parts| parts.starts_with(folder));
    let beneath: Vec<Parts> = beneath.filter(|parts| *parts != folder).cloned().collect();
    for parts in beneath {
        all.remove(&parts);
    }
}

fn line(entry: &Entry) -> Line {
    let (size, target) = match &entry.kind {
        EntryKind::Dir => ("0".to_owned(), None),
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            (format!("{major},{minor}"), None)
        }
        EntryKind::Symlink(target) => (entry.size.to_string(), Some(target.clone())),
        _ => (entry.size.to_string(), None),
    };
    Line {
        mode: mode(&entry.kind, entry.meta.mode),
        owner: (entry.meta.uid, entry.meta.gid),
        size,
        time: Timestamp(entry.meta.mtime),
        path: entry.path.as_bytes().to_vec(),
        target,
    }
}

/// Type and permissions as `ls -l` has them.
fn mode(kind: &EntryKind, bits: u32) -> String {
    let mut text = String::from(match kind {
        EntryKind::Dir => 'd',
        EntryKind::Symlink(_) => 'l',
        EntryKind::CharDevice { .. } => 'c',
        EntryKind::BlockDevice { .. } => 'b',
        EntryKind::Fifo => 'p',
        EntryKind::File | EntryKind::Hardlink(_) => '-',
    });
    for (at, special) in [(6, 's'), (3, 's'), (0, 't')] {
        let three = bits >> at;
        let is_special = bits >> (9 + at / 3) & 1 != 0;
        text.push(if three & 4 != 0 { 'r' } else { '-' });
        text.push(if three & 2 != 0 { 'w' } else { '-' });
        text.push(match (is_special, three & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, true) => special,
            (true, false) => special.to_ascii_uppercase(),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use boltworks_fsx::erofs::{Policy, Reader};
    use boltworks_fsx::{Kind, Meta, Node, Tree, erofs};

    use super::*;

    #[test]
    fn permissions_are_shown_as_ls_shows_them() {
        let said = |kind: &EntryKind, bits| mode(kind, bits);
        assert_eq!(said(&EntryKind::Dir, 0o1777), "drwxrwxrwt");
        assert_eq!(said(&EntryKind::File, 0o4755), "-rwsr-xr-x");
        assert_eq!(said(&EntryKind::File, 0o6644), "-rwSr-Sr--");
        assert_eq!(said(&EntryKind::Fifo, 0o1000), "p--------T");
    }

    /// `path`, `path/` for a folder, `path/!` for an opaque one, `path-` for a removal.
    fn layer(rows: &[&str]) -> Vec<Entry> {
        let mut tree = Tree::new();
        for row in rows {
            let mut meta = Meta::new(0o755, 0);
            let node = if let Some(path) = row.strip_suffix('-') {
                let kind = Kind::CharDevice { major: 0, minor: 0 };
                (path, Node { meta, kind })
            } else if let Some(path) = row.strip_suffix("/!") {
                meta.xattrs.insert(OPAQUE.to_vec(), b"y".to_vec());
                (path, Node::dir(meta))
            } else if let Some(path) = row.strip_suffix('/') {
                (path, Node::dir(meta))
            } else {
                (*row, Node::file(meta, *b"x"))
            };
            tree.insert(node.0.parse().unwrap(), node.1).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let root = boltworks_fsx::Root::open(folder.path()).unwrap();
        let file = root.scratch().unwrap();
        erofs::write(&tree, &Node::dir(Meta::new(0o755, 0)), 0, &file).unwrap();
        let reader = Reader::open(Arc::new(file), Policy::default()).unwrap();
        reader.entries().unwrap()
    }

    #[test]
    fn layers_are_laid_as_overlayfs_lays_them() {
        let shown = |layers: &[&[&str]]| {
            let all = merged(layers.iter().map(|rows| layer(rows)).collect());
            let names: Vec<String> = all.iter().map(|one| one.path.to_string()).collect();
            names.join(" ")
        };
        let below: &[&str] = &["a/", "a/b", "a/c/", "a/c/d", "a-b", "e"];
        assert_eq!(shown(&[below]), "a a/b a/c a/c/d a-b e");
        assert_eq!(shown(&[below, &["a/", "a/c-", "e-"]]), "a a/b a-b");
        assert_eq!(shown(&[below, &["a/!", "a/z"]]), "a a/z a-b e");
        assert_eq!(shown(&[below, &["a"]]), "a a-b e");
        // Alone a layer is shown as it is.
        assert_eq!(shown(&[&["a/!", "a/n-"]]), "a a/n");
    }
}
