//! The folders a build sees: laid out before, read back after, gone at the end.
//!
//! ```text
//! SCRATCH/<name>/home      /home/build in the guest, writable
//! SCRATCH/<name>/cache     /var/cache/melange, read-only: sources by the digest recipes name
//! SCRATCH/<name>/overlay   what the guest changes elsewhere; thrown away
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{
    Content, Kind, Meta, Node, Ownership, RelPath, Root, ScanOptions, Tree, WriteOptions,
};
use boltworks_model::{Material, Sha256, SourceKind, Timestamp};
use boltworks_sandbox::{Bind, GuestSpec};

use crate::{Error, Shop, SourceInput};

/// The folder below [`crate::steps::HOME`] that holds one folder for each package.
pub const RESULTS: &str = "melange-out";

/// What is laid into a workspace before the first step.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// Files beside the recipe, copied into the guest's home.
    pub local_files: Option<&'a Root>,
    /// Fetched sources.
    pub sources: &'a [SourceInput],
    /// The packages that will have a results folder.
    pub packages: &'a [&'a str],
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
            Some(folder) => prefixed("home", &local_files(folder)?)?,
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
        Ok(workspace)
    }

    /// The guest over an environment's tree.
    pub fn guest(&self, tree: &Path) -> GuestSpec {
        let bind = |name: &str, target: &str, writable| Bind {
            source: self.path.join(name),
            target: target.to_owned(),
            writable,
        };
        GuestSpec {
            lower: tree.to_owned(),
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

    /// Removes the folders.
    pub fn remove(self) -> Result<(), Error> {
        Ok(self.parent.remove_tree(&self.name)?)
    }
}

/// The regular files beside a recipe that a build may read, as a tree.
pub fn local_files(folder: &Root) -> Result<Tree, Error> {
    let options = ScanOptions {
        skip_xattrs: true,
        ..ScanOptions::default()
    };
    let mut tree = Tree::read_from(&Arc::new(folder.try_clone()?), options)?;
    let strange: Vec<RelPath> = tree
        .iter()
        .filter(|(_, node)| !matches!(node.kind, Kind::File(_) | Kind::Hardlink(_) | Kind::Dir))
        .map(|(path, _)| path.clone())
        .collect();
    for path in strange {
        tree.remove(&path);
    }
    Ok(tree)
}

/// The same files as materials: `name` is the folder's path in the factory.
pub fn local_materials(folder: &Root, name: &str) -> Result<Vec<Material>, Error> {
    let tree = local_files(folder)?;
    let mut materials = Vec::new();
    for (path, node) in tree.iter() {
        let content = match &node.kind {
            Kind::File(content) => content,
            Kind::Hardlink(target) => match tree.file(target) {
                Some(content) => content,
                None => continue,
            },
            _ => continue,
        };
        let executable = if node.meta.mode & 0o111 == 0 { "" } else { "*" };
        materials.push(Material::Source {
            uri: format!("{name}/{path}{executable}"),
            fetched_from: None,
            kind: SourceKind::Local,
            sha256: digest_of(content)?,
            recipe_digest: None,
        });
    }
    Ok(materials)
}

fn digest_of(content: &Content) -> Result<Sha256, Error> {
    let mut hasher = Sha256Hasher::new();
    content.copy_to(&mut hasher)?;
    Ok(hasher.finish())
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
        node.meta.mode = if node.is_dir() || node.meta.mode & 0o111 != 0 {
            0o755
        } else {
            0o644
        };
        moved.insert(prefix.join(path)?, node)?;
    }
    Ok(moved)
}
