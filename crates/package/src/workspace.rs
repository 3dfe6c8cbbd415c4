//! The folders a build sees: laid out before, read back after, gone at the end; kept where it fails.
//!
//! ```text
//! SCRATCH/<name>/home      /home/build in the guest, writable
//! SCRATCH/<name>/cache     /var/cache/melange, read-only: sources by the digest recipes name
//! SCRATCH/<name>/overlay   what the guest changes elsewhere; thrown away
//! SCRATCH/<name>/guest.json   of a failed job: how to be in its guest again; see [`rescue`](crate::rescue)
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_fsx::{
    Content, Kind, Meta, Node, Ownership, RelPath, Root, ScanOptions, Tree, WriteOptions,
};
use boltworks_model::{Sha256, Timestamp};
use boltworks_sandbox::{Bind, GuestSpec};

use crate::rescue::Kept;
use crate::{Error, Shop, SourceInput};

/// The folder below [`crate::steps::HOME`] that holds one folder for each package.
pub const RESULTS: &str = "melange-out";

/// What is laid into a workspace before the first step.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// Files beside the recipe, copied into the guest's home.
    pub local_files: Option<LocalFiles<'a>>,
    /// Fetched sources.
    pub sources: &'a [SourceInput],
    /// The packages that will have a results folder.
    pub packages: &'a [&'a str],
}

/// The folder beside a recipe, and what is expected in it.
#[derive(Clone, Copy)]
pub struct LocalFiles<'a> {
    /// The folder.
    pub folder: &'a Root,
    /// The files that decided the action, as [`local_files`] gave them.
    pub expected: &'a [LocalFile],
}

/// A regular file beside a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its path in the folder.
    pub path: RelPath,
    /// Its bytes.
    pub sha256: Sha256,
    /// Whether anybody may execute it. Nothing else of its mode, owner and time is looked at.
    pub is_executable: bool,
}

/// One build's folders on disk.
pub struct Workspace {
    parent: Root,
    name: RelPath,
    path: PathBuf,
}

impl Workspace {
    /// Makes the folders anew beneath `scratch`; leftovers of an earlier build of the same name
    /// are removed first.
    pub fn lay(shop: &Shop<'_>, name: &str, contents: Contents<'_>) -> Result<Self, Error> {
        let scratch = shop.scratch;
        let parent = Root::create(scratch)?;
        let name = RelPath::try_from(name)?;
        parent.remove_tree(&name)?;
        let path = scratch.join(name.as_path());
        let workspace = Self { parent, name, path };
        let options = WriteOptions {
            ownership: shop.build_user(),
            skip_xattrs: true,
            ..WriteOptions::default()
        };
        // Nobody else may enter: what a step leaves may bear setuid bits of the build's user.
        let mut private = Tree::new();
        private.insert(workspace.name.clone(), Node::dir(Meta::new(0o700, 0)))?;
        private.write_to(&workspace.parent, options)?;
        let root = workspace.parent.dir(&workspace.name)?;
        let mut tree = match contents.local_files {
            Some(local) => prefixed("home", &expected_tree(local)?)?,
            None => Tree::new(),
        };
        let folder = || Node::dir(Meta::new(0o755, 0));
        for path in ["home", "cache", "overlay"] {
            tree.insert(RelPath::try_from(path)?, folder())?;
        }
        tree.insert(RelPath::try_from("home/melange-out")?, folder())?;
        for package in contents.packages {
            tree.insert(
                RelPath::try_from(format!("home/{RESULTS}/{package}").as_str())?,
                folder(),
            )?;
        }
        for source in contents.sources {
            let blob = shop.store.open_blob(&source.digest)?;
            let path = RelPath::try_from("cache")?.push(source.name.as_bytes())?;
            let content = Content::Span {
                file: Arc::clone(blob.file()),
                offset: 0,
                len: blob.size(),
            };
            tree.insert(
                path,
                Node {
                    meta: Meta::new(0o644, 0),
                    kind: Kind::File(content),
                },
            )?;
        }
        tree.write_to(&root, options)?;
        if let Some(local) = contents.local_files {
            as_expected(local, &root.dir(&RelPath::try_from("home")?)?)?;
        }
        Ok(workspace)
    }

    /// A folder on the disk where the results are.
    pub const fn scratch(&self) -> &Root {
        &self.parent
    }

    /// The guest over an environment's trees, the topmost first.
    pub fn guest(&self, trees: &[PathBuf]) -> GuestSpec {
        let bind = |name: &str, target: &str, writable| Bind {
            source: self.path.join(name),
            target: target.to_owned(),
            writable,
        };
        GuestSpec {
            lowers: trees.to_owned(),
            scratch: self.path.join("overlay"),
            binds: vec![
                bind("home", crate::steps::HOME, true),
                bind("cache", "/var/cache/melange", false),
            ],
            hostname: "boltworks".to_owned(),
        }
    }

    /// What the steps left for a package: everything owned by root, every time set to `epoch`.
    pub fn results(&self, package: &str, epoch: Timestamp) -> Result<Tree, Error> {
        let folder = RelPath::try_from(format!("home/{RESULTS}/{package}").as_str())?;
        let root = self.parent.dir(&self.name)?.make_dir(&folder)?;
        let ownership = Ownership::All { uid: 0, gid: 0 };
        let options = ScanOptions {
            ownership,
            ..ScanOptions::default()
        };
        let mut tree = Tree::read_from(&Arc::new(root), options)?;
        for (_, node) in tree.iter_mut() {
            node.meta.mtime = epoch.0;
        }
        Ok(tree)
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stays, with what it takes to be in it again.
    pub fn keep(self, kept: &Kept) -> Result<(), Error> {
        kept.write(&self.parent.dir(&self.name)?)
    }

    /// Removes the folders.
    pub fn remove(self) -> Result<(), Error> {
        Ok(self.parent.remove_tree(&self.name)?)
    }
}

/// The regular files beside a recipe, which are all that a build gets of its folder; by path.
pub fn local_files(folder: &Root) -> Result<Vec<LocalFile>, Error> {
    let tree = local_tree(folder)?;
    let mut files = Vec::new();
    for (path, node) in tree.iter() {
        let content = match &node.kind {
            Kind::File(content) => Some(content),
            Kind::Hardlink(target) => tree.file(target),
            _ => None,
        };
        if let Some(content) = content {
            files.push(LocalFile {
                path: path.clone(),
                sha256: content.sha256()?,
                is_executable: is_executable(node),
            });
        }
    }
    Ok(files)
}

/// The files that are expected and the folders they are in: what else lies there is not shown to
/// the build.
fn expected_tree(local: LocalFiles<'_>) -> Result<Tree, Error> {
    let all = local_tree(local.folder)?;
    let mut tree = Tree::new();
    for file in local.expected {
        for parent in file.path.ancestors() {
            if let Some(folder) = all.get(&parent) {
                tree.insert(parent, folder.clone())?;
            }
        }
        let Some(mut node) = all.get(&file.path).cloned() else {
            continue;
        };
        if let Kind::Hardlink(target) = &node.kind
            && tree.get(target).is_none()
            && let Some(content) = all.file(target)
        {
            node.kind = Kind::File(content.clone());
        }
        tree.insert(file.path.clone(), node)?;
    }
    Ok(tree)
}

/// The files and the folders they are in. Empty folders stay away, as git keeps none.
pub fn local_tree(folder: &Root) -> Result<Tree, Error> {
    let options = ScanOptions {
        skip_xattrs: true,
        ..ScanOptions::default()
    };
    let scanned = Tree::read_from(&Arc::new(folder.try_clone()?), options)?;
    let is_regular = |node: &Node| matches!(node.kind, Kind::File(_) | Kind::Hardlink(_));
    let mut tree = Tree::new();
    for (path, node) in scanned.iter().filter(|(_, node)| is_regular(node)) {
        for parent in path.ancestors() {
            if let Some(folder) = scanned.get(&parent) {
                tree.insert(parent, folder.clone())?;
            }
        }
        tree.insert(path.clone(), node.clone())?;
    }
    Ok(tree)
}

/// What lies beside a recipe and is not copied, with what it is: only regular files are, as with
/// melange.
pub fn left_out(folder: &Root) -> Result<Vec<(RelPath, &'static str)>, Error> {
    let options = ScanOptions {
        skip_xattrs: true,
        ..ScanOptions::default()
    };
    let scanned = Tree::read_from(&Arc::new(folder.try_clone()?), options)?;
    let what = |node: &Node| match &node.kind {
        Kind::Dir | Kind::File(_) | Kind::Hardlink(_) => None,
        Kind::Symlink(_) => Some("a symbolic link"),
        _ => Some("no file"),
    };
    Ok(scanned
        .iter()
        .filter_map(|(path, node)| Some((path.clone(), what(node)?)))
        .collect())
}

/// What was copied is what decided the action: whoever edits a file while a build is prepared does
/// not change what is recorded of it.
fn as_expected(local: LocalFiles<'_>, home: &Root) -> Result<(), Error> {
    let laid = local_files(home)?;
    let of = |file: &LocalFile| (file.path.clone(), file.clone());
    let laid: BTreeMap<RelPath, LocalFile> = laid.iter().map(of).collect();
    let expected: BTreeMap<RelPath, LocalFile> = local.expected.iter().map(of).collect();
    let changed = expected
        .keys()
        .chain(laid.keys())
        .find(|path| laid.get(*path) != expected.get(*path));
    match changed {
        None => Ok(()),
        Some(path) => Err(Error::Edited { path: path.clone() }),
    }
}

fn is_executable(node: &Node) -> bool {
    node.meta.mode & 0o111 != 0
}

fn prefixed(prefix: &str, tree: &Tree) -> Result<Tree, Error> {
    let prefix = RelPath::try_from(prefix)?;
    let mut moved = Tree::new();
    for (path, node) in tree.iter() {
        let mut node = node.clone();
        if let Kind::Hardlink(target) = &mut node.kind {
            *target = prefix.join(target)?;
        }
        node.meta.mtime = 0;
        node.meta.mode = if node.is_dir() || is_executable(&node) {
            0o755
        } else {
            0o644
        };
        moved.insert(prefix.join(path)?, node)?;
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What git does not keep decides nothing: empty folders, and of modes all but one bit.
    #[test]
    fn only_regular_files_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let path = |path: &str| RelPath::try_from(path).unwrap();
        for empty in ["empty/below", "full"] {
            root.make_dir(&path(empty)).unwrap();
        }
        root.symlink(b"full/f", &path("link")).unwrap();
        let write = |name: &str, mode| root.write(&path(name), b"same", mode).unwrap();
        write("full/f", 0o600);
        write("full/g", 0o755);
        write("full/g*", 0o644);
        let shown: Vec<_> = local_files(&root)
            .unwrap()
            .iter()
            .map(|file| (file.path.to_string(), file.is_executable))
            .collect();
        let expected = [("full/f", false), ("full/g", true), ("full/g*", false)];
        let expected = expected.map(|(name, mode)| (name.to_owned(), mode));
        assert_eq!(shown, expected);
        let tree = local_tree(&root).unwrap();
        let paths: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["full", "full/f", "full/g", "full/g*"]);
    }
}
