//! What the pieces of an image's last layer were compressed to.
//!
//! A layer is compressed in pieces that do not look at each other (see [`pieces`](boltworks_fsx::pieces)),
//! so a piece that was in the image's last layer need not be compressed again: its bytes are in
//! that layer's blob. `layers/<key>` beside the blobs says where: a digest, the blob's digest, and
//! for each piece, in their order in the blob, the digest of its plain bytes and its compressed
//! length, eight bytes, the highest first.
//!
//! The first digest is of [`WRITER_VERSION`] and of all that follows. A
//! piece's compressed bytes depend on the writer: its level, the longest piece, the library. Whoever
//! changes one of them raises that version, and no note of the writer before is believed.
//!
//! The blob is hashed before it is used. A note that is damaged, of another writer, or names a blob
//! that is not there is no error: everything is compressed anew, to the same bytes. Nor is it one
//! that a note cannot be read or written: then the next image takes longer.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;

use boltworks_crypto::{Sha256Hasher, sha256};
use boltworks_fsx::pieces::Piece;
use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::Sha256;
use boltworks_store::{Batch, BlobFile, Store};

use crate::layer::Compression;
use crate::{Error, WRITER_VERSION};

const FOLDER: &str = "layers";
/// No note is larger: a layer of 400 GB.
const MAX_NOTE: Limit = Limit::mib(64);
/// What a note says of one piece.
const RECORD: usize = 40;

/// The pieces of a layer in the store.
#[derive(Debug, Default)]
pub struct Pieces {
    compression: Compression,
    blob: Option<BlobFile>,
    /// Where in the blob each piece lies, and how long it is.
    places: BTreeMap<Sha256, (u64, usize)>,
}

impl Pieces {
    /// None, for a layer that is to be compressed so.
    pub fn none(compression: Compression) -> Self {
        Self {
            compression,
            ..Self::default()
        }
    }

    /// How all of them are compressed.
    pub const fn compression(&self) -> Compression {
        self.compression
    }

    /// The compressed bytes of a piece, if it was in the layer and can be read.
    pub fn get(&self, piece: &Sha256) -> Option<Vec<u8>> {
        let (offset, len) = self.places.get(piece)?;
        let mut bytes = vec![0; *len];
        let read = self
            .blob
            .as_ref()?
            .file()
            .read_exact_at(&mut bytes, *offset);
        read.ok().map(|()| bytes)
    }
}

/// The note on one image's last layer.
#[derive(Debug)]
pub struct Note {
    /// Where it is kept, if that can be used.
    folder: Result<Root, Error>,
    name: RelPath,
    layer: Option<Sha256>,
}

impl Note {
    /// The note on the image of that name, and the pieces it names; none if there is no such
    /// note or it cannot be believed.
    pub fn read(
        image: &str,
        compression: Compression,
        store: &Store,
    ) -> Result<(Self, Pieces), Error> {
        let folder = store.folder(&RelPath::try_from(FOLDER)?);
        let folder = folder.map_err(Error::from);
        let name = RelPath::try_from(sha256(compression.name(image).as_bytes()).to_string())?;
        let found = folder
            .as_ref()
            .ok()
            .and_then(|folder| folder.read_vec(&name, MAX_NOTE).ok());
        let found = found.and_then(|bytes| parse(&bytes, compression, store));
        let (layer, pieces) = found.map_or((None, Pieces::none(compression)), |(layer, pieces)| {
            (Some(layer), pieces)
        });
        let note = Self {
            folder,
            name,
            layer,
        };
        Ok((note, pieces))
    }

    /// Writes the note anew if it is of another layer, which is in the batch. An error says that
    /// nothing is remembered, and nothing else.
    pub fn write(
        self,
        layer: Sha256,
        pieces: &[Piece],
        batch: &mut Batch<'_>,
    ) -> Result<(), Error> {
        if self.layer == Some(layer) {
            return Ok(());
        }
        let mut rest = layer.as_bytes().to_vec();
        for (digest, len) in pieces {
            rest.extend_from_slice(digest.as_bytes());
            rest.extend_from_slice(&len.to_be_bytes());
        }
        let note = [seal(&rest).as_bytes().as_slice(), &rest].concat();
        Ok(batch.note(&self.folder?, &self.name, &note)?)
    }
}

/// The digest in front of a note that this writer wrote.
pub(crate) fn seal(rest: &[u8]) -> Sha256 {
    let mut hasher = Sha256Hasher::new();
    hasher.update(WRITER_VERSION.as_bytes());
    hasher.update(b"\n");
    hasher.update(rest);
    hasher.finish()
}

fn parse(bytes: &[u8], compression: Compression, store: &Store) -> Option<(Sha256, Pieces)> {
    let (expected, rest) = bytes.split_first_chunk::<32>()?;
    if seal(rest) != Sha256::new(*expected) {
        return None;
    }
    let (layer, records) = rest.split_first_chunk::<32>()?;
    let layer = Sha256::new(*layer);
    let blob = store.open_blob(&layer).ok()?;
    let mut places = BTreeMap::new();
    let mut offset = compression.head();
    let (records, []) = records.as_chunks::<RECORD>() else {
        return None;
    };
    for record in records {
        let (digest, len) = record.split_first_chunk::<32>()?;
        let len = u64::from_be_bytes(len.try_into().ok()?);
        places.insert(Sha256::new(*digest), (offset, usize::try_from(len).ok()?));
        offset = offset.checked_add(len)?;
    }
    if offset > blob.size() {
        return None;
    }
    let blob = Some(blob);
    let pieces = Pieces {
        compression,
        blob,
        places,
    };
    Some((layer, pieces))
}
