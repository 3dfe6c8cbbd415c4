//! Source files: what each opens with, how long it is, and how many rules it excuses itself from.

use std::collections::BTreeMap;
use std::path::Path;

use super::Repository;

/// Production lines of a file, at most.
const LONGEST: usize = 500;

/// Where a banned function is used with a reason, by room: no more than this. Lower a number when
/// you can; raise one only with the reason in the commit.
const EXCUSES: &str = include_str!("excuses.txt");

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let mut faults = Vec::new();
    let mut excuses: BTreeMap<String, usize> = BTreeMap::new();
    for file in repository.with_ending("rs") {
        let text = repository.text(file);
        if !text.starts_with("//!") && !file.starts_with("tests/ui") && !is_compile_fail(file) {
            faults.push(format!("{} does not open with `//!`", file.display()));
        }
        let production = text.split("\n#[cfg(test)]\n").next().unwrap_or("");
        let lines = production.lines().count();
        if lines > LONGEST && !is_test(file) {
            faults.push(format!("{} has {lines} production lines", file.display()));
        }
        let excused = production.matches("clippy::disallowed_methods").count();
        if let (Some(room), false) = (room(file), is_test(file)) {
            *excuses.entry(room).or_default() += excused;
        }
    }
    faults.extend(compare(&excuses));
    faults
}

fn compare(found: &BTreeMap<String, usize>) -> Vec<String> {
    let allowed: BTreeMap<&str, usize> = EXCUSES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(room, count)| Some((room, count.trim().parse().ok()?)))
        .collect();
    found
        .iter()
        .filter(|(room, count)| **count != allowed.get(room.as_str()).copied().unwrap_or(0))
        .map(|(room, count)| {
            let before = allowed.get(room.as_str()).copied().unwrap_or(0);
            format!("'{room}' excuses {count} banned calls, excuses.txt says {before}")
        })
        .collect()
}

fn room(file: &Path) -> Option<String> {
    let rest = file.strip_prefix("crates").ok()?;
    Some(rest.components().next()?.as_os_str().to_str()?.to_owned())
}

fn is_test(file: &Path) -> bool {
    file.components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "benches")))
        || file.file_name().is_some_and(|name| name == "tests.rs")
}

fn is_compile_fail(file: &Path) -> bool {
    file.components()
        .any(|part| part.as_os_str() == "ui" || part.as_os_str() == "compile_fail")
}
