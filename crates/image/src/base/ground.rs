//! The files of a base image as the ground that packages are laid upon.
//!
//! In the assembly of the packages it is the first, with all its files. Which of two files stays is decided
//! before, by what the base's list says of whose the older is: as between two packages, and a file that is
//! nobody's goes. apk's database is taken out of it: a new one takes its place.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boltworks_apk::Control;
use boltworks_apk::installed::{Database, Directory, InstalledPackage};
use boltworks_fsx::{Kind, Node, RelPath, Tree};
use boltworks_rootfs::{Member, Opened};

use super::Base;
use crate::Error;
use crate::brought::has_same_bytes;
use crate::place::{parent_resolved, resolved, unlink_all};

/// The folders of apk's database.
const DATABASES: [&str; 2] = ["lib/apk/db", "usr/lib/apk/db"];

/// What of a base image is beneath some packages, and what they have besides.
pub(crate) struct Ground<'b> {
    base: &'b Base,
    control: Control,
    tree: Tree,
    /// For each package its files, without those that a package of the base keeps.
    trees: Vec<Cow<'b, Tree>>,
    /// The files of the base that packages have replaced.
    gone: BTreeSet<RelPath>,
}

impl<'b> Ground<'b> {
    /// Decides between the base's files and those of the packages.
    pub(crate) fn of(base: &'b Base, packages: &'b [Arc<Opened>]) -> Result<Self, Error> {
        let control = Control::new(
            "base-image".parse().map_err(|_| nameless())?,
            "0".parse().map_err(|_| nameless())?,
            "",
        );
        let mut ground = Self {
            base,
            control,
            tree: base.tree.clone(),
            trees: Vec::new(),
            gone: BTreeSet::new(),
        };
        let owners = base.owners();
        for package in packages {
            let tree = ground.decided(package, &owners)?;
            ground.trees.push(tree);
        }
        unlink_all(&mut ground.tree, &ground.gone);
        ground.remove_database()?;
        Ok(ground)
    }

    /// What is assembled: the base, then the packages.
    pub(crate) fn members<'m>(&'m self, packages: &'m [Arc<Opened>]) -> Vec<Member<'m>> {
        let base = Member {
            control: &self.control,
            tree: &self.tree,
        };
        let packages = packages.iter().zip(&self.trees);
        let packages = packages.map(|(package, tree)| Member {
            control: &package.control,
            tree,
        });
        std::iter::once(base).chain(packages).collect()
    }

    /// The files of a package, without those that stay as the base has them.
    fn decided(
        &mut self,
        package: &'b Opened,
        owners: &BTreeMap<RelPath, &'b InstalledPackage>,
    ) -> Result<Cow<'b, Tree>, Error> {
        let mut kept = BTreeSet::new();
        for (path, node) in package.files.tree.iter() {
            let real = parent_resolved(&self.base.tree, path)?;
            let Some(there) = self.base.tree.get(&real) else {
                continue;
            };
            if node.is_dir() || there.is_dir() || self.is_same((path, node), package, &real)? {
                continue;
            }
            let decided = match owners.get(&real) {
                None => true,
                Some(owner) => decide(owner, &package.control).ok_or_else(|| {
                    let entry = &owner.entry;
                    boltworks_rootfs::Error::Conflict {
                        first: format!("{}-{} of the base image", entry.name, entry.version),
                        second: format!("{}-{}", package.control.name, package.control.version),
                        path: real.clone(),
                    }
                })?,
            };
            if decided {
                self.gone.insert(real);
            } else {
                kept.insert(path.clone());
            }
        }
        if kept.is_empty() {
            return Ok(Cow::Borrowed(&package.files.tree));
        }
        let mut tree = package.files.tree.clone();
        unlink_all(&mut tree, &kept);
        Ok(Cow::Owned(tree))
    }

    fn is_same(
        &self,
        (path, node): (&RelPath, &Node),
        package: &Opened,
        real: &RelPath,
    ) -> Result<bool, Error> {
        let (own, there) = (package.files.tree.file(path), self.base.tree.file(real));
        if let (Some(own), Some(there)) = (own, there) {
            return has_same_bytes(real, there, own);
        }
        let there = self.base.tree.get(real);
        Ok(there.is_some_and(|there| {
            matches!(node.kind, Kind::Symlink(_)) && node.kind.is_same_without_bytes(&there.kind)
        }))
    }

    /// Takes apk's database out, and the folders that have nothing else in them where an older apk
    /// looks for it.
    fn remove_database(&mut self) -> Result<(), Error> {
        let mut all = BTreeSet::new();
        for folder in DATABASES {
            let real = resolved(&self.tree, &RelPath::try_from(folder)?)?;
            let beneath = self.tree.beneath(&real);
            all.extend(beneath.map(|(path, _)| path.clone()));
        }
        unlink_all(&mut self.tree, &all);
        for folder in ["lib/apk/db", "lib/apk"] {
            let folder = RelPath::try_from(folder)?;
            let is_bare = self.tree.get(&folder).is_some_and(Node::is_dir)
                && self.tree.beneath(&folder).next().is_none();
            if is_bare && parent_resolved(&self.tree, &folder)? == folder {
                self.tree.remove(&folder);
            }
        }
        Ok(())
    }

    /// The packages of the base, with the files that are still theirs where the finished image has
    /// `replaced` some more.
    pub(crate) fn database(&self, replaced: &BTreeSet<RelPath>) -> Database {
        let is_theirs = |directory: &Directory, name: &[u8]| {
            let real = self.base.real(directory, name);
            real.is_none_or(|real| !self.gone.contains(&real) && !replaced.contains(&real))
        };
        let packages = self.base.database.packages.iter().map(|package| {
            let mut package = package.clone();
            for directory in &mut package.directories {
                let mut files = std::mem::take(&mut directory.files);
                files.retain(|file| is_theirs(directory, &file.name));
                directory.files = files;
            }
            package
        });
        Database {
            packages: packages.collect(),
        }
    }

    /// Whether the base has this very node, but perhaps for its bytes.
    pub(crate) fn has(&self, path: &RelPath, node: &Node) -> bool {
        let there = self.base.tree.get(path);
        there.is_some_and(|there| {
            there.meta == node.meta && there.kind.is_same_without_bytes(&node.kind)
        })
    }

    /// The base's own files.
    pub(crate) const fn below(&self) -> &'b Tree {
        &self.base.tree
    }
}

impl Base {
    /// Whose each file is, by where it really lies.
    fn owners(&self) -> BTreeMap<RelPath, &InstalledPackage> {
        let mut owners = BTreeMap::new();
        for package in &self.database.packages {
            for directory in &package.directories {
                for file in &directory.files {
                    let real = self.real(directory, &file.name);
                    owners.extend(real.map(|real| (real, package)));
                }
            }
        }
        owners
    }

    /// Where a file of a list really lies.
    fn real(&self, directory: &Directory, name: &[u8]) -> Option<RelPath> {
        let path = match &directory.path {
            Some(folder) => folder.push(name),
            None => RelPath::new(name),
        };
        parent_resolved(&self.tree, &path.ok()?).ok()
    }
}

/// Whether a package's file takes the place of the one that the base's package has; none, where neither
/// may have it.
fn decide(earlier: &InstalledPackage, later: &Control) -> Option<bool> {
    let entry = &earlier.entry;
    let keeps = earlier
        .replaces
        .iter()
        .any(|one| one.name == later.name && one.matches(Some(&later.version)));
    let replaces = later
        .replaces
        .iter()
        .any(|one| one.name == entry.name && one.matches(Some(&entry.version)));
    let priority = |one: Option<u32>| one.unwrap_or(0);
    match (keeps, replaces) {
        (true, true) => {
            Some(priority(later.replaces_priority) > priority(earlier.replaces_priority))
        }
        (true, false) => Some(false),
        (false, true) => Some(true),
        (false, false) => {
            (!entry.origin.is_empty() && entry.origin == later.origin).then_some(true)
        }
    }
}

fn nameless() -> Error {
    Error::refused("the base image", "it cannot be named")
}
