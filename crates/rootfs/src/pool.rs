//! Files shared between trees.
//!
//! An inode has one content, mode, owner, time and set of attributes, whatever its names. So a
//! file of the pool is named by a digest over all of them ([`key`]), and every tree that needs
//! just this file links it. A file system has a most number of names for an inode (64,999 on
//! ext4); past it, a new inode takes over the name in the pool, and the trees that link the
//! old one keep it.
//!
//! What has a name in the pool is whole and durable: files come from a staging folder, after
//! it was synced.

use std::io::ErrorKind;
use std::sync::Arc;

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{Content, Meta, Node, RelPath, Root, Tree, WriteOptions};
use boltworks_model::Sha256;

use crate::Error;
use crate::assemble::digest;
use crate::environments::Owner;
use crate::stock::own;

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

/// A folder of files by their keys.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Root>);

impl Pool {
    /// Opens the pool in the folder of trees, making it if needed.
    pub(crate) fn open(trees: &Root) -> Result<Self, Error> {
        let pool = trees
            .make_dir(&RelPath::try_from("pool")?)
            .map_err(failed)?;
        if !pool.exists(&RelPath::try_from("ff")?).map_err(failed)? {
            let mut shards = Tree::new();
            for byte in 0..=u8::MAX {
                let shard = RelPath::try_from(format!("{byte:02x}"))?;
                shards
                    .insert(shard, Node::dir(Meta::new(0o755, 0)))
                    .map_err(failed)?;
            }
            let options = WriteOptions {
                ownership: own(&pool).map_err(failed)?,
                ..WriteOptions::default()
            };
            shards.write_to(&pool, options).map_err(failed)?;
        }
        Ok(Self(Arc::new(pool)))
    }

    /// The file's content, if the pool has the file.
    pub(crate) fn get(&self, key: &Sha256) -> Result<Option<Content>, Error> {
        let path = path(key)?;
        let stat = self.0.stat(&path).map_err(failed)?;
        Ok(stat.map(|stat| self.content(path, stat.size)))
    }

    /// The content of a file that the pool is said to have.
    pub(crate) fn expect(&self, key: &Sha256, len: u64) -> Result<Content, Error> {
        Ok(self.content(path(key)?, len))
    }

    fn content(&self, path: RelPath, len: u64) -> Content {
        Content::Path {
            root: Arc::clone(&self.0),
            path,
            len,
        }
    }

    /// Gives a staged file, whose name is its key, its place. One that is there already and
    /// perhaps can take no further name is replaced.
    pub(crate) fn admit(&self, staging: &Root, name: &RelPath) -> Result<(), Error> {
        let key: Sha256 = name
            .to_string()
            .parse()
            .map_err(|_| Error::Stray { path: name.clone() })?;
        staging.rename(name, &self.0, &path(&key)?).map_err(failed)
    }

    /// Reads every file and says which are not what their names say.
    pub(crate) fn damaged(&self) -> Result<Vec<RelPath>, Error> {
        let mut damaged = Vec::new();
        for shard in self.0.list().map_err(failed)? {
            let shard = RelPath::new(shard.name)?;
            for file in self
                .0
                .dir(&shard)
                .and_then(|shard| shard.list())
                .map_err(failed)?
            {
                let path = shard.push(&file.name)?;
                if !self.is_sound(&path)? {
                    damaged.push(path);
                }
            }
        }
        Ok(damaged)
    }

    fn is_sound(&self, path: &RelPath) -> Result<bool, Error> {
        let Some(stat) = self.0.stat(path).map_err(failed)? else {
            return Ok(true);
        };
        let content = digest(path, &self.content(path.clone(), stat.size))?;
        let owner = Owner {
            uid: stat.uid,
            gid: stat.gid,
        };
        // What is shared has no extended attributes.
        let found = key(&content, &Meta::new(stat.mode, stat.mtime), owner);
        Ok(found.to_string().as_bytes() == path.file_name())
    }
}

/// `ab/abcd…`
fn path(key: &Sha256) -> Result<RelPath, Error> {
    let hex = key.to_string();
    let (shard, _) = hex.split_at_checked(2).unwrap_or_default();
    Ok(RelPath::try_from(format!("{shard}/{hex}"))?)
}

/// Whether an inode has all the names it can have.
pub(crate) fn is_full(error: &boltworks_fsx::Error) -> bool {
    error.io_kind() == Some(ErrorKind::TooManyLinks)
}

fn failed(source: boltworks_fsx::Error) -> Error {
    Error::File {
        action: "share a file between trees".to_owned(),
        source,
    }
}
