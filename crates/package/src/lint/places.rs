//! Linters of where files lie.

use super::{Spot, Subject, spots};
use crate::survey::{FileFacts, Shape, Survey};

/// Folders that are links where `/usr` is merged.
const MERGED: [&str; 5] = ["sbin", "bin", "usr/sbin", "lib", "lib64"];

fn is_file(facts: &FileFacts<'_>) -> bool {
    facts.shape != Shape::Dir
}

fn files_beneath(survey: &Survey<'_>, folder: &str) -> Vec<Spot> {
    spots(survey, |facts| is_file(facts) && facts.is_beneath(folder))
}

/// Files beneath a folder that is for packages of one kind only.
fn unless_compat(subject: &Subject<'_>, survey: &Survey<'_>, folder: &str) -> Vec<Spot> {
    if subject.name.ends_with("-compat") {
        return Vec::new();
    }
    files_beneath(survey, folder)
}

pub(super) fn dev(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    files_beneath(survey, "dev")
}

pub(super) fn opt(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    unless_compat(subject, survey, "opt")
}

pub(super) fn srv(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    unless_compat(subject, survey, "srv")
}

pub(super) fn usr_local(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    unless_compat(subject, survey, "usr/local")
}

pub(super) fn var_empty(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    files_beneath(survey, "var/empty")
}

/// What is beneath `/tmp` and `/run` is gone when a system starts. Folders do no harm, but beneath
/// `/run` something will look for them: the package must also say how to make them anew.
pub(super) fn temp_dir(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    let mut files = survey.files.iter();
    let makes_folders = files.any(|facts| is_file(facts) && facts.is_beneath("usr/lib/tmpfiles.d"));
    spots(survey, |facts| {
        let in_run = ["run", "var/run"].iter().any(|run| facts.is_beneath(run));
        let in_tmp = ["tmp", "var/tmp"].iter().any(|tmp| facts.is_beneath(tmp));
        let is_made_anew = makes_folders || in_tmp;
        (in_run || in_tmp) && (is_file(facts) || !is_made_anew)
    })
}

/// The links themselves, and empty folders, may be in a package.
pub(super) fn usr_merge(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    spots(survey, |facts| {
        MERGED.iter().any(|folder| {
            let is_itself = facts.path.as_bytes() == folder.as_bytes();
            let is_odd = is_itself && !matches!(facts.shape, Shape::Dir | Shape::Symlink);
            is_odd || (is_file(facts) && facts.is_beneath(folder))
        })
    })
}

pub(super) fn info_dir(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    spots(survey, |facts| {
        is_file(facts) && facts.is_at_or_beneath("usr/share/info/dir")
    })
}

pub(super) fn man_info(subject: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    const FOLDERS: [&str; 5] = [
        "usr/share/man",
        "usr/local/share/man",
        "usr/man",
        "usr/share/info",
        "usr/local/share/info",
    ];
    if subject.name.ends_with("-doc") {
        return Vec::new();
    }
    spots(survey, |facts| {
        is_file(facts) && FOLDERS.iter().any(|folder| facts.is_beneath(folder))
    })
}

pub(super) fn sbom(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    spots(survey, |facts| {
        is_file(facts)
            && facts.folder() == b"var/lib/db/sbom"
            && !facts.name().ends_with(b".spdx.json")
    })
}

/// `libcuda.so` and `libnvidia-ml.so`, with any version behind.
pub(super) fn cuda_runtime_lib(_: &Subject<'_>, survey: &Survey<'_>) -> Vec<Spot> {
    let is_driver = |name: &[u8]| {
        let rest = [&b"libcuda.so"[..], b"libnvidia-ml.so"]
            .iter()
            .find_map(|start| name.strip_prefix(*start));
        rest.is_some_and(is_version)
    };
    spots(survey, |facts| {
        is_file(facts) && facts.folder() == b"usr/lib" && is_driver(facts.name())
    })
}

/// Whether this is nothing, or numbers with a dot before each.
pub(super) fn is_version(text: &[u8]) -> bool {
    let mut parts = text.split(|&byte| byte == b'.');
    parts.next() == Some(b"")
        && parts.all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}
