//! One gzip member (RFC 1952), compressed by all threads at once, the same bytes whatever
//! their number; see [`pieces`](crate::pieces).
//!
//! Each piece is deflated on its own and ended on a byte boundary.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::pieces::{Codec, Finished, Pieces};
pub use crate::pieces::{Known, Piece};

/// No time, no name, unknown system.
pub const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty last block: the stream ends here.
const LAST: [u8; 2] = [0x03, 0x00];

/// How a member is compressed. All of it decides the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// zlib's level, 0 to 9; more is 9.
    pub level: u32,
    /// The most bytes a piece has, at least one. What is compressed in small pieces becomes a
    /// little larger; what is compressed in large ones is shared badly among threads.
    pub piece: usize,
}

/// Deflate at zlib's level.
#[derive(Clone, Copy)]
struct Deflate(u32);

/// Compresses what is written to it. Must be finished.
pub struct Gzip<W>(Pieces<W, Deflate>);

impl<W: Write> Gzip<W> {
    /// Begins the member.
    pub fn new(out: W, format: Format) -> io::Result<Self> {
        Self::begin(out, format, None)
    }

    /// Begins a member whose pieces are hashed, looked up, and told of at its end. The bytes are
    /// the same whether any are known.
    pub fn knowing(out: W, format: Format, known: Arc<Known>) -> io::Result<Self> {
        Self::begin(out, format, Some(known))
    }

    fn begin(mut out: W, format: Format, known: Option<Arc<Known>>) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        let Format { level, piece } = format;
        Ok(Self(Pieces::new(out, Deflate(level), piece, known)))
    }

    /// Ends the piece: what was written and what comes next do not look at each other.
    pub fn cut(&mut self) -> io::Result<()> {
        self.0.cut()
    }

    /// Ends the member; the writer, and where pieces are told of, what they became.
    pub fn finish(self) -> io::Result<(W, Vec<Piece>)> {
        let Finished {
            mut out,
            crc,
            done,
            has_ended,
        } = self.0.finish()?;
        if !has_ended {
            out.write_all(&LAST)?;
        }
        out.write_all(&crc.sum().to_le_bytes())?;
        out.write_all(&crc.amount().to_le_bytes())?;
        Ok((out, done))
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    /// Does nothing: where pieces end decides the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes at hand as one member.
pub fn member(bytes: &[u8], format: Format) -> io::Result<Vec<u8>> {
    let mut gzip = Gzip::new(Vec::new(), format)?;
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?.0)
}

impl Codec for Deflate {
    fn compress(self, piece: &[u8], out: &mut Vec<u8>, is_last: bool) -> io::Result<()> {
        thread_local! {
            // It is 300 KB that are cleared when it is made.
            static COMPRESS: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
        }
        let end = if is_last {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let level = self.0;
        COMPRESS.with_borrow_mut(|kept| {
            if kept.as_ref().is_none_or(|(of, _)| *of != level) {
                *kept = None;
            }
            let new = || {
                let compression = Compression::new(level.min(9));
                (level, Compress::new(compression, false))
            };
            block(&mut kept.get_or_insert_with(new).1, piece, out, end)
        })
    }

    fn sum(self, piece: &[u8]) -> Crc {
        let mut crc = Crc::new();
        crc.update(piece);
        crc
    }
}

/// Raw deflate that ends on a byte boundary, or is the stream's end, into `out`, which is empty.
fn block(
    compress: &mut Compress,
    bytes: &[u8],
    out: &mut Vec<u8>,
    end: FlushCompress,
) -> io::Result<()> {
    compress.reset();
    // Stored blocks cost 5 bytes each 64 KiB at most, the boundary as many.
    out.reserve(bytes.len() + bytes.len() / 1000 + 64);
    let mut rest = bytes;
    let is_last = matches!(end, FlushCompress::Finish);
    loop {
        let before = compress.total_in();
        let status = compress
            .compress_vec(rest, out, end)
            .map_err(io::Error::other)?;
        let used = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(used..).unwrap_or_default();
        let has_ended = status == Status::StreamEnd;
        // Room left over means that nothing is pending: the boundary was written.
        let has_room = out.len() < out.capacity();
        if rest.is_empty() && (if is_last { has_ended } else { has_room }) {
            return Ok(());
        }
        if has_ended {
            return Err(io::Error::other("the deflate stream ended early"));
        }
        out.reserve(4096);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use boltworks_crypto::sha256;
    use boltworks_model::Sha256;

    use super::*;
    use crate::pieces::BATCH;

    const FORMAT: Format = Format {
        level: 3,
        piece: 256 << 10,
    };
    const PIECE: usize = FORMAT.piece;

    /// Written in parts of that many bytes, cut where it is said.
    fn compressed(bytes: &[u8], part: usize, threads: usize, cuts: &[usize]) -> Vec<u8> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let known = Arc::new(|_: &Sha256| None);
            let mut gzip = Gzip::knowing(Vec::new(), FORMAT, known).unwrap();
            let mut begin = 0;
            for end in cuts.iter().copied().chain([bytes.len()]) {
                for part in bytes[begin..end].chunks(part) {
                    gzip.write_all(part).unwrap();
                    gzip.flush().unwrap();
                }
                gzip.cut().unwrap();
                begin = end;
            }
            let (packed, pieces) = gzip.finish().unwrap();
            let deflated: u64 = pieces.iter().map(|(_, len)| len).sum();
            assert_eq!(packed.len() as u64, deflated + 10 + 2 + 8);
            packed
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the test's own data, as long as it made it"
    )]
    fn decompressed(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        // Not the multi-member reader: it must be one member.
        let mut reader = flate2::read::GzDecoder::new(bytes);
        reader.read_to_end(&mut out).unwrap();
        let rest = reader.into_inner();
        assert!(rest.is_empty(), "{} bytes behind the member", rest.len());
        out
    }

    /// Text-like, with matches across the ends of pieces, then noise.
    fn sample(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u8::try_from(state >> 24).unwrap()
        };
        (0..len)
            .map(|at| match at % 100_000 {
                0..60_000 => b"the quick brown fox "[at % 20],
                60_000..80_000 => noise() % 4 + b'a',
                _ => noise(),
            })
            .collect()
    }

    #[test]
    fn every_length_survives() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, BATCH, BATCH + PIECE + 7] {
            let bytes = sample(len);
            for cuts in [vec![], vec![0, len / 3, len / 2, len / 2]] {
                let packed = compressed(&bytes, 10_000, 2, &cuts);
                assert_eq!(sha256(&decompressed(&packed)), sha256(&bytes), "{len}");
            }
        }
    }

    #[test]
    fn threads_and_parts_change_nothing_and_cuts_do() {
        let bytes = sample(BATCH + PIECE * 3 + 77);
        let cuts = [100, PIECE + 100, 2 * PIECE];
        let first = compressed(&bytes, bytes.len(), 1, &cuts);
        for (part, threads) in [(1000, 1), (1 << 20, 2), (bytes.len(), 5)] {
            assert!(
                compressed(&bytes, part, threads, &cuts) == first,
                "{part} {threads}"
            );
        }
        assert!(compressed(&bytes, 1000, 1, &[]) != first);
    }

    #[test]
    fn what_is_known_is_not_deflated_again() {
        let bytes = sample(PIECE * 2);
        let write = |known: Arc<Known>| {
            let mut gzip = Gzip::knowing(Vec::new(), FORMAT, known).unwrap();
            gzip.write_all(&bytes).unwrap();
            gzip.finish().unwrap()
        };
        let (first, pieces) = write(Arc::new(|_| None));
        let (digest, len) = pieces[0];
        let kept = first[HEADER.len()..][..usize::try_from(len).unwrap()].to_vec();
        let known = Arc::new(move |asked: &Sha256| (*asked == digest).then(|| kept.clone()));
        assert!(write(known) == (first, pieces));
        // And what is known is believed.
        let (other, _) = write(Arc::new(|_| Some(Vec::new())));
        assert_eq!(other.len(), HEADER.len() + LAST.len() + 8);
    }

    #[test]
    fn levels_are_levels() {
        let bytes = sample(PIECE + 1);
        let packed = [1, 9, 1].map(|level| member(&bytes, Format { level, ..FORMAT }).unwrap());
        assert!(packed[0] == packed[2] && packed[0].len() > packed[1].len());
        assert_eq!(sha256(&decompressed(&packed[1])), sha256(&bytes));
        assert!(decompressed(&member(b"", FORMAT).unwrap()).is_empty());
    }

    #[test]
    fn the_bytes_are_those_of_this_writer_version() {
        // Another digest here means another WRITER_VERSION.
        let packed = compressed(&sample(PIECE * 3 + 5), 4096, 2, &[PIECE / 2]);
        insta::assert_snapshot!(sha256(&packed), @"c74607542fb75dac2563aa4b46ce14df4e7067e9e380becb47f8554bbb01e2da");
    }
}
