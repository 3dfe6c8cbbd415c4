//! The `paths` of an image file: folders, empty files, links, owners and modes.
//!
//! Carried out in the order written, after packages and accounts. A path goes through the
//! links above it, as it would in the running image, and never leaves the root.

use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};
use boltworks_recipe::resolved::{PathKind, PathMutation};

use crate::Error;
use crate::place::{beneath_root, ensure_dir, parent_resolved, resolved};
use crate::skeleton::MTIME;

/// Carries out every mutation.
pub fn apply(tree: &mut Tree, mutations: &[PathMutation]) -> Result<(), Error> {
    for (at, mutation) in mutations.iter().enumerate() {
        let Some(path) = beneath_root(&mutation.path)? else {
            root(tree, at, mutation)?;
            continue;
        };
        match mutation.kind {
            PathKind::Directory => directory(tree, &path, mutation)?,
            PathKind::EmptyFile => empty_file(tree, &path, mutation)?,
            PathKind::Hardlink => hard_link(tree, at, &path, mutation)?,
            PathKind::Symlink => symlink(tree, at, &path, mutation)?,
            PathKind::Permissions => permissions(tree, &path, mutation)?,
        }
    }
    Ok(())
}

/// The root has no entry in a layer; only what is beneath it can change.
fn root(tree: &mut Tree, at: usize, mutation: &PathMutation) -> Result<(), Error> {
    let is_owner = matches!(mutation.kind, PathKind::Directory | PathKind::Permissions);
    if !is_owner || !mutation.recursive {
        return Err(refused(
            at,
            mutation,
            "the root itself has no entry in an image's layer",
        ));
    }
    for (_, node) in tree.iter_mut() {
        set(node, mutation, 0);
    }
    Ok(())
}

fn directory(tree: &mut Tree, path: &RelPath, mutation: &PathMutation) -> Result<(), Error> {
    let is_new = !tree.contains(&resolved(tree, path)?);
    let real = ensure_dir(tree, path, Meta::new(0o755, MTIME))?;
    if let Some(node) = tree.get_mut(&real) {
        set(node, mutation, if is_new { 0o755 } else { 0 });
    }
    if mutation.recursive {
        change_beneath(tree, &real, mutation);
    }
    Ok(())
}

fn empty_file(tree: &mut Tree, path: &RelPath, mutation: &PathMutation) -> Result<(), Error> {
    let real = resolved(tree, path)?;
    if tree.get(&real).is_some_and(Node::is_dir) {
        return Err(Error::Path {
            path: real,
            reason: "it is a directory, not an empty file",
        });
    }
    unlink(tree, &real);
    let mut node = Node::file(Meta::new(0o644, MTIME), *b"");
    set(&mut node, mutation, 0o644);
    tree.insert(real, node)?;
    Ok(())
}

fn hard_link(
    tree: &mut Tree,
    at: usize,
    path: &RelPath,
    mutation: &PathMutation,
) -> Result<(), Error> {
    let Some(source) = beneath_root(mutation.source.as_deref().unwrap_or_default())? else {
        return Err(refused(
            at,
            mutation,
            "a hard link needs a source that is a file",
        ));
    };
    let source = parent_resolved(tree, &source)?;
    let Some(inode) = tree.link_target(&source).cloned() else {
        return Err(Error::Path {
            path: source,
            reason: "nothing is there to link to",
        });
    };
    let real = parent_resolved(tree, path)?;
    if tree.get(&inode).is_none_or(Node::is_dir) || tree.get(&real).is_some_and(Node::is_dir) {
        return Err(Error::Path {
            path: real,
            reason: "a directory has no hard links",
        });
    }
    if real == source || real == inode {
        return Ok(());
    }
    unlink(tree, &real);
    let meta = match tree.get_mut(&inode) {
        Some(node) => {
            set(node, mutation, 0);
            node.meta.clone()
        }
        None => Meta::new(0o644, MTIME),
    };
    tree.insert(
        real,
        Node {
            meta,
            kind: Kind::Hardlink(inode),
        },
    )?;
    Ok(())
}

fn symlink(
    tree: &mut Tree,
    at: usize,
    path: &RelPath,
    mutation: &PathMutation,
) -> Result<(), Error> {
    let target = mutation.source.clone().unwrap_or_default();
    if target.is_empty() || target.contains('\0') {
        return Err(refused(at, mutation, "a link needs a source to point to"));
    }
    let real = parent_resolved(tree, path)?;
    if tree.get(&real).is_some_and(Node::is_dir) {
        if tree.beneath(&real).next().is_some() {
            let reason = "there is a directory that is not empty, so no link can take its place";
            return Err(Error::Path { path: real, reason });
        }
        tree.remove(&real);
    }
    unlink(tree, &real);
    let meta = Meta {
        uid: mutation.uid,
        gid: mutation.gid,
        ..Meta::new(0o777, MTIME)
    };
    tree.insert(real, Node::symlink(meta, target))?;
    Ok(())
}

fn permissions(tree: &mut Tree, path: &RelPath, mutation: &PathMutation) -> Result<(), Error> {
    let real = resolved(tree, path)?;
    let Some(inode) = tree.link_target(&real).cloned() else {
        return Err(Error::Path {
            path: path.clone(),
            reason: "nothing is there to change",
        });
    };
    if let Some(node) = tree.get_mut(&inode) {
        set(node, mutation, 0);
    }
    if mutation.recursive {
        change_beneath(tree, &real, mutation);
    }
    Ok(())
}

/// Sets owner and mode of everything beneath a directory. Links keep their mode, and hard
/// links their file's attributes, which [`share_attributes`] hands to all its names.
fn change_beneath(tree: &mut Tree, directory: &RelPath, mutation: &PathMutation) {
    let paths: Vec<RelPath> = tree
        .beneath(directory)
        .map(|(path, _)| path.clone())
        .collect();
    for path in paths {
        let inode = tree.link_target(&path).cloned().unwrap_or(path);
        if let Some(node) = tree.get_mut(&inode) {
            set(node, mutation, 0);
        }
    }
}

/// Sets owner and, where it is said or `default` is not 0, mode.
fn set(node: &mut Node, mutation: &PathMutation, default: u32) {
    node.meta.uid = mutation.uid;
    node.meta.gid = mutation.gid;
    let mode = mutation.permissions.or((default != 0).then_some(default));
    if let Some(mode) = mode.filter(|_| !matches!(node.kind, Kind::Symlink(_))) {
        node.meta.mode = mode & 0o7777;
    }
}

/// Takes a name away. If other names of the same file are left, one of them becomes the file.
fn unlink(tree: &mut Tree, path: &RelPath) {
    let Some(mut gone) = tree.remove(path) else {
        return;
    };
    if !matches!(gone.kind, Kind::File(_)) {
        return;
    }
    let mut heir: Option<RelPath> = None;
    for (other, node) in tree.iter_mut() {
        if !matches!(&node.kind, Kind::Hardlink(target) if target == path) {
            continue;
        }
        if let Some(heir) = &heir {
            node.kind = Kind::Hardlink(heir.clone());
        } else {
            heir = Some(other.clone());
            std::mem::swap(node, &mut gone);
        }
    }
}

/// Makes every hard link point to the first of its file's names in byte order, which becomes
/// the file, and gives all names the file's attributes: a reader of the layer then meets the
/// file before any link to it, and cannot be told two modes of one inode.
pub fn share_attributes(tree: &mut Tree) {
    let mut names: Vec<(RelPath, RelPath)> = Vec::new();
    for (path, node) in tree.iter() {
        if matches!(node.kind, Kind::Hardlink(_))
            && let Some(inode) = tree.link_target(path)
        {
            names.push((inode.clone(), path.clone()));
        }
    }
    names.sort();
    for group in names.chunk_by(|a, b| a.0 == b.0) {
        let Some((inode, first)) = group.first() else {
            continue;
        };
        let Some(meta) = tree.get(inode).map(|node| node.meta.clone()) else {
            continue;
        };
        let file = first.min(inode).clone();
        if file == *first
            && let Some(kind) = tree
                .get_mut(inode)
                .map(|node| std::mem::replace(&mut node.kind, Kind::Hardlink(file.clone())))
            && let Some(node) = tree.get_mut(&file)
        {
            node.kind = kind;
        }
        for (_, name) in group {
            if let Some(node) = tree.get_mut(name) {
                node.meta = meta.clone();
                if *name != file {
                    node.kind = Kind::Hardlink(file.clone());
                }
            }
        }
    }
}

fn refused(at: usize, mutation: &PathMutation, reason: &str) -> Error {
    Error::refused(format!("paths[{at}] {}", mutation.path), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rel(path: &str) -> RelPath {
        RelPath::try_from(path).unwrap()
    }

    fn mutation(kind: PathKind, path: &str) -> PathMutation {
        PathMutation {
            path: path.into(),
            kind,
            uid: 0,
            gid: 0,
            permissions: None,
            source: None,
            recursive: false,
        }
    }

    fn tree() -> Tree {
        let mut tree = Tree::new();
        let meta = || Meta::new(0o755, 9);
        tree.insert(rel("srv/app/run"), Node::file(Meta::new(0o4755, 9), *b"#!"))
            .unwrap();
        tree.insert(rel("srv/app/log"), Node::symlink(meta(), "/var/log"))
            .unwrap();
        let link = Node {
            meta: meta(),
            kind: Kind::Hardlink(rel("srv/app/run")),
        };
        tree.insert(rel("srv/app/start"), link).unwrap();
        tree.insert(rel("run"), Node::dir(meta())).unwrap();
        tree.insert(rel("var/run"), Node::symlink(meta(), "/run"))
            .unwrap();
        tree.ensure_dirs(&Meta::new(0o755, 9));
        tree
    }

    /// Every path with its mode, owner and target.
    fn listing(tree: &Tree) -> String {
        let line = |(path, node): (&RelPath, &Node)| {
            let kind = match &node.kind {
                Kind::Dir => "/".to_owned(),
                Kind::File(content) => format!(" ({} bytes)", content.len()),
                Kind::Symlink(target) => format!(" -> {}", String::from_utf8_lossy(target)),
                Kind::Hardlink(target) => format!(" = {target}"),
                _ => " ?".to_owned(),
            };
            let Meta { mode, uid, gid, .. } = node.meta;
            format!("{mode:04o} {uid}:{gid} {path}{kind}")
        };
        tree.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn check(mutations: &[PathMutation]) -> String {
        let mut tree = tree();
        apply(&mut tree, mutations).unwrap();
        share_attributes(&mut tree);
        listing(&tree)
    }

    #[test]
    fn every_kind_is_carried_out() {
        insta::assert_snapshot!(check(&[
            PathMutation { uid: 7, gid: 8, permissions: Some(0o1770), ..mutation(PathKind::Directory, "/var/run/web/") },
            PathMutation { uid: 7, permissions: Some(0o600), ..mutation(PathKind::EmptyFile, "/var/run/web/pid") },
            PathMutation { source: Some("/srv/app/start".into()), ..mutation(PathKind::Hardlink, "/bin/app") },
            PathMutation { source: Some("../srv".into()), gid: 9, ..mutation(PathKind::Symlink, "/opt/srv") },
        ]), @r"
4755 0:0 bin/app (2 bytes)
0777 0:9 opt/srv -> ../srv
0755 0:0 run/
1770 7:8 run/web/
0600 7:0 run/web/pid (0 bytes)
0755 0:0 srv/
0755 0:0 srv/app/
0777 0:0 srv/app/log -> /var/log
4755 0:0 srv/app/run = bin/app
4755 0:0 srv/app/start = bin/app
0755 0:0 var/
0777 0:0 var/run -> /run
");
    }

    #[test]
    fn permissions_reach_everything_beneath() {
        insta::assert_snapshot!(check(&[PathMutation {
            uid: 5,
            gid: 6,
            permissions: Some(0o700),
            recursive: true,
            ..mutation(PathKind::Permissions, "/srv")
        }]), @r"
0755 0:0 run/
0700 5:6 srv/
0700 5:6 srv/app/
0777 5:6 srv/app/log -> /var/log
0700 5:6 srv/app/run (2 bytes)
0700 5:6 srv/app/start = srv/app/run
0755 0:0 var/
0777 0:0 var/run -> /run
");
        insta::assert_snapshot!(check(&[PathMutation {
            uid: 5,
            recursive: true,
            ..mutation(PathKind::Directory, "/srv/app")
        }]), @r"
0755 0:0 run/
0755 0:0 srv/
0755 5:0 srv/app/
0777 5:0 srv/app/log -> /var/log
4755 5:0 srv/app/run (2 bytes)
4755 5:0 srv/app/start = srv/app/run
0755 0:0 var/
0777 0:0 var/run -> /run
");
    }

    #[test]
    fn a_name_taken_away_leaves_the_file() {
        insta::assert_snapshot!(check(&[mutation(PathKind::EmptyFile, "/srv/app/run")]), @r"
0755 0:0 run/
0755 0:0 srv/
0755 0:0 srv/app/
0777 0:0 srv/app/log -> /var/log
0644 0:0 srv/app/run (0 bytes)
4755 0:0 srv/app/start (2 bytes)
0755 0:0 var/
0777 0:0 var/run -> /run
");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused =
            |mutation: PathMutation| apply(&mut tree(), &[mutation]).unwrap_err().to_string();
        insta::assert_snapshot!(refused(mutation(PathKind::Permissions, "/nowhere")), @"'/nowhere': nothing is there to change");
        insta::assert_snapshot!(refused(mutation(PathKind::Permissions, "/")), @"paths[0] /: the root itself has no entry in an image's layer");
        insta::assert_snapshot!(refused(mutation(PathKind::Directory, "/srv/app/run/x")), @"'/srv/app/run/x': a part of it is no directory");
        insta::assert_snapshot!(refused(mutation(PathKind::EmptyFile, "/srv")), @"'/srv': it is a directory, not an empty file");
        insta::assert_snapshot!(refused(mutation(PathKind::Directory, "/srv/../../etc")), @"use 'srv/../../etc' as a relative path: a component is '..'");
        insta::assert_snapshot!(refused(mutation(PathKind::Hardlink, "/x")), @"paths[0] /x: a hard link needs a source that is a file");
        let source = |kind, path: &str, source: &str| PathMutation {
            source: Some(source.into()),
            ..mutation(kind, path)
        };
        insta::assert_snapshot!(refused(source(PathKind::Hardlink, "/x", "/srv/app")), @"'/x': a directory has no hard links");
        insta::assert_snapshot!(refused(source(PathKind::Hardlink, "/x", "/nowhere")), @"'/nowhere': nothing is there to link to");
        insta::assert_snapshot!(refused(source(PathKind::Symlink, "/srv", "/x")), @"'/srv': there is a directory that is not empty, so no link can take its place");
    }
}
