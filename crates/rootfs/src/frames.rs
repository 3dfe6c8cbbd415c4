//! Packages for images, laid out once.
//!
//! The first time an image needs a package it is unpacked and checked. Its files' bytes, one after
//! the other, become `frames/<key>.data` beside the blobs, and `frames/<key>.note` says what the
//! package is and where in them each file lies. The next image reads the note and no byte more than
//! it asks for, and those are hashed when they are read ([`Content::Checked`]).
//!
//! A note is the digest of the rest, then `.PKGINFO`, the package's identity, length and SHA-512, its
//! scripts, and a tar archive in which each file holds its place, its length, its SHA-256 and its
//! SHA-1; each but the last with its length in front, eight bytes, the highest first. One that is
//! damaged, or that cannot be written, is no error: the package is unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use boltworks_apk::{Control, Scratch, ScriptKind, Scripts, Unpacked};
use boltworks_crypto::{Hashing, sha1, sha256};
use boltworks_fsx::tar::{EntryKind, Policy, Reader, Writer};
use boltworks_fsx::{Batch, Content, Draft, Kind, Limit, RelPath, Root, Tree};
use boltworks_model::{Sha1, Sha256, Sha512};
use boltworks_store::Store;
use rayon::prelude::*;

use crate::Error;
use crate::locked::{Locked, LockedPackage};
use crate::open::{Opened, scratch_for, unpack};

const FOLDER: &str = "frames";
const MODE: u32 = 0o644;
/// No note is larger: a million files.
const MAX_NOTE: Limit = Limit::gib(2);
/// Place, length, SHA-256 and SHA-1 of a file.
const STUB: usize = 8 + 8 + 32 + 20;

/// Opened packages, and how many of them were not unpacked for it.
#[derive(Debug)]
pub struct Frames {
    /// The packages, in their order.
    pub opened: Vec<Arc<Opened>>,
    /// How many were laid out before.
    pub known: usize,
}

/// Packages that were opened before from what was laid out, for the images that follow. Of many
/// images' packages it holds those that come first: the ones that many have.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<BTreeMap<RelPath, Arc<Opened>>>);

/// No shelf has more packages: each has a file open.
const SHELF: usize = 400;
/// Nor does it hold a package with more paths.
const SHELVED: usize = 2_000;

impl Shelf {
    fn get(&self, name: &RelPath) -> Option<Arc<Opened>> {
        self.packages().get(name).cloned()
    }

    fn put(&self, name: RelPath, opened: &Arc<Opened>) {
        let mut packages = self.packages();
        if packages.len() < SHELF && opened.files.tree.len() <= SHELVED {
            packages.insert(name, Arc::clone(opened));
        }
    }

    fn packages(&self) -> MutexGuard<'_, BTreeMap<RelPath, Arc<Opened>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens all packages, in their order; those that were not laid out before are, for the next time.
/// Like [`open_locked`](crate::open_locked()), but for what is said here.
pub fn open_frames(
    locked: &Locked,
    store: &Store,
    (scratch, shelf): (&Root, &Shelf),
) -> Result<Frames, Error> {
    let folder = RelPath::try_from(FOLDER).map(|name| store.folder(&name));
    let Ok(Ok(folder)) = folder else {
        let opened = crate::open_locked(locked, store, scratch)?;
        let opened = opened.into_iter().map(Arc::new).collect();
        return Ok(Frames { opened, known: 0 });
    };
    let packages = locked.packages.par_iter();
    let opened = packages.map_init(
        || None,
        |spill, package| {
            if let Some(opened) = shelved(&folder, package, shelf) {
                return Ok((opened, None));
            }
            let spill = scratch_for(spill, scratch, package)?;
            let opened = lay(package, store, spill)?;
            let written = write(&folder, package, &opened).ok();
            Ok((Arc::new(opened), Some(written)))
        },
    );
    let opened: Vec<_> = opened.collect::<Result<_, Error>>()?;
    let known = opened.iter().filter(|(_, new)| new.is_none()).count();
    let (opened, new): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    // Bytes first: what a note names is there. Where they cannot be kept, the next image takes longer.
    let (data, notes): (Vec<_>, Vec<_>) = new.into_iter().flatten().flatten().unzip();
    let _kept = keep(data).and_then(|()| keep(notes));
    Ok(Frames { opened, known })
}

/// A package of the shelf, or one that was laid out.
fn shelved(folder: &Root, package: &LockedPackage, shelf: &Shelf) -> Option<Arc<Opened>> {
    let (_, name) = names(package).ok()?;
    if let Some(opened) = shelf.get(&name) {
        return Some(opened);
    }
    let opened = Arc::new(read(folder, package)?);
    shelf.put(name, &opened);
    Some(opened)
}

fn keep(drafts: Vec<Draft>) -> Result<(), boltworks_fsx::Error> {
    if drafts.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new();
    for draft in drafts {
        batch.add(draft)?;
    }
    batch.commit().map(|_| ())
}

fn lay(package: &LockedPackage, store: &Store, scratch: &mut Scratch) -> Result<Opened, Error> {
    let (file, files) = unpack(package, store, scratch)?;
    Opened::new(package, store, (&file, files))
}

fn names(package: &LockedPackage) -> Result<(RelPath, RelPath), boltworks_fsx::Error> {
    let LockedPackage {
        name,
        version,
        sha256: file,
        identity,
        ..
    } = package;
    let key = sha256(format!("frame 2 {file} {identity} {name}-{version}\n").as_bytes());
    Ok((
        RelPath::try_from(format!("{key}.data").as_str())?,
        RelPath::try_from(format!("{key}.note").as_str())?,
    ))
}

/// A package that was laid out.
fn read(folder: &Root, package: &LockedPackage) -> Option<Opened> {
    let (data, note) = names(package).ok()?;
    let note = folder.read_vec(&note, MAX_NOTE).ok()?;
    let (seal, rest) = note.split_first_chunk::<32>()?;
    if sha256(rest) != Sha256::new(*seal) {
        return None;
    }
    let (pkginfo, rest) = field(rest)?;
    let (identity, rest) = field(rest)?;
    let (size, rest) = field(rest)?;
    let (sha512, rest) = field(rest)?;
    let (count, mut rest) = field(rest)?;
    let mut scripts = Scripts::default();
    for _ in 0..u64::from_be_bytes(count.try_into().ok()?) {
        let (kind, after) = field(rest)?;
        let (text, after) = field(after)?;
        let kind = ScriptKind::from_name(std::str::from_utf8(kind).ok()?)?;
        scripts.insert(kind, text.to_vec());
        rest = after;
    }
    let file = Arc::new(folder.open_file(&data).ok()?);
    let opened = Opened {
        control: Control::parse(std::str::from_utf8(pkginfo).ok()?).ok()?,
        identity: Sha1::new(identity.try_into().ok()?),
        size: u64::from_be_bytes(size.try_into().ok()?),
        sha512: Sha512::new(sha512.try_into().ok()?),
        scripts,
        files: files(rest, &file)?,
    };
    let is_same = (
        &opened.control.name,
        &opened.control.version,
        opened.identity,
    ) == (&package.name, &package.version, package.identity);
    is_same.then_some(opened)
}

fn files(archive: &[u8], file: &Arc<File>) -> Option<Unpacked> {
    let end = file.metadata().ok()?.len();
    let mut reader = Reader::new(archive, Policy::default());
    let (mut tree, mut checksums) = (Tree::new(), BTreeMap::new());
    while let Some(entry) = reader.next_entry().ok()? {
        let mut content = None;
        if entry.kind == EntryKind::File {
            let mut stub = [0; STUB];
            reader.read_exact(&mut stub).ok()?;
            let (offset, rest) = stub.split_first_chunk::<8>()?;
            let (len, rest) = rest.split_first_chunk::<8>()?;
            let (digest, sum) = rest.split_first_chunk::<32>()?;
            let (offset, len) = (u64::from_be_bytes(*offset), u64::from_be_bytes(*len));
            if offset.checked_add(len)? > end {
                return None;
            }
            checksums.insert(entry.path.clone(), Sha1::new(sum.try_into().ok()?));
            content = Some(Content::Checked {
                file: Arc::clone(file),
                offset,
                len,
                sha256: Sha256::new(*digest),
            });
        }
        let path = entry.path.clone();
        let node = entry.into_node(|| content.unwrap_or(Content::Bytes(Arc::default())));
        let sum = match &node.kind {
            Kind::Symlink(target) => Some(sha1(target)),
            Kind::Hardlink(first) => checksums.get(first).copied(),
            _ => None,
        };
        if let Some(sum) = sum {
            checksums.insert(path.clone(), sum);
        }
        tree.insert(path, node).ok()?;
    }
    Some(Unpacked { tree, checksums })
}

fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*len)).ok()?)
}

/// Writes a package's bytes and its note, neither of them in its place yet.
fn write(folder: &Root, package: &LockedPackage, opened: &Opened) -> Result<(Draft, Draft), Error> {
    let failed = |source| Error::File {
        action: "lay out a package".to_owned(),
        source,
    };
    let unwritten = |source| {
        failed(boltworks_fsx::Error::Stream {
            action: "write its files",
            source,
        })
    };
    let (data, note) = names(package).map_err(failed)?;
    let mut data = folder.draft(&data, MODE).map_err(failed)?;
    let mut archive = Writer::new(Vec::new());
    let mut offset = 0_u64;
    for (path, node) in opened.files.tree.iter() {
        let mut node = node.clone();
        if let Kind::File(content) = &mut node.kind {
            let mut hashed = Hashing::new(&mut data);
            content.copy_to(&mut hashed).map_err(unwritten)?;
            let (_, digest, _) = hashed.finish();
            let sum = opened.files.checksums.get(path);
            let sum = sum.copied().unwrap_or_else(|| sha1(b""));
            let mut stub = Vec::with_capacity(STUB);
            stub.extend_from_slice(&offset.to_be_bytes());
            stub.extend_from_slice(&content.len().to_be_bytes());
            stub.extend_from_slice(digest.as_bytes());
            stub.extend_from_slice(sum.as_bytes());
            offset += content.len();
            *content = Content::Bytes(stub.into());
        }
        archive.append(path, &node, &[]).map_err(failed)?;
    }
    let archive = archive.finish_with_end().map_err(failed)?;
    let pkginfo = opened
        .control
        .to_pkginfo()
        .map_err(|source| Error::Package {
            package: package.label(),
            source,
        })?;
    let mut rest = Vec::new();
    let mut put = |bytes: &[u8]| {
        rest.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        rest.extend_from_slice(bytes);
    };
    put(pkginfo.as_bytes());
    put(opened.identity.as_bytes());
    put(&opened.size.to_be_bytes());
    put(opened.sha512.as_bytes());
    put(&(opened.scripts.iter().count() as u64).to_be_bytes());
    for (kind, text) in opened.scripts.iter() {
        put(kind.name().as_bytes());
        put(text);
    }
    rest.extend_from_slice(&archive);
    let mut note = folder.draft(&note, MODE).map_err(failed)?;
    let both = note.write_all(sha256(&rest).as_bytes());
    both.and_then(|()| note.write_all(&rest))
        .map_err(unwritten)?;
    Ok((data, note))
}
