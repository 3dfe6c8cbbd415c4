//! One gzip member (RFC 1952), compressed by all threads at once, the same bytes whatever
//! their number.
//!
//! The input is cut into pieces where it is told to, and where a piece has become long. Each is
//! deflated on its own and ended on a byte boundary, so the results concatenate to one stream,
//! and what a piece becomes depends on nothing but its own bytes: one that is known already need
//! not be deflated again. Others deflate while the next pieces are written; what they made is put
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

/// No more bytes wait to be deflated: the memory that this takes.
const BATCH: usize = 4 << 20;
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

/// What is known of a piece: from the digest of its bytes to what they are compressed to. It must
/// have been compressed in the same format.
pub type Known = dyn Fn(&Sha256) -> Option<Vec<u8>> + Send + Sync;

/// What a piece became: the digest of its bytes, and how many bytes it was compressed to.
pub type Piece = (Sha256, u64);

/// Compresses what is written to it. Must be finished.
pub struct Gzip<W> {
    out: W,
    format: Format,
    known: Option<Arc<Known>>,
    /// The piece that is being written.
    piece: Buffers,
    /// Pieces that others deflate meanwhile, in order, each with how many bytes it has.
    waiting: VecDeque<(usize, Receiver<io::Result<Packed>>)>,
    crc: Crc,
    done: Vec<Piece>,
    /// Memory of pieces that are done, to be used again: fresh memory costs time.
    spare: Vec<Buffers>,
}

/// The memory of one piece.
#[derive(Default)]
struct Buffers {
    plain: Vec<u8>,
    packed: Vec<u8>,
}

/// What one thread makes of a piece.
struct Packed {
    /// Where pieces are remembered.
    digest: Option<Sha256>,
    crc: Crc,
    buffers: Buffers,
}

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
        Ok(Self {
            out,
            format,
            known,
            piece: Buffers::default(),
            waiting: VecDeque::new(),
            crc: Crc::new(),
            done: Vec::new(),
            spare: Vec::new(),
        })
    }

    /// Ends the piece: what was written and what comes next do not look at each other.
    pub fn cut(&mut self) -> io::Result<()> {
        self.end_piece(FlushCompress::Sync);
        self.settle(BATCH)
    }

    /// Ends the member; the writer, and where pieces are told of, what they became.
    pub fn finish(mut self) -> io::Result<(W, Vec<Piece>)> {
        // What is remembered must be good at any place.
        let is_last = self.known.is_none() && !self.piece.plain.is_empty();
        self.end_piece(if is_last {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        });
        self.settle(0)?;
        if !is_last {
            self.out.write_all(&LAST)?;
        }
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok((self.out, self.done))
    }

    /// Has somebody deflate the piece.
    fn end_piece(&mut self, end: FlushCompress) {
        if self.piece.plain.is_empty() {
            return;
        }
        let next = self.spare.pop().unwrap_or_default();
        let piece = std::mem::replace(&mut self.piece, next);
        let known = self.known.clone();
        let level = self.format.level;
        let (sender, receiver) = sync_channel(1);
        self.waiting.push_back((piece.plain.len(), receiver));
        rayon::spawn(move || {
            // Nobody waits any more where something else failed.
            let _gone = sender.send(pack(known.as_deref(), level, piece, end));
        });
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
            let Packed {
                digest,
                crc,
                mut buffers,
            } = packed?;
            self.crc.combine(&crc);
            self.out.write_all(&buffers.packed)?;
            let len = buffers.packed.len() as u64;
            self.done.extend(digest.map(|digest| (digest, len)));
            buffers.plain.clear();
            buffers.packed.clear();
            self.spare.push(buffers);
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
        let most = self.format.piece.max(1);
        let piece = &mut self.piece.plain;
        let taken = bytes.len().min(most - piece.len());
        if piece.capacity() == 0 {
            piece.reserve_exact(most);
        }
        piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if piece.len() == most {
            self.cut()?;
        }
        Ok(taken)
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

/// A piece as it is known, or deflated now.
fn pack(
    known: Option<&Known>,
    level: u32,
    mut buffers: Buffers,
    end: FlushCompress,
) -> io::Result<Packed> {
    thread_local! {
        // It is 300 KB that are cleared when it is made.
        static COMPRESS: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
    }
    let Buffers { plain, packed } = &mut buffers;
    let mut crc = Crc::new();
    crc.update(plain);
    let digest = known.is_some().then(|| sha256(plain));
    match known.zip(digest).and_then(|(known, digest)| known(&digest)) {
        Some(bytes) => *packed = bytes,
        None => COMPRESS.with_borrow_mut(|kept| {
            if kept.as_ref().is_none_or(|(of, _)| *of != level) {
                *kept = None;
            }
            let new = || {
                let compression = Compression::new(level.min(9));
                (level, Compress::new(compression, false))
            };
            block(&mut kept.get_or_insert_with(new).1, plain, packed, end)
        })?,
    }
    Ok(Packed {
        digest,
        crc,
        buffers,
    })
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

    use super::*;

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
