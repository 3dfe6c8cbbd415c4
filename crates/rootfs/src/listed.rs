//! apk's database in a guest: what steps that ask apk about a package read.
//!
//! Every package is listed with all of its paths, without checksums of files: nothing here installs
//! or audits. `world` names each package in its version, as it stands where apko builds a guest.

use std::collections::BTreeMap;

use boltworks_apk::installed::{
    ARCH, DATABASE, Database, InstalledPackage, LOCK, SCRIPTS, TRIGGERS, WORLD, side,
};
use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};
use boltworks_model::PackageName;

use crate::Error;
use crate::assemble::{Assembly, Member};
use crate::locked::{Locked, LockedPackage};

/// What stands for each package in the database, by name, and in `world`.
pub(crate) type Lines = BTreeMap<PackageName, (Vec<u8>, String)>;

/// The lines of packages that were merged into one tree.
pub(crate) fn lines(
    locked: &Locked,
    members: &[Member<'_>],
    assembly: &Assembly,
) -> Result<Lines, Error> {
    let packages = locked.packages.iter().zip(members);
    let lines = packages
        .zip(&assembly.belongings)
        .map(|((package, member), paths)| {
            let nodes = paths
                .paths(member.tree)
                .filter_map(|path| Some((path, assembly.tree.get(path)?)));
            let listed = InstalledPackage::new(member.control, package.identity, 0)
                .with_paths(nodes, |_| None);
            let database = Database {
                packages: vec![listed],
            };
            let text = database.write().map_err(|source| Error::Package {
                package: package.label(),
                source,
            })?;
            let LockedPackage { name, version, .. } = package;
            Ok((name.clone(), (text, format!("{name}={version}\n"))))
        });
    lines.collect()
}

/// Puts the database of these packages into the tree of a guest.
pub(crate) fn put<'l>(
    tree: &mut Tree,
    architecture: &str,
    lines: impl Iterator<Item = &'l (Vec<u8>, String)> + Clone,
) -> Result<(), Error> {
    files(tree, architecture, lines)?;
    link(tree)?;
    tree.ensure_dirs(&Meta::new(0o755, 0));
    Ok(())
}

/// Puts it into a layer over such a guest, whose folders stay as they are.
pub(crate) fn put_above<'l>(
    layer: &mut Tree,
    below: &Tree,
    (architecture, lines): (&str, impl Iterator<Item = &'l (Vec<u8>, String)> + Clone),
) -> Result<(), Error> {
    files(layer, architecture, lines)?;
    let mut missing = Tree::new();
    for (path, _) in layer.iter() {
        for above in path.ancestors().filter(|above| !layer.contains(above)) {
            if let Some(folder) = below.get(&above) {
                insert(&mut missing, above, folder.clone())?;
            }
        }
    }
    for (path, folder) in missing {
        insert(layer, path, folder)?;
    }
    layer.ensure_dirs(&Meta::new(0o755, 0));
    Ok(())
}

/// Whether it matters to the database what a package has at a path.
pub(crate) fn is_listed(path: &RelPath) -> bool {
    let text = path.as_bytes();
    text == b"lib/apk"
        || text.starts_with(b"lib/apk/")
        || [DATABASE, WORLD, ARCH, SCRIPTS, TRIGGERS, LOCK]
            .iter()
            .any(|own| own.as_bytes() == text)
}

fn files<'l>(
    tree: &mut Tree,
    architecture: &str,
    lines: impl Iterator<Item = &'l (Vec<u8>, String)> + Clone,
) -> Result<(), Error> {
    let database: Vec<&[u8]> = lines.clone().map(|(text, _)| text.as_slice()).collect();
    let world: Vec<&str> = lines.map(|(_, wish)| wish.as_str()).collect();
    let scripts = side::write_scripts([], 0).map_err(|source| Error::Package {
        package: "a guest's database".to_owned(),
        source,
    })?;
    for (path, bytes) in [
        (DATABASE, database.concat()),
        (WORLD, world.concat().into_bytes()),
        (ARCH, format!("{architecture}\n").into_bytes()),
        (SCRIPTS, scripts),
        (TRIGGERS, Vec::new()),
        (LOCK, Vec::new()),
    ] {
        let path = RelPath::try_from(path)?;
        insert(tree, path, Node::file(Meta::new(0o644, 0), bytes))?;
    }
    Ok(())
}

/// Makes `/lib/apk/db` lead to the database, unless it does already or a package says otherwise.
fn link(tree: &mut Tree) -> Result<(), Error> {
    let is_link = |path: &str| {
        let path = RelPath::try_from(path)?;
        Ok::<_, Error>(
            tree.get(&path)
                .map(|node| matches!(node.kind, Kind::Symlink(_))),
        )
    };
    let (path, target) = match (is_link("lib")?, is_link("lib/apk")?) {
        (Some(true), _) | (_, Some(true)) => return Ok(()),
        (_, None) => ("lib/apk", "../usr/lib/apk"),
        (_, Some(false)) => ("lib/apk/db", "../../usr/lib/apk/db"),
    };
    let path = RelPath::try_from(path)?;
    if tree.contains(&path) {
        return Ok(());
    }
    insert(tree, path, Node::symlink(Meta::new(0o777, 0), target))
}

fn insert(tree: &mut Tree, path: RelPath, node: Node) -> Result<(), Error> {
    let inserted = tree.insert(path, node);
    inserted.map(drop).map_err(|source| Error::File {
        action: "list the packages of a guest".to_owned(),
        source,
    })
}

/// The architecture of packages, as apk calls it.
pub(crate) fn architecture<'m>(members: impl IntoIterator<Item = &'m Member<'m>>) -> &'m str {
    let names = members
        .into_iter()
        .map(|member| member.control.arch.as_str());
    let mut real = names.filter(|name| !["noarch", "all"].contains(name));
    real.next().unwrap_or("noarch")
}
