//! Files of archives, of checkouts and of folders, one after the other.

use std::fs::File;
use std::io::Read;

use boltworks_fsx::tar::EntryKind;
use boltworks_fsx::{FileKind, RelPath, Root};
use boltworks_model::Checkout;
use boltworks_recipe::resolved::Fetch;
use boltworks_source::Worktree;
use boltworks_source::archive::{Opened, beginning, open};
use boltworks_store::BlobFile;

use crate::Error;

/// The first bytes of a file, so many at most.
pub(super) type Bytes<'a> = &'a mut dyn FnMut(usize) -> Result<Vec<u8>, Error>;
/// What is done with a file.
pub(super) type See<'a> = dyn FnMut(&RelPath, Bytes<'_>) -> Result<(), Error> + 'a;

/// The folder in which a commit is laid out.
const CHECKOUT: &str = "licences";
/// Held by whoever uses that folder.
const LOCK: &str = "licences.lock";

/// Shows the files of an archive under their names in the workspace. Says why, where nothing here
/// reads it.
pub(super) fn archive(
    blob: impl Read,
    (name, fetch): (&str, Option<&Fetch>),
    see: &mut See<'_>,
) -> Result<Option<String>, Error> {
    let cut = fetch.map_or(1, |fetch| fetch.strip_components);
    let folder = fetch
        .map(|fetch| fetch.directory.as_str())
        .unwrap_or_default();
    let mut members = match open(blob)? {
        Opened::Archive(members) => members,
        Opened::Foreign(form) => {
            return Ok(Some(format!(
                "it is packed with {form}, which is not read here"
            )));
        }
        Opened::File(mut file) => {
            let path = RelPath::try_from(name)?;
            see(&path, &mut |most| read(&mut file, most))?;
            return Ok(None);
        }
    };
    while let Some(entry) = members.next_member()? {
        if entry.kind != EntryKind::File {
            continue;
        }
        if let Some(path) = laid(&entry.path, cut, folder) {
            see(&path, &mut |most| Ok(members.beginning(most)?))?;
        }
    }
    Ok(None)
}

/// A path without its first folders, in a folder; nothing where less is left.
fn laid(path: &RelPath, cut: u32, folder: &str) -> Option<RelPath> {
    let cut = usize::try_from(cut).ok()?;
    let parts = folder.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts = parts.map(str::as_bytes);
    let own: Vec<&[u8]> = path.components().skip(cut).collect();
    if own.is_empty() {
        return None;
    }
    let all: Vec<&[u8]> = parts.chain(own).collect();
    RelPath::new(all.join(&b'/')).ok()
}

/// Shows the files of a commit, which is laid out in a folder for that.
pub(super) fn checkout(
    scratch: &Root,
    blob: &BlobFile,
    (address, checkout): (&str, &Checkout),
    see: &mut See<'_>,
) -> Result<Option<String>, Error> {
    let name = RelPath::try_from(CHECKOUT)?;
    let _lock = scratch.lock(&RelPath::try_from(LOCK)?, || {})?;
    scratch.remove_tree(&name)?;
    let path = scratch.path_for_children()?.join(CHECKOUT);
    Worktree::make(blob, (address, checkout), &path)?;
    let shown = folder(&Root::open(&path)?, see);
    scratch.remove_tree(&name)?;
    shown?;
    Ok(None)
}

/// Shows the files of a folder and of those in it. Links lead nowhere, and `.git` is passed over.
pub(super) fn folder(root: &Root, see: &mut See<'_>) -> Result<(), Error> {
    // Paths and not folders: there may be more of those than can be open.
    let mut open: Vec<Option<RelPath>> = vec![None];
    while let Some(at) = open.pop() {
        let folder = match &at {
            None => root.try_clone()?,
            Some(path) => root.dir(path)?,
        };
        let mut entries = folder.list()?;
        entries.sort_by(|left, right| right.name.cmp(&left.name));
        for entry in entries {
            let name = RelPath::new(entry.name.clone())?;
            let path = match &at {
                None => name.clone(),
                Some(above) => above.push(&entry.name)?,
            };
            match entry.kind {
                FileKind::Dir if entry.name != b".git" => open.push(Some(path)),
                FileKind::File => {
                    let file: File = folder.open_file(&name)?;
                    see(&path, &mut |most| read(&mut &file, most))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn read(reader: &mut impl Read, most: usize) -> Result<Vec<u8>, Error> {
    let bytes = beginning(reader, most).map_err(|source| boltworks_fsx::Error::Stream {
        action: "read a file of the sources",
        source,
    });
    Ok(bytes?)
}
