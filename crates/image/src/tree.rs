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

use std::sync::Arc;

use boltworks_apk::installed::DATABASE;
use boltworks_fsx::{Node, RelPath, Tree};
use boltworks_rootfs::{Member, Opened, assemble};

use crate::base::Ground;
use crate::brought::{Brought, Standing};
use crate::build::ImageRequest;
use crate::database::Listing;
use crate::memory::Memory;
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
    pub database: Listing,
    /// Where that is written down.
    pub database_path: RelPath,
    /// What is still as the packages brought it.
    pub standing: Standing,
    /// The paths of that in order, with the package's place, and what that calls it.
    brought: Vec<(RelPath, usize, RelPath)>,
}

impl Composed {
    /// Files that were composed elsewhere: nobody brought any of them.
    pub(crate) fn of_tree(tree: Tree) -> Result<Self, Error> {
        Ok(Self {
            tree,
            warnings: Vec::new(),
            database: Listing::new(),
            database_path: RelPath::try_from(DATABASE)?,
            standing: Standing::default(),
            brought: Vec::new(),
        })
    }

    /// The package, by its place in the install order, that brought what is at a path; where the
    /// image has something else there, or nobody brought it, none. With what the package itself
    /// calls it.
    pub fn brought_by(&self, path: &RelPath) -> Option<(usize, &RelPath)> {
        let at = self.brought.binary_search_by(|(one, ..)| one.cmp(path));
        let (_, package, own) = self.brought.get(at.ok()?)?;
        Some((*package, own))
    }

    /// All paths in order, each with the package that brought it.
    pub fn owned(&self) -> impl Iterator<Item = (&RelPath, &Node, Option<usize>)> {
        let mut brought = self.brought.iter().peekable();
        self.tree.iter().map(move |(path, node)| {
            while brought.next_if(|(one, ..)| one < path).is_some() {}
            let owner = brought.peek().filter(|(one, ..)| one == path);
            (path, node, owner.map(|(_, package, _)| *package))
        })
    }
}

/// The files of the image that is asked for, made of these packages, in install order.
pub fn compose(
    request: &ImageRequest<'_>,
    packages: &[Arc<Opened>],
    memory: &Memory,
) -> Result<Composed, Error> {
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
    let standing = brought.standing(&tree)?;
    let replaced = &standing.replaced;
    let below = ground.as_ref().map(|ground| ground.database(replaced));
    let own = (request, packages);
    let (database, database_path) =
        database::list(&mut tree, own, (&brought, below), &standing, memory)?;
    let is_new =
        |path: &RelPath, node: &Node| ground.as_ref().is_none_or(|ground| !ground.has(path, node));
    warnings.extend(warnings::warnings(&brought, &tree, (replaced, &is_new)));
    Ok(Composed {
        brought: brought_still(&brought, &standing),
        tree,
        warnings,
        database,
        database_path,
        standing,
    })
}

fn brought_still(brought: &Brought<'_>, standing: &Standing) -> Vec<(RelPath, usize, RelPath)> {
    let assembly = brought.assembly;
    let all = assembly.origin.iter();
    let still = all.filter(|(path, _)| !standing.replaced.contains(*path));
    let with_name = still.filter_map(|(path, &package)| {
        let own = package.checked_sub(brought.below)?;
        let name = assembly.belongings.get(package)?.own_name(path)?;
        Some((path.clone(), own, name.clone()))
    });
    with_name.collect()
}
