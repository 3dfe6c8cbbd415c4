//! Gzip members, one at a time: bounded, and watched while they are used.
//!
//! A package is three members in a row and an index two. What is decompressed and what is
//! hashed come from the same read, so that nothing can be swapped between the two.

use std::io::{self, BufRead, BufReader, Read};

use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::gzip::Format;
use boltworks_fsx::{Bounded, Limit};
use boltworks_model::Sha256;
use flate2::bufread::GzDecoder;

use crate::error::{Error, Section};

/// Below this many decompressed bytes no ratio is looked at.
const RATIO_FLOOR: u64 = 64 * 1024 * 1024;
/// How many times its compressed size a section may become by default: a little more than
/// deflate can reach (1032:1), so that a package of zeros is read like any other. What bounds
/// a bomb is the size of the section; a smaller ratio may be asked for beside it.
pub(crate) const RATIO: u64 = 1100;
/// How much is read from the file at once.
const BUFFER: usize = 128 * 1024;

/// How much a section may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many decompressed bytes.
    pub size: Limit,
    /// How many times its compressed size, once it gave 64 MiB.
    pub ratio: u64,
}

/// What becomes of the compressed bytes that a member was made of.
enum Watch {
    Nothing,
    Keep(Vec<u8>, Limit),
    Hash(Sha256Hasher),
}

/// A file of concatenated gzip members.
pub(crate) struct Members<R> {
    inner: BufReader<R>,
    watch: Watch,
    used: u64,
    /// Whether the last member opened was read to its end.
    finished: bool,
}

impl<R: Read> Members<R> {
    pub(crate) fn new(file: R) -> Self {
        let inner = BufReader::with_capacity(BUFFER, file);
        Self {
            inner,
            watch: Watch::Nothing,
            used: 0,
            finished: false,
        }
    }

    /// How many bytes of the file were used.
    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    /// Decompresses the next member into memory; its compressed bytes come too.
    pub(crate) fn read(
        &mut self,
        section: Section,
        allowance: Allowance,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        self.watch = Watch::Keep(Vec::new(), allowance.size);
        let mut member = self.open(section, allowance)?;
        // The member has a limit of its own, with an error of its own.
        let plain = Bounded::new(&mut member, Limit(u64::MAX)).read_all();
        let plain = member.settle(plain.map_err(|source| read_error(section, source)))?;
        match std::mem::replace(&mut self.watch, Watch::Nothing) {
            Watch::Keep(raw, _) => Ok((plain, raw)),
            Watch::Nothing | Watch::Hash(_) => Ok((plain, Vec::new())),
        }
    }

    /// Hands the next member to `with`, reads what that leaves, and gives the digest of the
    /// compressed bytes.
    pub(crate) fn pass<T>(
        &mut self,
        section: Section,
        allowance: Allowance,
        with: impl FnOnce(&mut dyn Read) -> Result<T, Error>,
    ) -> Result<(T, Sha256), Error> {
        self.watch = Watch::Hash(Sha256Hasher::new());
        let mut member = self.open(section, allowance)?;
        let outcome = with(&mut member);
        let settled = member.settle(outcome);
        if settled.is_err() && self.finished && self.peek(section)? == Some(MAGIC) {
            // What seems to be missing is in a further member.
            return Err(Error::SeveralMembers(section));
        }
        let value = settled?;
        match std::mem::replace(&mut self.watch, Watch::Nothing) {
            Watch::Hash(hasher) => Ok((value, hasher.finish())),
            Watch::Nothing | Watch::Keep(..) => Err(Error::Missing(section)),
        }
    }

    /// Refuses whatever follows the last section.
    pub(crate) fn end(&mut self, last: Section) -> Result<(), Error> {
        match self.peek(last)? {
            None => Ok(()),
            Some(MAGIC) => Err(Error::SeveralMembers(last)),
            Some(_) => Err(Error::TrailingBytes(last)),
        }
    }

    /// Whether the file goes on.
    pub(crate) fn has_more(&mut self, section: Section) -> Result<bool, Error> {
        Ok(self.peek(section)?.is_some())
    }

    /// All that was not used.
    pub(crate) fn rest(self) -> impl Read {
        self.inner
    }

    fn peek(&mut self, section: Section) -> Result<Option<u8>, Error> {
        let buffer = self
            .inner
            .fill_buf()
            .map_err(|source| read_error(section, source))?;
        Ok(buffer.first().copied())
    }

    fn open(&mut self, section: Section, allowance: Allowance) -> Result<Member<'_, R>, Error> {
        match self.peek(section)? {
            None => Err(Error::Missing(section)),
            Some(MAGIC) => {
                let start = self.used;
                self.finished = false;
                let decoder = GzDecoder::new(&mut *self);
                Ok(Member {
                    decoder,
                    section,
                    allowance,
                    start,
                    given: 0,
                    fault: None,
                })
            }
            Some(_) => Err(Error::NotGzip(section)),
        }
    }
}

/// The first byte of a gzip member.
const MAGIC: u8 = 0x1f;

fn read_error(section: Section, source: io::Error) -> Error {
    let action = match section {
        Section::Signature => "read the signature section",
        Section::Control => "read the control section",
        Section::Data => "read the data section",
        Section::Index => "read the index section",
    };
    Error::Io { action, source }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        let (taken, _) = available.split_at(count);
        let (room, _) = buffer.split_at_mut(count);
        room.copy_from_slice(taken);
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Members<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Watch::Keep(kept, limit) = &self.watch
            && kept.len() as u64 > limit.0
        {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        let used = self.inner.buffer().get(..count).unwrap_or_default();
        match &mut self.watch {
            Watch::Nothing => {}
            Watch::Keep(kept, _) => kept.extend_from_slice(used),
            Watch::Hash(hasher) => hasher.update(used),
        }
        self.used += count as u64;
        self.inner.consume(count);
    }
}

/// One member, decompressed while it is read.
struct Member<'m, R> {
    decoder: GzDecoder<&'m mut Members<R>>,
    section: Section,
    allowance: Allowance,
    start: u64,
    given: u64,
    /// Why reading failed: whoever reads sees only an [`io::Error`].
    fault: Option<Error>,
}

impl<R: Read> Member<'_, R> {
    /// Reads what is left, and puts an own fault in the place of the error it led to.
    fn settle<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        let drained = match &outcome {
            Ok(_) => io::copy(self, &mut io::sink()).map(|_| ()),
            Err(_) => Ok(()),
        };
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let value = outcome?;
        drained.map_err(|source| read_error(self.section, source))?;
        Ok(value)
    }

    fn fail(&mut self, fault: Error) -> io::Error {
        self.fault = Some(fault);
        io::Error::other("the section cannot be read")
    }

    fn translate(&mut self, source: io::Error) -> io::Error {
        let section = self.section;
        let fault = match source.kind() {
            io::ErrorKind::Interrupted => return source,
            io::ErrorKind::UnexpectedEof => Error::Truncated(section),
            io::ErrorKind::FileTooLarge => Error::TooLarge {
                section,
                limit: self.allowance.size.0,
            },
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                Error::Damaged { section, source }
            }
            _ => read_error(section, source),
        };
        self.fail(fault)
    }
}

impl<R: Read> Read for Member<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.decoder.read(buffer) {
            Ok(count) => count,
            Err(source) => return Err(self.translate(source)),
        };
        if count == 0 && !buffer.is_empty() {
            self.decoder.get_mut().finished = true;
        }
        self.given += count as u64;
        let Allowance { size, ratio } = self.allowance;
        let section = self.section;
        if self.given > size.0 {
            return Err(self.fail(Error::TooLarge {
                section,
                limit: size.0,
            }));
        }
        let used = self.decoder.get_ref().used - self.start;
        if self.given > RATIO_FLOOR && self.given / ratio.max(1) > used {
            return Err(self.fail(Error::Bomb { section, ratio }));
        }
        Ok(count)
    }
}

/// How sections are compressed, at zlib's level. Pieces of half the size would make a package
/// 0.4 % larger.
pub const fn format(level: u32) -> Format {
    Format {
        level,
        piece: 512 << 10,
    }
}

/// One member in memory.
pub(crate) fn member(plain: &[u8], level: u32) -> Result<Vec<u8>, Error> {
    boltworks_fsx::gzip::member(plain, format(level)).map_err(|source| Error::Io {
        action: "compress a section",
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use boltworks_fsx::gzip::Gzip;
    use proptest::prelude::*;

    use super::*;

    const SECTION: Section = Section::Data;
    const SMALL: Allowance = Allowance {
        size: Limit(1000),
        ratio: 256,
    };

    fn refusal(bytes: &[u8], allowance: Allowance) -> Error {
        Members::new(bytes).read(SECTION, allowance).unwrap_err()
    }

    #[test]
    fn members_are_read_one_by_one_with_their_compressed_bytes() {
        let (one, two) = (member(b"one", 6).unwrap(), member(b"two", 9).unwrap());
        let file = [one.clone(), two.clone()].concat();
        let mut members = Members::new(file.as_slice());
        assert_eq!(
            members.read(SECTION, SMALL).unwrap(),
            (b"one".to_vec(), one.clone())
        );
        assert_eq!(members.used(), one.len() as u64);
        assert!(matches!(
            members.end(SECTION),
            Err(Error::SeveralMembers(_))
        ));
        let read = |reader: &mut dyn Read| {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            Ok(byte[0])
        };
        let passed = members.pass(SECTION, SMALL, read).unwrap();
        assert_eq!(passed, (b't', boltworks_crypto::sha256(&two)));
        assert!(!members.has_more(SECTION).unwrap());
        members.end(SECTION).unwrap();
    }

    #[test]
    fn a_header_tells_nothing_of_its_maker() {
        let bytes = member(b"x", 6).unwrap();
        assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_refused() {
        let bytes = member(b"some text, some more text", 6).unwrap();
        for end in 1..bytes.len() {
            assert!(
                matches!(refusal(&bytes[..end], SMALL), Error::Truncated(_)),
                "{end}"
            );
        }
        // Not in the header: time, flags that say nothing, and the maker are free.
        for place in 10..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 0x10;
            let error = refusal(&bytes, SMALL);
            assert!(
                matches!(error, Error::Damaged { .. } | Error::Truncated(_)),
                "{place}: {error}"
            );
        }
        assert!(matches!(refusal(b"", SMALL), Error::Missing(_)));
        assert!(matches!(refusal(b"PK", SMALL), Error::NotGzip(_)));
        assert!(matches!(
            refusal(&[0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0], SMALL),
            Error::Damaged { .. }
        ));
    }

    #[test]
    fn the_limit_is_exact_in_both_sizes() {
        let exact = Allowance {
            size: Limit(500),
            ratio: 256,
        };
        let zeros = |count| member(&vec![0; count], 9).unwrap();
        assert!(
            Members::new(zeros(500).as_slice())
                .read(SECTION, exact)
                .is_ok()
        );
        assert!(matches!(
            refusal(&zeros(501), exact),
            Error::TooLarge { limit: 500, .. }
        ));
        // Stored blocks: more compressed bytes than plain ones.
        let noise: Vec<u8> = (0..2000_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect();
        assert!(matches!(
            refusal(&member(&noise, 0).unwrap(), exact),
            Error::TooLarge { .. }
        ));
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let big = usize::try_from(RATIO_FLOOR).unwrap() + 1_000_000;
        let bomb = member(&vec![0; big], 9).unwrap();
        let allowance = Allowance {
            size: Limit::gib(1),
            ratio: 256,
        };
        assert!(matches!(
            refusal(&bomb, allowance),
            Error::Bomb { ratio: 256, .. }
        ));
        let mut members = Members::new(bomb.as_slice());
        let mut total = 0;
        let read = |reader: &mut dyn Read| {
            total =
                io::copy(reader, &mut io::sink()).map_err(|source| read_error(SECTION, source))?;
            Ok(())
        };
        assert!(matches!(
            members.pass(SECTION, allowance, read),
            Err(Error::Bomb { .. })
        ));
        assert_eq!(total, 0);
        let patient = Allowance {
            ratio: 2000,
            ..allowance
        };
        assert!(
            Members::new(bomb.as_slice())
                .pass(SECTION, patient, |_| Ok(()))
                .is_ok()
        );
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_read(plain: Vec<u8>, level in 0_u32..=9) {
            let bytes = member(&plain, level).unwrap();
            let allowance = Allowance { size: Limit::mib(1), ratio: 256 };
            prop_assert_eq!(Members::new(bytes.as_slice()).read(SECTION, allowance).unwrap(), (plain, bytes));
        }

        #[test]
        fn how_content_comes_does_not_matter(
            sizes in prop::collection::vec(1_usize..100_000, 1..6),
            level in 0_u32..=9,
        ) {
            let plain: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|n| (n * n % 251).to_le_bytes()[0]).collect();
            let mut encoder = Gzip::new(Vec::new(), format(level)).unwrap();
            let mut rest = plain.as_slice();
            for size in sizes {
                let (now, later) = rest.split_at(size);
                encoder.write_all(now).unwrap();
                encoder.flush().unwrap();
                rest = later;
            }
            prop_assert_eq!(encoder.finish().unwrap().0, member(&plain, level).unwrap());
        }

        #[test]
        fn no_bytes_panic(mut bytes: Vec<u8>) {
            bytes.splice(0..0, [0x1f, 0x8b, 8]);
            prop_assert!(Members::new(bytes.as_slice()).read(SECTION, SMALL).is_err() || bytes.len() > 12);
        }
    }
}
