//! Trees made all at once: without looking each path up in what is there already.

use std::collections::HashSet;

use super::{Node, Tree};
use crate::{Error, RelPath};

impl Tree {
    /// Of nodes in any order. An error where a path is beneath something that is not a directory, or
    /// there twice. Nodes that are in order already cost no more than to be looked at.
    pub fn of(mut nodes: Vec<(RelPath, Node)>) -> Result<Self, Error> {
        let others = nodes.iter().filter(|(_, node)| !node.is_dir());
        let others: HashSet<&[u8]> = others.map(|(path, _)| path.as_bytes()).collect();
        let mut folder = None;
        for (path, _) in &nodes {
            let (its, _) = path.split();
            if folder != its {
                if path.above().any(|dir| others.contains(dir)) {
                    let reason = "it is beneath something that is no directory";
                    return Err(Error::entry("place", path, reason));
                }
                folder = its;
            }
        }
        nodes.sort_by(|(a, _), (b, _)| a.cmp(b));
        let twice = nodes.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(a),
            _ => None,
        });
        if let Some(path) = twice {
            return Err(Error::entry("place", path, "it is there twice"));
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
