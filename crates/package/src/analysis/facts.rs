//! One look at one file: what kind of thing it is, as far as the rules care.

use std::io::Read as _;

use boltworks_fsx::{Bounded, Content, Kind, Limit, Node, RelPath, Tree};
use object::elf::ELFMAG;

use super::elf::{self, ElfFacts};
use crate::Error;

/// The largest pkg-config file.
const PKG_CONFIG_LIMIT: u64 = 1 << 20;
/// How much of a file is read to see what it is.
const HEAD: usize = 256;
/// The longest chain of links that is followed.
const LINK_STEPS: usize = 8;

/// The trees in which links are followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The package itself.
    pub(super) own: &'a Tree,
    /// The other packages of the same build.
    pub(super) siblings: &'a [&'a Tree],
}

/// What one look at a file or link shows.
#[derive(Debug, Clone)]
pub struct FileFacts<'a> {
    /// Where it lies.
    pub path: &'a RelPath,
    /// Its permission bits, or those of the file that a hard link names.
    pub mode: u32,
    /// Whether it is a regular file, also under a second name.
    pub is_regular: bool,
    /// Whether it is a link to a file of a package built beside this one.
    pub link_leaves: bool,
    /// What its ELF headers say, or those of the file that a symbolic link leads to.
    pub elf: Option<ElfFacts>,
    /// The program and first argument of its `#!` line.
    pub shebang: Option<Vec<String>>,
    /// What it says as a pkg-config file.
    pub pkg_config: Option<PkgConfigFacts>,
}

/// The fields of a pkg-config file that name other packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PkgConfigFacts {
    /// `Version:`, unresolved variables included.
    pub version: Option<String>,
    /// The names in `Requires:`.
    pub requires: Vec<String>,
}

/// Looks at one entry of the tree.
pub(super) fn look<'a>(
    scope: Scope<'a>,
    path: &'a RelPath,
    node: &'a Node,
) -> Result<FileFacts<'a>, Error> {
    let mut facts = FileFacts {
        path,
        mode: node.meta.mode,
        is_regular: false,
        link_leaves: false,
        elf: None,
        shebang: None,
        pkg_config: None,
    };
    match &node.kind {
        Kind::Symlink(target) => {
            if let Some((content, left_home)) = linked(scope, path, target) {
                facts.elf = elf::read(content)?;
                facts.link_leaves = left_home;
            }
        }
        Kind::Hardlink(target) => {
            facts.is_regular = true;
            if let Some(Node {
                meta,
                kind: Kind::File(content),
            }) = scope.own.get(target)
            {
                facts.mode = meta.mode;
                look_inside(content, &mut facts)?;
            }
        }
        Kind::File(content) => {
            facts.is_regular = true;
            look_inside(content, &mut facts)?;
        }
        _ => {}
    }
    Ok(facts)
}

/// The file that a link leads to, in its own package or in one built beside it, and whether
/// it left its own package on the way.
fn linked<'a>(scope: Scope<'a>, path: &RelPath, target: &[u8]) -> Option<(&'a Content, bool)> {
    let (mut path, mut target, mut left_home) = (path.clone(), target.to_vec(), false);
    for _ in 0..LINK_STEPS {
        path = RelPath::try_from(joined(&path, &target)?.as_slice()).ok()?;
        let at_home = scope.own.get(&path);
        let node = at_home.or_else(|| scope.siblings.iter().find_map(|tree| tree.get(&path)))?;
        left_home |= at_home.is_none();
        match &node.kind {
            Kind::File(content) => return Some((content, left_home)),
            Kind::Symlink(next) => target.clone_from(next),
            _ => return None,
        }
    }
    None
}

/// Where a link at `path` points, without `.` and `..`, or nothing where `..` leaves the tree.
fn joined(path: &RelPath, target: &[u8]) -> Option<Vec<u8>> {
    match (target.strip_prefix(b"/"), path.parent()) {
        (Some(absolute), _) => normalised(absolute),
        (None, Some(parent)) => normalised(&[parent.as_bytes(), b"/", target].concat()),
        (None, None) => normalised(target),
    }
}

/// The path without `.` and `..`, or nothing where `..` would leave the tree.
fn normalised(path: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

fn look_inside(content: &Content, facts: &mut FileFacts<'_>) -> Result<(), Error> {
    if facts.path.as_bytes().ends_with(b".pc") {
        let text = read_bounded(content, PKG_CONFIG_LIMIT)?;
        facts.pkg_config = Some(parse_pkg_config(&String::from_utf8_lossy(&text)));
        return Ok(());
    }
    let head = read_head(content)?;
    if head.starts_with(&ELFMAG) {
        facts.elf = elf::read(content)?;
    } else if facts.mode & 0o111 != 0 {
        facts.shebang = parse_shebang(&head);
    }
    Ok(())
}

pub(super) fn read_head(content: &Content) -> Result<Vec<u8>, Error> {
    let mut head = vec![0; HEAD.min(usize::try_from(content.len()).unwrap_or(HEAD))];
    content.open()?.read_exact(&mut head)?;
    Ok(head)
}

pub(super) fn read_bounded(content: &Content, limit: u64) -> Result<Vec<u8>, Error> {
    Ok(Bounded::new(content.open()?, Limit(limit)).read_all()?)
}

/// The words of a `#!` line, `env` and its options left out.
fn parse_shebang(head: &[u8]) -> Option<Vec<String>> {
    let line = head
        .strip_prefix(b"#!")?
        .split(|&byte| byte == b'\n')
        .next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    if words
        .first()
        .is_some_and(|word| word.rsplit('/').next() == Some("env"))
    {
        words.remove(0);
        while words
            .first()
            .is_some_and(|word| word.starts_with('-') || word.contains('='))
        {
            words.remove(0);
        }
    }
    (!words.is_empty()).then_some(words)
}

/// Reads `Version:` and the names in `Requires:`; version conditions are left out.
fn parse_pkg_config(text: &str) -> PkgConfigFacts {
    let mut facts = PkgConfigFacts::default();
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("Version:") {
            facts.version = Some(value.trim().to_owned());
        } else if let Some(value) = line.strip_prefix("Requires:") {
            facts.requires = parse_requires(value);
        }
    }
    facts
}

fn parse_requires(value: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut words = value
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if word.starts_with(['=', '<', '>', '!']) {
            words.next();
            continue;
        }
        let (name, condition) =
            word.split_at(word.find(['=', '<', '>', '!']).unwrap_or(word.len()));
        if condition.ends_with('=') && condition.len() <= 2 {
            words.next();
        }
        if !name.contains("${") {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shebangs() {
        let check = |line: &[u8], expect: Option<&str>| {
            assert_eq!(
                parse_shebang(line).map(|words| words.join(" ")).as_deref(),
                expect
            );
        };
        check(b"#!/bin/sh\n", Some("/bin/sh"));
        check(b"#!/usr/bin/env -S FOO=1 perl -w\nx", Some("perl -w"));
        check(b"#! /usr/bin/perl\n", Some("/usr/bin/perl"));
        check(b"#!\n", None);
        check(b"\x7fELF", None);
    }

    #[test]
    fn requires_lose_their_versions() {
        let facts =
            parse_pkg_config("Version: 1.2\nRequires: a >= 1.0, b  c<2\nRequires.private: d\n");
        assert_eq!(facts.version.as_deref(), Some("1.2"));
        assert_eq!(facts.requires, ["a", "b", "c"]);
    }

    #[test]
    fn dots_are_resolved_inside_the_tree_only() {
        assert_eq!(
            normalised(b"usr/lib/../../lib/x").as_deref(),
            Some(&b"lib/x"[..])
        );
        assert_eq!(normalised(b"usr/../../x"), None);
    }
}
