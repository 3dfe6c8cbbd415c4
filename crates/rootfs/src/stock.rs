//! Packages as trees whose files are in the pool.
//!
//! The first time a package is needed it is unpacked, and each of its files goes to the pool
//! or, until it is durable, to a staging folder. What the package became is remembered in
//! `stock/<key>`: the digest of the rest; the length of `.PKGINFO` as eight bytes, the highest
//! first; `.PKGINFO`; and a tar archive in which each file holds its name in the pool and its
//! length. The next tree with that package only links.
//!
//! A note that is damaged or that names what the pool lacks is no error: the package is
//! unpacked anew.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use boltworks_apk::{Control, Scratch};
use boltworks_crypto::sha256;
use boltworks_fsx::tar::{EntryKind, Policy, Reader, Writer};
use boltworks_fsx::{
    Content, Kind, Limit, Meta, Node, Ownership, RelPath, Root, Tree, WriteOptions,
};
use boltworks_model::Sha256;
use boltworks_store::Store;

use crate::Error;
use crate::assemble::{Member, digest};
use crate::environments::Owner;
use crate::guest;
use crate::locked::LockedPackage;
use crate::open::unpack;
use crate::pool::{self, Pool};

/// No note is larger: a million files.
const MAX_NOTE: Limit = Limit::gib(2);

/// Where packages come from for one tree.
pub(crate) struct Stock<'a> {
    notes: &'a Root,
    pool: &'a Pool,
    /// A folder on the same file system, for files that the pool does not have yet.
    staging: Arc<Root>,
    owner: Owner,
    /// Whether notes are believed.
    believes: bool,
    /// The files that somebody is writing to the staging folder, or wrote.
    staged: Mutex<BTreeSet<Sha256>>,
}

/// A package for a guest: its files are in the pool or staged.
pub(crate) struct Stocked {
    pub(crate) control: Control,
    pub(crate) tree: Tree,
    /// The note to be written once the pool has the files.
    pub(crate) note: Option<(RelPath, Vec<u8>)>,
}

impl Stocked {
    pub(crate) fn member(&self) -> Member<'_> {
        Member {
            control: &self.control,
            tree: &self.tree,
        }
    }
}

impl<'a> Stock<'a> {
    /// A stock for one owner's trees. Notes are read only if they are believed.
    pub(crate) fn new(
        (notes, pool): (&'a Root, &'a Pool),
        staging: Root,
        owner: Owner,
        believes: bool,
    ) -> Self {
        Self {
            notes,
            pool,
            staging: Arc::new(staging),
            owner,
            believes,
            staged: Mutex::default(),
        }
    }

    /// The package, from its note or from the store.
    pub(crate) fn package(&self, locked: &LockedPackage, store: &Store) -> Result<Stocked, Error> {
        let name = self.note_name(locked)?;
        if self.believes
            && let Some((control, tree)) = self.read_note(&name)
        {
            return Ok(Stocked {
                control,
                tree,
                note: None,
            });
        }
        let failed = |source| Error::Package {
            package: locked.label(),
            source,
        };
        // Of its own, so that it is gone as soon as the files are staged.
        let mut scratch = Scratch::new(&self.staging).map_err(failed)?;
        let (package, mut files) = unpack(locked, store, &mut scratch)?;
        guest::strip(&mut files.tree);
        let keys = self.stage(&mut files.tree)?;
        let control = package.control().clone();
        let note = note(&control, &files.tree, &keys)?;
        Ok(Stocked {
            control,
            tree: files.tree,
            note: Some((name, note)),
        })
    }

    /// Moves the files' contents to the pool or the staging folder. Their names there, in the
    /// tree's order.
    fn stage(&self, tree: &mut Tree) -> Result<Vec<Sha256>, Error> {
        let mut keys = Vec::new();
        let mut missing = Tree::new();
        for (path, node) in tree.iter_mut() {
            let Kind::File(content) = &mut node.kind else {
                continue;
            };
            let key = pool::key(&digest(path, content)?, &node.meta, self.owner);
            keys.push(key);
            if let Some(pooled) = self.pool.get(&key)? {
                *content = pooled;
                continue;
            }
            let name = RelPath::try_from(key.to_string())?;
            let (root, len) = (Arc::clone(&self.staging), content.len());
            let staged = Content::Path {
                root,
                path: name.clone(),
                len,
            };
            let bytes = std::mem::replace(content, staged);
            let is_first = self
                .staged
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(key);
            if is_first {
                let node = Node {
                    meta: node.meta.clone(),
                    kind: Kind::File(bytes),
                };
                missing.insert(name, node).map_err(failed)?;
            }
        }
        missing
            .write_to(&self.staging, self.owner.options())
            .map_err(failed)?;
        Ok(keys)
    }

    fn note_name(&self, locked: &LockedPackage) -> Result<RelPath, Error> {
        let LockedPackage {
            name,
            version,
            sha256: file,
            identity,
            ..
        } = locked;
        let Owner { uid, gid } = self.owner;
        let guest = guest::VERSION;
        let text = format!("note 1 guest {guest} {file} {identity} {name}-{version} {uid}:{gid}\n");
        Ok(RelPath::try_from(sha256(text.as_bytes()).to_string())?)
    }

    fn read_note(&self, name: &RelPath) -> Option<(Control, Tree)> {
        let bytes = self.notes.read_vec(name, MAX_NOTE).ok()?;
        let (expected, rest) = bytes.split_first_chunk::<32>()?;
        if sha256(rest) != Sha256::new(*expected) {
            return None;
        }
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let len = usize::try_from(u64::from_be_bytes(*len)).ok()?;
        let (pkginfo, archive) = rest.split_at_checked(len)?;
        let control = Control::parse(std::str::from_utf8(pkginfo).ok()?).ok()?;
        let mut reader = Reader::new(archive, Policy::default());
        let mut tree = Tree::new();
        while let Some(entry) = reader.next_entry().ok()? {
            let mut content = None;
            if entry.kind == EntryKind::File {
                let (mut key, mut len) = ([0; 32], [0; 8]);
                reader.read_exact(&mut key).ok()?;
                reader.read_exact(&mut len).ok()?;
                let len = u64::from_be_bytes(len);
                content = Some(self.pool.expect(&Sha256::new(key), len).ok()?);
            }
            let path = entry.path.clone();
            let node = entry.into_node(|| content.unwrap_or(Content::Bytes(Arc::default())));
            tree.insert(path, node).ok()?;
        }
        Some((control, tree))
    }
}

/// What a package became, for the next time.
fn note(control: &Control, tree: &Tree, keys: &[Sha256]) -> Result<Vec<u8>, Error> {
    let mut keys = keys.iter();
    let mut writer = Writer::new(Vec::new());
    for (path, node) in tree.iter() {
        let mut node = node.clone();
        if let Kind::File(content) = &mut node.kind {
            let key = keys.next().map_or([0; 32], |key| *key.as_bytes());
            let stub = [key.as_slice(), &content.len().to_be_bytes()].concat();
            *content = Content::Bytes(stub.into());
        }
        writer.append(path, &node, &[]).map_err(failed)?;
    }
    let archive = writer.finish_with_end().map_err(failed)?;
    let pkginfo = control.to_pkginfo().map_err(|source| Error::Package {
        package: format!("{}-{}", control.name, control.version),
        source,
    })?;
    let len = (pkginfo.len() as u64).to_be_bytes();
    let rest = [len.as_slice(), pkginfo.as_bytes(), &archive].concat();
    Ok([sha256(&rest).as_bytes().as_slice(), &rest].concat())
}

/// Writes notes in the place of those that are there.
pub(crate) fn write_notes(notes: &Root, stocked: &[Stocked]) -> Result<(), boltworks_fsx::Error> {
    let options = WriteOptions {
        ownership: own(notes)?,
        ..WriteOptions::default()
    };
    let mut tree = Tree::new();
    for (name, bytes) in stocked.iter().filter_map(|package| package.note.as_ref()) {
        notes.remove_tree(name)?;
        tree.insert(
            name.clone(),
            Node::file(Meta::new(0o644, 0), bytes.as_slice()),
        )?;
    }
    tree.write_to(notes, options)
}

/// The owner of a directory, for what this crate itself keeps in it.
pub(crate) fn own(directory: &Root) -> Result<Ownership, boltworks_fsx::Error> {
    let stat = directory.stat_self()?;
    Ok(Ownership::All {
        uid: stat.uid,
        gid: stat.gid,
    })
}

fn failed(source: boltworks_fsx::Error) -> Error {
    Error::File {
        action: "put a package's files into the pool".to_owned(),
        source,
    }
}
