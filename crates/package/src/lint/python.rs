//! Linters of Python packages.

use std::collections::BTreeMap;

use boltworks_fsx::RelPath;

use super::{Spot, Subject};
use crate::survey::Survey;

/// What lies directly in a `site-packages` of Python 3: name to a path.
fn modules<'a>(survey: &Survey<'a>) -> BTreeMap<&'a [u8], &'a RelPath> {
    let mut found = BTreeMap::new();
    for facts in &survey.files {
        let mut parts = facts.path.components();
        let mut next = || parts.next().unwrap_or_default();
        let (usr, lib, python, packages, name) = (next(), next(), next(), next(), next());
        let is_python = python.starts_with(b"python3.");
        if (usr, lib, packages) == (b"usr", b"lib", b"site-packages")
            && is_python
            && !name.is_empty()
        {
            found.entry(name).or_insert(facts.path);
        }
    }
    found
}

fn named(survey: &Survey<'_>, names: &[&[u8]]) -> Vec<Spot> {
    let modules = modules(survey);
    let modules = modules.iter().filter(|(name, _)| names.contains(name));
    modules.map(|(_, path)| Spot::at(path)).collect()
}

pub(super) fn docs(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    named(survey, &[b"doc", b"docs"])
}

pub(super) fn tests(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    named(survey, &[b"test", b"tests"])
}

/// More than one module, beside what is private, describes a package or is found by the other
/// linters. `foo` and `foo.so` are one.
pub(super) fn multiple(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    const NO_MODULES: [&[u8]; 4] = [b"doc", b"docs", b"test", b"tests"];
    const DESCRIPTIONS: [&[u8]; 3] = [b".egg-info", b".dist-info", b".pth"];
    let mut found = BTreeMap::new();
    for (name, path) in modules(survey) {
        let is_none = name.starts_with(b"_")
            || NO_MODULES.contains(&name)
            || DESCRIPTIONS.iter().any(|end| name.ends_with(end));
        let stem = name.split(|&byte| byte == b'.').next();
        if let Some(stem) = stem.filter(|stem| !is_none && !stem.is_empty()) {
            found.entry(stem).or_insert(path);
        }
    }
    if found.len() < 2 {
        return Vec::new();
    }
    found.values().map(|path| Spot::at(path)).collect()
}
