//! Files shared between trees.
//!
//! An inode has one content, mode, owner, time and set of attributes, whatever its names. So a
//! file of the pool is named by a digest over all of them, and every tree that needs just this
//! file links it. A file system has a most number of names for an inode (64,999 on ext4);
//! past it, a new inode takes over the name in the pool, and the trees that link the old one
//! keep it.

use std::io::ErrorKind;

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{Meta, RelPath, Root};
use boltworks_model::Sha256;

use crate::Error;
use crate::environments::Owner;

/// The pool's folder in the trees' folder.
const FOLDER: &str = "pool";

/// A folder of files by everything that decides an inode.
pub(crate) struct Pool<'a> {
    trees: &'a Root,
    /// Tells this use of the pool from others at the same time.
    tag: String,
}

impl<'a> Pool<'a> {
    /// Opens the pool beneath the trees' folder, making it if needed. Nobody else may use the
    /// same tag at the same time.
    pub(crate) fn open(trees: &'a Root, tag: String) -> Result<Self, Error> {
        let make = || -> Result<(), boltworks_fsx::Error> {
            let folder = trees.make_dir(&RelPath::try_from(FOLDER)?)?;
            if folder.exists(&RelPath::try_from("ff")?)? {
                return Ok(());
            }
            for byte in 0..=u8::MAX {
                folder.make_dir(&RelPath::try_from(format!("{byte:02x}"))?)?;
            }
            Ok(())
        };
        make().map_err(|source| Error::File {
            action: "make the pool of files".to_owned(),
            source,
        })?;
        Ok(Self { trees, tag })
    }

    /// The name of a file with this content and these attributes.
    pub(crate) fn key(content: &Sha256, meta: &Meta, owner: Owner) -> Sha256 {
        let mut hasher = Sha256Hasher::new();
        let Meta {
            mode,
            mtime,
            xattrs,
            ..
        } = meta;
        let Owner { uid, gid } = owner;
        hasher.update(format!("{content} {mode:o} {uid} {gid} {mtime}\n").as_bytes());
        for (name, value) in xattrs {
            hasher.update(format!("{} {}\n", name.len(), value.len()).as_bytes());
            hasher.update(name);
            hasher.update(value);
        }
        hasher.finish()
    }

    /// Links the file into a directory, if the pool has it and it can take another name.
    pub(crate) fn link(&self, key: &Sha256, to: &Root, name: &RelPath) -> Result<bool, Error> {
        match self.trees.hard_link(&path(key)?, to, name) {
            Ok(()) => Ok(true),
            Err(error) if is_unavailable(&error) => Ok(false),
            Err(source) => Err(failed(source)),
        }
    }

    /// Takes a file of a tree into the pool, in place of one that can take no further name.
    pub(crate) fn add(&self, key: &Sha256, from: &Root, name: &RelPath) -> Result<(), Error> {
        let there = path(key)?;
        match from.hard_link(name, self.trees, &there) {
            Err(error) if error.io_kind() == Some(ErrorKind::AlreadyExists) => {}
            result => return result.map_err(failed),
        }
        let beside = RelPath::new([there.as_bytes(), b".", self.tag.as_bytes()].concat())?;
        let replace = || -> Result<(), boltworks_fsx::Error> {
            self.trees.remove_tree(&beside)?;
            from.hard_link(name, self.trees, &beside)?;
            self.trees.rename(&beside, self.trees, &there)?;
            self.trees.remove_tree(&beside)
        };
        replace().map_err(failed)
    }
}

fn path(key: &Sha256) -> Result<RelPath, Error> {
    let hex = key.to_string();
    let (shard, _) = hex.split_at_checked(2).unwrap_or_default();
    Ok(RelPath::try_from(format!("{FOLDER}/{shard}/{hex}"))?)
}

/// Whether the pool has no file to link: there is none, or it has all the names it can have.
fn is_unavailable(error: &boltworks_fsx::Error) -> bool {
    matches!(
        error.io_kind(),
        Some(ErrorKind::NotFound | ErrorKind::TooManyLinks)
    )
}

fn failed(source: boltworks_fsx::Error) -> Error {
    Error::File {
        action: "share a file between trees".to_owned(),
        source,
    }
}
