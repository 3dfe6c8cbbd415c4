//! Which Linux kernel a file is, or is a module of.

use std::io::{self, BufReader, Read};

use boltworks_fsx::Opened;
use flate2::read::GzDecoder;
use memchr::memmem;

use super::FileFacts;
use crate::Error;

/// The folder that kernels are started from.
const BOOT_FOLDER: &str = "boot";
/// Folders of modules, beside which their kernel may lie.
const MODULE_FOLDERS: [&str; 2] = ["lib/modules", "usr/lib/modules"];
/// How names of kernels begin, where other files lie beside them.
const KERNEL_NAMES: [&str; 6] = ["vmlinu", "bzImage", "zImage", "Image", "kernel", "linux"];
/// How names of files begin that lie beside kernels and are none.
const OTHER_NAMES: [&str; 4] = ["init", "System.map", "config", "grub"];

/// How a kernel names itself.
const BANNER: &[u8] = b"Linux version ";
/// How a module names its kernel.
const VERMAGIC: &[u8] = b"vermagic=";
/// The longest version.
const VERSION: usize = 128;

/// How much is searched at once.
const STEP: usize = 1 << 20;
/// The most that is searched, after decompression.
const MOST: u64 = 512 << 20;
/// In so many places of a kernel a compressed one is looked for.
const MOST_PLACES: usize = 16;

/// Which kernel a file is or is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelFacts {
    /// It is this kernel.
    Image(String),
    /// It is a module of this kernel.
    Module(String),
}

/// Reads the version of the kernel, if the file is where kernels and modules are.
pub(super) fn read(
    facts: &FileFacts<'_>,
    bytes: &Opened<'_>,
    head: &[u8],
) -> Result<Option<KernelFacts>, Error> {
    let is_among_modules = MODULE_FOLDERS.iter().any(|folder| facts.is_beneath(folder));
    if !is_among_modules && !facts.is_beneath(BOOT_FOLDER) {
        return Ok(None);
    }
    let name = facts.name();
    if let Some(packing) = packing_of_module(name) {
        let version = match packing {
            // Nothing here unpacks this; `depmod` wants the version in the path.
            Packing::Xz => version_in_path(facts),
            packing => unpacked(whole(bytes), packing, VERMAGIC)?,
        };
        return Ok(version
            .filter(|_| is_among_modules)
            .map(KernelFacts::Module));
    }
    let is_one_of = |names: &[&str]| names.iter().any(|known| name.starts_with(known.as_bytes()));
    let is_candidate = if facts.is_beneath(BOOT_FOLDER) {
        !is_one_of(&OTHER_NAMES)
    } else {
        is_one_of(&KERNEL_NAMES) || name.ends_with(b".efi")
    };
    if !is_candidate {
        return Ok(None);
    }
    Ok(image_version(bytes, head, 0)?.map(KernelFacts::Image))
}

#[derive(Clone, Copy)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
    Xz,
}

fn packing_of_module(name: &[u8]) -> Option<Packing> {
    let known = [
        (&b".ko"[..], Packing::Plain),
        (b".ko.gz", Packing::Gzip),
        (b".ko.zst", Packing::Zstd),
        (b".ko.xz", Packing::Xz),
    ];
    let mut known = known.into_iter();
    known.find_map(|(end, packing)| name.ends_with(end).then_some(packing))
}

/// `lib/modules/VERSION/…`.
fn version_in_path(facts: &FileFacts<'_>) -> Option<String> {
    let mut parts = facts
        .path
        .components()
        .skip_while(|part| *part != b"modules");
    parts.next()?;
    version(parts.next()?)
}

/// The version of a kernel that begins at a place.
fn image_version(bytes: &Opened<'_>, head: &[u8], place: u64) -> Result<Option<String>, Error> {
    if let Some(version) = boot_header(bytes, head, place)? {
        return Ok(Some(version));
    }
    if let Some((inner, _)) = section(head, b".linux") {
        // A kernel with its command line in one file for the firmware; only one such deep.
        let inner_place = place + u64::from(inner);
        let inner_head = bytes.at(inner_place, super::HEAD)?;
        if section(&inner_head, b".linux").is_none() {
            return image_version(bytes, &inner_head, inner_place);
        }
    }
    let here = |place| Part {
        bytes,
        place,
        end: bytes.len(),
    };
    if let Some(version) = search(&mut here(place), BANNER)? {
        return Ok(Some(version));
    }
    let packed = [
        (&b"\x1f\x8b\x08"[..], Packing::Gzip),
        (b"\x28\xb5\x2f\xfd", Packing::Zstd),
    ];
    for (magic, packing) in packed {
        for place in places(bytes, place, magic)? {
            if let Some(version) = unpacked(here(place), packing, BANNER)? {
                return Ok(Some(version));
            }
        }
    }
    Ok(None)
}

/// The version in the header that x86 boot loaders read (Documentation/arch/x86/boot.rst:
/// `kernel_version` at 0x20e counts from 0x200).
fn boot_header(bytes: &Opened<'_>, head: &[u8], place: u64) -> io::Result<Option<String>> {
    if head.get(0x202..0x206) != Some(b"HdrS") {
        return Ok(None);
    }
    let Some(&[low, high]) = head.get(0x20e..0x210) else {
        return Ok(None);
    };
    let text = place + 0x200 + u64::from(u16::from_le_bytes([low, high]));
    Ok(version(&bytes.at(text, VERSION as u64 + 1)?))
}

/// Where a section of a PE file begins and how long it is; its headers must be in the head.
fn section(head: &[u8], wanted: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| {
        let bytes = head.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    if !head.starts_with(b"MZ") {
        return None;
    }
    let start = usize::try_from(number(0x3c)?).ok()?;
    if head.get(start..start.checked_add(4)?) != Some(b"PE\0\0") {
        return None;
    }
    let count = number(start + 4)? >> 16;
    let options = number(start + 20)? & 0xffff;
    let table = start + 24 + usize::try_from(options).ok()?;
    (0..usize::try_from(count).ok()?).find_map(|index| {
        let entry = table + 40 * index;
        let name = head.get(entry..entry + 8)?;
        let name = name.split(|&byte| byte == 0).next()?;
        (name == wanted).then(|| Some((number(entry + 20)?, number(entry + 16)?)))?
    })
}

/// Where these bytes are, from a place on.
fn places(bytes: &Opened<'_>, place: u64, magic: &[u8]) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut start = place;
    while start < bytes.len() && found.len() < MOST_PLACES {
        let part = bytes.at(start, STEP as u64)?;
        found.extend(memmem::find_iter(&part, magic).map(|index| start + index as u64));
        start += (STEP - magic.len() + 1) as u64;
    }
    found.truncate(MOST_PLACES);
    Ok(found)
}

fn whole<'a>(bytes: &'a Opened<'a>) -> Part<'a> {
    Part {
        bytes,
        place: 0,
        end: bytes.len(),
    }
}

/// Searches what is packed in a part of a file. What cannot be unpacked has no version.
fn unpacked(part: Part<'_>, packing: Packing, prefix: &[u8]) -> Result<Option<String>, Error> {
    let part = BufReader::new(part);
    Ok(match packing {
        Packing::Plain => search(&mut part.into_inner(), prefix)?,
        Packing::Gzip => search(&mut GzDecoder::new(part), prefix).unwrap_or_default(),
        Packing::Zstd => match zstd::stream::read::Decoder::with_buffer(part) {
            Ok(mut decoder) => search(&mut decoder, prefix).unwrap_or_default(),
            Err(_) => None,
        },
        Packing::Xz => None,
    })
}

/// The version behind the first place where the prefix stands before one.
fn search(reader: &mut dyn Read, prefix: &[u8]) -> io::Result<Option<String>> {
    let overlap = prefix.len() + VERSION;
    let mut buffer = vec![0; STEP + overlap];
    let (mut kept, mut seen) = (0, 0_u64);
    loop {
        let mut filled = kept;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match reader.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        let part = buffer.get(..filled).unwrap_or_default();
        let found = memmem::find_iter(part, prefix)
            .find_map(|start| version(part.get(start + prefix.len()..)?));
        seen += (filled - kept) as u64;
        if found.is_some() || filled < buffer.len() || seen > MOST {
            return Ok(found);
        }
        kept = overlap;
        buffer.copy_within(STEP.., 0);
    }
}

/// The version that a text begins with. A `+` behind it says that the source was changed, and is
/// left out in the names of packages.
fn version(text: &[u8]) -> Option<String> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~-".contains(byte);
    let len = text.iter().take_while(|byte| is_part(byte)).count();
    let text = text.get(..len).filter(|_| len <= VERSION)?;
    let is_one = text.first().is_some_and(u8::is_ascii_digit) && text.contains(&b'.');
    is_one.then(|| String::from_utf8_lossy(text).into_owned())
}

/// A part of a file.
struct Part<'a> {
    bytes: &'a Opened<'a>,
    place: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.place).min(buffer.len() as u64);
        let part = self.bytes.at(self.place, left)?;
        if let Some(space) = buffer.get_mut(..part.len()) {
            space.copy_from_slice(&part);
        }
        self.place += part.len() as u64;
        Ok(part.len())
    }
}
