//! What apk finds in the image: `installed`, `scripts.tar`, `triggers`, the lock, `world`, `arch`.
//!
//! `world` is what the image file asks for, not every package that came with it, so that apk in
//! the image may replace one dependency by another.

use std::collections::BTreeSet;
use std::sync::Arc;

use boltworks_apk::IndexEntry;
use boltworks_apk::installed::{self, Database, InstalledPackage, Paragraph, side};
use boltworks_fsx::{Content, Kind, Meta, RelPath, Tree};
use boltworks_rootfs::{Belongings, Opened};

use crate::Error;
use crate::base::Base;
use crate::brought::{Brought, Standing};
use crate::build::ImageRequest;
use crate::memory::Memory;
use crate::place::{ensure_dir, put_file, replace_file, resolved};
use crate::skeleton::{MTIME, link_database};

/// The folder of the database: what is in it is ours alone.
pub const FOLDER: &str = "usr/lib/apk/db";

/// The packages of an image as its database has them: its own in install order, then those of the
/// image below.
pub type Listing = Vec<Arc<Paragraph>>;

/// A package with the paths of the finished image that are still its own: none that the image has
/// `replaced`.
fn installed(
    package: &Opened,
    belongings: &Belongings,
    tree: &Tree,
    replaced: &BTreeSet<RelPath>,
) -> InstalledPackage {
    let own = belongings.paths(&package.files.tree);
    let own = own.filter(|path| !replaced.contains(*path));
    let nodes = own.filter_map(|path| Some((path, tree.get(path)?)));
    let checksum = |path: &RelPath| {
        let own = belongings.own_name(path)?;
        package.files.checksums.get(own).copied()
    };
    InstalledPackage::new(&package.control, package.identity, package.size)
        .with_paths(nodes, checksum)
}

/// A package with all the paths that it brings, as it brings them.
fn whole(package: &Opened) -> InstalledPackage {
    let checksums = &package.files.checksums;
    InstalledPackage::new(&package.control, package.identity, package.size)
        .with_paths(package.files.tree.iter(), |path| {
            checksums.get(path).copied()
        })
}

/// The folders that apk and scanners look for the database in.
const FOLDERS: [&str; 2] = ["lib/apk/db", FOLDER];
/// What is in it.
const FILES: [&str; 4] = ["installed", "scripts.tar", "triggers", "lock"];

/// What lies where the database is looked for: to find out whether something came between.
#[derive(Debug, PartialEq)]
pub struct Seen(Vec<Option<Found>>);

#[derive(Debug)]
struct Found {
    path: RelPath,
    bytes: Arc<[u8]>,
    /// Whether it is root's, and can be read by those who are to read it.
    is_open: bool,
}

impl PartialEq for Found {
    /// Whether these are the very bytes that were put there.
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

impl Seen {
    /// What lies there now.
    pub fn of(tree: &Tree) -> Self {
        let find = |folder: &str, file: &str| {
            let path = RelPath::try_from(format!("{folder}/{file}").as_str()).ok()?;
            let path = resolved(tree, &path).ok()?;
            let Content::Bytes(bytes) = tree.file(&path)? else {
                return None;
            };
            Some(Found {
                bytes: Arc::clone(bytes),
                is_open: is_open(tree, &path),
                path,
            })
        };
        let all = FOLDERS
            .iter()
            .flat_map(|folder| FILES.iter().map(move |file| (folder, file)));
        Self(all.map(|(folder, file)| find(folder, file)).collect())
    }

    /// Whether all of it that is there is root's and readable.
    pub fn is_open(&self) -> bool {
        self.0.iter().flatten().all(|found| found.is_open)
    }
}

/// Whether a file of the database is root's and everybody can read it; the lock, only root can.
/// So for the folders above it, the innermost of which is root's too.
fn is_open(tree: &Tree, path: &RelPath) -> bool {
    let meta = |path: &RelPath| tree.get(path).map(|node| &node.meta);
    let needed = if path.as_bytes() == installed::LOCK.as_bytes() {
        0o400
    } else {
        0o444
    };
    let file = tree.link_target(path).and_then(meta);
    let folder = path.parent();
    let folder = folder.as_ref().and_then(meta);
    file.is_some_and(|meta| meta.uid == 0 && meta.mode & needed == needed)
        && folder.is_none_or(|meta| meta.uid == 0 && meta.mode & 0o555 == 0o555)
        && path
            .ancestors()
            .all(|above| meta(&above).is_none_or(|meta| meta.mode & 0o111 == 0o111))
}

/// Refuses packages that have something else in the place of the database's folder, or above it:
/// what apk then finds would be another package's file, or would overwrite one.
pub fn verify_place(brought: &Brought<'_>) -> Result<(), Error> {
    let folder = RelPath::try_from(FOLDER)?;
    for path in folder.ancestors().chain([folder.clone()]) {
        if brought.node(&path).is_some_and(|node| !node.is_dir()) {
            let package = brought.package(&path).unwrap_or_default();
            let reason = format!("'/{path}' must be a folder: apk's database is in /{FOLDER}");
            return Err(Error::refused(package, reason));
        }
    }
    Ok(())
}

/// Writes the database and what belongs to it into the tree. Its list is empty until the image
/// is finished: see [`list`]. What a person should know of the image below.
pub fn add(
    tree: &mut Tree,
    brought: &Brought<'_>,
    packages: &[Arc<Opened>],
    request: &ImageRequest<'_>,
) -> Result<Vec<String>, Error> {
    link_database(tree, brought)?;
    let folder = Meta::new(0o755, MTIME);
    for path in [
        "etc/apk",
        "etc/apk/keys",
        "usr/lib/apk",
        FOLDER,
        "var/cache/apk",
    ] {
        ensure_dir(tree, &RelPath::try_from(path)?, folder.clone())?;
    }
    let entries = packages
        .iter()
        .map(|one| IndexEntry::from_control(&one.control, one.identity, one.size));
    let entries: Vec<_> = entries.collect();
    let beside = request
        .base
        .map(Base::beside)
        .transpose()?
        .unwrap_or_default();
    let below = request.base.map_or(&[][..], |base| &base.database.packages);
    let below = below.iter().filter_map(|one| {
        let scripts = beside.scripts.get(&one.entry.identity)?;
        Some((&one.entry, scripts))
    });
    let scripts = entries.iter().zip(packages.iter().map(|one| &one.scripts));
    let scripts = side::write_scripts(below.chain(scripts), MTIME).map_err(Error::Database)?;
    let triggers = packages.iter().map(|one| {
        let triggers = one.control.triggers.as_slice();
        (one.identity, triggers)
    });
    let below = beside.triggers.iter();
    let below = below.map(|(identity, triggers)| (*identity, triggers.as_slice()));
    let triggers = side::write_triggers(below.chain(triggers)).map_err(Error::Database)?;
    let world = side::write_world(&[beside.world, request.image.packages.clone()].concat());
    let file = |mode| Meta::new(mode, MTIME);
    for (path, mode, bytes) in [
        (installed::DATABASE, 0o644, Vec::new()),
        (installed::SCRIPTS, 0o644, scripts),
        (installed::TRIGGERS, 0o644, triggers.into_bytes()),
        (installed::LOCK, 0o600, Vec::new()),
    ] {
        replace_file(tree, RelPath::try_from(path)?, file(mode), bytes)?;
    }
    put_file(tree, installed::WORLD, file(0o644), world)?;
    put_file(
        tree,
        installed::ARCH,
        file(0o644),
        side::write_arch(&[request.architecture]),
    )?;
    Ok(beside.warnings)
}

/// Writes down which packages there are and which paths of the finished image are theirs: all
/// that they brought, but for what the image has `replaced`. Packages that are `below` are in it, too.
/// Gives the list, and where it is.
pub fn list(
    tree: &mut Tree,
    (request, packages): (&ImageRequest<'_>, &[Arc<Opened>]),
    (brought, below): (&Brought<'_>, Option<Database>),
    standing: &Standing,
    memory: &Memory,
) -> Result<(Listing, RelPath), Error> {
    let belongings = brought.assembly.belongings.iter().skip(brought.below);
    let locked = request.locked.packages.iter();
    let mut listing = Listing::new();
    let packages = packages.iter().zip(belongings).zip(locked);
    for (at, ((package, belongings), locked)) in packages.enumerate() {
        listing.push(
            if standing.is_whole(at) {
                memory.paragraph(locked.sha256, || Paragraph::of(whole(package)))
            } else {
                let installed = installed(package, belongings, tree, &standing.replaced);
                Paragraph::of(installed).map(Arc::new)
            }
            .map_err(Error::Database)?,
        );
    }
    for package in below.into_iter().flat_map(|below| below.packages) {
        let paragraph = Paragraph::of(package).map_err(Error::Database)?;
        listing.push(Arc::new(paragraph));
    }
    let bytes = Paragraph::text_of(listing.iter().map(AsRef::as_ref));
    // The image file may have given it another name, which is to say the same.
    let path = RelPath::try_from(installed::DATABASE)?;
    let file = tree.link_target(&path).cloned().unwrap_or(path);
    if let Some(node) = tree.get_mut(&file) {
        node.kind = Kind::File(Content::Bytes(bytes.into()));
    }
    Ok((listing, file))
}
