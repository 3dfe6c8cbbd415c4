//! What an ELF file says to the program that loads it.
//!
//! Everything is found as the loader finds it: through program headers, in the memory that they
//! describe. Section headers are for linkers and debuggers; a file works without them, and with
//! ones that say something else.

use std::io;

use boltworks_fsx::Content;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endian as _, Endianness};

use super::facts::{read_bounded, read_head};
use crate::Error;

/// The largest ELF file that is read whole.
const LIMIT: u64 = 4 << 30;
/// The longest name of a library or loader: a path's.
const NAME_BYTES: usize = 4095;
/// So many libraries one file may need. Each may name the same long string, so without a limit a
/// file of a megabyte would cost gigabytes.
const MOST_NEEDED: usize = 4096;

/// The dynamic section of an ELF file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ElfFacts {
    /// `DT_NEEDED`, in file order.
    pub needed: Vec<String>,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `PT_INTERP`.
    pub interpreter: Option<String>,
    /// Whether it is a shared object or position-independent program (`ET_DYN`).
    pub is_dynamic: bool,
}

/// Reads what a loader reads. A file that only looks like ELF gives nothing; one whose names are
/// beyond all measure is an error, so that no dependency is left out in silence.
pub(super) fn read(content: &Content) -> Result<Option<ElfFacts>, Error> {
    if !read_head(content)?.starts_with(&elf::ELFMAG) {
        return Ok(None);
    }
    let bytes = read_bounded(content, LIMIT)?;
    let parsed = match object::FileKind::parse(bytes.as_slice()) {
        Ok(object::FileKind::Elf64) => parse::<elf::FileHeader64<Endianness>>(&bytes),
        Ok(object::FileKind::Elf32) => parse::<elf::FileHeader32<Endianness>>(&bytes),
        _ => None,
    };
    Ok(parsed.transpose()?)
}

fn parse<H: FileHeader<Endian = Endianness>>(file: &[u8]) -> Option<io::Result<ElfFacts>> {
    let header = H::parse(file).ok()?;
    let endian = header.endian().ok()?;
    let memory = Memory::<H> {
        file,
        endian,
        segments: header.program_headers(endian, file).ok()?,
    };
    let mut facts = ElfFacts {
        is_dynamic: header.e_type(endian) == elf::ET_DYN,
        ..ElfFacts::default()
    };
    for segment in memory.segments {
        if let Ok(Some(interpreter)) = segment.interpreter(endian, file) {
            facts.interpreter = text(interpreter);
        }
    }
    let filled = memory.dynamic().fill(&mut facts);
    Some(filled.map(|()| facts))
}

/// A file as it lies in memory once it is loaded.
struct Memory<'a, H: FileHeader> {
    file: &'a [u8],
    endian: Endianness,
    segments: &'a [H::ProgramHeader],
}

impl<'a, H: FileHeader<Endian = Endianness>> Memory<'a, H> {
    /// What the file puts at an address and behind it. Where segments overlap, the last counts.
    fn at(&self, address: u64) -> Option<&'a [u8]> {
        let loads = |segment: &&H::ProgramHeader| segment.p_type(self.endian) == elf::PT_LOAD;
        self.segments
            .iter()
            .rev()
            .filter(loads)
            .find_map(|segment| {
                let inside = address.checked_sub(segment.p_vaddr(self.endian).into())?;
                let bytes = segment.data(self.endian, self.file).ok()?;
                let rest = bytes.get(usize::try_from(inside).ok()?..)?;
                (!rest.is_empty()).then_some(rest)
            })
    }

    /// The entries that `PT_DYNAMIC` leads to, up to `DT_NULL`; none in a static program.
    fn dynamic(&self) -> Dynamic<'a> {
        let is_it = |segment: &&H::ProgramHeader| segment.p_type(self.endian) == elf::PT_DYNAMIC;
        let segment = self.segments.iter().rfind(is_it);
        let bytes = segment
            .and_then(|segment| self.at(segment.p_vaddr(self.endian).into()))
            .unwrap_or_default();
        let width = if H::is_type_64_sized() { 8 } else { 4 };
        let mut dynamic = Dynamic::default();
        for entry in bytes.chunks_exact(2 * width) {
            let (tag, value) = entry.split_at(width);
            let value = self.word(value);
            match elf::DynamicTag(self.word(tag).cast_signed()) {
                elf::DT_NULL => break,
                elf::DT_NEEDED if dynamic.needed.len() <= MOST_NEEDED => {
                    dynamic.needed.push(value);
                }
                elf::DT_SONAME => dynamic.soname = Some(value),
                elf::DT_STRTAB => dynamic.strings = self.at(value).unwrap_or_default(),
                _ => {}
            }
        }
        dynamic
    }

    /// A number of the file's own width.
    fn word(&self, bytes: &[u8]) -> u64 {
        match (<[u8; 8]>::try_from(bytes), <[u8; 4]>::try_from(bytes)) {
            (Ok(bytes), _) => self.endian.read_u64(bytes),
            (_, Ok(bytes)) => self.endian.read_u32(bytes).into(),
            _ => 0,
        }
    }
}

/// What the dynamic entries say: names, as places in the strings.
#[derive(Default)]
struct Dynamic<'a> {
    needed: Vec<u64>,
    soname: Option<u64>,
    strings: &'a [u8],
}

impl Dynamic<'_> {
    fn fill(&self, facts: &mut ElfFacts) -> io::Result<()> {
        if self.needed.len() > MOST_NEEDED {
            return Err(beyond("needs more than 4096 libraries"));
        }
        facts.soname = self.soname.map_or(Ok(None), |at| self.name(at))?;
        for &at in &self.needed {
            facts.needed.extend(self.name(at)?);
        }
        Ok(())
    }

    /// The name at a place; nothing where there is none, so that nothing could load it either.
    fn name(&self, at: u64) -> io::Result<Option<String>> {
        let place = usize::try_from(at).unwrap_or(usize::MAX);
        let rest = self.strings.get(place..).unwrap_or_default();
        let near = rest.get(..=NAME_BYTES).unwrap_or(rest);
        match near.iter().position(|&byte| byte == 0) {
            Some(end) => Ok(text(near.get(..end).unwrap_or_default())),
            None if near.len() > NAME_BYTES => {
                Err(beyond("names a library with more than 4095 bytes"))
            }
            None => Ok(None),
        }
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn beyond(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an ELF file {what}"))
}
