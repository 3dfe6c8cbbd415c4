//! The folders a build sees: laid out before, read back after, gone at the end; kept where it fails.
//!
//! ```text
//! SCRATCH/<name>/home      /home/build in the guest, writable
//! SCRATCH/<name>/cache     /var/cache/melange, read-only: sources by the digest recipes name
//! SCRATCH/<name>/overlay   what the guest changes elsewhere; thrown away
//! SCRATCH/<name>/guest.json   of a failed job: how to be in its guest again; see [`rescue`](crate::rescue)
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_fsx::{
    Content, FileKind, Kind, Meta, Node, Ownership, RelPath, Root, ScanOptions, Tree, WriteOptions,
};
use boltworks_model::{PackageName, Timestamp};
use boltworks_sandbox::{Bind, GuestSpec, Ids};

use crate::local::LocalFiles;
use crate::note::{self, Noted};
use crate::rescue::Kept;
use crate::{Error, Shop, SourceInput};

/// The folder below [`crate::steps::HOME`] that holds one folder for each package.
pub const RESULTS: &str = "melange-out";
/// The folder of a workspace that is [`crate::steps::HOME`] in its guest.
pub(crate) const HOME_FOLDER: &str = "home";

/// What is laid into a workspace before the first step.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// Files beside the recipe, copied into the guest's home.
    pub local_files: Option<&'a LocalFiles>,
    /// Fetched sources.
    pub sources: &'a [SourceInput],
    /// The packages that will have a results folder.
    pub packages: &'a [&'a str],
    /// What compilers find the package note of.
    pub noted: Option<Noted<'a>>,
}

/// What is read of a recipe has such names only; here they become folders, whoever made them.
fn verify_name(package: &str) -> Result<(), Error> {
    let name = package.parse::<PackageName>();
    if name.is_ok_and(|name| name.is_own()) {
        return Ok(());
    }
    Err(Error::Misnamed {
        package: package.to_owned(),
    })
}

/// One build's folders on disk.
pub struct Workspace {
    parent: Root,
    name: RelPath,
    path: PathBuf,
}

impl Workspace {
    /// Makes the folders of a `job` for a `package` anew beneath `scratch`; leftovers of an
    /// earlier one of the same name are removed first.
    pub fn lay(
        shop: &Shop<'_>,
        (job, package): (&str, &str),
        contents: Contents<'_>,
    ) -> Result<Self, Error> {
        verify_name(package)?;
        contents
            .packages
            .iter()
            .copied()
            .try_for_each(verify_name)?;
        let scratch = shop.scratch;
        let parent = Root::create(scratch)?;
        let name = RelPath::try_from(format!("{job}-{package}").as_str())?;
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
            Some(local) => local.tree().clone(),
            None => Tree::new(),
        };
        let folder = || Node::dir(Meta::new(0o755, 0));
        for path in [HOME_FOLDER, "cache", "overlay"] {
            tree.insert(RelPath::try_from(path)?, folder())?;
        }
        if let Some(noted) = contents.noted {
            note::add(&mut tree, noted, shop.vendor)?;
        }
        if !contents.packages.is_empty() {
            let results = format!("{HOME_FOLDER}/{RESULTS}");
            tree.insert(RelPath::try_from(results.as_str())?, folder())?;
        }
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
        Ok(workspace)
    }

    /// The guest over an environment's trees, the topmost first, whose steps are `ids` inside.
    pub fn guest(&self, trees: &[PathBuf], ids: Ids) -> GuestSpec {
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
            ids,
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

    /// What is at a path beneath the guest's home in place of a file there, in words; nothing, where
    /// it leads to a file.
    pub(crate) fn instead_of_file(&self, path: &str) -> Result<Option<&'static str>, Error> {
        let home = self.parent.dir(&self.name.push(HOME_FOLDER)?)?;
        // What cannot be reached is not there: a part of the path is a file, or links lead in a circle.
        let found = home.stat_in_root(path.as_bytes()).unwrap_or_default();
        let itself = || {
            let path = RelPath::try_from(path).ok()?;
            home.stat(&path).ok().flatten()
        };
        Ok(match found.or_else(itself).map(|stat| stat.kind) {
            Some(FileKind::File) => None,
            Some(FileKind::Dir) => Some("a folder, not a file,"),
            Some(FileKind::Symlink) => {
                Some("a link that leads to nothing within the build's files")
            }
            Some(FileKind::Fifo) => Some("a pipe, not a file,"),
            Some(FileKind::Socket) => Some("a socket, not a file,"),
            Some(FileKind::CharDevice | FileKind::BlockDevice) => Some("a device, not a file,"),
            None => Some("no file"),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_folder_is_called_what_no_package_is() {
        for name in ["..", ".", ".git", "_x", "a/b", "a*", "a b", ""] {
            let error = verify_name(name).unwrap_err();
            assert!(matches!(error, Error::Misnamed { .. }), "{name}: {error}");
        }
        assert!(verify_name("g++-1.2_x").is_ok());
    }
}
