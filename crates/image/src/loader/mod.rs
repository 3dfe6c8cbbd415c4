//! `/etc/ld.so.cache`: where glibc's loader finds libraries that lie in no folder of its own.
//!
//! As apko does: an image with `/etc/ld.so.conf` gets a cache of the libraries in `/lib` and in the
//! folders that file names, one without it gets none. The form is glibc's `glibc-ld.so.cache1.1`
//! (`elf/dl-cache.c`, `sysdeps/generic/dl-cache.h`), entries in the order in which the loader looks
//! them up, and without hardware capabilities. musl has no such cache.

mod conf;
mod elf;

use std::cmp::Ordering;
use std::io;

use boltworks_fsx::{Content, Kind, Meta, RelPath, Tree};
use object::elf::{
    EF_ARM_ABI_FLOAT_HARD, EF_LARCH_ABI_DOUBLE_FLOAT, EF_RISCV_FLOAT_ABI_DOUBLE, EM_386,
    EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
};

use crate::Error;
use crate::place::{exists, put_file, resolved};
use crate::skeleton::MTIME;

const CONF: &str = "etc/ld.so.conf";
const CACHE: &str = "etc/ld.so.cache";
/// The folder that is looked at first.
const FIRST: &str = "/lib";
const MAGIC: &[u8; 20] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// An ELF library for glibc 2: `FLAG_ELF_LIBC6`.
const LIBC6: u32 = 0x0003;

/// A library as the cache names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Library {
    /// Where it is, absolute.
    path: String,
    /// The part of it that is its name.
    name: String,
    flags: u32,
    is_big_endian: bool,
}

/// Writes the cache, if the image has folders to look into.
pub(crate) fn add(tree: &mut Tree) -> Result<(), Error> {
    if !exists(tree, CONF) {
        return Ok(());
    }
    let mut folders = vec![FIRST.to_owned()];
    for folder in conf::folders(tree, CONF)? {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let mut libraries = Vec::new();
    for folder in folders {
        libraries.extend(in_folder(tree, &folder)?);
    }
    put_file(tree, CACHE, Meta::new(0o644, MTIME), cache(libraries)?)
}

/// The libraries of one folder, by their names.
fn in_folder(tree: &Tree, folder: &str) -> Result<Vec<Library>, Error> {
    let Some(beneath) = crate::place::beneath_root(folder)? else {
        return Ok(Vec::new());
    };
    let Ok(real) = resolved(tree, &beneath) else {
        return Ok(Vec::new());
    };
    let mut libraries = Vec::new();
    for (name, path) in children(tree, &real) {
        if let Some(content) = stem(name).and_then(|_| file(tree, path)) {
            let library = library(folder, name, content);
            libraries.extend(library.map_err(|source| Error::Content {
                path: path.clone(),
                source,
            })?);
        }
    }
    Ok(libraries)
}

/// A file of a folder as the cache names it, if it is a library under a name of its own.
pub(crate) fn library(folder: &str, name: &str, content: &Content) -> io::Result<Option<Library>> {
    if stem(name).is_none() {
        return Ok(None);
    }
    let found = elf::read(content)?;
    let Some((flags, found)) = found.and_then(|one| Some((flags(&one)?, one))) else {
        return Ok(None);
    };
    // What has no name of its own goes by its file's.
    let own = Some(found.soname.as_str()).filter(|own| !own.is_empty());
    let own = own.or_else(|| name.strip_suffix(".so").map(|_| name));
    let is_its_own = own.is_some_and(|own| {
        stem(own).is_some_and(|stem| own == name || name == format!("{stem}.so"))
    });
    Ok(is_its_own.then(|| Library {
        path: format!("{}/{name}", folder.trim_end_matches('/')),
        name: name.to_owned(),
        flags,
        is_big_endian: found.is_big_endian,
    }))
}

/// What lies directly in a folder, by name, as far as names are text.
fn children<'t>(tree: &'t Tree, folder: &RelPath) -> impl Iterator<Item = (&'t str, &'t RelPath)> {
    let above = folder.as_bytes().len() + 1;
    tree.beneath(folder).filter_map(move |(path, _)| {
        let name = path.as_bytes().get(above..)?;
        let name = str::from_utf8(name).ok()?;
        (!name.contains('/')).then_some((name, path))
    })
}

/// The file that a name leads to; nothing where it leads nowhere.
fn file<'t>(tree: &'t Tree, path: &RelPath) -> Option<&'t Content> {
    let real = match &tree.get(path)?.kind {
        Kind::Symlink(_) => resolved(tree, path).ok()?,
        _ => path.clone(),
    };
    let inode = tree.link_target(&real)?;
    tree.file(inode)
}

/// `libfoo` of `libfoo.so.1`; nothing of a name that is no library's (ldconfig(8)).
fn stem(name: &str) -> Option<&str> {
    if !name.starts_with("lib") && !name.starts_with("ld-") {
        return None;
    }
    if let Some(stem) = name.strip_suffix(".so") {
        return Some(stem);
    }
    let at = name.rfind(".so.").filter(|at| *at > 0)?;
    name.get(..at)
}

/// What the loader wants a library's entry to say of its architecture
/// (`sysdeps/unix/sysv/linux/*/dl-cache.h`); nothing of architectures it does not run on.
fn flags(library: &elf::Library) -> Option<u32> {
    let flags = library.flags;
    let own = match (library.machine, library.is_64_bit) {
        (EM_X86_64, true) => 0x0300,
        (EM_X86_64, false) => 0x0800,
        (EM_386, false) => 0,
        (EM_AARCH64, true) => 0x0a00,
        (EM_ARM, false) if flags.0 & EF_ARM_ABI_FLOAT_HARD != 0 => 0x0900,
        (EM_ARM, false) => 0x0b00,
        (EM_PPC64, true) => 0x0500,
        (EM_S390, true) => 0x0400,
        (EM_RISCV, true) if flags.riscv_float_abi() == EF_RISCV_FLOAT_ABI_DOUBLE => 0x1000,
        (EM_RISCV, true) => 0x0f00,
        (EM_LOONGARCH, true) if flags.larch_abi_modifier() == EF_LARCH_ABI_DOUBLE_FLOAT => 0x1200,
        (EM_LOONGARCH, true) => 0x1100,
        _ => return None,
    };
    Some(LIBC6 | own)
}

/// The order in which the loader looks names up (`_dl_cache_libcmp`): runs of digits are numbers,
/// and a digit comes after whatever is none.
fn compared(one: &[u8], other: &[u8]) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (Some((&a, after_a)), Some((&b, after_b))) = (one.split_first(), other.split_first())
        else {
            return one.len().cmp(&other.len());
        };
        match (a.is_ascii_digit(), b.is_ascii_digit()) {
            (true, true) => {
                let ((a, after_a), (b, after_b)) = (number(one), number(other));
                if a != b {
                    return a.cmp(&b);
                }
                (one, other) = (after_a, after_b);
            }
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) if a != b => return a.cmp(&b),
            (false, false) => (one, other) = (after_a, after_b),
        }
    }
}

/// The number in front; one too large for the loader goes round, as it does there.
fn number(text: &[u8]) -> (i32, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let add = |sum: i32, digit: &u8| {
        let digit = i32::from(*digit - b'0');
        sum.wrapping_mul(10).wrapping_add(digit)
    };
    (digits.iter().fold(0, add), rest)
}

/// The cache of these libraries, which come by folders and in those by names: a header, the entries,
/// the paths.
pub(crate) fn cache(mut libraries: Vec<Library>) -> Result<Vec<u8>, Error> {
    // The first folder's stays first where two have the same name.
    libraries.sort_by(|one, other| compared(other.name.as_bytes(), one.name.as_bytes()));
    let is_big_endian = libraries.iter().any(|library| library.is_big_endian);
    let number = |number: usize| {
        let number = u32::try_from(number).map_err(|_| Error::Write {
            action: "write /etc/ld.so.cache",
            source: io::ErrorKind::FileTooLarge.into(),
        })?;
        Ok::<_, Error>(if is_big_endian {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        })
    };
    let mut paths = Vec::new();
    let mut entries = Vec::new();
    let start = HEADER + libraries.len() * ENTRY;
    for library in &libraries {
        let value = start + paths.len();
        let key = value + library.path.len() - library.name.len();
        entries.extend_from_slice(&number(library.flags as usize)?);
        entries.extend_from_slice(&number(key)?);
        entries.extend_from_slice(&number(value)?);
        // No version of the system, no hardware is asked for.
        entries.extend_from_slice(&[0; 12]);
        paths.extend_from_slice(library.path.as_bytes());
        paths.push(0);
    }
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&number(libraries.len())?);
    out.extend_from_slice(&number(paths.len())?);
    // No flags, no extensions.
    out.resize(HEADER, 0);
    out.append(&mut entries);
    out.append(&mut paths);
    // To the next multiple of 16, and never nothing.
    out.resize((out.len() & !15) + 16, 0);
    Ok(out)
}

#[cfg(test)]
mod tests;
