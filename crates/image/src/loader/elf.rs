//! What a library calls itself: `DT_SONAME` of an ELF file (System V ABI, chapters 4 and 5).

use std::io;

use boltworks_fsx::{Content, Opened};
use object::elf::{self, FileFlags, Machine};
use object::read::elf::{Dyn as _, FileHeader, SectionHeader as _};
use object::{Endian as _, Endianness, pod};

/// No honest table is larger.
const MAX_TABLE: u64 = 4 << 20;
/// No name is longer.
const MAX_NAME: u64 = 4096;

/// A shared library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) machine: Machine,
    pub(super) flags: FileFlags,
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
    let library = match head.get(4) {
        Some(&class) if class == elf::ELFCLASS64.0 => {
            parse::<elf::FileHeader64<Endianness>>(&head, &bytes)?
        }
        Some(&class) if class == elf::ELFCLASS32.0 => {
            parse::<elf::FileHeader32<Endianness>>(&head, &bytes)?
        }
        _ => None,
    };
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

fn parse<H: FileHeader<Endian = Endianness>>(
    head: &[u8],
    bytes: &Opened<'_>,
) -> io::Result<Option<Library>> {
    let Ok(header) = H::parse(head) else {
        return Ok(None);
    };
    let Ok(endian) = header.endian() else {
        return Ok(None);
    };
    if header.e_type(endian) != elf::ET_DYN {
        return Ok(None);
    }
    let soname = soname(header, endian, bytes)?;
    Ok(soname.map(|soname| Library {
        machine: header.e_machine(endian),
        flags: header.e_flags(endian),
        is_64_bit: header.is_type_64(),
        is_big_endian: endian.is_big_endian(),
        soname,
    }))
}

/// The name, empty if there is none; nothing at all where the tables are none.
fn soname<H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    bytes: &Opened<'_>,
) -> io::Result<Option<String>> {
    let count = usize::from(header.e_shnum(endian));
    let each = size_of::<H::SectionHeader>();
    if count > 0 && usize::from(header.e_shentsize(endian)) != each {
        return Ok(None);
    }
    let table = bytes.at(header.e_shoff(endian).into(), (count * each) as u64)?;
    let Ok((sections, _)) = pod::slice_from_bytes::<H::SectionHeader>(&table, count) else {
        return Ok(None);
    };
    let mut tables = sections.iter();
    let Some(dynamic) = tables.find(|one| one.sh_type(endian) == elf::SHT_DYNAMIC) else {
        return Ok(Some(String::new()));
    };
    let strings = usize::try_from(dynamic.sh_link(endian));
    let Some(strings) = strings.ok().and_then(|at| sections.get(at)) else {
        return Ok(None);
    };
    let len = dynamic.sh_size(endian).into().min(MAX_TABLE);
    let table = bytes.at(dynamic.sh_offset(endian).into(), len)?;
    let count = table.len() / size_of::<H::Dyn>();
    let entries = pod::slice_from_bytes::<H::Dyn>(&table, count).map_or(&[][..], |(all, _)| all);
    let Some(entry) = entries
        .iter()
        .find(|entry| entry.tag(endian) == elf::DT_SONAME)
    else {
        return Ok(Some(String::new()));
    };
    let (start, size): (u64, u64) = (
        strings.sh_offset(endian).into(),
        strings.sh_size(endian).into(),
    );
    let at = entry.val(endian);
    let most = size.saturating_sub(at).min(MAX_NAME);
    let name = bytes.at(start.saturating_add(at), most)?;
    let end = name.iter().position(|byte| *byte == 0);
    let name = end.and_then(|end| name.get(..end)).unwrap_or_default();
    Ok(String::from_utf8(name.to_vec()).ok())
}
