//! One tree on disk for each locked environment.
//!
//! | beneath the folder | what |
//! |---|---|
//! | `<digest>/root` | a finished tree; what is there is whole and durable, and never changed |
//! | `new-<digest>` | a tree that is being made, or that an interrupted run left |
//! | `locks/<digest>` | held while that tree is made |
//! | `pool` | the files that trees share |
//!
//! A tree is the single lower directory of a guest's overlay. It is made under another name,
//! made durable, and then renamed, so that an interrupted one is never taken for a whole one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boltworks_crypto::sha256;
use boltworks_fsx::{Content, Kind, Meta, Node, Ownership, RelPath, Root, Tree, WriteOptions};
use boltworks_model::Sha256;
use boltworks_store::Store;
use rayon::prelude::*;

use crate::Error;
use crate::assemble::{Assembly, Member, assemble, digest};
use crate::guest;
use crate::locked::Locked;
use crate::open::{Opened, open_locked};
use crate::pool::Pool;

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
    trees: Root,
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
        Ok(Self {
            trees,
            path: path.to_owned(),
            workers: workers.max(1),
        })
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
        let lock = RelPath::try_from(format!("locks/{name}"))?;
        let locking = self.trees.make_dir(&RelPath::try_from("locks")?);
        let _lock = locking
            .and_then(|_| self.trees.lock(&lock, || ()))
            .map_err(|source| file_error("lock a tree", source))?;
        if let Some(handle) = self.finished(&name, locked, false)? {
            return Ok(handle);
        }
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(self.workers)
            .build()
            .map_err(|source| Error::Threads {
                count: self.workers,
                source,
            })?;
        threads.install(|| self.make(&name, owner, |folder| open_tree(locked, store, folder)))?;
        let handle = self.finished(&name, locked, true)?;
        handle.ok_or(Error::Vanished { name })
    }

    /// The tree, if it is there.
    fn finished(
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

    /// Makes the tree under another name, makes it durable and gives it its own.
    fn make(
        &self,
        name: &str,
        owner: Owner,
        tree: impl FnOnce(&Root) -> Result<Tree, Error>,
    ) -> Result<(), Error> {
        let failed = |source| file_error("make a tree", source);
        let new = RelPath::try_from(format!("new-{name}"))?;
        self.trees.remove_tree(&new).map_err(failed)?;
        let folder = self.trees.make_dir(&new).map_err(failed)?;
        let pool = Pool::open(&self.trees, name.chars().take(16).collect())?;
        tree(&folder)
            .and_then(|tree| lay(&folder, &pool, owner, &tree))
            // What failed is worth more than that its remains could not be removed: the next
            // attempt removes them.
            .inspect_err(|_| drop(self.trees.remove_tree(&new)))?;
        let name = RelPath::try_from(name)?;
        self.trees
            .rename(&new, &self.trees, &name)
            .map_err(failed)?;
        self.trees.sync().map_err(failed)
    }
}

/// The guest's tree in memory, its contents in scratch files beneath a folder.
fn open_tree(locked: &Locked, store: &Store, folder: &Root) -> Result<Tree, Error> {
    let packages = open_locked(locked, store, folder)?;
    let members: Vec<Member<'_>> = packages.iter().map(Opened::member).collect();
    let mut assembly = assemble(&members)?;
    refuse_devices(&assembly, &members)?;
    guest::furnish(&mut assembly.tree)?;
    Ok(assembly.tree)
}

/// Lays a tree beneath a folder and shares its files with trees to come.
fn lay(folder: &Root, pool: &Pool<'_>, owner: Owner, tree: &Tree) -> Result<(), Error> {
    let failed = |source| file_error("make a tree", source);
    let root = folder
        .make_dir(&RelPath::try_from("root")?)
        .map_err(failed)?;
    let fresh = Layer {
        root: &root,
        pool,
        owner,
    }
    .lay(tree)?;
    // The files' bytes must be durable before the pool offers them to another tree.
    root.sync_filesystem().map_err(failed)?;
    fresh
        .par_iter()
        .try_for_each(|file| pool.add(&file.key, &root, &file.path))
}

/// The tree's name: what it is made of, whose it is, and what this crate adds.
fn name(locked: &Locked, owner: Owner) -> String {
    let text = format!(
        "tree {} guest {} owner {}:{}\n",
        locked.digest(),
        guest::VERSION,
        owner.uid,
        owner.gid
    );
    sha256(text.as_bytes()).to_string()
}

fn refuse_devices(assembly: &Assembly, members: &[Member<'_>]) -> Result<(), Error> {
    let is_device = |node: &Node| {
        matches!(
            node.kind,
            Kind::CharDevice { .. } | Kind::BlockDevice { .. }
        )
    };
    let Some((path, _)) = assembly.tree.iter().find(|(_, node)| is_device(node)) else {
        return Ok(());
    };
    let member = assembly
        .origin
        .get(path)
        .and_then(|&member| members.get(member));
    Err(Error::Device {
        path: path.clone(),
        package: member.map_or_else(String::new, Member::label),
    })
}

/// A file that the pool did not have.
struct Fresh {
    key: Sha256,
    path: RelPath,
}

/// Lays one tree.
struct Layer<'a> {
    root: &'a Root,
    pool: &'a Pool<'a>,
    owner: Owner,
}

impl Layer<'_> {
    /// Directories first, then files by many threads, then what names them, and the
    /// directories' own attributes at the very end.
    fn lay(&self, tree: &Tree) -> Result<Vec<Fresh>, Error> {
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
        let chunks = chunks(tree);
        let fresh = chunks.par_iter().map(|chunk| self.lay_files(chunk));
        let fresh: Vec<Vec<Fresh>> = fresh.collect::<Result<_, _>>()?;
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
        )?;
        Ok(fresh.into_iter().flatten().collect())
    }

    fn write(&self, at: &Root, tree: &Tree) -> Result<(), Error> {
        let Owner { uid, gid } = self.owner;
        let options = WriteOptions {
            ownership: Ownership::All { uid, gid },
            ..WriteOptions::default()
        };
        let written = tree.write_to(at, options);
        written.map_err(|source| file_error("lay files", source))
    }

    fn lay_files(&self, chunk: &Chunk<'_>) -> Result<Vec<Fresh>, Error> {
        let opened = match &chunk.directory {
            Some(directory) => self.root.dir(directory),
            None => self.root.try_clone(),
        };
        let directory = opened.map_err(|source| file_error("open a directory", source))?;
        let mut missing = Tree::new();
        let mut fresh = Vec::new();
        for &(path, node, content) in &chunk.files {
            let name = RelPath::new(path.file_name())?;
            let key = Pool::key(&digest(path, content)?, &node.meta, self.owner);
            if !self.pool.link(&key, &directory, &name)? {
                fresh.push(Fresh {
                    key,
                    path: path.clone(),
                });
                missing
                    .insert(name, node.clone())
                    .map_err(|source| file_error("lay files", source))?;
            }
        }
        self.write(&directory, &missing)?;
        Ok(fresh)
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

fn file_error(action: &str, source: boltworks_fsx::Error) -> Error {
    Error::File {
        action: action.to_owned(),
        source,
    }
}
