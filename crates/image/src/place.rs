//! Where a path really is in a tree: links above it followed, never out of the root.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use boltworks_fsx::{Kind, Limit, Meta, Node, RelPath, Tree};

use crate::Error;
use crate::database::FOLDER;

/// More links than this on one path and it is a circle (`MAXSYMLINKS` of Linux).
const MAX_HOPS: u32 = 40;
/// No file that is read here to be changed or understood is larger.
const TEXT_LIMIT: Limit = Limit(4 << 20);

/// How names begin that a layer takes for the removal of another (image-spec, "whiteouts").
pub(crate) const WHITEOUT: &[u8] = b".wh.";
/// Why such a name is refused.
pub const WHITEOUT_REASON: &str =
    "no name may begin with '.wh.': image layers take it for a removal";

/// Whether a layer takes a part of the path for the removal of something else.
pub fn is_whiteout(path: &RelPath) -> bool {
    path.components().any(|name| name.starts_with(WHITEOUT))
}

/// Refuses a path that a layer takes for something else.
pub fn verify_name(path: &RelPath) -> Result<(), Error> {
    if is_whiteout(path) {
        return Err(Error::Path {
            path: path.clone(),
            reason: WHITEOUT_REASON,
        });
    }
    Ok(())
}

/// An absolute path of an image file beneath the root: without the `/` in front; `None` for
/// the root itself.
pub fn beneath_root(path: &str) -> Result<Option<RelPath>, Error> {
    let inside = path.trim_start_matches('/').trim_end_matches('/');
    if inside.is_empty() {
        Ok(None)
    } else {
        Ok(Some(RelPath::new(inside)?))
    }
}

/// The path with every link *above* its last component followed, as the kernel would inside
/// the image. Components that do not exist stay as they are.
pub fn parent_resolved(tree: &Tree, path: &RelPath) -> Result<RelPath, Error> {
    resolve(tree, path, Last::Keep)
}

/// The path with every link followed, the last component too.
pub fn resolved(tree: &Tree, path: &RelPath) -> Result<RelPath, Error> {
    resolve(tree, path, Last::Follow)
}

/// Whether a link that is the last component is followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Keep,
    Follow,
}

fn resolve(tree: &Tree, path: &RelPath, last: Last) -> Result<RelPath, Error> {
    let fault = |reason| Error::Path {
        path: path.clone(),
        reason,
    };
    let mut rest: VecDeque<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut hops = 0;
    while let Some(component) = rest.pop_front() {
        match component.as_slice() {
            b"" | b"." => continue,
            b".." => {
                done.pop(); // above the root is the root
                continue;
            }
            _ => done.push(component),
        }
        let here = RelPath::new(done.join(&b'/'))?;
        let target = match tree.get(&here).map(|node| &node.kind) {
            Some(Kind::Symlink(target)) if last == Last::Follow || !rest.is_empty() => target,
            Some(Kind::Dir | Kind::Symlink(_)) | None => continue,
            Some(_) if rest.is_empty() => continue,
            Some(_) => return Err(fault("a part of it is no directory")),
        };
        hops += 1;
        if hops > MAX_HOPS {
            return Err(fault("its links lead in a circle"));
        }
        done.pop();
        if target.first() == Some(&b'/') {
            done.clear();
        }
        for part in target.split(|byte| *byte == b'/').rev() {
            rest.push_front(part.to_vec());
        }
    }
    if done.is_empty() {
        return Err(fault("it is the root itself"));
    }
    Ok(RelPath::new(done.join(&b'/'))?)
}

/// Adds a directory where there is none; an existing one stays as it is. Gives its real path.
pub fn ensure_dir(tree: &mut Tree, path: &RelPath, meta: Meta) -> Result<RelPath, Error> {
    let real = resolved(tree, path)?;
    match tree.get(&real) {
        Some(node) if node.is_dir() => {}
        Some(_) => {
            return Err(Error::Path {
                path: path.clone(),
                reason: "it is there and no directory",
            });
        }
        None => {
            verify_name(&real)?;
            tree.insert(real.clone(), Node::dir(meta))?;
        }
    }
    Ok(real)
}

/// Puts a small file of ours in, in place of what is there. What it replaces must not be a
/// directory. Other names of what it replaces keep their content, owner and mode.
///
/// Nothing is put into apk's database: that is replaced as a whole, by [`replace_file`].
pub fn put_file(
    tree: &mut Tree,
    path: &str,
    meta: Meta,
    bytes: impl Into<Vec<u8>>,
) -> Result<(), Error> {
    let path = RelPath::try_from(path)?;
    let real = resolved(tree, &path)?;
    if real.starts_with(&RelPath::try_from(FOLDER)?) {
        return Err(Error::Path {
            path,
            reason: "it leads into apk's database",
        });
    }
    replace_file(tree, real, meta, bytes)
}

/// Puts a small file of ours in at exactly this path, as [`put_file`] does.
pub fn replace_file(
    tree: &mut Tree,
    path: RelPath,
    meta: Meta,
    bytes: impl Into<Vec<u8>>,
) -> Result<(), Error> {
    if tree.get(&path).is_some_and(Node::is_dir) {
        return Err(Error::Path {
            path,
            reason: "it is a directory",
        });
    }
    verify_name(&path)?;
    unlink(tree, &path);
    tree.insert(path, Node::file(meta, bytes.into()))?;
    Ok(())
}

/// Takes a name away. If other names of the same file are left, one of them becomes the file.
pub fn unlink(tree: &mut Tree, path: &RelPath) {
    unlink_all(tree, &BTreeSet::from([path.clone()]));
}

/// Takes names away, as [`unlink`] does with one.
pub(crate) fn unlink_all(tree: &mut Tree, gone: &BTreeSet<RelPath>) {
    let mut files = BTreeMap::new();
    for path in gone {
        let node = tree.remove(path);
        let file = node.filter(|node| matches!(node.kind, Kind::File(_)));
        files.extend(file.map(|node| (path, (node, None::<RelPath>))));
    }
    if files.is_empty() {
        return;
    }
    for (other, node) in tree.iter_mut() {
        let Kind::Hardlink(target) = &node.kind else {
            continue;
        };
        let Some((file, heir)) = files.get_mut(target) else {
            continue;
        };
        if let Some(heir) = heir {
            node.kind = Kind::Hardlink(heir.clone());
        } else {
            *heir = Some(other.clone());
            std::mem::swap(node, file);
        }
    }
}

/// The bytes of a file at most 4 MiB long, links followed, and its attributes; `None` where
/// nothing is there.
pub fn read_file(tree: &Tree, path: &str) -> Result<Option<(Vec<u8>, Meta)>, Error> {
    let real = resolved(tree, &RelPath::try_from(path)?)?;
    let Some(inode) = tree.link_target(&real) else {
        return Ok(None);
    };
    let (Some(node), Some(content)) = (tree.get(inode), tree.file(inode)) else {
        return Err(Error::Path {
            path: real,
            reason: "it is there and no file",
        });
    };
    let bytes = content
        .read_vec(TEXT_LIMIT)
        .map_err(|source| Error::Content {
            path: real.clone(),
            source,
        })?;
    Ok(Some((bytes, node.meta.clone())))
}

/// Whether something is at the path, links followed.
pub fn exists(tree: &Tree, path: &str) -> bool {
    let real = RelPath::try_from(path)
        .map_err(Error::from)
        .and_then(|path| resolved(tree, &path));
    real.is_ok_and(|real| tree.contains(&real))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new();
        let meta = || Meta::new(0o755, 0);
        let mut put = |path: &str, node| {
            tree.insert(RelPath::try_from(path).unwrap(), node).unwrap();
        };
        put("usr/lib/x", Node::file(meta(), *b"x"));
        put("lib", Node::symlink(meta(), "usr/lib"));
        put("var/run", Node::symlink(meta(), "/run"));
        put("run", Node::dir(meta()));
        put("up", Node::symlink(meta(), "../../../../etc"));
        put("a", Node::symlink(meta(), "b"));
        put("b", Node::symlink(meta(), "a"));
        put("root", Node::symlink(meta(), "/"));
        tree
    }

    fn check(path: &str) -> String {
        match resolved(&tree(), &RelPath::try_from(path).unwrap()) {
            Ok(path) => path.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn links_are_followed_and_stay_inside() {
        assert_eq!(check("lib/x"), "usr/lib/x");
        assert_eq!(check("var/run/pid"), "run/pid");
        assert_eq!(check("up/passwd"), "etc/passwd");
        assert_eq!(check("root/usr/lib"), "usr/lib");
        assert_eq!(check("a/x"), "'/a/x': its links lead in a circle");
        assert_eq!(check("root"), "'/root': it is the root itself");
        assert_eq!(check("lib/x/y"), "'/lib/x/y': a part of it is no directory");
        let kept = parent_resolved(&tree(), &RelPath::try_from("lib").unwrap()).unwrap();
        assert_eq!(kept.to_string(), "lib");
        assert!(exists(&tree(), "lib/x") && !exists(&tree(), "lib/z"));
    }
}
