//! How programs and libraries are protected against their own faults, read back from each.

use object::elf;

use super::{Spot, Subject};
use crate::survey::{ElfFacts, ElfKind, FileFacts, Mark, Survey};

/// Folders of kernels and of what is only for debuggers.
const OTHER_RULES: [&str; 4] = ["boot", "lib/modules", "usr/lib/modules", "usr/lib/debug"];

/// With `_FORTIFY_SOURCE` every call of these becomes one of a checking variant, whatever it is given.
/// Of other functions only those calls do whose buffer's size the compiler knows: that a file has none
/// says nothing.
const ALWAYS_CHECKED: [&str; 4] = ["fprintf", "printf", "vfprintf", "vprintf"];
/// These hardly ever fill a buffer that is not an array on the stack. Of 1,737 files that Debian 12
/// builds with the stack protector or without it, four call one and have no function that it protects.
const FILLS_STACK: [&str; 4] = ["fgets", "gets", "strcat", "strncat"];

/// Lists for each file what it lacks. What cannot be known of a file is not listed: a static
/// program says nothing about the functions that it calls, and Go has its own means. Neither is what
/// it may have no use for: many a library has no function that FORTIFY or the stack protector could
/// guard, so these are missing only where a call shows that they were not asked for.
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
    let calls = |some: &[&str]| elf.unchecked.iter().any(|one| some.contains(one));
    // Only glibc has checking variants.
    let is_unfortified =
        calls_libc && has_glibc && calls(&ALWAYS_CHECKED) && !elf.is(Mark::Fortified);
    let rules = [
        ("PIE", elf.kind == ElfKind::Executable),
        ("RELRO", !elf.is(Mark::Relro)),
        (
            "BIND_NOW",
            elf.is(Mark::LazyBinding) && !elf.is(Mark::BindNow),
        ),
        ("FORTIFY", is_unfortified),
        (
            "stack protector",
            calls_libc && !elf.is(Mark::StackProtector) && (is_unfortified || calls(&FILLS_STACK)),
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
