//! Linters of what files are called.

use super::{Spot, Subject, spots};
use crate::survey::{FileFacts, Shape, Survey};

/// Words that stand alone in a name; what has a separator in it is two of them.
struct Words {
    single: &'static [&'static str],
    pairs: &'static [(&'static str, &'static str)],
    /// Whether a file may be called after it: what a file called `mips.h` is about nobody knows.
    begins_names: bool,
}

/// Systems that a package is not for.
const OTHER_SYSTEMS: Words = Words {
    single: &["darwin", "macos", "osx", "windows", "win32", "win64"],
    pairs: &[("mac", "os"), ("os", "x")],
    begins_names: true,
};
/// Machines that a package is not for.
const OTHER_MACHINES: Words = Words {
    single: &[
        "i386", "i686", "ppc64", "ppc64le", "powerpc", "s390x", "s390", "mips", "mipsel", "mips64",
        "riscv", "riscv64", "sparc", "sparc64", "ia64", "m68k",
    ],
    pairs: &[("x86", "32")],
    begins_names: false,
};

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

fn named_after(survey: &Survey<'_>, words: &Words) -> Vec<Spot> {
    let is_sbom = |facts: &FileFacts<'_>| facts.is_beneath("var/lib/db/sbom");
    let files = survey.files.iter();
    files
        .filter(|facts| facts.shape != Shape::Dir && !is_sbom(facts))
        .filter_map(|facts| Some(Spot::noted(facts.path, words.found_at(facts)?)))
        .collect()
}

impl Words {
    /// The first of the words that a folder or file bears. In `libx-i386.so` and `i386-tools/x`
    /// the word stands alone; `osxphotos` has another meaning.
    fn found_at(&self, facts: &FileFacts<'_>) -> Option<String> {
        let folders = facts.folder().split(|&byte| byte == b'/');
        let in_folders = folders.flat_map(runs);
        let counts = |before: Option<u8>| before.is_some() || self.begins_names;
        let in_name = runs(facts.name()).filter(|(_, before, _)| counts(*before));
        in_folders
            .chain(in_name)
            .find_map(|(run, _, behind)| self.at(run, behind))
    }

    /// The word that a run is, or begins.
    fn at(&self, run: &[u8], behind: &[u8]) -> Option<String> {
        let is = |run: &[u8], word: &str| run.eq_ignore_ascii_case(word.as_bytes());
        if let Some(word) = self.single.iter().find(|word| is(run, word)) {
            return Some((*word).to_owned());
        }
        let (separator, rest) = behind.split_first()?;
        let next = rest.split(|byte| !byte.is_ascii_alphanumeric()).next()?;
        let mut pairs = self.pairs.iter();
        pairs
            .find(|(one, two)| is(run, one) && is(next, two))
            .filter(|_| b"_-".contains(separator))
            .map(|(one, two)| format!("{one}{}{two}", char::from(*separator)))
    }
}

/// The runs of letters and digits in a name: each with the byte before it and all behind it.
fn runs(name: &[u8]) -> impl Iterator<Item = (&[u8], Option<u8>, &[u8])> {
    let mut place = 0;
    name.split(|byte| !byte.is_ascii_alphanumeric())
        .map(move |run| {
            let start = place;
            place += run.len() + 1;
            let before = start.checked_sub(1);
            let before = before.and_then(|before| name.get(before).copied());
            let behind = name.get(start + run.len()..).unwrap_or_default();
            (run, before, behind)
        })
        .filter(|(run, _, _)| !run.is_empty())
}
