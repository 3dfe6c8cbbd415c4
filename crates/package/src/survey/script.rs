//! Texts that name what they need: `#!` lines, pkg-config files, lists of library folders.

/// The fields of a pkg-config file that name other packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PkgConfigFacts {
    /// The names in `Requires:`, then those in `Requires.private:`: whoever asks for the flags of
    /// a compiler needs both.
    pub requires: Vec<String>,
}

/// The words of a `#!` line, `env` with its options and variables left out.
pub(super) fn parse_shebang(head: &[u8]) -> Option<Vec<String>> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace().peekable();
    if words.next_if(|word| base_name(word) == "env").is_some() {
        while words
            .next_if(|word| word.starts_with('-') || word.contains('='))
            .is_some()
        {}
    }
    let words: Vec<String> = words.map(str::to_owned).collect();
    (!words.is_empty()).then_some(words)
}

/// The last part of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Reads the names in `Requires:` and `Requires.private:`; version conditions are left out.
pub(super) fn parse_pkg_config(text: &str) -> PkgConfigFacts {
    let of = |field: &str| {
        let mut lines = text.lines().rev();
        let value = lines.find_map(|line| line.strip_prefix(field));
        value.map(parse_requires).unwrap_or_default()
    };
    PkgConfigFacts {
        requires: [of("Requires:"), of("Requires.private:")].concat(),
    }
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

/// The absolute folders that a file in `etc/ld.so.conf.d` names, as paths in a package.
pub(super) fn library_folders(text: &[u8]) -> Vec<Vec<u8>> {
    let lines = text.split(|&byte| byte == b'\n');
    lines
        .filter_map(|line| {
            let line = line.split(|&byte| byte == b'#').next()?.trim_ascii();
            let parts = line
                .strip_prefix(b"/")?
                .split(|&byte| byte == b'/')
                .filter(|part| !part.is_empty());
            let folder = parts.collect::<Vec<_>>().join(&b'/');
            (!folder.is_empty()).then_some(folder)
        })
        .collect()
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
        check(b"#!/usr/bin/env bash", Some("bash"));
        check(b"#! /usr/bin/perl\n", Some("/usr/bin/perl"));
        check(b"#!\n", None);
        check(b"#!   \n", None);
        check(b"#!\t", None);
        check(b"#!/usr/bin/env\n", None);
        check(b"#!/\xff\n", None);
        check(b"\x7fELF", None);
        check(b"cs101", None);
    }

    #[test]
    fn requires_lose_their_versions() {
        let facts =
            parse_pkg_config("Version: 1.2\nRequires: a >= 1.0, b  c<2\nRequires.private: d\n");
        assert_eq!(facts.requires, ["a", "b", "c", "d"]);
    }

    #[test]
    fn lists_of_library_folders() {
        let text =
            b"# a comment\n/my/lib/test\n  //opt/x//lib/ # why\nrelative\ninclude /etc/x\n/\n";
        let folders = library_folders(text);
        let shown: Vec<_> = folders
            .iter()
            .map(|folder| folder.escape_ascii().to_string())
            .collect();
        assert_eq!(shown, ["my/lib/test", "opt/x/lib"]);
    }
}
