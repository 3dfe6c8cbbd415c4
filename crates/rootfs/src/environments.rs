//! One tree on disk for each locked environment.
//!
//! | beneath the folder | what |
//! |---|---|
//! | `<digest>/root` | a finished tree; what is there is whole and durable, and never changed |
//! | `new-<digest>` | a tree that is being made, or that an interrupted run left |
//! | `new-layers` | layers that are being made, see [`layers`](crate::layers) |
//! | `locks/<digest>` | held while that tree is made |
//! | `pool` | the files that trees share |
//! | `stock` | what each package became, so that the next tree with it only links |
//!
//! What is in the folder was checked when it was laid, and is trusted from then on, like a
//! tree in use; [`Environments::verify`] reads it all again. A tree is a lower directory of a guest's
//! overlay. It is made under another name, made durable, and then renamed, so that an interrupted one is never taken for a whole one.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use boltworks_crypto::sha256;
use boltworks_fsx::{
    Content, Kind, Lock, Meta, Node, Ownership, RelPath, Root, Tree, WriteOptions,
};
use boltworks_model::Sha256;
use boltworks_store::Store;
use rayon::prelude::*;

use crate::Error;
use crate::assemble::{Member, assemble};
use crate::guest;
use crate::listed;
use crate::locked::Locked;
use crate::pool::{self, Pool};
use crate::stock::{Stock, Stocked, own, write_notes};

/// Files of one directory that one thread takes at a time.
const CHUNK: usize = 32;

/// Whose all files of a tree are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The user, as the host sees it.
    pub uid: u32,
    /// The group, as the host sees it.
    pub gid: u32,
}

impl From<u32> for Owner {
    /// A user and the group of the same number.
    fn from(id: u32) -> Self {
        Self { uid: id, gid: id }
    }
}

/// The folder of trees.
#[derive(Debug)]
pub struct Environments {
    pub(crate) trees: Root,
    path: PathBuf,
    workers: usize,
}

/// A finished tree.
#[derive(Debug)]
pub struct TreeHandle {
    /// What the tree was made of: [`Locked::digest`].
    pub digest: Sha256,
    /// The tree's directory.
    pub root: Root,
    /// Its path, for the sandbox.
    pub path: PathBuf,
    /// Whether it was made just now.
    pub made: bool,
}

impl Environments {
    /// Opens the folder, making it if needed. Trees are laid by so many threads.
    pub fn open(path: &Path, workers: usize) -> Result<Self, Error> {
        let trees = Root::create(path).map_err(|source| Error::File {
            action: "make the folder of trees".to_owned(),
            source,
        })?;
        let environments = Self {
            trees,
            path: path.to_owned(),
            workers: workers.max(1),
        };
        environments.sweep()?;
        Ok(environments)
    }

    /// The tree of a locked environment; made from the store's packages if it is not there.
    ///
    /// Waits if somebody else is making the same tree.
    pub fn ensure(
        &self,
        locked: &Locked,
        store: &Store,
        owner: impl Into<Owner>,
    ) -> Result<TreeHandle, Error> {
        let owner = owner.into();
        let name = name(locked, owner);
        if let Some(handle) = self.finished(&name, locked, false)? {
            return Ok(handle);
        }
        let _lock = self.lock(&name)?;
        if let Some(handle) = self.finished(&name, locked, false)? {
            return Ok(handle);
        }
        let threads = self.threads()?;
        let order = Order {
            name: &name,
            locked,
            store,
            owner,
        };
        threads.install(|| {
            match self.make(&order, true) {
                // A note may name files that are not there: then it goes without notes.
                Err(Error::File { .. } | Error::Content { .. }) => self.make(&order, false),
                made => made,
            }
        })?;
        let handle = self.finished(&name, locked, true)?;
        handle.ok_or(Error::Vanished { name })
    }

    /// The path of a small tree of this name; made by `fill` if it is not there.
    pub(crate) fn ensure_as(
        &self,
        name: &str,
        fill: impl FnOnce(&Root) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let root = RelPath::try_from(format!("{name}/root"))?;
        let path = self.path.join(root.as_path());
        let is_there = || {
            let found = self.trees.exists(&root);
            found.map_err(|source| file_error("look for a tree", source))
        };
        if is_there()? {
            return Ok(path);
        }
        let _lock = self.lock(name)?;
        if !is_there()? {
            self.make_as(name, |folder| {
                let (root, staging) = (RelPath::try_from("root")?, RelPath::try_from("staging")?);
                let failed = |source| file_error("make a tree", source);
                let root = folder.dir(&root).map_err(failed)?;
                fill(&root)?;
                root.sync_filesystem().map_err(failed)?;
                folder.remove_tree(&staging).map_err(failed)
            })?;
        }
        Ok(path)
    }

    /// Waits until nobody else makes a tree.
    fn lock(&self, name: &str) -> Result<Lock, Error> {
        let lock = RelPath::try_from(format!("locks/{name}"))?;
        let locking = self.trees.make_dir(&RelPath::try_from("locks")?);
        locking
            .and_then(|_| self.trees.lock(&lock, || ()))
            .map_err(|source| file_error("lock a tree", source))
    }

    pub(crate) fn threads(&self) -> Result<rayon::ThreadPool, Error> {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(self.workers);
        threads.build().map_err(|source| Error::Threads {
            count: self.workers,
            source,
        })
    }

    /// The tree, if it is there.
    pub(crate) fn finished(
        &self,
        name: &str,
        locked: &Locked,
        made: bool,
    ) -> Result<Option<TreeHandle>, Error> {
        let beneath = RelPath::try_from(format!("{name}/root"))?;
        match self.trees.dir(&beneath) {
            Ok(root) => Ok(Some(TreeHandle {
                digest: locked.digest(),
                root,
                path: self.path.join(beneath.as_path()),
                made,
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(source) => Err(file_error("open a tree", source)),
        }
    }

    fn make(&self, order: &Order<'_>, believe: bool) -> Result<(), Error> {
        self.make_as(order.name, |folder| self.fill(folder, order, believe))
    }

    /// Makes a tree under another name, has it filled and made durable, and gives it its own.
    fn make_as(
        &self,
        name: &str,
        fill: impl FnOnce(&Root) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = |source| file_error("make a tree", source);
        let new = RelPath::try_from(format!("new-{name}"))?;
        self.trees.remove_tree(&new).map_err(failed)?;
        // Neither is durable before the tree is, nor needs to be.
        let mut folders = Tree::new();
        for folder in [new.clone(), new.push("root")?, new.push("staging")?] {
            folders
                .insert(folder, Node::dir(Meta::new(0o755, 0)))
                .map_err(failed)?;
        }
        let options = WriteOptions {
            ownership: own(&self.trees).map_err(failed)?,
            ..WriteOptions::default()
        };
        folders.write_to(&self.trees, options).map_err(failed)?;
        let folder = self.trees.dir(&new).map_err(failed)?;
        let filled = fill(&folder);
        // What failed is worth more than that its remains could not be removed: the next
        // attempt removes them.
        filled.inspect_err(|_| drop(self.trees.remove_tree(&new)))?;
        let name = RelPath::try_from(name)?;
        self.trees
            .rename(&new, &self.trees, &name)
            .map_err(failed)?;
        self.trees.sync().map_err(failed)
    }

    fn fill(&self, folder: &Root, order: &Order<'_>, believe: bool) -> Result<(), Error> {
        let failed = |source| file_error("make a tree", source);
        let (root, staging) = (RelPath::try_from("root")?, RelPath::try_from("staging")?);
        let root = folder.dir(&root).map_err(failed)?;
        let staged = folder.dir(&staging).map_err(failed)?;
        let pool = Pool::open(&self.trees)?;
        let notes = self
            .trees
            .make_dir(&RelPath::try_from("stock")?)
            .map_err(failed)?;
        let stock_staging = staged.try_clone().map_err(failed)?;
        let stock = Stock::new((&notes, &pool), stock_staging, order.owner, believe);
        let packages = order.locked.packages.par_iter();
        let packages: Vec<Stocked> = packages
            .map(|package| stock.package(package, order.store))
            .collect::<Result<_, _>>()?;
        let members: Vec<Member<'_>> = packages.iter().map(Stocked::member).collect();
        let mut assembly = assemble(&members)?;
        guest::furnish(&mut assembly.tree)?;
        let lines = listed::lines(order.locked, &members, &assembly)?;
        let mut tree = assembly.tree;
        listed::put(&mut tree, listed::architecture(&members), lines.values())?;
        let layer = Layer {
            root: &root,
            staging: &staged,
            owner: order.owner,
        };
        layer.lay(&tree)?;
        // The bytes must be durable before the pool offers them to another tree.
        root.sync_filesystem().map_err(failed)?;
        let fresh = staged.list().map_err(failed)?;
        fresh
            .into_par_iter()
            .try_for_each(|file| pool.admit(&staged, &RelPath::new(file.name)?))?;
        write_notes(&notes, &packages).map_err(failed)?;
        folder.remove_tree(&staging).map_err(failed)
    }

    /// Reads every shared file again, and says which are not what they were when they were
    /// laid. All trees link these files.
    pub fn verify(&self) -> Result<Vec<RelPath>, Error> {
        Pool::open(&self.trees)?.damaged()
    }

    /// Removes trees that nobody is making any more.
    fn sweep(&self) -> Result<(), Error> {
        let failed = |source| file_error("remove unfinished trees", source);
        for entry in self.trees.list().map_err(failed)? {
            let Some(name) = entry.name.strip_prefix(b"new-") else {
                continue;
            };
            let lock = RelPath::new([b"locks/", name].concat())?;
            if let Some(_lock) = self.trees.try_lock(&lock).map_err(failed)? {
                self.trees
                    .remove_tree(&RelPath::new(entry.name)?)
                    .map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// A tree to be made.
struct Order<'a> {
    name: &'a str,
    locked: &'a Locked,
    store: &'a Store,
    owner: Owner,
}

impl Owner {
    pub(crate) fn options(self) -> WriteOptions {
        let Self { uid, gid } = self;
        WriteOptions {
            ownership: Ownership::All { uid, gid },
            ..WriteOptions::default()
        }
    }
}

/// The tree's name: what it is made of, whose it is, and what this crate adds.
pub(crate) fn name(locked: &Locked, owner: Owner) -> String {
    let text = format!(
        "tree {} guest {} owner {}:{}\n",
        locked.digest(),
        guest::VERSION,
        owner.uid,
        owner.gid
    );
    sha256(text.as_bytes()).to_string()
}

/// Lays one tree.
pub(crate) struct Layer<'a> {
    pub(crate) root: &'a Root,
    pub(crate) staging: &'a Root,
    pub(crate) owner: Owner,
}

impl Layer<'_> {
    /// Directories first, then files by many threads, then what names them, and the
    /// directories' own attributes at the very end.
    pub(crate) fn lay(&self, tree: &Tree) -> Result<(), Error> {
        let open = |node: &Node| {
            Node::dir(Meta {
                mode: 0o755,
                ..node.meta.clone()
            })
        };
        self.write(
            self.root,
            &part(tree, |node| node.is_dir().then(|| open(node)))?,
        )?;
        chunks(tree)
            .par_iter()
            .try_for_each(|chunk| self.lay_files(chunk))?;
        for (path, node) in tree.iter() {
            if let Kind::Hardlink(target) = &node.kind {
                let linked = self.root.hard_link(target, self.root, path);
                linked.map_err(|source| file_error("lay a hard link", source))?;
            }
        }
        let is_rest = |node: &Node| !matches!(node.kind, Kind::File(_) | Kind::Hardlink(_));
        self.write(
            self.root,
            &part(tree, |node| is_rest(node).then(|| node.clone()))?,
        )
    }

    fn write(&self, at: &Root, tree: &Tree) -> Result<(), Error> {
        let written = tree.write_to(at, self.owner.options());
        written.map_err(|source| file_error("lay files", source))
    }

    fn lay_files(&self, chunk: &Chunk<'_>) -> Result<(), Error> {
        let failed = |source| file_error("lay files", source);
        let directory = match &chunk.directory {
            Some(directory) => self.root.dir(directory),
            None => self.root.try_clone(),
        };
        let directory = directory.map_err(failed)?;
        let mut copies = Tree::new();
        let mut full = Vec::new();
        for &(path, node, content) in &chunk.files {
            let name = RelPath::new(path.file_name())?;
            if let Content::Path { root, path, .. } = content {
                match root.hard_link(path, &directory, &name) {
                    Ok(()) => continue,
                    Err(error) if pool::is_full(&error) => {
                        full.push((name.clone(), RelPath::new(path.file_name())?));
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
            copies.insert(name, node.clone()).map_err(failed)?;
        }
        self.write(&directory, &copies)?;
        for (name, key) in full {
            // The copy takes the place of what can be linked no further. Another thread may
            // have offered one too; one is enough.
            match directory.hard_link(&name, self.staging, &key) {
                Err(error) if error.io_kind() == Some(ErrorKind::AlreadyExists) => {}
                offered => offered.map_err(failed)?,
            }
        }
        Ok(())
    }
}

/// Some files of one directory.
struct Chunk<'t> {
    directory: Option<RelPath>,
    files: Vec<(&'t RelPath, &'t Node, &'t Content)>,
}

fn chunks(tree: &Tree) -> Vec<Chunk<'_>> {
    let mut directories: BTreeMap<Option<RelPath>, Vec<_>> = BTreeMap::new();
    for (path, node) in tree.iter() {
        if let Kind::File(content) = &node.kind {
            directories
                .entry(path.parent())
                .or_default()
                .push((path, node, content));
        }
    }
    let mut chunks = Vec::new();
    for (directory, files) in directories {
        for files in files.chunks(CHUNK) {
            chunks.push(Chunk {
                directory: directory.clone(),
                files: files.to_vec(),
            });
        }
    }
    chunks
}

/// The nodes that `choose` gives something for.
fn part(tree: &Tree, choose: impl Fn(&Node) -> Option<Node>) -> Result<Tree, Error> {
    let mut part = Tree::new();
    for (path, node) in tree.iter() {
        if let Some(node) = choose(node) {
            part.insert(path.clone(), node)
                .map_err(|source| file_error("lay files", source))?;
        }
    }
    Ok(part)
}

pub(crate) fn file_error(action: &str, source: boltworks_fsx::Error) -> Error {
    Error::File {
        action: action.to_owned(),
        source,
    }
}
