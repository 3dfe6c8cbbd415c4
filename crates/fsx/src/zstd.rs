//! Zstandard frames one after the other (RFC 8878), compressed by all threads at once, the same bytes
//! whatever their number; see [`pieces`](crate::pieces).
//!
//! Each piece is a frame of its own, which says how long it is and has no checksum: what it is in is
//! named by its digest.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;

use flate2::Crc;
use zstd::bulk::Compressor;

use crate::pieces::{Codec, Finished, Known, Piece, Pieces};

/// How frames are compressed. All of it decides the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Zstandard's level, 1 to 22.
    pub level: i32,
    /// The most bytes a piece has, at least one.
    pub piece: usize,
}

#[derive(Clone, Copy)]
struct Frame(i32);

/// Compresses what is written to it. Must be finished.
pub struct Zstd<W>(Pieces<W, Frame>);

impl<W: Write> Zstd<W> {
    /// Begins frames that are hashed, looked up, and told of at the end. The bytes are the same
    /// whether any are known.
    pub fn knowing(out: W, format: Format, known: Arc<Known>) -> Self {
        let Format { level, piece } = format;
        Self(Pieces::new(out, Frame(level), piece, Some(known)))
    }

    /// Ends the piece: what was written and what comes next do not look at each other.
    pub fn cut(&mut self) -> io::Result<()> {
        self.0.cut()
    }

    /// Ends the frames; the writer, and what pieces became. Where nothing was written there is no
    /// frame.
    pub fn finish(self) -> io::Result<(W, Vec<Piece>)> {
        let Finished { out, done, .. } = self.0.finish()?;
        Ok((out, done))
    }
}

impl<W: Write> Write for Zstd<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    /// Does nothing: where pieces end decides the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Codec for Frame {
    fn compress(self, piece: &[u8], out: &mut Vec<u8>, _is_last: bool) -> io::Result<()> {
        thread_local! {
            static COMPRESS: RefCell<Option<(i32, Compressor<'static>)>> =
                const { RefCell::new(None) };
        }
        let level = self.0;
        COMPRESS.with_borrow_mut(|kept| {
            let compressor = match kept {
                Some((of, compressor)) if *of == level => compressor,
                _ => &mut kept.insert((level, Compressor::new(level)?)).1,
            };
            out.reserve(zstd::zstd_safe::compress_bound(piece.len()));
            compressor.compress_to_buffer(piece, out).map(|_| ())
        })
    }

    fn sum(self, _piece: &[u8]) -> Crc {
        Crc::new()
    }
}

#[cfg(test)]
mod tests {
    use boltworks_crypto::sha256;
    use boltworks_model::Sha256;

    use super::*;

    const FORMAT: Format = Format {
        level: 3,
        piece: 64 << 10,
    };

    fn compressed(bytes: &[u8], part: usize, threads: usize) -> (Vec<u8>, Vec<Piece>) {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut zstd = Zstd::knowing(Vec::new(), FORMAT, Arc::new(|_: &Sha256| None));
            for part in bytes.chunks(part.max(1)) {
                zstd.write_all(part).unwrap();
            }
            zstd.finish().unwrap()
        })
    }

    fn sample(len: usize) -> Vec<u8> {
        let byte = |at: usize| b"the quick brown fox "[at % 20] ^ u8::from(at.is_multiple_of(977));
        (0..len).map(byte).collect()
    }

    #[test]
    fn every_length_survives_and_threads_change_nothing() {
        for len in [1, FORMAT.piece, FORMAT.piece + 1, 5_000_000] {
            let bytes = sample(len);
            let (packed, pieces) = compressed(&bytes, len, 1);
            assert!(compressed(&bytes, 1000, 5) == (packed.clone(), pieces.clone()));
            let whole: u64 = pieces.iter().map(|(_, len)| len).sum();
            assert_eq!(whole, packed.len() as u64);
            assert!(
                zstd::decode_all(packed.as_slice()).unwrap() == bytes,
                "{len}"
            );
        }
    }

    #[test]
    fn what_is_known_is_not_compressed_again() {
        let bytes = sample(FORMAT.piece * 2);
        let (first, pieces) = compressed(&bytes, bytes.len(), 1);
        let (digest, len) = pieces[0];
        assert_eq!(digest, sha256(&bytes[..FORMAT.piece]));
        let kept = first[..usize::try_from(len).unwrap()].to_vec();
        let known = Arc::new(move |asked: &Sha256| (*asked == digest).then(|| kept.clone()));
        let mut zstd = Zstd::knowing(Vec::new(), FORMAT, known);
        zstd.write_all(&bytes).unwrap();
        assert!(zstd.finish().unwrap() == (first, pieces));
    }
}
