//! A stream compressed by all threads at once, the same bytes whatever their number.
//!
//! The input is cut into pieces where it is told to, and where a piece has become long. Each is
//! compressed on its own to something that can follow any other, so the results concatenate to one
//! stream, and what a piece becomes depends on nothing but its own bytes: one that is known already
//! need not be compressed again. Others are compressed while the next ones are written; what they
//! became is put in order.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use boltworks_crypto::sha256;
use boltworks_model::Sha256;
use flate2::Crc;

/// No more bytes wait to be compressed: the memory that this takes.
pub(crate) const BATCH: usize = 4 << 20;

/// What is known of a piece: from the digest of its bytes to what they are compressed to. It must
/// have been compressed in the same format.
pub type Known = dyn Fn(&Sha256) -> Option<Vec<u8>> + Send + Sync;

/// What a piece became: the digest of its bytes, and how many bytes it was compressed to.
pub type Piece = (Sha256, u64);

/// How one piece is compressed.
pub(crate) trait Codec: Copy + Send + 'static {
    /// Compresses a piece into `out`, which is empty. The last one may end the stream.
    fn compress(self, piece: &[u8], out: &mut Vec<u8>, is_last: bool) -> io::Result<()>;

    /// What the stream's end needs to know of a piece.
    fn sum(self, piece: &[u8]) -> Crc;
}

/// Compresses what is written to it, piece by piece. Must be finished.
pub(crate) struct Pieces<W, C> {
    pub(crate) out: W,
    codec: C,
    /// The most bytes a piece has.
    most: usize,
    known: Option<Arc<Known>>,
    /// The piece that is being written.
    piece: Buffers,
    /// Pieces that others compress meanwhile, in order, each with how many bytes it has.
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

/// A stream that is compressed.
pub(crate) struct Finished<W> {
    pub(crate) out: W,
    pub(crate) crc: Crc,
    pub(crate) done: Vec<Piece>,
    /// Whether the last piece ended the stream.
    pub(crate) has_ended: bool,
}

impl<W: Write, C: Codec> Pieces<W, C> {
    /// A stream without pieces. Where there is something to look pieces up in they are hashed, and
    /// told of at the end; the bytes are the same whether any are known.
    pub(crate) fn new(out: W, codec: C, most: usize, known: Option<Arc<Known>>) -> Self {
        Self {
            out,
            codec,
            most: most.max(1),
            known,
            piece: Buffers::default(),
            waiting: VecDeque::new(),
            crc: Crc::new(),
            done: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Ends the piece: what was written and what comes next do not look at each other.
    pub(crate) fn cut(&mut self) -> io::Result<()> {
        self.end_piece(false);
        self.settle(BATCH)
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) -> io::Result<Finished<W>> {
        // What is remembered must be good at any place.
        let has_ended = self.known.is_none() && !self.piece.plain.is_empty();
        self.end_piece(has_ended);
        self.settle(0)?;
        Ok(Finished {
            out: self.out,
            crc: self.crc,
            done: self.done,
            has_ended,
        })
    }

    /// Has somebody compress the piece.
    fn end_piece(&mut self, is_last: bool) {
        if self.piece.plain.is_empty() {
            return;
        }
        let next = self.spare.pop().unwrap_or_default();
        let piece = std::mem::replace(&mut self.piece, next);
        let known = self.known.clone();
        let codec = self.codec;
        let (sender, receiver) = sync_channel(1);
        self.waiting.push_back((piece.plain.len(), receiver));
        rayon::spawn(move || {
            // Nobody waits any more where something else failed.
            let _gone = sender.send(pack(known.as_deref(), codec, piece, is_last));
        });
    }

    /// Writes what is compressed, in order, and waits until no more bytes than that wait.
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

impl<W: Write, C: Codec> Write for Pieces<W, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.most;
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

/// A piece as it is known, or compressed now.
fn pack(
    known: Option<&Known>,
    codec: impl Codec,
    mut buffers: Buffers,
    is_last: bool,
) -> io::Result<Packed> {
    let Buffers { plain, packed } = &mut buffers;
    let crc = codec.sum(plain);
    let digest = known.is_some().then(|| sha256(plain));
    match known.zip(digest).and_then(|(known, digest)| known(&digest)) {
        Some(bytes) => *packed = bytes,
        None => codec.compress(plain, packed, is_last)?,
    }
    Ok(Packed {
        digest,
        crc,
        buffers,
    })
}
