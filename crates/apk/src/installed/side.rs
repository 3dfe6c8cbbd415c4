//! The files beside the installed database.

use std::collections::BTreeMap;

use boltworks_fsx::tar::{EntryKind, Names, Policy, Reader, Writer};
use boltworks_fsx::{Bounded, Limit, Meta, Node, RelPath};
use boltworks_model::{Architecture, Sha1};
use boltworks_version::apk::Dependency;

use crate::error::{Error, LineError, Section};
use crate::index::IndexEntry;
use crate::scripts::{ScriptKind, Scripts};
use crate::text::{cut, shown, words};

/// No script is larger.
const MAX_SCRIPT: Limit = Limit::mib(16);

/// `scripts.tar`: the scripts of all packages, sorted by name, each as
/// `name-version.X1<identity>.kind` with mode `0755` and this time.
///
/// The identity is written in hexadecimal digits, as apk 3 does and apk 2 reads: in base64 it
/// would hold slashes, which cut a path.
pub fn write_scripts<'s>(
    packages: impl IntoIterator<Item = (&'s IndexEntry, &'s Scripts)>,
    mtime: i64,
) -> Result<Vec<u8>, Error> {
    let mut packages: Vec<_> = packages.into_iter().collect();
    packages.sort_by(|(left, _), (right, _)| left.order(right));
    let mut writer = Writer::with_names(Vec::new(), Names::Root);
    for (entry, scripts) in packages {
        for (kind, text) in scripts.iter() {
            let IndexEntry {
                name,
                version,
                identity,
                ..
            } = entry;
            let path = format!("{name}-{version}.X1{identity}.{kind}");
            let path = RelPath::try_from(path).map_err(boltworks_fsx::Error::from)?;
            writer.append(&path, &Node::file(Meta::new(0o755, mtime), text), &[])?;
        }
    }
    Ok(writer.finish_with_end()?)
}

/// Reads `scripts.tar`: the scripts of each package, by identity.
pub fn read_scripts(bytes: &[u8]) -> Result<BTreeMap<Sha1, Scripts>, Error> {
    let section = Section::Control;
    let policy = Policy {
        max_file: MAX_SCRIPT,
        ..Policy::default()
    };
    let mut reader = Reader::new(bytes, policy);
    let mut packages: BTreeMap<Sha1, Scripts> = BTreeMap::new();
    while let Some(entry) = reader.next_entry()? {
        let misplaced = || Error::Misplaced {
            section,
            path: shown(&entry.path),
        };
        let name = entry
            .path
            .as_str()
            .filter(|_| entry.kind == EntryKind::File);
        let (identity, kind) = name.and_then(split_script).ok_or_else(misplaced)?;
        let text = Bounded::new(&mut reader, MAX_SCRIPT).read_all();
        let text = text.map_err(|source| Error::Io {
            action: "read a script",
            source,
        })?;
        if packages
            .entry(identity)
            .or_default()
            .insert(kind, text)
            .is_some()
        {
            return Err(misplaced());
        }
    }
    Ok(packages)
}

/// Identity and kind of `name-version.identity.kind`.
fn split_script(name: &str) -> Option<(Sha1, ScriptKind)> {
    let (front, kind) = name.rsplit_once('.')?;
    let (_, identity) = front.rsplit_once('.')?;
    let identity = match identity.strip_prefix("X1") {
        Some(digits) => digits.parse(),
        None => Sha1::parse_q1(identity),
    };
    Some((identity.ok()?, ScriptKind::from_name(kind)?))
}

/// `triggers`: for each package that watches directories, its identity and their patterns.
pub fn write_triggers<'p>(
    packages: impl IntoIterator<Item = (Sha1, &'p [String])>,
) -> Result<String, Error> {
    let mut text = String::new();
    for (identity, patterns) in packages {
        let is_word = |word: &String| !word.is_empty() && !word.contains(is_separator);
        if !patterns.iter().all(is_word) {
            let reason = "a pattern is empty or holds a space";
            return Err(Error::Value {
                field: "triggers",
                reason,
            });
        }
        if !patterns.is_empty() {
            text.push_str(&identity.to_q1());
            text.push(' ');
            text.push_str(&patterns.join(" "));
            text.push('\n');
        }
    }
    Ok(text)
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Reads `triggers`. A package may have several lines.
pub fn parse_triggers(text: &str) -> Result<Vec<(Sha1, Vec<String>)>, Error> {
    let lines = text
        .split('\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty());
    lines
        .map(|(index, line)| {
            let error = |reason| Error::Line {
                file: "triggers",
                line: index + 1,
                reason,
            };
            let mut parts = words(line);
            let identity = parts
                .next()
                .ok_or_else(|| error(LineError::Form(cut(line))))?;
            let identity = Sha1::parse_q1(identity).map_err(|reason| error(reason.into()))?;
            Ok((identity, parts.map(str::to_owned).collect()))
        })
        .collect()
}

/// `world`: what was asked for, one a line, sorted, each once.
pub fn write_world(world: &[Dependency]) -> String {
    let mut sorted: Vec<&Dependency> = world.iter().collect();
    sorted.sort();
    sorted.dedup();
    lines(sorted)
}

/// Reads `world`.
pub fn parse_world(text: &str) -> Result<Vec<Dependency>, Error> {
    let mut world = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        for word in words(line) {
            let error = |reason: LineError| Error::Line {
                file: "world",
                line: index + 1,
                reason,
            };
            world.push(
                word.parse()
                    .map_err(|reason| error(LineError::Dependency(reason)))?,
            );
        }
    }
    Ok(world)
}

/// `arch`: the architectures whose packages may be installed, one a line, the main one first.
pub fn write_arch(architectures: &[Architecture]) -> String {
    lines(architectures)
}

/// Each item on a line of its own.
fn lines<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        text.push_str(&item.to_string());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::full;

    #[test]
    fn scripts_are_kept_by_identity() {
        let entry = |digit| IndexEntry::from_control(&full(), Sha1::new([digit; 20]), 1);
        let scripts = |text: &[u8]| {
            let kinds = [ScriptKind::PostInstall, ScriptKind::Trigger];
            kinds
                .map(|kind| (kind, text.to_vec()))
                .into_iter()
                .collect::<Scripts>()
        };
        let packages = [(entry(2), scripts(b"two")), (entry(1), scripts(b"one"))];
        let bytes = write_scripts(packages.iter().map(|(entry, scripts)| (entry, scripts)), 5);
        let bytes = bytes.unwrap();
        let names = [
            "zlib-1.3.1-r0.X10101010101010101010101010101010101010101.trigger",
            "zlib-1.3.1-r0.X10101010101010101010101010101010101010101.post-install",
        ];
        for (block, name) in [0, 2].into_iter().zip(names) {
            assert!(bytes[block * 512..].starts_with(name.as_bytes()), "{name}");
        }
        let read = read_scripts(&bytes).unwrap();
        assert_eq!(read[&Sha1::new([2; 20])], scripts(b"two"));
        assert_eq!(read[&Sha1::new([1; 20])], scripts(b"one"));
        assert!(
            read_scripts(&write_scripts([], 0).unwrap())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn identities_in_base64_are_read_too() {
        let zeros = Sha1::new([0; 20]);
        let name = format!("a-1-r0.{}.pre-upgrade", zeros.to_q1());
        assert_eq!(split_script(&name), Some((zeros, ScriptKind::PreUpgrade)));
        for name in [
            "a",
            "a.b",
            "a-1.Q1x.trigger",
            "a-1.X1.trigger",
            "a-1.X100.never",
        ] {
            assert_eq!(split_script(name), None, "{name}");
        }
    }

    #[test]
    fn triggers_are_lines_of_patterns() {
        let patterns = ["/usr/lib".to_owned(), "+/etc/*".to_owned()];
        let packages = [
            (Sha1::new([0; 20]), patterns.as_slice()),
            (Sha1::new([1; 20]), &[]),
        ];
        let text = write_triggers(packages).unwrap();
        insta::assert_snapshot!(text, @"Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA= /usr/lib +/etc/*");
        assert_eq!(
            parse_triggers(&text).unwrap(),
            [(Sha1::new([0; 20]), patterns.to_vec())]
        );
        let bad = ["/a\nQ1".to_owned()];
        assert!(write_triggers([(Sha1::new([0; 20]), bad.as_slice())]).is_err());
        insta::assert_snapshot!(parse_triggers("\nfoo /a").unwrap_err(), @"read line 2 of triggers: 'foo' is not a Q1 (sha1) digest: 40 hexadecimal digits are needed");
    }

    #[test]
    fn world_is_sorted_and_each_once() {
        let world = parse_world("zlib>=1\nbusy@tag !c\n\nzlib>=1\n").unwrap();
        insta::assert_snapshot!(write_world(&world), @"
        busy@tag
        !c
        zlib>=1
        ");
        insta::assert_snapshot!(parse_world("a\nb=x").unwrap_err(), @"read line 2 of world: the dependency 'b=x' has a bad version");
        assert_eq!(
            write_arch(&[Architecture::X86_64, Architecture::Aarch64]),
            "x86_64\naarch64\n"
        );
    }
}
