//! What a library calls itself: `DT_SONAME` of an ELF file (System V ABI, chapters 4 and 5).

use std::io;

use boltworks_fsx::{Content, Opened};

pub(super) const I386: u16 = 3;
pub(super) const PPC64: u16 = 21;
pub(super) const S390: u16 = 22;
pub(super) const ARM: u16 = 40;
pub(super) const X86_64: u16 = 62;
pub(super) const AARCH64: u16 = 183;
pub(super) const RISCV: u16 = 243;
pub(super) const LOONGARCH: u16 = 258;
pub(super) const ARM_HARD_FLOAT: u32 = 0x400;
pub(super) const RISCV_FLOAT: u32 = 6;
pub(super) const RISCV_DOUBLE: u32 = 4;
pub(super) const LOONGARCH_FLOAT: u32 = 7;
pub(super) const LOONGARCH_DOUBLE: u32 = 3;

/// `ET_DYN`.
const SHARED: u64 = 3;
/// `SHT_DYNAMIC`.
const DYNAMIC: u64 = 6;
/// `DT_SONAME`.
const SONAME: u64 = 14;
/// No honest table is larger.
const MAX_TABLE: u64 = 4 << 20;
/// No name is longer.
const MAX_NAME: u64 = 4096;

/// A shared library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) machine: u16,
    pub(super) flags: u32,
    pub(super) is_64_bit: bool,
    pub(super) is_big_endian: bool,
    /// Empty where it has no name.
    pub(super) soname: String,
}

/// What a file is, if it is a shared library that can be understood.
///
/// # Errors
/// Only the system's: bytes that are no ELF file are no library.
pub(super) fn read(content: &Content) -> io::Result<Option<Library>> {
    let bytes = by_position(content)?;
    let head = bytes.at(0, 64)?;
    let library = Reader::new(&head, &bytes).map(|reader| reader.library());
    let library = library.transpose()?.flatten();
    if library.is_some() && matches!(content, Content::Checked { .. }) {
        // What was looked at is what it must be: all of it is read once, and none of it kept.
        content.copy_to(&mut io::sink())?;
    }
    Ok(library)
}

/// A file's bytes where they lie. A library may be large, so that it is not read as a whole.
fn by_position(content: &Content) -> io::Result<Opened<'_>> {
    match content {
        Content::Checked {
            file, offset, len, ..
        } => Ok(Opened::File {
            file: std::sync::Arc::clone(file),
            offset: *offset,
            len: *len,
        }),
        other => other.opened(),
    }
}

/// Reads numbers as the file has them.
struct Reader<'a> {
    head: &'a [u8],
    bytes: &'a Opened<'a>,
    is_64_bit: bool,
    is_big_endian: bool,
}

impl<'a> Reader<'a> {
    fn new(head: &'a [u8], bytes: &'a Opened<'a>) -> Option<Self> {
        let &[0x7f, b'E', b'L', b'F', class, order, ..] = head else {
            return None;
        };
        Some(Self {
            head,
            bytes,
            is_64_bit: match class {
                1 => false,
                2 => true,
                _ => return None,
            },
            is_big_endian: match order {
                1 => false,
                2 => true,
                _ => return None,
            },
        })
    }

    fn library(&self) -> io::Result<Option<Library>> {
        let (Some(kind), Some(machine)) =
            (self.number(self.head, 16, 2), self.number(self.head, 18, 2))
        else {
            return Ok(None);
        };
        if kind != SHARED {
            return Ok(None);
        }
        let flags = self.number(self.head, if self.is_64_bit { 48 } else { 36 }, 4);
        let Some(soname) = self.soname()? else {
            return Ok(None);
        };
        Ok(flags.map(|flags| Library {
            machine: u16::try_from(machine).unwrap_or_default(),
            flags: u32::try_from(flags).unwrap_or_default(),
            is_64_bit: self.is_64_bit,
            is_big_endian: self.is_big_endian,
            soname,
        }))
    }

    /// The name, empty if there is none; nothing at all where the tables are none.
    fn soname(&self) -> io::Result<Option<String>> {
        let (place, size, count) = if self.is_64_bit {
            (self.number(self.head, 40, 8), 58, 60)
        } else {
            (self.number(self.head, 32, 4), 46, 48)
        };
        let size = self.number(self.head, size, 2);
        let count = self.number(self.head, count, 2);
        let (Some(place), Some(size), Some(count)) = (place, size, count) else {
            return Ok(None);
        };
        let least = if self.is_64_bit { 64 } else { 40 };
        let Ok(size) = usize::try_from(size.max(least)) else {
            return Ok(None);
        };
        let sections = self.bytes.at(place, count.saturating_mul(size as u64))?;
        let sections: Vec<&[u8]> = sections.chunks_exact(size).collect();
        if sections.len() as u64 != count {
            return Ok(None);
        }
        let dynamic = sections
            .iter()
            .find(|section| self.number(section, 4, 4) == Some(DYNAMIC));
        let Some(dynamic) = dynamic else {
            return Ok(Some(String::new()));
        };
        let link = self.number(dynamic, if self.is_64_bit { 40 } else { 24 }, 4);
        let strings = link.and_then(|at| sections.get(usize::try_from(at).ok()?));
        let (Some((place, len)), Some(strings)) = (self.extent(dynamic), strings) else {
            return Ok(None);
        };
        let Some((start, size)) = self.extent(strings) else {
            return Ok(None);
        };
        let table = self.bytes.at(place, len.min(MAX_TABLE))?;
        let word = if self.is_64_bit { 8 } else { 4 };
        let entry = table
            .chunks_exact(2 * word)
            .find(|entry| self.number(entry, 0, word) == Some(SONAME));
        let Some(offset) = entry.and_then(|entry| self.number(entry, word, word)) else {
            return Ok(Some(String::new()));
        };
        let most = size.saturating_sub(offset).min(MAX_NAME);
        let name = self.bytes.at(start.saturating_add(offset), most)?;
        let end = name.iter().position(|byte| *byte == 0);
        let name = end.and_then(|end| name.get(..end)).unwrap_or_default();
        Ok(String::from_utf8(name.to_vec()).ok())
    }

    /// Where a section lies and how long it is.
    fn extent(&self, section: &[u8]) -> Option<(u64, u64)> {
        if self.is_64_bit {
            Some((self.number(section, 24, 8)?, self.number(section, 32, 8)?))
        } else {
            Some((self.number(section, 16, 4)?, self.number(section, 20, 4)?))
        }
    }

    fn number(&self, bytes: &[u8], at: usize, len: usize) -> Option<u64> {
        let digits = bytes.get(at..at.checked_add(len)?)?;
        let add = |sum: u64, digit: &u8| sum << 8 | u64::from(*digit);
        Some(if self.is_big_endian {
            digits.iter().fold(0, add)
        } else {
            digits.iter().rev().fold(0, add)
        })
    }
}
