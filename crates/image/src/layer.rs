//! A tree as one layer: tar, hashed, compressed, hashed again and stored, in one pass.
//!
//! Each file that is not small is compressed apart from its neighbours, so that what is known of
//! it from an earlier layer serves whatever lies beside it now; see [`pieces`](crate::pieces).
//!
//! Entries come in byte order of their paths; there is no entry for the root. File contents are
//! read where they lie (packages that were laid out, or scratch files) and never held as a whole.

use std::io::{self, Write};
use std::sync::Arc;

use boltworks_crypto::Hashing;
use boltworks_fsx::gzip::{self, Gzip};
use boltworks_fsx::pieces::Piece;
use boltworks_fsx::tar::{Owner, Writer};
use boltworks_fsx::zstd::{self, Zstd};
use boltworks_fsx::{Kind, Node, RelPath, Tree};
use boltworks_oci::{Layer, media_type};
use boltworks_store::{Batch, BlobDraft, Store};

use crate::Error;
use crate::pieces::Pieces;

/// Of 3.0 MB of the demo's files level 6 makes 1.37 MB in 44 ms of a core, level 3 makes 1.40 MB in
/// 32 ms: an image is to be assembled while one waits. Pieces of half the size would make the demo's
/// layer 0.2 % larger. Part of what decides the bytes.
const GZIP: gzip::Format = gzip::Format {
    level: 3,
    piece: 256 << 10,
};
/// As for [`GZIP`].
const ZSTD: zstd::Format = zstd::Format {
    level: 3,
    piece: 256 << 10,
};
/// A file this long is compressed apart. Part of what decides the bytes. Of the demo's layer this
/// makes 12 KB more, 1 %.
const APART: u64 = 16 << 10;

/// How layers are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    /// With gzip, as every client reads it.
    #[default]
    Gzip,
    /// With Zstandard: smaller and quicker; some older clients do not read it.
    Zstd,
}

impl Compression {
    /// What such a layer says it is.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => media_type::LAYER_GZIP,
            Self::Zstd => media_type::LAYER_ZSTD,
        }
    }

    /// How many bytes are in front of the first piece.
    pub(crate) const fn head(self) -> u64 {
        match self {
            Self::Gzip => gzip::HEADER.len() as u64,
            Self::Zstd => 0,
        }
    }

    /// The name of what is remembered of something, which is another for each compression.
    pub(crate) fn name(self, of: &str) -> String {
        match self {
            Self::Gzip => of.to_owned(),
            Self::Zstd => format!("zstd {of}"),
        }
    }
}

/// A layer in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLayer {
    /// What names it.
    pub layer: Layer,
    /// How many bytes the tar has.
    pub unpacked: u64,
    /// What it was compressed in.
    pub pieces: Vec<Piece>,
}

/// Writes the tree as a layer, compressed as the known pieces are, that becomes durable with the batch. Known pieces
/// are not compressed again; the bytes are the same whether any are known.
pub fn write<'a>(
    tree: &Tree,
    known: Arc<Pieces>,
    store: &'a Store,
    batch: &mut Batch<'a>,
) -> Result<StoredLayer, Error> {
    write_entries(known, store, batch, &mut |archive| {
        let mut entries = tree.iter();
        entries.try_for_each(|(path, node)| archive.append(path, node))
    })
}

/// The same for entries in an order of their own.
pub(crate) fn write_entries<'a>(
    known: Arc<Pieces>,
    store: &'a Store,
    batch: &mut Batch<'a>,
    lay: &mut dyn FnMut(&mut Archive<'a>) -> Result<(), Error>,
) -> Result<StoredLayer, Error> {
    let compressed = store.begin()?;
    let compression = known.compression();
    let known = Arc::new(move |piece: &_| known.get(piece));
    let out = match compression {
        Compression::Gzip => Packing::Gzip(Gzip::knowing(compressed, GZIP, known).map_err(failed)?),
        Compression::Zstd => Packing::Zstd(Zstd::knowing(compressed, ZSTD, known)),
    };
    let mut archive = Archive(Writer::new(Hashing::new(out)));
    lay(&mut archive)?;
    let (out, diff_id, unpacked) = archive.0.finish_with_end()?.finish();
    let (blob, pieces) = out.finish().map_err(failed)?;
    let size = blob.size();
    let layer = Layer {
        digest: batch.add(blob)?,
        size,
        diff_id,
        media_type: compression.media_type(),
        comment: None,
    };
    Ok(StoredLayer {
        layer,
        unpacked,
        pieces,
    })
}

/// The archive of a layer that is being written.
pub(crate) struct Archive<'a>(Writer<Hashing<Packing<BlobDraft<'a>>>>);

impl Archive<'_> {
    /// Appends an entry.
    fn append(&mut self, path: &RelPath, node: &Node) -> Result<(), Error> {
        self.cut_around(node)?;
        self.0.append(path, node, &[])?;
        self.cut_around(node)
    }

    /// Appends an entry with names of owner and group.
    pub(crate) fn append_owned(
        &mut self,
        path: &RelPath,
        node: &Node,
        owner: Owner<'_>,
    ) -> Result<(), Error> {
        self.cut_around(node)?;
        self.0.append_owned(path, node, owner)?;
        self.cut_around(node)
    }

    fn cut_around(&mut self, node: &Node) -> Result<(), Error> {
        if is_apart(node) {
            self.0.get_mut().get_mut().cut().map_err(failed)?;
        }
        Ok(())
    }
}

fn failed(source: io::Error) -> Error {
    Error::Write {
        action: "write the layer",
        source,
    }
}

fn is_apart(node: &Node) -> bool {
    matches!(&node.kind, Kind::File(content) if content.len() >= APART)
}

/// Compresses what passes.
enum Packing<W> {
    Gzip(Gzip<W>),
    Zstd(Zstd<W>),
}

impl<W: Write> Packing<W> {
    fn cut(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(gzip) => gzip.cut(),
            Self::Zstd(zstd) => zstd.cut(),
        }
    }

    fn finish(self) -> io::Result<(W, Vec<Piece>)> {
        match self {
            Self::Gzip(gzip) => gzip.finish(),
            Self::Zstd(zstd) => zstd.finish(),
        }
    }
}

impl<W: Write> Write for Packing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(gzip) => gzip.write(bytes),
            Self::Zstd(zstd) => zstd.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(gzip) => gzip.flush(),
            Self::Zstd(zstd) => zstd.flush(),
        }
    }
}
