//! What of an image lies above the layers of the image that it stands upon.
//!
//! The layers of the other are its first ones, byte for byte. One more follows, with every path that is
//! not as it is there, and the folders above it. A path that is no longer there is hidden by a whiteout,
//! as the image specification has it (`layer.md`, "Whiteouts").

use std::collections::BTreeSet;

use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};

use crate::Error;
use crate::brought::has_same_bytes;
use crate::known::Source;
use crate::place::WHITEOUT;
use crate::skeleton::MTIME;

/// An image's files, and whose they are.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The files.
    pub tree: &'a Tree,
    /// The package that a path is still of, as [`Source`].
    pub source: &'a dyn Fn(&RelPath) -> Option<Source<'a>>,
}

/// The files of the layer that makes `own` of `below`. Where those below were laid in several layers,
/// folders have no times of their own.
pub fn above(own: Side<'_>, below: Side<'_>, is_layered: bool) -> Result<Tree, Error> {
    let mut changed = BTreeSet::new();
    for (path, node) in own.tree.iter() {
        if !is_same(path, node, own, below, is_layered)? {
            changed.insert(path);
        }
    }
    // All names of a file are in one layer.
    let file_of = |path| own.tree.link_target(path).unwrap_or(path);
    let files: BTreeSet<&RelPath> = changed.iter().map(|path| file_of(path)).collect();
    let mut upper = Tree::new();
    for (path, node) in own.tree.iter() {
        let is_new_name = !node.is_dir() && files.contains(file_of(path));
        if is_new_name || changed.contains(path) {
            put(&mut upper, own.tree, path, node.clone(), is_layered)?;
        }
    }
    for (path, _) in below.tree.iter() {
        let is_gone = !own.tree.contains(path);
        let is_top = path
            .parent()
            .is_none_or(|parent| own.tree.get(&parent).is_some_and(Node::is_dir));
        if is_gone && is_top {
            let name = [WHITEOUT, path.file_name()].concat();
            let hidden = match path.parent() {
                Some(parent) => parent.push(name)?,
                None => RelPath::new(name)?,
            };
            let node = Node::file(Meta::new(0o644, MTIME), Vec::new());
            put(&mut upper, own.tree, &hidden, node, is_layered)?;
        }
    }
    Ok(upper)
}

/// Puts a node into the layer, and the folders above it.
fn put(
    upper: &mut Tree,
    own: &Tree,
    path: &RelPath,
    node: Node,
    is_layered: bool,
) -> Result<(), Error> {
    let timed = |mut node: Node| {
        if is_layered && node.is_dir() {
            node.meta.mtime = MTIME;
        }
        node
    };
    for above in path.ancestors() {
        if !upper.contains(&above)
            && let Some(folder) = own.get(&above)
        {
            upper.insert(above, timed(folder.clone()))?;
        }
    }
    upper.insert(path.clone(), timed(node))?;
    Ok(())
}

fn is_same(
    path: &RelPath,
    node: &Node,
    own: Side<'_>,
    below: Side<'_>,
    is_layered: bool,
) -> Result<bool, Error> {
    let Some(old) = below.tree.get(path) else {
        return Ok(false);
    };
    let has_no_time = is_layered && node.is_dir() && old.is_dir();
    let time = if has_no_time {
        node.meta.mtime
    } else {
        old.meta.mtime
    };
    let old_meta = Meta {
        mtime: time,
        ..old.meta.clone()
    };
    if old_meta != node.meta {
        return Ok(false);
    }
    let (Kind::File(new), Kind::File(old)) = (&node.kind, &old.kind) else {
        return Ok(node.kind.is_same_without_bytes(&old.kind));
    };
    let (one, other) = ((own.source)(path), (below.source)(path));
    Ok(one.is_some() && one == other || has_same_bytes(path, old, new)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(nodes: &[(&str, Node)]) -> Tree {
        let mut tree = Tree::new();
        for (path, node) in nodes {
            tree.insert(path.parse().unwrap(), node.clone()).unwrap();
        }
        tree.ensure_dirs(&Meta::new(0o755, 7));
        tree
    }

    fn file(text: &str) -> Node {
        Node::file(Meta::new(0o644, 0), text.as_bytes())
    }

    fn link(target: &str) -> Node {
        Node {
            meta: Meta::new(0o644, 0),
            kind: Kind::Hardlink(target.parse().unwrap()),
        }
    }

    fn upper(own: &[(&str, Node)], below: &[(&str, Node)]) -> String {
        let (own, below) = (tree(own), tree(below));
        let nobody = |_: &RelPath| None;
        let side = |tree| Side {
            tree,
            source: &nobody,
        };
        let upper = above(side(&own), side(&below), false).unwrap();
        let names: Vec<String> = upper.iter().map(|(path, _)| path.to_string()).collect();
        names.join(" ")
    }

    #[test]
    fn what_is_new_or_changed_is_above() {
        let below = [("etc/a", file("1")), ("etc/b", file("1"))];
        let own = [
            ("etc/a", file("1")),
            ("etc/b", file("2")),
            ("usr/c", file("3")),
        ];
        assert_eq!(upper(&own, &below), "etc etc/b usr usr/c");
        assert_eq!(upper(&below, &below), "");
    }

    #[test]
    fn all_names_of_a_file_are_in_one_layer() {
        let below = [("a", file("1"))];
        let own = [("a", file("1")), ("z", link("a"))];
        assert_eq!(upper(&own, &below), "a z");
    }

    #[test]
    fn what_is_gone_is_hidden() {
        let below = [("etc/a/deep", file("1")), ("b/c", file("1"))];
        let own = [("etc/x", file("1")), ("b", file("2"))];
        assert_eq!(upper(&own, &below), "b etc etc/.wh.a etc/x");
    }
}
