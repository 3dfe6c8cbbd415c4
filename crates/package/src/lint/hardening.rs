//! How programs and libraries are protected against their own faults, read back from each.

use object::elf;

use super::{Spot, Subject};
use crate::survey::{ElfFacts, ElfKind, FileFacts, Mark, Survey};

/// Folders of kernels and of what is only for debuggers.
const OTHER_RULES: [&str; 4] = ["boot", "lib/modules", "usr/lib/modules", "usr/lib/debug"];

/// Lists for each file what it lacks. What cannot be known of a file is not listed: a static
/// program says nothing about the functions that it calls, and Go has its own means.
pub(super) fn hardening(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    let files = survey.files.iter();
    files.filter_map(spot).collect()
}

fn spot(facts: &FileFacts<'_>) -> Option<Spot> {
    let elf = facts.elf.as_deref()?;
    if OTHER_RULES.iter().any(|folder| facts.is_beneath(folder)) {
        return None;
    }
    let lacks = lacks(elf);
    (!lacks.is_empty()).then(|| Spot::noted(facts.path, format!("no {}", lacks.join(", "))))
}

fn lacks(elf: &ElfFacts) -> Vec<&'static str> {
    if !matches!(elf.kind, ElfKind::Executable | ElfKind::Shared) {
        return Vec::new();
    }
    let is_x86 = elf.machine == elf::EM_X86_64.0;
    let is_go = elf.is(Mark::Go);
    let calls_libc = elf.is(Mark::Imports) && !elf.needed.is_empty() && !is_go;
    let has_glibc = elf.needed.iter().any(|library| library == "libc.so.6");
    let rules = [
        ("PIE", elf.kind == ElfKind::Executable),
        ("RELRO", !elf.is(Mark::Relro)),
        (
            "BIND_NOW",
            elf.is(Mark::LazyBinding) && !elf.is(Mark::BindNow),
        ),
        (
            // Only glibc has checking variants.
            "FORTIFY",
            calls_libc && has_glibc && !elf.unchecked.is_empty() && !elf.is(Mark::Fortified),
        ),
        (
            "stack protector",
            calls_libc && !elf.is(Mark::StackProtector),
        ),
        (
            "CET",
            is_x86 && !is_go && !(elf.is(Mark::BranchTracking) && elf.is(Mark::ShadowStack)),
        ),
    ];
    let rules = rules.into_iter();
    rules
        .filter_map(|(name, is_missing)| is_missing.then_some(name))
        .collect()
}
