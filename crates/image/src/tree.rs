//! The image's files: the packages' own, then what no package brings, in a fixed order.
//!
//! 1. packages, merged by the rules of [`boltworks_rootfs::assemble()`]; the database of them
//! 2. the skeleton, accounts, `/etc/apko.json`, apk's repositories and keys
//! 3. the image file's `paths`
//! 4. certificates, services, busybox's links, the loader's cache
//! 5. the database's list of what is still the packages'
//!
//! That is apko's order: a path may change what a package or an account made. Where the image is laid upon
//! one that is there already, the files of that are beneath all of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use boltworks_apk::installed::{DATABASE, Database};
use boltworks_fsx::{Node, RelPath, Tree};
use boltworks_rootfs::{Member, Opened, assemble};

use crate::base::Ground;
use crate::brought::Brought;
use crate::build::ImageRequest;
use crate::{
    Error, accounts, certificates, database, declaration, loader, paths, services, skeleton,
    warnings,
};

/// An image's files.
#[derive(Debug)]
pub struct Composed {
    /// All of them.
    pub tree: Tree,
    /// What of them a person should look at.
    pub warnings: Vec<String>,
    /// Which packages there are and what is theirs.
    pub database: Database,
    /// Where that is written down.
    pub database_path: RelPath,
    /// What is still as a package brought it: the package's place, and what that calls it.
    brought: HashMap<RelPath, (usize, RelPath)>,
}

impl Composed {
    /// Files that were composed elsewhere: nobody brought any of them.
    pub(crate) fn of_tree(tree: Tree) -> Result<Self, Error> {
        let database = Database {
            packages: Vec::new(),
        };
        Ok(Self {
            tree,
            warnings: Vec::new(),
            database,
            database_path: RelPath::try_from(DATABASE)?,
            brought: HashMap::new(),
        })
    }

    /// The package, by its place in the install order, that brought what is at a path; where the
    /// image has something else there, or nobody brought it, none. With what the package itself
    /// calls it.
    pub fn brought_by(&self, path: &RelPath) -> Option<(usize, &RelPath)> {
        let (package, own) = self.brought.get(path)?;
        Some((*package, own))
    }
}

/// The files of the image that is asked for, made of these packages, in install order.
pub fn compose(request: &ImageRequest<'_>, packages: &[Arc<Opened>]) -> Result<Composed, Error> {
    let image = request.image;
    let ground = request.base.map(|base| Ground::of(base, packages));
    let ground = ground.transpose()?;
    let members: Vec<Member<'_>> = match &ground {
        Some(ground) => ground.members(packages),
        None => packages.iter().map(|one| one.member()).collect(),
    };
    let assembly = assemble(&members)?;
    let brought = Brought {
        assembly: &assembly,
        members: &members,
        below: members.len() - packages.len(),
    };
    let mut tree = assembly.tree.clone();
    database::verify_place(&brought)?;
    skeleton::add(&mut tree)?;
    let mut warnings = database::add(&mut tree, &brought, packages, request)?;
    if ground.is_none() {
        accounts::add(&mut tree, &image.accounts)?;
    }
    declaration::add_configuration(&mut tree, image, request.architecture)?;
    declaration::add_repositories(&mut tree, image, request.keyring)?;
    if let Some(ground) = &ground {
        let below = declaration::repositories_of(ground.below())?;
        declaration::add_repositories_below(&mut tree, &below)?;
    }
    paths::apply(&mut tree, &image.paths)?;
    certificates::add(&mut tree, image, packages)?;
    services::add_services(&mut tree, image)?;
    services::add_busybox_links(&mut tree)?;
    loader::add(&mut tree)?;
    skeleton::complete(&mut tree);
    paths::share_attributes(&mut tree);
    let replaced = brought.replaced(&tree)?;
    let below = ground.as_ref().map(|ground| ground.database(&replaced));
    let (database, database_path) =
        database::list(&mut tree, packages, (&brought, below), &replaced)?;
    let is_new =
        |path: &RelPath, node: &Node| ground.as_ref().is_none_or(|ground| !ground.has(path, node));
    warnings.extend(warnings::warnings(&brought, &tree, (&replaced, &is_new)));
    Ok(Composed {
        brought: brought_still(&brought, &replaced),
        tree,
        warnings,
        database,
        database_path,
    })
}

fn brought_still(
    brought: &Brought<'_>,
    replaced: &BTreeSet<RelPath>,
) -> HashMap<RelPath, (usize, RelPath)> {
    let assembly = brought.assembly;
    let all = assembly.origin.iter();
    let still = all.filter(|(path, _)| !replaced.contains(*path));
    let with_name = still.filter_map(|(path, &package)| {
        let own = assembly.belongings.get(package)?.get(path)?;
        let package = package.checked_sub(brought.below)?;
        Some((path.clone(), (package, own.clone())))
    });
    with_name.collect()
}
