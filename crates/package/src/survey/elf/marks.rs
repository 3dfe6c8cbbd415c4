//! How an ELF file was hardened, and which toolchain made it.

use std::collections::BTreeSet;
use std::io;

use memchr::memmem;
use object::{Endian as _, elf};

use super::image::{Dynamic, Image, Segment};
use super::{ElfFacts, Mark};

/// The most that is read of a file's notes.
const NOTE_BYTES: u64 = 1 << 16;
/// The most that is read of its dynamic symbols, and of their names. In a file with more, what it
/// imports is not known.
const SYMBOL_BYTES: u64 = 64 << 20;
/// How far the data of a Go program is searched for what its toolchain wrote.
const GO_SEARCH: u64 = 64 << 20;
/// How much of it is read at once.
const GO_STEP: u64 = 1 << 20;
/// The longest description of a Go program's build.
const GO_TEXT: u64 = 1 << 20;

/// `NT_GNU_PROPERTY_TYPE_0`.
const PROPERTIES: u32 = 5;
/// `GNU_PROPERTY_X86_FEATURE_1_AND`.
const X86_FEATURES: u32 = 0xc000_0002;
/// How the Go toolchain's description of a build begins.
const GO_MAGIC: &[u8] = b"\xff Go buildinf:";

/// Functions that `_FORTIFY_SOURCE` replaces by checking ones, less those that it leaves alone
/// often, because the sizes of their buffers are rarely known.
const CHECKABLE: &[&str] = &[
    "fgets",
    "fprintf",
    "gets",
    "memcpy",
    "memmove",
    "memset",
    "printf",
    "snprintf",
    "sprintf",
    "stpcpy",
    "strcat",
    "strcpy",
    "strncat",
    "strncpy",
    "vfprintf",
    "vprintf",
    "vsnprintf",
    "vsprintf",
];

/// Finds what can be found.
pub(super) fn find(image: &Image<'_>, dynamic: &Dynamic, facts: &mut ElfFacts) -> io::Result<()> {
    let now = elf::DF_BIND_NOW.0;
    let now_1 = elf::DF_1_NOW.0;
    let pie_1 = elf::DF_1_PIE.0;
    let found = [
        (Mark::Pie, dynamic.flags_1 & pie_1 != 0),
        (Mark::Relro, image.last(elf::PT_GNU_RELRO).is_some()),
        (
            Mark::BindNow,
            dynamic.bind_now || dynamic.flags & now != 0 || dynamic.flags_1 & now_1 != 0,
        ),
        (Mark::LazyBinding, dynamic.has_lazy_symbols),
    ];
    for (mark, _) in found.iter().filter(|(_, is_so)| *is_so) {
        facts.marks.insert(*mark);
    }
    imports(image, dynamic, facts)?;
    notes(image, facts)?;
    if facts.is(Mark::Go) && uses_openssl(image)? {
        facts.marks.insert(Mark::GoFips);
    }
    Ok(())
}

/// Looks through the symbols that others must define. All linkers put the names right behind the
/// symbols; where they are elsewhere, nothing is known.
fn imports(image: &Image<'_>, dynamic: &Dynamic, facts: &mut ElfFacts) -> io::Result<()> {
    let (Some(symbols), Some(strings)) = (dynamic.symbols, dynamic.strings) else {
        return Ok(());
    };
    let len = strings.saturating_sub(symbols);
    if len == 0 || len > SYMBOL_BYTES || dynamic.strings_len > SYMBOL_BYTES {
        return Ok(());
    }
    let symbols = image.at(symbols, len)?;
    let strings = image.at(strings, dynamic.strings_len)?;
    facts.marks.insert(Mark::Imports);
    let (each, section) = if image.width() == 8 {
        (24, 6)
    } else {
        (16, 14)
    };
    let mut unchecked = BTreeSet::new();
    for symbol in symbols.chunks_exact(each) {
        let name = symbol
            .first_chunk()
            .map_or(0, |bytes| image.endian().read_u32(*bytes));
        let is_undefined = symbol.get(section..section + 2) == Some(&[0, 0]);
        let name = strings.get(name as usize..).unwrap_or_default();
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        // glibc and musl define it themselves and check their stacks with it.
        if matches!(name, b"__stack_chk_fail" | b"__stack_chk_fail_local") {
            facts.marks.insert(Mark::StackProtector);
        } else if is_undefined && name.starts_with(b"__") && name.ends_with(b"_chk") {
            facts.marks.insert(Mark::Fortified);
        } else if is_undefined {
            let known = CHECKABLE.iter().find(|known| known.as_bytes() == name);
            unchecked.extend(known.copied());
        }
    }
    facts.unchecked = unchecked.into_iter().collect();
    Ok(())
}

/// Reads the notes: which features the processor may demand, and who made the file.
fn notes(image: &Image<'_>, facts: &mut ElfFacts) -> io::Result<()> {
    let wanted = |segment: &&Segment| matches!(segment.kind, elf::PT_NOTE | elf::PT_GNU_PROPERTY);
    for segment in image.segments.iter().filter(wanted).take(16) {
        let bytes = image.data(segment, NOTE_BYTES)?;
        let mut rest = bytes.as_slice();
        while let Some((note, next)) = note(image, rest) {
            if note.name == b"Go\0\0" {
                facts.marks.insert(Mark::Go);
            } else if note.name == b"GNU\0" && note.kind == PROPERTIES {
                properties(image, note.text, facts);
            }
            rest = next;
        }
    }
    Ok(())
}

/// One note of a segment.
struct Note<'a> {
    name: &'a [u8],
    kind: u32,
    text: &'a [u8],
}

fn number<'a>(image: &Image<'_>, bytes: &'a [u8]) -> Option<(u32, &'a [u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((image.endian().read_u32(*number), rest))
}

/// The first note and what is behind it. Names and texts are padded to four bytes.
fn note<'a>(image: &Image<'_>, bytes: &'a [u8]) -> Option<(Note<'a>, &'a [u8])> {
    let padded = |len: u32| usize::try_from(len).ok()?.checked_next_multiple_of(4);
    let (name_len, rest) = number(image, bytes)?;
    let (text_len, rest) = number(image, rest)?;
    let (kind, rest) = number(image, rest)?;
    let (name, rest) = rest.split_at_checked(padded(name_len)?)?;
    let text = rest.get(..usize::try_from(text_len).ok()?)?;
    let rest = rest.get(padded(text_len)?..).unwrap_or_default();
    Some((Note { name, kind, text }, rest))
}

/// The features that every part of the file supports.
fn properties(image: &Image<'_>, mut rest: &[u8], facts: &mut ElfFacts) {
    while let Some((kind, next)) = number(image, rest) {
        let Some((len, next)) = number(image, next) else {
            return;
        };
        let Some(value) = usize::try_from(len).ok().and_then(|len| next.get(..len)) else {
            return;
        };
        if let (X86_FEATURES, Some((features, _))) = (kind, number(image, value)) {
            for (bit, mark) in [(1, Mark::BranchTracking), (2, Mark::ShadowStack)] {
                if features & bit != 0 {
                    facts.marks.insert(mark);
                }
            }
        }
        rest = next
            .get(value.len().next_multiple_of(image.width())..)
            .unwrap_or_default();
    }
}

/// Whether a Go program was built so that OpenSSL does its cryptography, as the toolchains of
/// Red Hat and Microsoft do.
fn uses_openssl(image: &Image<'_>) -> io::Result<bool> {
    let Some(text) = go_build(image)? else {
        return Ok(false);
    };
    let mut uses_c = false;
    let mut wants = false;
    for line in text.split('\n') {
        match line
            .strip_prefix("build\t")
            .and_then(|line| line.split_once('='))
        {
            Some(("CGO_ENABLED", "1")) => uses_c = true,
            Some(
                ("GOEXPERIMENT", "boringcrypto" | "systemcrypto" | "opensslcrypto")
                | ("microsoft_systemcrypto", "1"),
            ) => wants = true,
            _ => {}
        }
    }
    Ok(uses_c && wants)
}

/// What the Go toolchain wrote about the build, as it writes it since Go 1.18.
fn go_build(image: &Image<'_>) -> io::Result<Option<String>> {
    let loads = image.segments.iter();
    for segment in loads.filter(|segment| segment.kind == elf::PT_LOAD && segment.is_writable) {
        let mut place = 0;
        while place < segment.len.min(GO_SEARCH) {
            let start = segment.address.saturating_add(place);
            let part = image.at(start, GO_STEP)?;
            let found = memmem::find(&part, GO_MAGIC);
            if let Some(found) = found {
                let found = start.saturating_add(found as u64);
                return Ok(go_text(&image.at(found, GO_TEXT)?));
            }
            place += GO_STEP - GO_MAGIC.len() as u64;
        }
    }
    Ok(None)
}

/// After a header of 32 bytes: the toolchain's version and the build, each with its length before
/// it. The build has a marker of 16 bytes on both sides.
fn go_text(bytes: &[u8]) -> Option<String> {
    const INLINE: u8 = 2;
    let flags = *bytes.get(15)?;
    if flags & INLINE == 0 {
        return None;
    }
    let (_version, rest) = counted(bytes.get(32..)?)?;
    let (build, _) = counted(rest)?;
    Some(String::from_utf8_lossy(build).into_owned())
}

/// A length in groups of seven bits, and so many bytes.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut len = 0_u64;
    for (index, &byte) in bytes.iter().take(9).enumerate() {
        len |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes
                .get(index + 1..)?
                .split_at_checked(usize::try_from(len).ok()?);
        }
    }
    None
}
