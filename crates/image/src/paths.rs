//! The `paths` of an image file: folders, empty files, links, owners and modes.
//!
//! Carried out in the order written, after packages and accounts. A path goes through the
//! links above it, as it would in the running image, and never leaves the root.
//!
//! What would happen beside what was asked for is refused: that another name of a file changes
//! with it, that a link's permissions are not those written, that apk no longer finds what is
//! installed.

use std::collections::BTreeSet;

use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};
use boltworks_recipe::resolved::{PathKind, PathMutation};
use boltworks_rootfs::accounts::verify_numbers;

use crate::Error;
use crate::database::Seen;
use crate::place::{
    WHITEOUT_REASON, beneath_root, ensure_dir, is_whiteout, parent_resolved, resolved, unlink,
};
use crate::skeleton::MTIME;

/// Carries out every mutation.
pub fn apply(tree: &mut Tree, mutations: &[PathMutation]) -> Result<(), Error> {
    let database = Seen::of(tree);
    for (at, mutation) in mutations.iter().enumerate() {
        carry_out(tree, at, mutation)?;
        let now = Seen::of(tree);
        if now != database {
            let reason = "apk's database would be taken away or replaced: apk and every scanner \
                          read in it what is installed";
            return Err(refused(at, mutation, reason));
        }
        if database.is_open() && !now.is_open() {
            let reason = "apk's database would no longer be root's and readable: apk and every \
                          scanner read in it what is installed";
            return Err(refused(at, mutation, reason));
        }
    }
    Ok(())
}

fn carry_out(tree: &mut Tree, at: usize, mutation: &PathMutation) -> Result<(), Error> {
    let (uid, gid) = mutation.owner().unwrap_or_default();
    verify_numbers(&shown(at, mutation), uid, gid)?;
    let Some(path) = beneath_root(&mutation.path)? else {
        return root(tree, at, mutation);
    };
    let real = match mutation.kind {
        PathKind::Directory | PathKind::EmptyFile => resolved(tree, &path)?,
        PathKind::Hardlink | PathKind::Symlink => parent_resolved(tree, &path)?,
        PathKind::Permissions => path.clone(),
    };
    if is_whiteout(&path) || is_whiteout(&real) {
        return Err(refused(at, mutation, WHITEOUT_REASON));
    }
    match mutation.kind {
        PathKind::Directory => directory(tree, at, &path, mutation),
        PathKind::EmptyFile => empty_file(tree, &path, mutation),
        PathKind::Hardlink => hard_link(tree, at, &path, mutation),
        PathKind::Symlink => symlink(tree, at, &path, mutation),
        PathKind::Permissions => permissions(tree, at, &path, mutation),
    }
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
    let all = tree.iter().filter(|(_, node)| !is_link(node));
    let all = all.map(|(path, _)| path.clone()).collect();
    change(tree, at, mutation, &all)
}

fn directory(
    tree: &mut Tree,
    at: usize,
    path: &RelPath,
    mutation: &PathMutation,
) -> Result<(), Error> {
    let is_new = !tree.contains(&resolved(tree, path)?);
    let real = ensure_dir(tree, path, Meta::new(0o755, MTIME))?;
    if is_new && let Some(node) = tree.get_mut(&real) {
        set(node, mutation, 0o755);
    }
    let names = names(tree, real, mutation);
    change(tree, at, mutation, &names)
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
    let meta = tree.get(&inode).map(|node| node.meta.clone());
    let meta = meta.unwrap_or_else(|| Meta::new(0o644, MTIME));
    if !is_said_of(&meta, mutation) {
        let Meta { mode, uid, gid, .. } = meta;
        let reason = format!(
            "it is another name of '/{inode}', whose owner and mode are {uid}:{gid} and {mode:04o}: \
             change them there, with a path of type permissions before this one"
        );
        return Err(refused(at, mutation, &reason));
    }
    unlink(tree, &real);
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
    if mutation.permissions.is_some_and(|mode| mode != 0o777) {
        let reason = "a symbolic link has no permissions: set those of what it leads to, with a \
                      path of type permissions";
        return Err(refused(at, mutation, reason));
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
    let (uid, gid) = mutation.owner().unwrap_or_default();
    let meta = Meta {
        uid,
        gid,
        ..Meta::new(0o777, MTIME)
    };
    tree.insert(real, Node::symlink(meta, target))?;
    Ok(())
}

fn permissions(
    tree: &mut Tree,
    at: usize,
    path: &RelPath,
    mutation: &PathMutation,
) -> Result<(), Error> {
    let real = resolved(tree, path)?;
    if tree.link_target(&real).is_none() {
        return Err(Error::Path {
            path: path.clone(),
            reason: "nothing is there to change",
        });
    }
    let names = names(tree, real, mutation);
    change(tree, at, mutation, &names)
}

/// A path and, if it is asked for, everything beneath it. Symbolic links there are left alone:
/// whose they are and what is written of their mode means nothing.
fn names(tree: &Tree, path: RelPath, mutation: &PathMutation) -> BTreeSet<RelPath> {
    let mut names = BTreeSet::new();
    if mutation.recursive {
        let beneath = tree.beneath(&path).filter(|(_, node)| !is_link(node));
        names.extend(beneath.map(|(path, _)| path.clone()));
    }
    names.insert(path);
    names
}

const fn is_link(node: &Node) -> bool {
    matches!(node.kind, Kind::Symlink(_))
}

/// Sets owner and mode of these names, none of which is a symbolic link. A file that would change
/// under a name that is not among them is an error.
fn change(
    tree: &mut Tree,
    at: usize,
    mutation: &PathMutation,
    names: &BTreeSet<RelPath>,
) -> Result<(), Error> {
    let mut files = BTreeSet::new();
    for name in names {
        let file = tree.link_target(name).unwrap_or(name);
        let changed = tree.get(file).cloned().is_some_and(|mut node| {
            let before = node.meta.clone();
            set(&mut node, mutation, 0);
            node.meta != before
        });
        if changed {
            files.insert(file.clone());
        }
    }
    let others = tree.iter().map(|(path, _)| path);
    let other = others.filter(|path| !names.contains(*path)).find(|path| {
        tree.link_target(path)
            .is_some_and(|file| files.contains(file))
    });
    if let Some(other) = other {
        let reason = format!(
            "'/{other}' is another name of the same file and would change with it: change a folder \
             that holds both, recursively, or let the package bring two files"
        );
        return Err(refused(at, mutation, &reason));
    }
    for file in &files {
        if let Some(node) = tree.get_mut(file) {
            set(node, mutation, 0);
        }
    }
    Ok(())
}

/// Whether a file has the owner and the mode that are written, if any are.
fn is_said_of(meta: &Meta, mutation: &PathMutation) -> bool {
    let owner = mutation.owner();
    let mode = mutation.permissions.unwrap_or(meta.mode) & 0o7777;
    mode == meta.mode && owner.is_none_or(|owner| owner == (meta.uid, meta.gid))
}

/// Sets owner, where it is said, and, where it is said or `default` is not 0, mode.
fn set(node: &mut Node, mutation: &PathMutation, default: u32) {
    if let Some((uid, gid)) = mutation.owner() {
        (node.meta.uid, node.meta.gid) = (uid, gid);
    }
    let mode = mutation.permissions.or((default != 0).then_some(default));
    if let Some(mode) = mode {
        node.meta.mode = mode & 0o7777;
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
    Error::refused(shown(at, mutation), reason)
}

fn shown(at: usize, mutation: &PathMutation) -> String {
    format!("paths[{at}] {}", mutation.path)
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
            uid: None,
            gid: None,
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
            PathMutation { uid: Some(7), gid: Some(8), permissions: Some(0o1770), ..mutation(PathKind::Directory, "/var/run/web/") },
            PathMutation { uid: Some(7), permissions: Some(0o600), ..mutation(PathKind::EmptyFile, "/var/run/web/pid") },
            PathMutation { source: Some("/srv/app/start".into()), ..mutation(PathKind::Hardlink, "/bin/app") },
            PathMutation { source: Some("../srv".into()), gid: Some(9), ..mutation(PathKind::Symlink, "/opt/srv") },
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
            uid: Some(5),
            gid: Some(6),
            permissions: Some(0o700),
            recursive: true,
            ..mutation(PathKind::Permissions, "/srv")
        }]), @r"
0755 0:0 run/
0700 5:6 srv/
0700 5:6 srv/app/
0777 0:0 srv/app/log -> /var/log
0700 5:6 srv/app/run (2 bytes)
0700 5:6 srv/app/start = srv/app/run
0755 0:0 var/
0777 0:0 var/run -> /run
");
        insta::assert_snapshot!(check(&[PathMutation {
            uid: Some(5),
            recursive: true,
            ..mutation(PathKind::Directory, "/srv/app")
        }]), @r"
0755 0:0 run/
0755 0:0 srv/
0755 5:0 srv/app/
0777 0:0 srv/app/log -> /var/log
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

    /// What is said when this is the second path, the first being harmless.
    fn said(mut tree: Tree, bad: PathMutation) -> String {
        let harmless = mutation(PathKind::Directory, "/srv");
        apply(&mut tree, &[harmless, bad]).unwrap_err().to_string()
    }

    fn from(source: &str, mutation: PathMutation) -> PathMutation {
        PathMutation {
            source: Some(source.into()),
            ..mutation
        }
    }

    #[test]
    fn the_database_stays_where_apk_looks() {
        let with_database = || {
            let mut tree = tree();
            let meta = || Meta::new(0o644, 0);
            tree.insert(
                rel("usr/lib/apk/db/installed"),
                Node::file(meta(), *b"P:web\n"),
            )
            .unwrap();
            tree.insert(rel("lib"), Node::symlink(meta(), "usr/lib"))
                .unwrap();
            tree.insert(rel("empty"), Node::file(meta(), *b"")).unwrap();
            tree.ensure_dirs(&Meta::new(0o755, 0));
            tree
        };
        for bad in [
            mutation(PathKind::EmptyFile, "/lib/apk/db/installed"),
            mutation(PathKind::EmptyFile, "/usr/lib/apk/db/installed"),
            mutation(PathKind::EmptyFile, "/usr/lib/apk/db/scripts.tar"),
            mutation(PathKind::EmptyFile, "/srv/../usr/lib/apk/db/installed"),
            from(
                "/empty",
                mutation(PathKind::Hardlink, "/lib/apk/db/installed"),
            ),
            from(
                "/empty",
                mutation(PathKind::Symlink, "/lib/apk/db/installed"),
            ),
            from("/srv", mutation(PathKind::Symlink, "/lib")),
            mutation(PathKind::EmptyFile, "/lib/../usr/lib/apk/db/installed"),
        ] {
            if bad.path.contains("..") {
                assert!(apply(&mut with_database(), &[bad]).is_err());
                continue;
            }
            let path = bad.path.clone();
            let text = said(with_database(), bad);
            assert!(
                text.starts_with(&format!("paths[1] {path}: apk's database")),
                "{text}"
            );
        }
        let change = |path: &str, uid, mode| PathMutation {
            permissions: Some(mode),
            uid: Some(uid),
            recursive: true,
            ..mutation(PathKind::Permissions, path)
        };
        for bad in [
            change("/usr/lib/apk/db/installed", 0, 0),
            change("/lib/apk/db/installed", 0, 0o600),
            change("/lib/apk/db/installed", 33, 0o644),
            change("/usr/lib/apk/db", 0, 0o644),
            change("/usr/lib/apk", 0, 0),
            change("/usr", 0, 0o700),
            change("/usr", 33, 0o755),
            change("/", 33, 0o755),
        ] {
            let path = bad.path.clone();
            let text = said(with_database(), bad);
            assert!(
                text.starts_with(&format!("paths[1] {path}: apk's database would no longer")),
                "{text}"
            );
        }
        let around = [
            change("/usr", 0, 0o755),
            mutation(PathKind::EmptyFile, "/lib/apk/db/other"),
            from("/lib/apk/db/installed", mutation(PathKind::Hardlink, "/a")),
        ];
        apply(&mut with_database(), &around).unwrap();
    }

    #[test]
    fn nothing_changes_that_was_not_named() {
        let mode = |mode, mutation| PathMutation {
            permissions: Some(mode),
            ..mutation
        };
        insta::assert_snapshot!(said(tree(), mode(0o755, mutation(PathKind::Permissions, "/srv/app/run"))), @"paths[1] /srv/app/run: '/srv/app/start' is another name of the same file and would change with it: change a folder that holds both, recursively, or let the package bring two files");
        insta::assert_snapshot!(said(tree(), mode(0o755, mutation(PathKind::Permissions, "/srv/app/start"))), @"paths[1] /srv/app/start: '/srv/app/run' is another name of the same file and would change with it: change a folder that holds both, recursively, or let the package bring two files");
        insta::assert_snapshot!(said(tree(), mode(0o755, from("/srv/app/run", mutation(PathKind::Hardlink, "/x")))), @"paths[1] /x: it is another name of '/srv/app/run', whose owner and mode are 0:0 and 4755: change them there, with a path of type permissions before this one");
        insta::assert_snapshot!(said(tree(), PathMutation { uid: Some(5), ..from("/srv/app/start", mutation(PathKind::Hardlink, "/x")) }), @"paths[1] /x: it is another name of '/srv/app/run', whose owner and mode are 0:0 and 4755: change them there, with a path of type permissions before this one");
        insta::assert_snapshot!(said(tree(), mode(0o600, from("/srv", mutation(PathKind::Symlink, "/x")))), @"paths[1] /x: a symbolic link has no permissions: set those of what it leads to, with a path of type permissions");
        insta::assert_snapshot!(said(tree(), PathMutation { gid: Some(u32::MAX), ..mutation(PathKind::Directory, "/x") }), @"paths[1] /x: no user or group has the number 4294967295: the largest is 4294967294");
        // All names of the file together, or a change that is none.
        let recursive = PathMutation {
            recursive: true,
            ..mode(0o700, mutation(PathKind::Permissions, "/srv/app"))
        };
        let none = mode(0o4755, mutation(PathKind::Permissions, "/srv/app/start"));
        let link = mode(
            0o4755,
            from("/srv/app/start", mutation(PathKind::Hardlink, "/x")),
        );
        let symlink = mode(0o777, from("/srv", mutation(PathKind::Symlink, "/y")));
        apply(&mut tree(), &[none, link, symlink]).unwrap();
        apply(&mut tree(), &[recursive]).unwrap();
    }

    #[test]
    fn no_path_removes_another() {
        let reason = "no name may begin with '.wh.': image layers take it for a removal";
        let to = |path: &str| from("/srv/app/run", mutation(PathKind::Symlink, path));
        for bad in [
            mutation(PathKind::Directory, "/.wh.srv"),
            mutation(PathKind::EmptyFile, "/srv/.wh..wh..opq"),
            mutation(PathKind::EmptyFile, "/srv/.wh.x/y"),
            from("/srv/app/run", mutation(PathKind::Hardlink, "/srv/.wh.run")),
            to("/srv/.wh.run"),
        ] {
            let path = bad.path.clone();
            assert_eq!(said(tree(), bad), format!("paths[1] {path}: {reason}"));
        }
        // Nor by way of a link.
        let mut through = tree();
        let link = Node::symlink(Meta::new(0o777, 0), "/srv/.wh.app");
        through.insert(rel("odd"), link).unwrap();
        let bad = mutation(PathKind::Directory, "/odd/x");
        assert_eq!(said(through, bad), format!("paths[1] /odd/x: {reason}"));
        apply(&mut tree(), &[to("/srv/x.wh.")]).unwrap();
    }

    #[test]
    fn permissions_of_a_link_are_those_of_what_it_leads_to() {
        let mut tree = tree();
        let change = PathMutation {
            permissions: Some(0o700),
            ..mutation(PathKind::Permissions, "/var/run")
        };
        apply(&mut tree, &[change]).unwrap();
        assert_eq!(tree.get(&rel("run")).unwrap().meta.mode, 0o700);
        assert_eq!(tree.get(&rel("var/run")).unwrap().meta.mode, 0o777);
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
        let source = |kind, path: &str, source: &str| from(source, mutation(kind, path));
        insta::assert_snapshot!(refused(source(PathKind::Hardlink, "/x", "/srv/app")), @"'/x': a directory has no hard links");
        insta::assert_snapshot!(refused(source(PathKind::Hardlink, "/x", "/nowhere")), @"'/nowhere': nothing is there to link to");
        insta::assert_snapshot!(refused(source(PathKind::Symlink, "/srv", "/x")), @"'/srv': there is a directory that is not empty, so no link can take its place");
    }
}
