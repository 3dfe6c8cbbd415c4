//! Reads that fail past a limit, where the standard library would end silently.

use std::io::{self, Read};

/// A number of bytes that must not be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit(pub u64);

impl Limit {
    /// A limit in KiB.
    pub const fn kib(count: u64) -> Self {
        Self(count * 1024)
    }

    /// A limit in MiB.
    pub const fn mib(count: u64) -> Self {
        Self(count * 1024 * 1024)
    }

    /// A limit in GiB.
    pub const fn gib(count: u64) -> Self {
        Self(count * 1024 * 1024 * 1024)
    }
}

/// A reader that gives at most its limit; one byte more is an error of kind
/// [`io::ErrorKind::FileTooLarge`].
#[derive(Debug)]
pub struct Bounded<R> {
    inner: R,
    left: u64,
    limit: Limit,
    /// So much memory is asked for at once, by whoever wants everything.
    expected: u64,
}

impl<R> Bounded<R> {
    /// Puts a limit on a reader.
    pub const fn new(inner: R, limit: Limit) -> Self {
        Self {
            inner,
            left: limit.0,
            limit,
            expected: 0,
        }
    }

    /// Says how many bytes there probably are.
    pub(crate) const fn expecting(mut self, bytes: u64) -> Self {
        self.expected = bytes;
        self
    }

    /// The reader itself, without its limit.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// How many bytes were read so far.
    pub const fn position(&self) -> u64 {
        self.limit.0 - self.left
    }
}

impl<R: Read> Bounded<R> {
    /// Everything that is left.
    pub fn read_all(mut self) -> io::Result<Vec<u8>> {
        let room = usize::try_from(self.expected.min(self.left)).unwrap_or_default();
        // One more, so that the end is found without asking for more memory.
        let mut bytes = Vec::with_capacity(room.saturating_add(1));
        #[expect(clippy::disallowed_methods, reason = "the limit is this type's own")]
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Everything that is left, as UTF-8 text.
    pub fn read_text(self) -> io::Result<String> {
        String::from_utf8(self.read_all()?).map_err(|reason| {
            let good = reason.utf8_error().valid_up_to();
            let no_text = NoText::new(reason.as_bytes(), good);
            io::Error::new(io::ErrorKind::InvalidData, no_text)
        })
    }
}

/// A file that should be UTF-8 text, and where it is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no UTF-8 text: the byte 0x{byte:02x} in line {line}, column {column}")]
pub struct NoText {
    /// The first byte that is wrong.
    pub byte: u8,
    /// Its line, from 1.
    pub line: u32,
    /// Its column in characters, from 1.
    pub column: u32,
    /// The line, with what is wrong shown as `\u{fffd}`.
    pub shown: String,
}

impl NoText {
    /// With more wrong bytes than these, nothing of the line is shown after the first.
    const ODD: usize = 8;
    /// The most bytes of the line that are shown after it.
    const SHOWN: usize = 240;

    fn new(bytes: &[u8], good: usize) -> Self {
        let before = bytes.get(..good).unwrap_or_default();
        let line = before.rsplit(|byte| *byte == b'\n').next();
        let line = line.unwrap_or_default();
        let rest = bytes.get(good..).unwrap_or_default();
        let rest = rest.split(|byte| *byte == b'\n').next();
        let rest = rest.unwrap_or_default();
        let rest = rest.get(..rest.len().min(Self::SHOWN)).unwrap_or_default();
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let lines = before.split(|byte| *byte == b'\n').count();
        let mut shown = String::from_utf8_lossy(&[line, rest].concat()).into_owned();
        // Of what is no text at all nothing can be read.
        if shown.matches(char::REPLACEMENT_CHARACTER).count() > Self::ODD {
            shown = format!("{}\u{fffd}", String::from_utf8_lossy(line));
        }
        let column = String::from_utf8_lossy(line).chars().count() + 1;
        Self {
            byte: rest.first().copied().unwrap_or_default(),
            line: narrow(lines),
            column: narrow(column),
            shown,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(too_large(self.limit)),
            };
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let (part, _) = buffer.split_at_mut(most);
        let count = self.inner.read(part)?;
        self.left -= count as u64;
        Ok(count)
    }
}

fn too_large(limit: Limit) -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("more than the {} bytes that are allowed", limit.0),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn more_than_the_limit_is_an_error_and_never_an_end(bytes: Vec<u8>, limit in 0..64_u64) {
            let read = Bounded::new(bytes.as_slice(), Limit(limit)).read_all();
            match read {
                Ok(all) => prop_assert!(all == bytes && all.len() as u64 <= limit),
                Err(error) => {
                    prop_assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
                    prop_assert!(bytes.len() as u64 > limit);
                }
            }
        }
    }

    #[test]
    fn what_is_not_text_is_an_error() {
        let error = Bounded::new(&[0xff][..], Limit(1)).read_text().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let error = Bounded::new(&b"a: b\n\xc3\xa4: \"1\xff\"\nc: d\n"[..], Limit::kib(1));
        let error = error.read_text().unwrap_err();
        let no_text = NoText {
            byte: 0xff,
            line: 2,
            column: 6,
            shown: "ä: \"1\u{fffd}\"".to_owned(),
        };
        let found = error.get_ref().and_then(|error| error.downcast_ref());
        assert_eq!(found, Some(&no_text));
        assert_eq!(
            error.to_string(),
            "no UTF-8 text: the byte 0xff in line 2, column 6"
        );
        // A program, not a text with one letter of another set.
        let program = [b"a\x00".as_slice(), &[0xfe; 99]].concat();
        let error = Bounded::new(&*program, Limit::kib(1)).read_text();
        let error = error.unwrap_err();
        let found = error.get_ref().and_then(|error| error.downcast_ref());
        assert_eq!(
            found.map(|NoText { shown, .. }| shown.as_str()),
            Some("a\0\u{fffd}")
        );
        assert_eq!(
            Bounded::new(&b"abc"[..], Limit::kib(1))
                .read_text()
                .unwrap(),
            "abc"
        );
    }

    #[test]
    fn the_position_counts_what_was_read() {
        let mut reader = Bounded::new(&b"abcdef"[..], Limit(10));
        reader.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(reader.position(), 4);
        assert_eq!(reader.into_inner(), b"ef");
    }
}
