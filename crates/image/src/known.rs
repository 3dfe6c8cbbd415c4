//! Layers that were written before, by what is in them.
//!
//! What a layer is made of has a digest: of this writer's version and, for each entry, its path and
//! attributes and either the package it is from, by the package's digest, and its path there, or the
//! digest of its bytes; of a layer of EROFS its root's and its time, too. `written/<digest>` beside the blobs says what became of it: the digest of the
//! layer's blob, its length, the digest of the tar and its length (of EROFS, its own), and in front the digest of this
//! writer's version and all that.
//!
//! Images that have the same packages in a layer share it, and an image whose layer is known need
//! neither lay it out nor compress it. The blob is hashed before it is used, or before it is released
//! ([`Memory::by_name`](crate::Memory::by_name)). A note that cannot be
//! believed is no error: the layer is written anew, to the same bytes.

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{Kind, Limit, Meta, Node, RelPath, Tree};
use boltworks_model::Sha256;
use boltworks_oci::{Layer, media_type};
use boltworks_store::{Batch, Store};

use crate::brought::digest;
use crate::layer::Compression;
use crate::pieces::seal;
use crate::{Error, WRITER_VERSION};

const FOLDER: &str = "written";
/// Three digests and two lengths.
const NOTE: usize = 3 * 32 + 2 * 8;

/// A layer, and how many bytes it has unpacked.
pub type Found = (Layer, u64);

/// What a layer is made of, and its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Sha256, &'static str);

/// Whose a path's bytes are: the package's digest, and what the package calls it.
pub type Source<'a> = (Sha256, &'a RelPath);

impl Key {
    /// The key of these files as a tar.
    pub fn of<'a>(
        tree: &'a Tree,
        compression: Compression,
        source: impl Fn(&RelPath) -> Option<Source<'a>>,
    ) -> Result<Self, Error> {
        let mut out = Fields::new();
        out.field(compression.name(WRITER_VERSION).as_bytes());
        out.files(tree, source)?;
        Ok(Self(out.finish(), compression.media_type()))
    }

    /// The key of these files, beneath a root, as an EROFS image that is said to be of a time.
    pub fn of_erofs<'a>(
        (tree, root): (&'a Tree, &Node),
        time: i64,
        source: impl Fn(&RelPath) -> Option<Source<'a>>,
    ) -> Result<Self, Error> {
        let mut out = Fields::new();
        out.fields(b"erofs", WRITER_VERSION.as_bytes());
        out.update(&time.to_be_bytes());
        out.meta(&root.meta);
        out.files(tree, source)?;
        Ok(Self(out.finish(), media_type::LAYER_EROFS))
    }

    /// The layer that was made of it, and the length of its tar; if it is there and, unless names are
    /// enough, good.
    pub fn find(&self, store: &Store, by_name: bool) -> Option<Found> {
        let folder = store.folder(&RelPath::try_from(FOLDER).ok()?).ok()?;
        let note = folder
            .read_vec(&self.name().ok()?, Limit(NOTE as u64))
            .ok()?;
        let (expected, rest) = note.split_first_chunk::<32>()?;
        if seal(rest) != Sha256::new(*expected) {
            return None;
        }
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (diff_id, rest) = rest.split_first_chunk::<32>()?;
        let unpacked = rest.first_chunk::<8>()?;
        let layer = Layer {
            digest: Sha256::new(*digest),
            size: u64::from_be_bytes(*size),
            diff_id: Sha256::new(*diff_id),
            media_type: self.1,
            comment: None,
        };
        let size = if by_name {
            store.size(&layer.digest).ok()??
        } else {
            store.open_blob(&layer.digest).ok()?.size()
        };
        (size == layer.size).then_some((layer, u64::from_be_bytes(*unpacked)))
    }

    /// Remembers what was made of it, which is in the batch. An error says that nothing is
    /// remembered, and nothing else.
    pub fn remember(
        &self,
        (layer, unpacked): &Found,
        (store, batch): (&Store, &mut Batch<'_>),
    ) -> Result<(), Error> {
        let folder = store.folder(&RelPath::try_from(FOLDER)?)?;
        let mut rest = layer.digest.as_bytes().to_vec();
        rest.extend_from_slice(&layer.size.to_be_bytes());
        rest.extend_from_slice(layer.diff_id.as_bytes());
        rest.extend_from_slice(&unpacked.to_be_bytes());
        let note = [seal(&rest).as_bytes().as_slice(), &rest].concat();
        Ok(batch.note(&folder, &self.name()?, &note)?)
    }

    fn name(&self) -> Result<RelPath, Error> {
        Ok(RelPath::try_from(self.0.to_string().as_str())?)
    }
}

/// Hashes fields so that no two rows of them are alike: each with its length in front.
struct Fields(Vec<u8>, Sha256Hasher);

/// Small parts are hashed so many bytes at a time.
const BLOCK: usize = 16 << 10;

impl Fields {
    fn new() -> Self {
        Self(Vec::with_capacity(BLOCK), Sha256Hasher::new())
    }

    fn update(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        if self.0.len() >= BLOCK {
            self.1.update(&self.0);
            self.0.clear();
        }
    }

    fn finish(mut self) -> Sha256 {
        self.1.update(&self.0);
        self.1.finish()
    }

    fn field(&mut self, bytes: &[u8]) {
        self.update(&(bytes.len() as u64).to_be_bytes());
        self.update(bytes);
    }

    fn fields(&mut self, kind: &[u8], bytes: &[u8]) {
        self.field(kind);
        self.field(bytes);
    }

    fn device(&mut self, kind: &[u8], major: u32, minor: u32) {
        self.fields(kind, &major.to_be_bytes());
        self.field(&minor.to_be_bytes());
    }

    fn files<'a>(
        &mut self,
        tree: &'a Tree,
        source: impl Fn(&RelPath) -> Option<Source<'a>>,
    ) -> Result<(), Error> {
        for (path, node) in tree.iter() {
            self.field(path.as_bytes());
            self.meta(&node.meta);
            match &node.kind {
                Kind::Dir => self.field(b"d"),
                Kind::Fifo => self.field(b"p"),
                Kind::Symlink(target) => self.fields(b"l", target),
                Kind::Hardlink(target) => self.fields(b"h", target.as_bytes()),
                Kind::CharDevice { major, minor } => self.device(b"c", *major, *minor),
                Kind::BlockDevice { major, minor } => self.device(b"b", *major, *minor),
                Kind::File(content) => match source(path) {
                    Some((package, own)) => {
                        self.fields(b"o", package.as_bytes());
                        self.field(own.as_bytes());
                    }
                    None => self.fields(b"f", digest(path, content)?.as_bytes()),
                },
            }
        }
        Ok(())
    }

    fn meta(&mut self, meta: &Meta) {
        let Meta {
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        } = meta;
        for number in [mode, uid, gid] {
            self.update(&number.to_be_bytes());
        }
        self.update(&mtime.to_be_bytes());
        self.update(&(xattrs.len() as u64).to_be_bytes());
        for (name, value) in xattrs {
            self.field(name);
            self.field(value);
        }
    }
}
