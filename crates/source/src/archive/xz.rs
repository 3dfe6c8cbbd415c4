//! The `.xz` container (version 1.2.1): streams of blocks, each compressed by LZMA2.
//!
//! Other filters (branch converters, delta) are refused: no release is packed with them. Checks and
//! the index are passed over; whoever needs them knows the whole file by its digest.

use std::io::{self, Read};

use lzma_rust2::Lzma2Reader;

/// How a stream begins.
const MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
/// How a stream ends.
const END: [u8; 2] = *b"YZ";
/// The largest dictionary that is given memory: twice what `xz -9` takes.
const DICTIONARY: u32 = 128 << 20;
/// LZMA2's number among the filters.
const LZMA2: u64 = 0x21;

/// The bytes that an `.xz` file was made from.
pub(super) struct Xz<R: Read> {
    state: State<R>,
    /// The bytes of a check in this stream.
    check: u64,
}

enum State<R: Read> {
    /// Before a stream.
    Stream(Counted<R>),
    /// Before a block, or the index.
    Block(Counted<R>),
    Inside(Box<Lzma2Reader<Counted<R>>>),
    /// At the end, or after an error.
    Over,
}

impl<R: Read> Xz<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self {
            state: State::Stream(Counted { inner, count: 0 }),
            check: 0,
        }
    }

    /// Goes on to where there are bytes.
    fn advance(&mut self) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Stream(inner) => self.stream(inner)?,
            State::Block(inner) => block(inner)?,
            State::Inside(reader) => {
                let mut inner = reader.into_inner();
                // To a multiple of four, then the check.
                inner.align()?;
                inner.skip(self.check)?;
                State::Block(inner)
            }
            State::Over => State::Over,
        };
        Ok(())
    }

    fn stream(&mut self, mut inner: Counted<R>) -> io::Result<State<R>> {
        let mut first = [0; 4];
        loop {
            match inner.fill(&mut first)? {
                0 => return Ok(State::Over),
                4 if first == [0; 4] => {}
                4 => break,
                _ => return Err(bad("it ends in the middle of a stream")),
            }
        }
        let mut rest = [0; 8];
        inner.exact(&mut rest)?;
        let [m4, m5, zero, check, ..] = rest;
        if [first.as_slice(), &[m4, m5]].concat() != MAGIC || zero != 0 || check > 15 {
            return Err(bad("there is no xz stream"));
        }
        self.check = match check {
            0 => 0,
            kind => 4 << ((u64::from(kind) - 1) / 3),
        };
        inner.count = 0;
        Ok(State::Block(inner))
    }
}

/// Begins a block, or passes over the index.
fn block<R: Read>(mut inner: Counted<R>) -> io::Result<State<R>> {
    let start = inner.count;
    let size = inner.byte()?;
    if size == 0 {
        return index(inner);
    }
    let end = start + (u64::from(size) + 1) * 4;
    let flags = inner.byte()?;
    if flags & 0x3f != 0 {
        return Err(bad("it is packed with another filter than LZMA2"));
    }
    for _ in 0..(flags >> 6).count_ones() {
        inner.number()?;
    }
    let (filter, properties) = (inner.number()?, inner.number()?);
    if filter != LZMA2 || properties != 1 {
        return Err(bad("it is packed with another filter than LZMA2"));
    }
    let dictionary = dictionary(inner.byte()?)?;
    let padding = end.checked_sub(inner.count);
    inner.skip(padding.ok_or_else(|| bad("a block's header is too short"))?)?;
    inner.count = 0;
    Ok(State::Inside(Box::new(Lzma2Reader::new(
        inner, dictionary, None,
    ))))
}

/// Passes over the index and the end of a stream.
fn index<R: Read>(mut inner: Counted<R>) -> io::Result<State<R>> {
    inner.count = 1;
    let records = inner.number()?;
    for _ in 0..records {
        inner.number()?;
        inner.number()?;
    }
    inner.align()?;
    // Its CRC, and that of the footer, the index's size, the flags.
    inner.skip(4 + 4 + 4 + 2)?;
    let mut end = [0; 2];
    inner.exact(&mut end)?;
    if end == END {
        Ok(State::Stream(inner))
    } else {
        Err(bad("a stream does not end as it must"))
    }
}

/// The size that one byte stands for.
fn dictionary(bits: u8) -> io::Result<u32> {
    let size = match bits {
        0..=39 => (2 | u64::from(bits & 1)) << (bits / 2 + 11),
        _ => u64::MAX,
    };
    let size = u32::try_from(size).ok().filter(|size| *size <= DICTIONARY);
    size.ok_or_else(|| bad("it asks for more memory than is given"))
}

impl<R: Read> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match &mut self.state {
                State::Inside(reader) => {
                    let count = reader.read(buffer)?;
                    if count > 0 {
                        return Ok(count);
                    }
                }
                State::Over => return Ok(0),
                State::Stream(_) | State::Block(_) => {}
            }
            self.advance()?;
        }
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

impl<R: Read> Counted<R> {
    /// Reads as many bytes as there are, up to the buffer's; how many.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    fn exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        if self.fill(buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(bad("it ends too soon"))
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.exact(&mut byte)?;
        let [byte] = byte;
        Ok(byte)
    }

    /// A number in groups of seven bits, the lowest first (section 1.2).
    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(bad("a number is too long"))
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        for _ in 0..count {
            self.byte()?;
        }
        Ok(())
    }

    /// Goes on to a multiple of four.
    fn align(&mut self) -> io::Result<()> {
        self.skip(self.count.wrapping_neg() % 4)
    }
}

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
