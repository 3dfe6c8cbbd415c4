//! One gzip member (RFC 1952), compressed by all threads at once, the same bytes whatever
//! their number.
//!
//! The input is cut into blocks of a fixed size. Each is deflated on its own, primed with the
//! 32 KiB before it and ended on a byte boundary, so the pieces concatenate to one stream that
//! is nearly as small as a sequential one. Blocks are collected into batches; a batch is
//! deflated in parallel and written in order.

use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use rayon::prelude::*;

/// zlib's level. Part of what decides the bytes. Of 4.5 MB of programs level 6 makes 2.20 MB in
/// 84 ms of a core, level 3 makes 2.25 MB in 60 ms: an image is to be assembled while one waits.
const LEVEL: u32 = 3;
/// Bytes of input a block has. Part of what decides the bytes.
const BLOCK: usize = 128 << 10;
/// Blocks that wait to be deflated together.
const BATCH: usize = 32;
/// As far as deflate looks back.
const WINDOW: usize = 32 << 10;
/// No time, no name, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// An empty last block: the stream ends here.
const LAST: [u8; 2] = [0x03, 0x00];

/// Compresses what is written to it. Must be finished.
pub struct Gzip<W> {
    out: W,
    /// The window before `waiting`, then what waits to be deflated.
    buffer: Vec<u8>,
    /// Where in `buffer` what waits begins.
    start: usize,
    crc: Crc,
}

impl<W: Write> Gzip<W> {
    /// Begins the member.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        let buffer = Vec::with_capacity(WINDOW + BLOCK * BATCH);
        Ok(Self {
            out,
            buffer,
            start: 0,
            crc: Crc::new(),
        })
    }

    /// Ends the member and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.deflate()?;
        self.out.write_all(&LAST)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }

    /// Deflates and writes everything that waits.
    fn deflate(&mut self) -> io::Result<()> {
        let waiting = self.buffer.get(self.start..).unwrap_or_default();
        self.crc.update(waiting);
        let starts: Vec<usize> = (self.start..self.buffer.len()).step_by(BLOCK).collect();
        let buffer = &self.buffer;
        let blocks: Vec<io::Result<Vec<u8>>> = starts
            .into_par_iter()
            .map_init(
                || Compress::new(Compression::new(LEVEL), false),
                |compress, start| {
                    let end = buffer.len().min(start + BLOCK);
                    let before = start.saturating_sub(WINDOW)..start;
                    let window = buffer.get(before).unwrap_or_default();
                    block(compress, window, buffer.get(start..end).unwrap_or_default())
                },
            )
            .collect();
        for block in blocks {
            self.out.write_all(&block?)?;
        }
        let keep = self.buffer.len().min(WINDOW);
        self.buffer.drain(..self.buffer.len() - keep);
        self.start = keep;
        Ok(())
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = BLOCK * BATCH - (self.buffer.len() - self.start);
        let taken = bytes.len().min(room);
        self.buffer
            .extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if taken == room {
            self.deflate()?;
        }
        Ok(taken)
    }

    /// Does nothing: where blocks end decides the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One block as raw deflate that ends on a byte boundary.
fn block(compress: &mut Compress, window: &[u8], bytes: &[u8]) -> io::Result<Vec<u8>> {
    compress.reset();
    if !window.is_empty() {
        compress.set_dictionary(window).map_err(io::Error::other)?;
    }
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

    fn compressed(bytes: &[u8], piece: usize, threads: usize) -> Vec<u8> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut gzip = Gzip::new(Vec::new()).unwrap();
            for piece in bytes.chunks(piece) {
                gzip.write_all(piece).unwrap();
                gzip.flush().unwrap();
            }
            gzip.finish().unwrap()
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

    /// Text-like, with matches across block boundaries, then noise.
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
        for len in [
            0,
            1,
            BLOCK - 1,
            BLOCK,
            BLOCK + 1,
            BLOCK * BATCH,
            BLOCK * BATCH + 7,
        ] {
            let bytes = sample(len);
            let packed = compressed(&bytes, 10_000, 2);
            assert_eq!(sha256(&decompressed(&packed)), sha256(&bytes), "{len}");
        }
    }

    #[test]
    fn threads_and_pieces_change_nothing() {
        let bytes = sample(BLOCK * BATCH + BLOCK * 3 + 77);
        let first = compressed(&bytes, bytes.len(), 1);
        for (piece, threads) in [(1000, 1), (1 << 20, 2), (bytes.len(), 5)] {
            assert!(
                compressed(&bytes, piece, threads) == first,
                "{piece} {threads}"
            );
        }
    }

    #[test]
    fn the_bytes_are_those_of_this_writer_version() {
        // Another digest here means another WRITER_VERSION.
        let packed = compressed(&sample(BLOCK * 3 + 5), 4096, 2);
        insta::assert_snapshot!(sha256(&packed), @"acf843e24eb68fdff8f51eb62cd7c88e4b3e42e736163f4bf4435c7bf40cf196");
    }
}
