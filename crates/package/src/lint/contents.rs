//! Linters of what files are and hold.

use std::collections::BTreeMap;

use memchr::memmem;
use object::elf;

use super::places::is_version;
use super::report::shown;
use super::{Spot, Subject, spots};
use crate::survey::{Mark, Shape, Survey};

pub(super) fn empty(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    let mut files = survey.files.iter();
    if files.any(|facts| facts.shape != Shape::Dir) {
        return Vec::new();
    }
    vec![Spot {
        path: None,
        note: "it holds no file".to_owned(),
    }]
}

/// Folders may have these bits: there they say who owns new files, and who may remove them.
pub(super) fn set_id(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    const BITS: [(u32, &str); 3] = [(0o4000, "setuid"), (0o2000, "setgid"), (0o1000, "sticky")];
    let files = survey.files.iter().filter(|facts| facts.is_regular());
    files
        .filter(|facts| facts.mode & 0o7000 != 0)
        .map(|facts| {
            let bits = BITS.iter().filter(|(bit, _)| facts.mode & bit != 0);
            let names: Vec<&str> = bits.map(|(_, name)| *name).collect();
            Spot::noted(facts.path, names.join(", "))
        })
        .collect()
}

pub(super) fn world_write(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    spots(survey, |facts| {
        !matches!(facts.shape, Shape::Dir | Shape::Symlink) && facts.mode & 0o002 != 0
    })
}

/// Programs for the virtual machine in the kernel (BPF) run on every machine.
pub(super) fn binary_arch(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    const KNOWN: [u16; 3] = [elf::EM_X86_64.0, elf::EM_AARCH64.0, elf::EM_BPF.0];
    let files = survey.files.iter();
    files
        .filter_map(|facts| {
            let machine = facts.elf.as_ref()?.machine;
            (!KNOWN.contains(&machine)).then(|| Spot::noted(facts.path, machine_name(machine)))
        })
        .collect()
}

fn machine_name(machine: u16) -> String {
    let name = match elf::Machine(machine) {
        elf::EM_386 => "i386",
        elf::EM_ARM => "arm",
        elf::EM_PPC64 => "ppc64",
        elf::EM_S390 => "s390x",
        elf::EM_MIPS => "mips",
        elf::EM_RISCV => "riscv",
        elf::EM_LOONGARCH => "loongarch",
        _ => return format!("ELF machine {machine}"),
    };
    name.to_owned()
}

/// Debugging information belongs into packages for it.
pub(super) fn strip(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    if subject.name.ends_with("-dbg") || subject.name.ends_with("-debug") {
        return Vec::new();
    }
    spots(survey, |facts| {
        let elf = facts.elf.as_ref();
        elf.is_some_and(|elf| elf.is(Mark::DebugInfo)) && !facts.is_beneath("usr/lib/debug")
    })
}

/// Shared libraries by their names, if the recipe's test does not look for what they need.
pub(super) fn ldd_check(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    if is_tested(subject, &["test/ldd-check", "test/tw/ldd-check"]) {
        return Vec::new();
    }
    spots(survey, |facts| {
        facts.shape != Shape::Dir && is_library(facts.name())
    })
}

/// `libz.so`, `libz.so.1.3`.
fn is_library(name: &[u8]) -> bool {
    memmem::find_iter(name, b".so")
        .any(|start| is_version(name.get(start + 3..).unwrap_or_default()))
}

/// Files for pkg-config, if the recipe's test does not ask it for them.
pub(super) fn pkg_conf(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    if is_tested(subject, &["test/pkgconf", "test/tw/pkgconf"]) {
        return Vec::new();
    }
    spots(survey, |facts| {
        let folders = ["usr/lib/pkgconfig", "usr/share/pkgconfig"];
        facts.shape != Shape::Dir && folders.iter().any(|folder| facts.is_beneath(folder))
    })
}

/// Whether the test uses one of these pipelines, unless nobody knows.
fn is_tested(subject: &Subject<'_>, pipelines: &[&str]) -> bool {
    let used = subject.tested_with.as_ref();
    used.is_none_or(|used| used.iter().any(|name| pipelines.contains(name)))
}

/// Files of one name and content in several folders. Licences lie beside what they hold for.
pub(super) fn duplicate(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    let mut first = BTreeMap::new();
    let mut found = Vec::new();
    for facts in survey
        .files
        .iter()
        .filter(|facts| !is_licence(facts.name()))
    {
        let Some(digest) = facts.digest else { continue };
        let other = *first.entry((facts.name(), digest)).or_insert(facts.path);
        if other != facts.path {
            found.push(Spot::noted(
                facts.path,
                format!("the same as {}", shown(other)),
            ));
        }
    }
    found
}

fn is_licence(name: &[u8]) -> bool {
    const NAMES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT"];
    let stem = name.split(|byte| !byte.is_ascii_alphanumeric()).next();
    stem.is_some_and(|stem| {
        NAMES
            .iter()
            .any(|name| stem.eq_ignore_ascii_case(name.as_bytes()))
    })
}
