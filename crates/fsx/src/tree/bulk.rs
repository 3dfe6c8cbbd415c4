//! Trees made all at once: without looking each path up in what is there already.

use super::{Node, Tree};
use crate::{Error, RelPath};

impl Tree {
    /// Of nodes in any order. An error where a path is beneath something that is not a directory, or
    /// there twice. Nodes that are in order already cost no more than to be looked at.
    pub fn of(mut nodes: Vec<(RelPath, Node)>) -> Result<Self, Error> {
        nodes.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Those before that are no directories, and whose bytes the next ones may begin with.
        let mut others: Vec<&[u8]> = Vec::new();
        let mut last = None;
        for (path, node) in &nodes {
            let refused = |reason| Err(Error::entry("place", path, reason));
            if last == Some(path) {
                return refused("it is there twice");
            }
            let bytes = path.as_bytes();
            while others.pop_if(|other| !bytes.starts_with(other)).is_some() {}
            if others.iter().any(|dir| bytes.get(dir.len()) == Some(&b'/')) {
                return refused("it is beneath something that is no directory");
            }
            if !node.is_dir() {
                others.push(bytes);
            }
            last = Some(path);
        }
        Ok(Self(nodes.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Meta;
    use super::*;

    fn node(is_dir: bool) -> Node {
        let meta = Meta::new(0o755, 0);
        if is_dir {
            Node::dir(meta)
        } else {
            Node::file(meta, Vec::new())
        }
    }

    proptest! {
        #[test]
        fn missing_folders_are_found(
            paths in proptest::collection::btree_set("[ab-]{1,2}(/[ab-]{1,2}){0,3}", 0..12)
        ) {
            let paths: Vec<RelPath> = paths.iter().map(|path| path.parse().unwrap()).collect();
            let tree = Tree(paths.iter().map(|path| (path.clone(), node(true))).collect());
            let above = paths.iter().flat_map(RelPath::ancestors);
            let expected = above.filter(|path| !tree.contains(path));
            prop_assert_eq!(tree.implied_dirs(), expected.collect());
        }

        #[test]
        fn it_is_as_one_made_step_by_step(
            paths in proptest::collection::vec(("[ab-]{1,2}(/[ab]{1,2}){0,3}", any::<bool>()), 0..12)
        ) {
            let nodes: Vec<(RelPath, Node)> = paths
                .iter()
                .map(|(path, is_dir)| (path.parse().unwrap(), node(*is_dir)))
                .collect();
            let mut slow = Tree::new();
            let mut is_good = true;
            for (path, node) in nodes.clone() {
                is_good &= !slow.contains(&path) && slow.insert(path, node).is_ok();
            }
            let fast = Tree::of(nodes);
            prop_assert_eq!(fast.is_ok(), is_good);
            if let Ok(fast) = fast {
                let rows = |tree: &Tree| {
                    let rows = tree.iter().map(|(path, node)| (path.clone(), node.is_dir()));
                    rows.collect::<Vec<_>>()
                };
                prop_assert_eq!(rows(&fast), rows(&slow));
            }
        }
    }
}
