//! What every image has and no package need bring: mount points, `/tmp`, apk's folders.
//!
//! There are no device nodes. apko puts five into `/dev`; every OCI runtime mounts its own
//! `/dev` over them, and an ordinary user cannot unpack a layer that has any.

use boltworks_fsx::{Meta, Node, RelPath, Tree};

use crate::Error;
use crate::brought::Brought;
use crate::database::FOLDER;
use crate::place::{ensure_dir, resolved};

/// The time of what this room makes: the beginning. Packages' files keep their own.
pub const MTIME: i64 = 0;

/// Directories with the modes they get where no package made them.
const DIRECTORIES: [(&str, u32); 11] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("proc", 0o555),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/lib", 0o755),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/tmp", 0o1777),
];

/// Adds the directories that are missing.
pub fn add(tree: &mut Tree) -> Result<(), Error> {
    for (path, mode) in DIRECTORIES {
        ensure_dir(tree, &RelPath::try_from(path)?, Meta::new(mode, MTIME))?;
    }
    Ok(())
}

/// Adds every directory that is above some path and missing.
pub fn complete(tree: &mut Tree) {
    tree.ensure_dirs(&Meta::new(0o755, MTIME));
}

/// Makes `/lib/apk` lead to `/usr/lib/apk`, so that every apk finds the database. Where `lib`
/// itself is a link to `usr/lib`, it does already; where a package brings `/lib/apk` as a folder,
/// `db` in it becomes the link. A package cannot bring a database of its own there.
pub fn link_database(tree: &mut Tree, brought: &Brought<'_>) -> Result<(), Error> {
    let lib = ensure_dir(tree, &RelPath::try_from("lib")?, Meta::new(0o755, MTIME))?;
    let asked = RelPath::try_from("lib/apk/db")?;
    let database = RelPath::try_from(FOLDER)?;
    if resolved(tree, &asked)? == database {
        return Ok(());
    }
    let link = lib.push("apk")?;
    let (link, target) = match tree.get(&link) {
        Some(node) if node.is_dir() => (link.push("db")?, FOLDER),
        _ => (link, "usr/lib/apk"),
    };
    let is_free = tree
        .get(&link)
        .is_none_or(|node| node.is_dir() && tree.beneath(&link).next().is_none());
    if !is_free {
        let package = brought.package(&link).unwrap_or_default();
        let reason = format!("it brings '/{link}', and apk's database is looked for there");
        return Err(Error::refused(package, reason));
    }
    let target = "../".repeat(link.ancestors().count()) + target;
    tree.insert(link, Node::symlink(Meta::new(0o777, MTIME), target))?;
    Ok(())
}
