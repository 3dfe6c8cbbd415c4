//! One gzip member (RFC 1952), compressed by all threads at once, the same bytes whatever
//! their number.
//!
//! The input is cut into pieces where it is told to, and where a piece has become long. Each is
//! deflated on its own and ended on a byte boundary, so the results concatenate to one stream,
//! and what a piece becomes depends on nothing but its own bytes: one that is known already is
//! not deflated again. Others deflate while the next pieces are written; what they made is put
//! in order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use boltworks_crypto::sha256;
use boltworks_model::Sha256;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::pieces::{Piece, Pieces};

/// zlib's level. Part of what decides the bytes. Of 3.0 MB of the demo's files level 6 makes
/// 1.37 MB in 44 ms of a core, level 3 makes 1.40 MB in 32 ms: an image is to be assembled while
/// one waits.
const LEVEL: u32 = 3;
/// The most a piece has. Part of what decides the bytes. Pieces of half the size would make the
/// demo's layer 0.2 % larger.
const PIECE: usize = 256 << 10;
/// No more bytes wait to be deflated: the memory that this takes.
const BATCH: usize = 4 << 20;
/// No time, no name, unknown system.
pub(crate) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty last block: the stream ends here.
const LAST: [u8; 2] = [0x03, 0x00];

/// Compresses what is written to it. Must be finished.
pub struct Gzip<W> {
    out: W,
    known: Arc<Pieces>,
    /// The piece that is being written.
    piece: Vec<u8>,
    /// Pieces that others deflate meanwhile, in order, each with how many bytes it has.
    waiting: VecDeque<(usize, Receiver<io::Result<Packed>>)>,
    crc: Crc,
    done: Vec<Piece>,
}

/// A piece's digest and what it is compressed to.
type Packed = (Sha256, Vec<u8>);

impl<W: Write> Gzip<W> {
    /// Begins the member.
    pub fn new(mut out: W, known: Arc<Pieces>) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        Ok(Self {
            out,
            known,
            piece: Vec::with_capacity(PIECE),
            waiting: VecDeque::new(),
            crc: Crc::new(),
            done: Vec::new(),
        })
    }

    /// Ends the piece: what was written and what comes next do not look at each other.
    pub fn cut(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.crc.update(&piece);
        let known = Arc::clone(&self.known);
        let (sender, receiver) = sync_channel(1);
        self.waiting.push_back((piece.len(), receiver));
        rayon::spawn(move || {
            // Nobody waits any more where something else failed.
            let _gone = sender.send(pack(&known, &piece));
        });
        self.settle(BATCH)
    }

    /// Ends the member; the writer, and what the pieces became.
    pub fn finish(mut self) -> io::Result<(W, Vec<Piece>)> {
        self.cut()?;
        self.settle(0)?;
        self.out.write_all(&LAST)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok((self.out, self.done))
    }

    /// Writes what is deflated, in order, and waits until no more bytes than that wait.
    fn settle(&mut self, most: usize) -> io::Result<()> {
        let mut bytes: usize = self.waiting.iter().map(|(len, _)| len).sum();
        while let Some((len, receiver)) = self.waiting.front() {
            let packed = match receiver.try_recv() {
                Ok(packed) => packed,
                Err(TryRecvError::Empty) if bytes <= most => return Ok(()),
                Err(_) => receive(receiver)?,
            };
            bytes -= len;
            self.waiting.pop_front();
            let (digest, packed) = packed?;
            self.out.write_all(&packed)?;
            self.done.push((digest, packed.len() as u64));
        }
        Ok(())
    }
}

/// Waits for a piece. A thread that others wait for works meanwhile.
fn receive(receiver: &Receiver<io::Result<Packed>>) -> io::Result<io::Result<Packed>> {
    loop {
        let patience = match rayon::yield_now() {
            Some(rayon::Yield::Executed) => Duration::ZERO,
            Some(rayon::Yield::Idle) => Duration::from_micros(100),
            None => Duration::from_secs(1),
        };
        match receiver.recv_timeout(patience) {
            Ok(packed) => return Ok(packed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("a thread that compresses is gone"));
            }
        }
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece
            .extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.piece.len() == PIECE {
            self.cut()?;
        }
        Ok(taken)
    }

    /// Does nothing: where pieces end decides the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A piece as it is known, or deflated now.
fn pack(known: &Pieces, piece: &[u8]) -> io::Result<Packed> {
    thread_local! {
        // It is 300 KB that are cleared when it is made.
        static COMPRESS: RefCell<Compress> =
            RefCell::new(Compress::new(Compression::new(LEVEL), false));
    }
    let digest = sha256(piece);
    let bytes = match known.get(&digest) {
        Some(bytes) => bytes,
        None => COMPRESS.with_borrow_mut(|compress| block(compress, piece))?,
    };
    Ok((digest, bytes))
}

/// Raw deflate that ends on a byte boundary.
fn block(compress: &mut Compress, bytes: &[u8]) -> io::Result<Vec<u8>> {
    compress.reset();
    // Stored blocks cost 5 bytes each 64 KiB at most, the boundary as many.
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + 64);
    let mut rest = bytes;
    loop {
        let before = compress.total_in();
        let status = compress
            .compress_vec(rest, &mut out, FlushCompress::Sync)
            .map_err(io::Error::other)?;
        let used = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(used..).unwrap_or_default();
        // Room left over means that nothing is pending: the boundary was written.
        if rest.is_empty() && out.len() < out.capacity() {
            return Ok(out);
        }
        if status == Status::StreamEnd {
            return Err(io::Error::other("the deflate stream ended early"));
        }
        out.reserve(4096);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use boltworks_crypto::sha256;

    use super::*;

    /// Written in parts of that many bytes, cut where it is said.
    fn compressed(bytes: &[u8], part: usize, threads: usize, cuts: &[usize]) -> Vec<u8> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut gzip = Gzip::new(Vec::new(), Arc::default()).unwrap();
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
    fn the_bytes_are_those_of_this_writer_version() {
        // Another digest here means another WRITER_VERSION.
        let packed = compressed(&sample(PIECE * 3 + 5), 4096, 2, &[PIECE / 2]);
        insta::assert_snapshot!(sha256(&packed), @"c74607542fb75dac2563aa4b46ce14df4e7067e9e380becb47f8554bbb01e2da");
    }
}
