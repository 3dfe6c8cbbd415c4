//! Linters of what files are called.

use memchr::memmem;

use super::{Spot, Subject, spots};
use crate::survey::{FileFacts, Shape, Survey};

/// Systems that a package is not for.
const OTHER_SYSTEMS: [&str; 10] = [
    "darwin", "macos", "mac_os", "mac-os", "osx", "os_x", "os-x", "windows", "win32", "win64",
];
/// Machines that a package is not for.
const OTHER_MACHINES: [&str; 19] = [
    "i386",
    "i686",
    "x86_32",
    "x86-32",
    "ppc64",
    "ppc64le",
    "powerpc",
    "s390x",
    "s390",
    "mips",
    "mipsel",
    "mips64",
    "riscv",
    "riscv64",
    "sparc",
    "sparc64",
    "ia64",
    "m68k",
    "loongarch64",
];

fn with_extension(survey: &Survey<'_>, extension: &str) -> Vec<Spot> {
    spots(survey, |facts| {
        facts.shape != Shape::Dir && facts.name().ends_with(extension.as_bytes())
    })
}

/// The same, unless the package's name ends in one of these ways.
fn unless_named(
    subject: &Subject<'_>,
    survey: &Survey<'_>,
    extension: &str,
    ends: &[&str],
) -> Vec<Spot> {
    if ends.iter().any(|end| subject.name.ends_with(end)) {
        return Vec::new();
    }
    with_extension(survey, extension)
}

pub(super) fn dll(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    unless_named(subject, survey, ".dll", &["-dev"])
}

pub(super) fn dylib(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    unless_named(subject, survey, ".dylib", &["-dev"])
}

pub(super) fn static_archive(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    unless_named(subject, survey, ".a", &["-dev", "-static"])
}

pub(super) fn object(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    with_extension(survey, ".o")
}

pub(super) fn libtool(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    with_extension(survey, ".la")
}

/// Texts for people: READMEs, lists of what is to do, manual pages.
pub(super) fn documentation(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    const NAMES: [&[u8]; 5] = [b"README", b"READ.ME", b"READ", b"TODO", b"CREDITS"];
    const EXTENSIONS: [&[u8]; 4] = [b"md", b"doc", b"docx", b"rst"];
    if subject.name.ends_with("-doc") {
        return Vec::new();
    }
    spots(survey, |facts| {
        let name = facts.name();
        let mut parts = name.rsplitn(2, |&byte| byte == b'.');
        let extension = parts.next().filter(|_| parts.next().is_some());
        let is_page = |extension: &[u8]| match extension {
            [b'0'..=b'9', letter] => letter.is_ascii_lowercase(),
            _ => EXTENSIONS.contains(&extension),
        };
        facts.shape != Shape::Dir
            && (NAMES.iter().any(|end| name.ends_with(end)) || extension.is_some_and(is_page))
    })
}

pub(super) fn non_linux(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    named_after(survey, &OTHER_SYSTEMS)
}

pub(super) fn unsupported_arch(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    named_after(survey, &OTHER_MACHINES)
}

fn named_after(survey: &Survey<'_>, words: &[&str]) -> Vec<Spot> {
    let is_sbom = |facts: &FileFacts<'_>| facts.is_beneath("var/lib/db/sbom");
    let files = survey.files.iter();
    files
        .filter(|facts| facts.shape != Shape::Dir && !is_sbom(facts))
        .filter_map(|facts| Some(Spot::noted(facts.path, *word_in(facts, words)?)))
        .collect()
}

/// The first of the words that a folder is called by or bears, or that a file's name bears after
/// something else. In `libx-i386.so` and `i386-tools/x` the word stands alone; `osxphotos` has
/// another meaning, and what a file called `mips.h` is about nobody knows.
fn word_in<'w>(facts: &FileFacts<'_>, words: &'w [&'w str]) -> Option<&'w &'w str> {
    let name = facts.name().to_ascii_lowercase();
    let folders = facts.folder().to_ascii_lowercase();
    let mut words = words.iter();
    words.find(|word| {
        let mut folders = folders.split(|&byte| byte == b'/');
        folders.any(|folder| stands_in(folder, word, 0)) || stands_in(&name, word, 1)
    })
}

/// Whether the word stands alone in a name, from a place on.
fn stands_in(name: &[u8], word: &str, from: usize) -> bool {
    let word = word.as_bytes();
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    memmem::find_iter(name, word)
        .filter(|&start| start >= from)
        .any(|start| {
            let before = start.checked_sub(1).and_then(|before| name.get(before));
            is_edge(before) && is_edge(name.get(start + word.len()))
        })
}
