//! The files beside the installed database.

use std::collections::BTreeMap;

use boltworks_fsx::tar::{EntryKind, Names, Policy, Reader, Writer};
use boltworks_fsx::{Bounded, Limit, Meta, Node, RelPath};
use boltworks_model::{Architecture, Sha1};
use boltworks_version::apk::Dependency;

use crate::error::{Error, LineError, Section};
use crate::index::IndexEntry;
use crate::scripts::{ScriptKind, Scripts};
use crate::text::{cut, words};

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
            path: entry.path.to_string(),
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
            text.push_str(&format!("{} {}\n", identity.to_q1(), patterns.join(" ")));
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
    sorted
        .into_iter()
        .map(|dependency| format!("{dependency}\n"))
        .collect()
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
    architectures
        .iter()
        .map(|architecture| format!("{architecture}\n"))
        .collect()
}
