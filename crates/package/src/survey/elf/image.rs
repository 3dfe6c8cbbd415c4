//! An ELF file as it lies in memory once it is loaded, read in parts.

use std::io;

use boltworks_fsx::Opened;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{Endian as _, Endianness, pod};

/// The longest name of a library or loader: a path's.
const NAME_BYTES: u64 = 4095;
/// So many libraries one file may need. Each may name the same long string, so without a limit a
/// file of a megabyte would cost gigabytes.
const MOST_NEEDED: usize = 4096;
/// The longest dynamic section: no linker comes near.
const DYNAMIC_BYTES: u64 = 1 << 20;
/// The longest table of section names.
const SECTION_NAMES: u64 = 1 << 20;

/// A program header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) kind: elf::ProgramType,
    pub(super) is_writable: bool,
    pub(super) offset: u64,
    pub(super) address: u64,
    /// Its length in the file.
    pub(super) len: u64,
}

/// A file as it lies in memory.
pub(super) struct Image<'a> {
    bytes: &'a Opened<'a>,
    endian: Endianness,
    is_64: bool,
    pub(super) segments: Vec<Segment>,
}

/// What the dynamic section says; names as places in the strings.
#[derive(Default)]
pub(super) struct Dynamic {
    pub(super) needed: Vec<u64>,
    pub(super) soname: Option<u64>,
    /// Where the strings are in memory, and how long they say to be.
    pub(super) strings: Option<u64>,
    pub(super) strings_len: u64,
    /// Where the symbols are in memory.
    pub(super) symbols: Option<u64>,
    pub(super) flags: u64,
    pub(super) flags_1: u64,
    /// `DT_BIND_NOW`.
    pub(super) bind_now: bool,
    /// `DT_JMPREL`.
    pub(super) has_lazy_symbols: bool,
}

impl<'a> Image<'a> {
    /// Reads the program headers; nothing where they are not in the file.
    pub(super) fn read<H: FileHeader<Endian = Endianness>>(
        header: &H,
        endian: Endianness,
        bytes: &'a Opened<'a>,
    ) -> io::Result<Option<Self>> {
        let count = usize::from(header.e_phnum(endian));
        let each = size_of::<H::ProgramHeader>();
        if count > 0 && usize::from(header.e_phentsize(endian)) != each {
            return Ok(None);
        }
        let table = bytes.at(header.e_phoff(endian).into(), (count * each) as u64)?;
        let Ok((headers, _)) = pod::slice_from_bytes::<H::ProgramHeader>(&table, count) else {
            return Ok(None);
        };
        let segments = headers.iter().map(|header| Segment {
            kind: header.p_type(endian),
            is_writable: header.p_flags(endian).contains(elf::PF_W),
            offset: header.p_offset(endian).into(),
            address: header.p_vaddr(endian).into(),
            len: header.p_filesz(endian).into(),
        });
        Ok(Some(Self {
            bytes,
            endian,
            is_64: header.is_type_64(),
            segments: segments.collect(),
        }))
    }

    /// The last segment of a kind: where there are several, it counts.
    pub(super) fn last(&self, kind: elf::ProgramType) -> Option<&Segment> {
        self.segments.iter().rfind(|segment| segment.kind == kind)
    }

    /// What a segment holds in the file, at most so much of it.
    pub(super) fn data(&self, segment: &Segment, most: u64) -> io::Result<Vec<u8>> {
        self.bytes.at(segment.offset, segment.len.min(most))
    }

    /// What the file puts at an address and behind it, at most so much of it. Where segments
    /// overlap, the last counts.
    pub(super) fn at(&self, address: u64, most: u64) -> io::Result<Vec<u8>> {
        let loads = self.segments.iter().rev();
        let mut loads = loads.filter(|segment| segment.kind == elf::PT_LOAD);
        let place = loads.find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            let rest = segment.len.checked_sub(inside).filter(|&rest| rest > 0)?;
            let place = segment.offset.checked_add(inside)?;
            (place < self.bytes.len()).then_some((place, rest))
        });
        match place {
            Some((place, rest)) => self.bytes.at(place, rest.min(most)),
            None => Ok(Vec::new()),
        }
    }

    /// `PT_INTERP`, up to its end.
    pub(super) fn interpreter(&self) -> io::Result<Option<String>> {
        let Some(segment) = self.last(elf::PT_INTERP) else {
            return Ok(None);
        };
        let bytes = self.data(segment, NAME_BYTES + 1)?;
        let end = bytes.iter().position(|&byte| byte == 0);
        Ok(end.and_then(|end| text(bytes.get(..end)?)))
    }

    /// The name at an address; nothing where there is none, so that nothing could load it either.
    pub(super) fn name(&self, address: u64) -> io::Result<Option<String>> {
        let mut near = self.at(address, 64)?;
        if !near.contains(&0) {
            near = self.at(address, NAME_BYTES + 1)?;
        }
        match near.iter().position(|&byte| byte == 0) {
            Some(end) => Ok(near.get(..end).and_then(text)),
            None if near.len() as u64 > NAME_BYTES => {
                Err(beyond("names a library with more than 4095 bytes"))
            }
            None => Ok(None),
        }
    }

    /// The entries that `PT_DYNAMIC` leads to, up to `DT_NULL`; none in a static program.
    pub(super) fn dynamic(&self) -> io::Result<Dynamic> {
        let mut dynamic = Dynamic::default();
        let Some(segment) = self.last(elf::PT_DYNAMIC) else {
            return Ok(dynamic);
        };
        // It says how long it is, and the loader does not look at that.
        let mut bytes = self.at(segment.address, segment.len.clamp(1 << 10, 1 << 13))?;
        if !dynamic.fill(self, &bytes)? {
            dynamic = Dynamic::default();
            bytes = self.at(segment.address, DYNAMIC_BYTES)?;
            if !dynamic.fill(self, &bytes)? && bytes.len() as u64 == DYNAMIC_BYTES {
                return Err(beyond("has a dynamic section of more than a megabyte"));
            }
        }
        Ok(dynamic)
    }

    /// How many bytes a number of the file's own width has.
    pub(super) const fn width(&self) -> usize {
        if self.is_64 { 8 } else { 4 }
    }

    /// The byte order.
    pub(super) const fn endian(&self) -> Endianness {
        self.endian
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

impl Dynamic {
    /// Takes the entries; whether their end was seen.
    fn fill(&mut self, image: &Image<'_>, bytes: &[u8]) -> io::Result<bool> {
        for entry in bytes.chunks_exact(2 * image.width()) {
            let (tag, value) = entry.split_at(image.width());
            let value = image.word(value);
            match elf::DynamicTag(image.word(tag).cast_signed()) {
                elf::DT_NULL => return Ok(true),
                elf::DT_NEEDED if self.needed.len() == MOST_NEEDED => {
                    return Err(beyond("needs more than 4096 libraries"));
                }
                elf::DT_NEEDED => self.needed.push(value),
                elf::DT_SONAME => self.soname = Some(value),
                elf::DT_STRTAB => self.strings = Some(value),
                elf::DT_STRSZ => self.strings_len = value,
                elf::DT_SYMTAB => self.symbols = Some(value),
                elf::DT_FLAGS => self.flags = value,
                elf::DT_FLAGS_1 => self.flags_1 = value,
                elf::DT_BIND_NOW => self.bind_now = true,
                elf::DT_JMPREL => self.has_lazy_symbols = true,
                _ => {}
            }
        }
        Ok(false)
    }
}

/// Whether there are sections with debugging information; not where section headers are broken.
pub(super) fn has_debug_sections<H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    bytes: &Opened<'_>,
) -> io::Result<bool> {
    let count = usize::from(header.e_shnum(endian));
    let each = size_of::<H::SectionHeader>();
    let place: u64 = header.e_shoff(endian).into();
    if place == 0 || usize::from(header.e_shentsize(endian)) != each {
        return Ok(false);
    }
    let table = bytes.at(place, (count * each) as u64)?;
    let Ok((sections, _)) = pod::slice_from_bytes::<H::SectionHeader>(&table, count) else {
        return Ok(false);
    };
    let Some(names) = sections.get(usize::from(header.e_shstrndx(endian).0)) else {
        return Ok(false);
    };
    let len: u64 = names.sh_size(endian).into();
    let names = bytes.at(names.sh_offset(endian).into(), len.min(SECTION_NAMES))?;
    Ok(sections.iter().any(|section| {
        let start = usize::try_from(section.sh_name(endian)).unwrap_or(usize::MAX);
        let name = names.get(start..).unwrap_or_default();
        name.starts_with(b".debug_") || name.starts_with(b".zdebug_")
    }))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn beyond(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an ELF file {what}"))
}
