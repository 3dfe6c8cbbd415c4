//! What an ELF file says to the program that loads it, and how it was hardened.
//!
//! Everything that decides a package's dependencies is found as the loader finds it: through
//! program headers, in the memory that they describe. Section headers are for linkers and
//! debuggers; a file works without them, and with ones that say something else. They are only
//! asked whether there is debugging information.

mod image;
mod marks;

use std::collections::BTreeSet;
use std::io;

use boltworks_fsx::Opened;
use object::Endianness;
use object::elf;
use object::read::elf::FileHeader;

use self::image::{Dynamic, Image};
use crate::Error;

/// What an ELF file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfFacts {
    /// What it is for.
    pub kind: ElfKind,
    /// The machine, by its number (`e_machine`).
    pub machine: u16,
    /// `DT_NEEDED`, in file order.
    pub needed: Vec<String>,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `PT_INTERP`.
    pub interpreter: Option<String>,
    /// What is found out about it beside that.
    pub marks: BTreeSet<Mark>,
    /// Functions of the C library that it calls and that have a checking variant, sorted.
    pub unchecked: Vec<&'static str>,
}

impl ElfFacts {
    /// Whether something was found out.
    pub fn is(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }
}

/// What an ELF file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElfKind {
    /// Linked into others: `.o`, kernel modules.
    Object,
    /// Loaded at the one address it was linked for.
    Executable,
    /// Loaded anywhere: shared libraries and position-independent programs.
    Shared,
    /// Anything else.
    Other,
}

/// Something that is found out about an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It calls itself a position-independent program (`DF_1_PIE`).
    Pie,
    /// Its relocated data become read-only (`PT_GNU_RELRO`).
    Relro,
    /// All its symbols are bound when it is loaded.
    BindNow,
    /// It has symbols that may be bound late.
    LazyBinding,
    /// The names it imports are known.
    Imports,
    /// It imports checking variants of functions (`__memcpy_chk`).
    Fortified,
    /// It checks its stack (`__stack_chk_fail`).
    StackProtector,
    /// x86: indirect branches land on marked places only.
    BranchTracking,
    /// x86: return addresses are kept twice.
    ShadowStack,
    /// It has sections with debugging information.
    DebugInfo,
    /// It was made by the Go toolchain.
    Go,
    /// It is a Go program that does its cryptography with OpenSSL.
    GoFips,
}

/// Reads what a loader reads. A file that only looks like ELF gives nothing; one whose names are
/// beyond all measure is an error, so that no dependency is left out in silence.
pub(super) fn read(bytes: &Opened<'_>, head: &[u8]) -> Result<Option<ElfFacts>, Error> {
    if !head.starts_with(&elf::ELFMAG) {
        return Ok(None);
    }
    let facts = match head.get(4) {
        Some(&class) if class == elf::ELFCLASS64.0 => {
            parse::<elf::FileHeader64<Endianness>>(bytes, head)
        }
        Some(&class) if class == elf::ELFCLASS32.0 => {
            parse::<elf::FileHeader32<Endianness>>(bytes, head)
        }
        _ => Ok(None),
    };
    Ok(facts?)
}

fn parse<H: FileHeader<Endian = Endianness>>(
    bytes: &Opened<'_>,
    head: &[u8],
) -> io::Result<Option<ElfFacts>> {
    let Ok(header) = H::parse(head) else {
        return Ok(None);
    };
    let Ok(endian) = header.endian() else {
        return Ok(None);
    };
    let Some(image) = Image::read(header, endian, bytes)? else {
        return Ok(None);
    };
    let kind = match header.e_type(endian) {
        elf::ET_REL => ElfKind::Object,
        elf::ET_EXEC => ElfKind::Executable,
        elf::ET_DYN => ElfKind::Shared,
        _ => ElfKind::Other,
    };
    let dynamic = image.dynamic()?;
    let mut facts = ElfFacts {
        kind,
        machine: header.e_machine(endian).0,
        needed: Vec::new(),
        soname: None,
        interpreter: image.interpreter()?,
        marks: BTreeSet::new(),
        unchecked: Vec::new(),
    };
    names(&image, &dynamic, &mut facts)?;
    marks::find(&image, &dynamic, &mut facts)?;
    if image::has_debug_sections(header, endian, bytes)? {
        facts.marks.insert(Mark::DebugInfo);
    }
    Ok(Some(facts))
}

fn names(image: &Image<'_>, dynamic: &Dynamic, facts: &mut ElfFacts) -> io::Result<()> {
    let name = |at: u64| match dynamic.strings.and_then(|strings| strings.checked_add(at)) {
        Some(address) => image.name(address),
        None => Ok(None),
    };
    facts.soname = dynamic.soname.map_or(Ok(None), name)?;
    for &at in &dynamic.needed {
        facts.needed.extend(name(at)?);
    }
    Ok(())
}
