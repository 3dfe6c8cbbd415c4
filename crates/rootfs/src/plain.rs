//! Packages merged where nobody stands in anybody's way, as nearly all do not: their sorted lists of
//! paths are merged, and no path is looked up.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_fsx::{Kind, Node, RelPath, Tree};

use crate::assemble::{Assembly, Belongings, Member, is_reserved};

/// What [`assemble`](crate::assemble()) makes, if that is plain: no path of two packages is anything
/// but a directory in both, and nothing lies beneath a link. Else nothing.
pub(crate) fn plain(members: &[Member<'_>]) -> Option<Assembly> {
    let mut rows: Vec<(&RelPath, usize, &Node)> = Vec::new();
    for (place, member) in members.iter().enumerate() {
        rows.extend(member.tree.iter().map(|(path, node)| (path, place, node)));
    }
    if rows.iter().any(|(path, _, node)| is_reserved(path, node)) {
        return None;
    }
    // Each member's own are in order, which the sort makes use of; it keeps that of the members.
    rows.sort_by_key(|(path, ..)| *path);
    let mut pairs = rows.windows(2);
    let is_clash = |pair: &[(&RelPath, usize, &Node)]| match pair {
        [(one, _, first), (other, _, second)] => {
            one == other && !(first.is_dir() && second.is_dir())
        }
        _ => false,
    };
    if pairs.any(is_clash) {
        return None;
    }
    // Of a directory's packages the first counts.
    rows.dedup_by_key(|(path, ..)| *path);
    let linked = linked(members)?;
    let mut nodes: Vec<(RelPath, Node)> = Vec::with_capacity(rows.len());
    let mut origin = Vec::with_capacity(rows.len());
    let mut files: BTreeMap<(usize, &RelPath), RelPath> = BTreeMap::new();
    for (path, place, node) in rows {
        let tree = members.get(place)?.tree;
        let mut node = node.clone();
        if matches!(node.kind, Kind::Hardlink(_)) || linked.contains(&(place, path)) {
            let inode = tree.link_target(path)?;
            let content = tree.file(path)?.clone();
            node.meta = tree.get(inode)?.meta.clone();
            node.kind = if let Some(first) = files.get(&(place, inode)) {
                Kind::Hardlink(first.clone())
            } else {
                files.insert((place, inode), path.clone());
                Kind::File(content)
            };
        }
        nodes.push((path.clone(), node));
        origin.push((path.clone(), place));
    }
    Some(Assembly {
        tree: Tree::of(nodes).ok()?,
        origin: origin.into_iter().collect(),
        belongings: vec![Belongings::All; members.len()],
    })
}

/// The files that hard links name, which must all be there.
fn linked<'a>(members: &[Member<'a>]) -> Option<BTreeSet<(usize, &'a RelPath)>> {
    let mut linked = BTreeSet::new();
    for (place, member) in members.iter().enumerate() {
        for (path, node) in member.tree.iter() {
            if matches!(node.kind, Kind::Hardlink(_)) {
                member.tree.file(path)?;
                linked.insert((place, member.tree.link_target(path)?));
            }
        }
    }
    Some(linked)
}

#[cfg(test)]
mod tests {
    use boltworks_apk::Control;
    use boltworks_fsx::Meta;
    use proptest::prelude::*;

    use super::*;
    use crate::assemble::assemble_with_care;

    fn control(name: &str) -> Control {
        let text = format!("pkgname = {name}\npkgver = 1-r0\narch = x86_64\n");
        Control::parse(&text).unwrap()
    }

    /// What a letter makes of a path.
    fn node(kind: u8, target: &str) -> Node {
        let meta = Meta::new(0o644 + u32::from(kind), i64::from(kind));
        match kind {
            0..3 => Node::dir(meta),
            3..6 => Node::file(meta, vec![kind]),
            6 => Node::symlink(meta, target.as_bytes()),
            _ => Node {
                meta,
                kind: Kind::Hardlink(target.parse().unwrap()),
            },
        }
    }

    fn package() -> impl Strategy<Value = Tree> {
        let path = "[ab-]{1,2}(/[ab]{1,2}){0,2}";
        let row = (path, 0_u8..8, path);
        proptest::collection::vec(row, 0..7).prop_map(|rows| {
            let mut tree = Tree::new();
            for (path, kind, target) in rows {
                // One that cannot be there is not.
                let _refused = tree.insert(path.parse().unwrap(), node(kind, &target));
            }
            tree
        })
    }

    fn shown(assembly: &Assembly) -> String {
        format!("{assembly:?}")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]
        #[test]
        fn the_plain_way_ends_where_the_careful_one_does(
            trees in proptest::collection::vec(package(), 0..4)
        ) {
            let controls = ["a", "b", "c"].map(control);
            let members = trees.iter().zip(&controls);
            let members: Vec<Member<'_>> = members
                .map(|(tree, control)| Member { control, tree })
                .collect();
            if let Some(assembly) = plain(&members) {
                let careful = assemble_with_care(&members);
                prop_assert_eq!(shown(&assembly), shown(&careful.unwrap()));
            }
        }
    }

    #[test]
    fn packages_beside_each_other_are_plain() {
        let tree = |rows: &[(&str, u8)]| {
            let mut tree = Tree::new();
            for (path, kind) in rows {
                tree.insert(path.parse().unwrap(), node(*kind, "usr/a"))
                    .unwrap();
            }
            tree
        };
        let controls = ["a", "b"].map(control);
        let trees = [
            tree(&[
                ("usr", 0),
                ("usr/a", 3),
                ("usr/z", 7),
                ("usr/-", 7),
                ("usr/l", 6),
            ]),
            tree(&[("usr", 1), ("usr/b", 4), ("opt/b", 5)]),
        ];
        let members = trees.iter().zip(&controls);
        let members: Vec<Member<'_>> = members
            .map(|(tree, control)| Member { control, tree })
            .collect();
        let assembly = plain(&members).unwrap();
        assert_eq!(assembly.tree.len(), 7);
        let usr: RelPath = "usr".parse().unwrap();
        assert_eq!(assembly.tree.get(&usr).unwrap().meta.mode, 0o644);
    }
}
