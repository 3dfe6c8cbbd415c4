//! Layers as apko lays them, byte for byte before compression: for who replaces apko and compares.
//!
//! The order, the headers, the times, the owners' names and the database are apko's, and so is what it
//! does that we would not: packages' owners and the special bits of folders are dropped, devices are
//! made, every package is in `/etc/apk/world` in its version. Where its way would give others what is not
//! theirs it is not followed; `docs/compatibility.md` lists it, and the comparison `bench/compat/layers`
//! counts it.
//!
//! Reading order: `files` (a root in memory, with apko's way of reaching paths; `names` is Go's way of
//! cutting them), `install` (what stands before packages, and packages), `changes` (what the image
//! file changes), `database` (apk's lists), `walk` (order and layers).

mod changes;
mod database;
mod files;
mod install;
mod names;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_apk::{Control, Program, read_programs};
use boltworks_fsx::tar::Owner;
use boltworks_fsx::{Content, Kind, Limit, Meta, Node, RelPath, Tree};
use boltworks_model::Architecture;
use boltworks_recipe::resolved::Image;
use boltworks_rootfs::{Locked, Opened};
use boltworks_store::{Batch, Store};
use serde_json::Value;

pub(crate) use self::database::listed;
use self::files::{Files, Inode};
pub(crate) use self::install::Entry;
use self::walk::{Item, Name};
use crate::base::Base;
use crate::layer::{StoredLayer, write_entries};
use crate::pieces::Pieces;
use crate::{Error, layers, loader};

/// Where the folders of libraries are named, and what is made of them.
const LOADER: &[u8] = b"etc/ld.so.conf";
const CACHE: &str = "etc/ld.so.cache";

/// What apko knows beside the image file.
#[derive(Debug, Clone, Default)]
pub struct Compatible {
    /// What is in `/etc/apko.json`. Who it runs as is written there by number.
    pub configuration: Value,
    /// The lines of `/etc/apk/world`, in their order.
    pub world: Vec<String>,
    /// The lines of `/etc/apk/repositories`, in their order.
    pub repositories: Vec<String>,
    /// File names of keys and what is in them.
    pub keys: Vec<(String, Vec<u8>)>,
    /// The time that was asked for, in seconds since 1970; else 0.
    pub time: i64,
    /// Whether certificates have a later time if a package was built later.
    pub is_earliest: bool,
}

/// An image's files, in layers.
pub(crate) struct Laid {
    /// For each layer its packages, by their places in the order of installation; the topmost has none.
    pub(crate) groups: Vec<Vec<usize>>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
    /// The time that was asked for.
    pub(crate) time: i64,
    files: Files,
    names: Vec<Name>,
    layers: Vec<Vec<Item>>,
    /// The lines of each package in the database.
    records: Vec<String>,
    users: BTreeMap<u32, String>,
    owners: BTreeMap<u32, String>,
}

/// What the files are made of.
pub(crate) struct Material<'a> {
    pub(crate) image: &'a Image,
    pub(crate) compatible: &'a Compatible,
    pub(crate) architecture: Architecture,
    pub(crate) locked: &'a Locked,
    pub(crate) opened: &'a [Arc<Opened>],
    pub(crate) store: &'a Store,
    /// The image below, whose packages are in the list, too.
    pub(crate) base: Option<&'a Base>,
}

/// Lays the files of an image.
pub(crate) fn lay(material: &Material<'_>) -> Result<Laid, Error> {
    let Material {
        image,
        compatible,
        opened,
        base,
        ..
    } = *material;
    let mut files = Files::new();
    install::skeleton(&mut files, compatible, material.architecture.apk())?;
    let installed = install::packages(&mut files, opened)?;
    let entries = opened.iter().zip(&installed);
    let records: Vec<String> = entries
        .map(|(package, entries)| database::record(package, entries))
        .collect();
    let write = |files: &mut Files, name: &str, bytes: Vec<u8>| {
        let path = format!("/usr/lib/apk/db/{name}");
        let written = files.write(path.as_bytes(), bytes, 0o644);
        written.map_err(|fault| Error::refused(path, fault.words()))
    };
    let scripts = database::scripts(&programs(material)?, compatible.time)?;
    write(&mut files, "scripts.tar", scripts)?;
    let triggers = database::triggers(opened).into_bytes();
    write(&mut files, "triggers", triggers)?;
    let below = base.map_or("", |base| base.records.as_str());
    let all = [below, &records.concat()].concat();
    let list = write(&mut files, "installed", all.into_bytes())?;
    install::link_database(&mut files, base.is_some_and(Base::has_merged_lib))?;
    let notes = change(&mut files, material)?;
    verify_database(&files, list)?;
    let table = |path: &str, fields| changes::text(&files, path).map(|text| ids(text, fields));
    let (users, owners) = (table("etc/passwd", 7)?, table("etc/group", 4)?);
    let mut names = walk::names(&files)?;
    let (groups, layers) = parted(&files, &mut names, image, opened);
    Ok(Laid {
        groups,
        notes,
        time: compatible.time,
        files,
        names,
        layers,
        records,
        users,
        owners,
    })
}

/// What the image file changes, in apko's order.
fn change(files: &mut Files, material: &Material<'_>) -> Result<Vec<String>, Error> {
    let Material {
        image,
        compatible,
        opened,
        base,
        ..
    } = *material;
    if base.is_none() {
        changes::accounts(files, &image.accounts)?;
    }
    let configuration = configuration(files, &compatible.configuration)?;
    let written = files.write(b"/etc/apko.json", configuration.into_bytes(), 0o444);
    let id = written.map_err(|fault| Error::refused("/etc/apko.json", fault.words()))?;
    files.get_mut(id).mode = 0o444;
    let left = changes::paths(files, &image.paths)?;
    let newest = opened.iter().filter_map(|one| one.control.build_date);
    let newest = newest.chain(base.and_then(Base::newest)).max();
    let time = match newest {
        Some(newest) if compatible.is_earliest => newest.max(compatible.time),
        _ => compatible.time,
    };
    changes::certificates(files, (image, opened), time)?;
    changes::runtime_keys(files, image, time)?;
    changes::services(files, image)?;
    let controls: Vec<&Control> = opened.iter().map(|one| &one.control).collect();
    let mut notes = Vec::new();
    let has_list = changes::busybox(files, &controls)?;
    let names = walk::names(files)?;
    if files.find(LOADER).is_ok()
        && let Some(cache) = cache(files, &names)?
    {
        let written = files.write(CACHE.as_bytes(), cache, 0o644);
        let id = written.map_err(|fault| Error::refused(CACHE, fault.words()))?;
        files.get_mut(id).mode = 0o644;
    }
    if !has_list {
        notes.push(
            "no package lists busybox's commands in /etc/busybox-paths.d: no links are made, where \
             apko has a list of its own"
                .to_owned(),
        );
    }
    notes.extend(left.into_iter().map(|path| {
        format!(
            "{path} is a link: what it leads to keeps owner and mode, where apko would give others more"
        )
    }));
    Ok(notes)
}

/// What glibc's loader is told of where libraries are.
fn cache(files: &Files, names: &[Name]) -> Result<Option<Vec<u8>>, Error> {
    let mut tree = tree(files, names)?;
    loader::add(&mut tree)?;
    let file = tree.file(&RelPath::try_from(CACHE)?);
    let bytes = file.map(|content| content.read_vec(Limit::mib(64)));
    bytes.transpose().map_err(|source| Error::Write {
        action: "read the loader's cache",
        source,
    })
}

/// The text of `/etc/apko.json`: JSON as Go writes it, with the number of who it runs as.
fn configuration(files: &Files, value: &Value) -> Result<String, Error> {
    let mut value = value.clone();
    if let Some(Value::String(name)) = value.pointer_mut("/accounts/run-as") {
        let lines = changes::table(&changes::text(files, "etc/passwd")?.unwrap_or_default(), 7);
        let found = lines
            .into_iter()
            .flatten()
            .find(|row| row.first() == Some(name));
        if let Some(number) = found.and_then(|row| row.into_iter().nth(2)) {
            *name = number;
        }
    }
    let mut text = value.to_string();
    for (sign, escaped) in [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
    ] {
        text = text.replace(sign, escaped);
    }
    text.push('\n');
    Ok(text)
}

/// The scripts of all packages that have any.
fn programs<'a>(material: &Material<'a>) -> Result<Vec<(&'a Opened, Vec<Program>)>, Error> {
    let mut all = Vec::new();
    for (locked, package) in material.locked.packages.iter().zip(material.opened) {
        if package.scripts.iter().next().is_none() {
            continue;
        }
        let file = Arc::clone(material.store.open_blob(&locked.sha256)?.file());
        let content = Content::Span {
            file,
            offset: 0,
            len: package.size,
        };
        let programs = read_programs(&content).map_err(Error::Database)?;
        all.push((package.as_ref(), programs));
    }
    Ok(all)
}

/// Refuses an image in which apk and scanners find another list of what is installed.
fn verify_database(files: &Files, list: usize) -> Result<(), Error> {
    let is_there = |path: &[u8]| files.find(path) == Ok(list);
    if is_there(b"usr/lib/apk/db/installed") && is_there(b"lib/apk/db/installed") {
        return Ok(());
    }
    let reason = "apk's database would be taken away or replaced: apk and every scanner read in it \
                  what is installed";
    Err(Error::refused("paths", reason))
}

/// Names by number, as far as the lines are sound.
fn ids(text: Option<Vec<u8>>, fields: usize) -> BTreeMap<u32, String> {
    let rows = changes::table(&text.unwrap_or_default(), fields);
    let rows = rows.into_iter().map_while(Result::ok).map_while(|row| {
        let number = changes::number(row.get(2)?)?;
        if fields > 4 {
            changes::number(row.get(3)?)?;
        }
        Some((number, row.into_iter().next()?))
    });
    rows.collect()
}

fn parted(
    files: &Files,
    names: &mut [Name],
    image: &Image,
    opened: &[Arc<Opened>],
) -> (Vec<Vec<usize>>, Vec<Vec<Item>>) {
    let Some(layering) = &image.layering else {
        return (vec![(0..opened.len()).collect()], vec![walk::whole(names)]);
    };
    let controls: Vec<&Control> = opened.iter().map(|one| &one.control).collect();
    let mut groups = layers::groups(&controls, layering.budget);
    let name = |at: &usize| controls.get(*at).map(|one| one.name.clone());
    for group in &mut groups {
        group.sort_by_key(name);
    }
    let mut of_package = BTreeMap::new();
    for (at, group) in groups.iter().enumerate() {
        of_package.extend(group.iter().map(|package| (*package, at)));
    }
    let of = |package: usize| of_package.get(&package).copied();
    let layers = walk::part(files, names, groups.len(), of);
    groups.push(Vec::new());
    (groups, layers)
}

impl Laid {
    /// Writes one layer; see [`layer::write`](crate::layer::write()).
    pub(crate) fn write<'a>(
        &self,
        layer: usize,
        known: Arc<Pieces>,
        (store, batch): (&'a Store, &mut Batch<'a>),
    ) -> Result<StoredLayer, Error> {
        let items = self
            .layers
            .get(layer)
            .map(Vec::as_slice)
            .unwrap_or_default();
        write_entries(known, store, batch, &mut |archive| {
            for item in items {
                let Some(name) = self.names.get(item.name) else {
                    continue;
                };
                let mut node = walk::node(&self.files, name, item.mtime);
                if item.is_partial {
                    node.kind = Kind::File(Content::Bytes(self.list(layer).into_bytes().into()));
                }
                archive.append_owned(&name.path, &node, self.owner(&node))?;
            }
            Ok(())
        })
    }

    /// The list of one layer's packages.
    fn list(&self, layer: usize) -> String {
        let packages = self.groups.get(layer).into_iter().flatten();
        let records = packages.filter_map(|&package| self.records.get(package));
        records.map(String::as_str).collect()
    }

    fn owner(&self, node: &Node) -> Owner<'_> {
        Owner {
            user: self.users.get(&node.meta.uid).map_or(b"", String::as_bytes),
            group: self
                .owners
                .get(&node.meta.gid)
                .map_or(b"", String::as_bytes),
        }
    }

    /// The root, and all of it as one tree in which what has several names has them, whoever gave them.
    pub(crate) fn inodes(&self) -> Result<(Node, Tree), Error> {
        let mut firsts: BTreeMap<usize, &RelPath> = BTreeMap::new();
        let mut nodes = Vec::new();
        for name in &self.names {
            let mut node = walk::node(&self.files, name, name.mtime);
            let inode = self.files.get(name.id);
            if !inode.is_dir() {
                match firsts.get(&name.id) {
                    Some(&first) => node.kind = Kind::Hardlink(first.clone()),
                    None if matches!(node.kind, Kind::Hardlink(_)) => {
                        node.kind = Kind::File(inode.content());
                    }
                    None => {}
                }
                firsts.entry(name.id).or_insert(&name.path);
            }
            nodes.push((name.path.clone(), node));
        }
        let Inode {
            mode,
            uid,
            gid,
            mtime,
            xattrs,
            ..
        } = self.files.get(0).clone();
        let root = Node::dir(Meta {
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        });
        Ok((root, Tree::of(nodes)?))
    }

    /// All of it as one tree.
    pub(crate) fn tree(&self) -> Result<Tree, Error> {
        tree(&self.files, &self.names)
    }
}

fn tree(files: &Files, names: &[Name]) -> Result<Tree, Error> {
    let nodes = names.iter().map(|name| {
        let node = walk::node(files, name, name.mtime);
        (name.path.clone(), node)
    });
    Ok(Tree::of(nodes.collect())?)
}
