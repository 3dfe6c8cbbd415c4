//! A guest's files after a change: a thin tree above those it has, named by what is in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use boltworks_crypto::sha256;
use boltworks_fsx::tar::Writer;
use boltworks_fsx::{Content, Kind, Node, RelPath, Root, ScanOptions, Tree};

use crate::Error;
use crate::environments::{Environments, Owner, file_error};

impl Environments {
    /// The trees of a guest whose files are changed like this: where anything becomes another, a tree with
    /// that lies above those that are given, the topmost first. What is taken away stays.
    ///
    /// Cost: the names of all files are read.
    pub fn with_changes<E: From<Error>>(
        &self,
        trees: &[PathBuf],
        owner: impl Into<Owner>,
        change: impl FnOnce(&mut Tree) -> Result<(), E>,
    ) -> Result<Vec<PathBuf>, E> {
        let before = merged(trees)?;
        let mut after = before.clone();
        change(&mut after)?;
        let layer = changed(&before, &after)?;
        if layer.is_empty() {
            return Ok(trees.to_vec());
        }
        let layer = self.ensure_layer("changes", &layer, owner.into())?;
        Ok([&[layer], trees].concat())
    }

    /// The path of a thin tree, which is made if it is not there.
    pub(crate) fn ensure_layer(
        &self,
        kind: &str,
        tree: &Tree,
        owner: Owner,
    ) -> Result<PathBuf, Error> {
        self.ensure_as(&name(kind, tree, owner)?, |folder| {
            let written = tree.write_to(folder, owner.options());
            written.map_err(|source| file_error("lay a thin tree", source))
        })
    }
}

/// The tree's name: what is in it, and whose it is.
fn name(kind: &str, tree: &Tree, owner: Owner) -> Result<String, Error> {
    let mut writer = Writer::new(format!("{kind} {}:{}\n", owner.uid, owner.gid).into_bytes());
    let written = writer.append_tree(tree);
    let bytes = written
        .and_then(|()| writer.finish_with_end())
        .map_err(|source| file_error("name a thin tree", source))?;
    Ok(sha256(&bytes).to_string())
}

/// The trees of a guest, the topmost first, as it sees them: what one has hides what those below have
/// there, but for directories, which are one.
fn merged(trees: &[PathBuf]) -> Result<Tree, Error> {
    let failed = |source| file_error("read a guest's files", source);
    let options = ScanOptions {
        skip_xattrs: true,
        ..ScanOptions::default()
    };
    let mut all = Tree::new();
    for path in trees.iter().rev() {
        let root = Arc::new(Root::open(path).map_err(failed)?);
        let own = Tree::read_from(&root, options).map_err(failed)?;
        for (path, node) in own.iter() {
            if !node.is_dir() && all.get(path).is_some_and(Node::is_dir) {
                let hidden: Vec<RelPath> =
                    all.beneath(path).map(|(path, _)| path.clone()).collect();
                for hidden in hidden {
                    all.remove(&hidden);
                }
            }
            all.insert(path.clone(), node.clone()).map_err(failed)?;
        }
    }
    Ok(all)
}

/// What is other than before, all names of it, and the directories above that.
fn changed(before: &Tree, after: &Tree) -> Result<Tree, Error> {
    let is_changed = |(path, node): &(&RelPath, &Node)| {
        before
            .get(path)
            .is_none_or(|was| was.meta != node.meta || is_other(&was.kind, &node.kind))
    };
    let mut places: BTreeSet<&RelPath> = after
        .iter()
        .filter(is_changed)
        .map(|(path, _)| path)
        .collect();
    let links = after.iter().filter_map(|(path, node)| match &node.kind {
        Kind::Hardlink(target) => Some((path, target)),
        _ => None,
    });
    let links: Vec<_> = links.collect();
    // A file is changed with all its names, and a new name brings the file.
    let targets = links.iter().filter(|(path, _)| places.contains(path));
    let targets: Vec<&RelPath> = targets.map(|(_, target)| *target).collect();
    places.extend(targets);
    let names = links.iter().filter(|(_, target)| places.contains(target));
    let names: Vec<&RelPath> = names.map(|(path, _)| *path).collect();
    places.extend(names);
    let mut layer = Tree::new();
    for place in places {
        for path in place.ancestors().chain([place.clone()]) {
            if let Some(node) = after.get(&path).filter(|_| !layer.contains(&path)) {
                let put = layer.insert(path, node.clone());
                put.map_err(|source| file_error("make a thin tree", source))?;
            }
        }
    }
    Ok(layer)
}

/// Whether something else is there. What was on the disk is there still; what is new is in memory.
fn is_other(was: &Kind, is: &Kind) -> bool {
    match (was, is) {
        (Kind::File(_), Kind::File(Content::Path { .. })) => false,
        (was, is) => !was.is_same_without_bytes(is),
    }
}
