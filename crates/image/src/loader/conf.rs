//! `/etc/ld.so.conf`: folders, one a line, and `include` with patterns (ldconfig(8)).

use std::collections::BTreeSet;

use boltworks_fsx::Tree;

use crate::Error;
use crate::place::{beneath_root, read_file, resolved};

/// Files that include each other are looked at no deeper.
const DEPTH: u32 = 8;
/// More folders than this are a mistake.
const FOLDERS: usize = 4096;

/// The folders that a file names, in order, each once.
pub(super) fn folders(tree: &Tree, file: &str) -> Result<Vec<String>, Error> {
    let mut folders = Vec::new();
    read(tree, file, DEPTH, &mut folders)?;
    let mut seen = BTreeSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    Ok(folders)
}

fn read(tree: &Tree, file: &str, depth: u32, folders: &mut Vec<String>) -> Result<(), Error> {
    let Some((bytes, _)) = read_file(tree, file)? else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(&bytes);
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let include = line
            .strip_prefix("include")
            .filter(|rest| rest.starts_with([' ', '\t']));
        match include {
            Some(patterns) if depth > 0 => {
                for pattern in patterns.split_ascii_whitespace() {
                    for found in matches(tree, file, pattern) {
                        read(tree, &found, depth - 1, folders)?;
                    }
                }
            }
            None if line.starts_with('/') => folders.push(line.to_owned()),
            _ => {}
        }
        if folders.len() > FOLDERS {
            let reason = format!("more than {FOLDERS} folders are named there");
            return Err(Error::refused("/etc/ld.so.conf", reason));
        }
    }
    Ok(())
}

/// The files of a folder whose names fit, in their order. Only names have patterns, not folders.
fn matches(tree: &Tree, file: &str, pattern: &str) -> Vec<String> {
    let (folder, pattern) = match pattern.rsplit_once('/') {
        Some((folder, name)) if pattern.starts_with('/') => (folder.to_owned(), name),
        Some((folder, name)) => (format!("{}/{folder}", above(file)), name),
        None => (above(file).to_owned(), pattern),
    };
    let Ok(Some(beneath)) = beneath_root(&folder) else {
        return Vec::new();
    };
    let Ok(real) = resolved(tree, &beneath) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, path) in super::children(tree, &real) {
        let is_hidden = name.starts_with('.') && !pattern.starts_with('.');
        if !is_hidden && fits(pattern.as_bytes(), name.as_bytes()) {
            found.extend(path.as_str().map(str::to_owned));
        }
    }
    found
}

fn above(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on if the last star stands for one byte more.
    let mut back: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((b'*', rest)), _) => {
                back = Some((rest, name));
                pattern = rest;
            }
            (None, None) => return true,
            (Some((wanted, rest)), Some((is, after))) if matches!(wanted, b'?') || wanted == is => {
                (pattern, name) = (rest, after);
            }
            _ => match back.map(|(rest, from)| (rest, from.split_first())) {
                Some((rest, Some((_, after)))) => {
                    back = Some((rest, after));
                    (pattern, name) = (rest, after);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, is_fit) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.old", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?.conf", "ab.conf", false),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                is_fit,
                "{pattern} {name}"
            );
        }
    }
}
