//! apk's database as apko writes it: the packages in order of installation, with what each said of
//! itself, and their scripts and triggers.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use boltworks_apk::Program;
use boltworks_fsx::tar::{Owner, Writer};
use boltworks_fsx::{Meta, Node, RelPath};
use boltworks_rootfs::Opened;

use super::install::Entry;
use crate::Error;

/// The lines of one package, and the empty one behind them.
pub(super) fn record(package: &Opened, entries: &[Entry]) -> String {
    listed(told(package), entries)
}

/// What a package says of itself with the lines of its files, and the empty one behind them.
pub(crate) fn listed(mut lines: Vec<String>, entries: &[Entry]) -> String {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by(|a, b| order(a, b));
    let folders: BTreeSet<&RelPath> = entries
        .iter()
        .filter(|entry| entry.is_dir)
        .map(|entry| &entry.path)
        .collect();
    let is_reached = |entry: &Entry| entry.path.ancestors().all(|above| folders.contains(&above));
    let mut is_top_needed = true;
    for entry in entries.iter().filter(|entry| is_reached(entry)) {
        let path = entry.path.as_bytes();
        let owner = format!("{}:{}:{:04o}", entry.uid, entry.gid, entry.mode);
        if entry.is_dir {
            lines.push(format!("F:{}", String::from_utf8_lossy(path)));
            if owner != "0:0:0755" {
                lines.push(format!("M:{owner}"));
            }
            is_top_needed = false;
            continue;
        }
        if std::mem::take(&mut is_top_needed) {
            lines.push("F:".to_owned());
        }
        let name = String::from_utf8_lossy(entry.path.file_name());
        lines.push(format!("R:{name}"));
        if owner != "0:0:0644" {
            lines.push(format!("a:{owner}"));
        }
        lines.extend(entry.sha1.map(|sum| format!("Z:{}", sum.to_q1())));
    }
    lines.join("\n") + "\n\n"
}

/// What a package says of itself.
fn told(package: &Opened) -> Vec<String> {
    let control = &package.control;
    let version = control.version.to_string();
    let license = control.licenses.first().map_or("", String::as_str);
    let installed = format!("[{}]", list(&control.install_if).join(" "));
    let mut lines = Vec::new();
    for (key, value) in [
        ('P', control.name.as_str()),
        ('V', &version),
        ('A', &control.arch),
        ('L', license),
        ('T', &control.description),
        ('o', &control.origin),
        ('m', &control.maintainer),
        ('U', &control.url),
    ] {
        lines.push(format!("{key}:{}", understood(value)));
    }
    lines.push(format!("D:{}", list(&control.depends).join(" ")));
    lines.push(format!("p:{}", list(&control.provides).join(" ")));
    let replaces = list(&control.replaces);
    if !replaces.is_empty() {
        lines.push(format!("r:{}", replaces.join(" ")));
    }
    lines.push(format!("c:{}", understood(&control.commit)));
    lines.push(format!("i:{installed}"));
    lines.push(format!("t:{}", control.build_date.unwrap_or(0)));
    lines.push(format!("S:{}", package.size));
    lines.push(format!("I:{}", control.installed_size));
    lines.push(format!("k:{}", control.provider_priority.unwrap_or(0)));
    lines.push(format!("C:{}", package.identity.to_q1()));
    lines
}

/// A value of `.PKGINFO` as apko understands it: in its reader `#` and `;` begin a comment, and quotes
/// around a value are none of its own.
fn understood(value: &str) -> &str {
    let value = value.trim();
    for quote in ["\"\"\"", "`"] {
        if value.len() > quote.len()
            && let Some(rest) = value.strip_prefix(quote)
        {
            return rest
                .rfind(quote)
                .and_then(|end| rest.get(..end))
                .unwrap_or(rest);
        }
    }
    let end = value.find(['#', ';']).unwrap_or(value.len());
    let value = value.get(..end).unwrap_or_default().trim();
    for quote in ['\'', '"'] {
        let inner = value.strip_prefix(quote);
        let inner = inner.and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
            return inner;
        }
    }
    value
}

/// Values of a key that may stand there several times, each once.
fn list<T: ToString>(values: &[T]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let texts = values
        .iter()
        .map(|value| understood(&value.to_string()).to_owned());
    let parts = texts.flat_map(|text| {
        let parts = text.split(',').map(|part| part.trim().to_owned());
        parts.collect::<Vec<_>>()
    });
    parts
        .filter(|part| !part.is_empty() && seen.insert(part.clone()))
        .collect()
}

/// Within a folder files come before folders.
fn order(a: &Entry, b: &Entry) -> Ordering {
    let (mut left, mut right) = (
        a.path.components().peekable(),
        b.path.components().peekable(),
    );
    loop {
        let (Some(one), Some(other)) = (left.next(), right.next()) else {
            return Ordering::Equal;
        };
        let (is_last, is_others_last) = (left.peek().is_none(), right.peek().is_none());
        if !is_last && !is_others_last {
            match one.cmp(other) {
                Ordering::Equal => continue,
                decided => return decided,
            }
        }
        let is_dir = !is_last || a.is_dir;
        let is_others_dir = !is_others_last || b.is_dir;
        let same = is_dir.cmp(&is_others_dir).then_with(|| one.cmp(other));
        // A folder and what is in it: the folder's own line is first.
        return same.then_with(|| is_others_last.cmp(&is_last));
    }
}

/// `scripts.tar`: the programs of the packages' control sections, with this time.
pub(super) fn scripts(packages: &[(&Opened, Vec<Program>)], time: i64) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(Vec::new());
    for (package, programs) in packages {
        let control = &package.control;
        for Program { entry, bytes } in programs {
            let front = format!(
                "{}-{}.{}",
                control.name,
                control.version,
                package.identity.to_q1()
            );
            let name = [front.as_bytes(), entry.path.as_bytes()].concat();
            let meta = Meta {
                mtime: time,
                ..entry.meta.clone()
            };
            let node = Node::file(meta, bytes.as_slice());
            let owner = Owner {
                user: &entry.uname,
                group: &entry.gname,
            };
            writer.append_named(&name, &node, owner)?;
        }
    }
    Ok(writer.finish_with_end()?)
}

/// `triggers`: what each package's trigger script watches.
pub(super) fn triggers(opened: &[Arc<Opened>]) -> String {
    let mut text = String::new();
    for package in opened {
        for watched in list(&[package.control.triggers.join(" ")]) {
            text += &package.identity.to_q1();
            text += " ";
            text += &watched;
            text += "\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_understood_as_apko_does() {
        for (value, wanted) in [
            ("A C# compiler; fast", "A C"),
            ("# all", ""),
            ("\"quoted\"", "quoted"),
            ("'a' and 'b'", "'a' and 'b'"),
            ("`tick # kept`", "tick # kept"),
            ("plain", "plain"),
        ] {
            assert_eq!(understood(value), wanted);
        }
        assert_eq!(list(&["a", "b,c", "a"]), ["a", "b", "c"]);
    }

    #[test]
    fn files_come_before_folders() {
        let entry = |path: &str, is_dir| Entry {
            path: RelPath::try_from(path).unwrap(),
            is_dir,
            mode: 0o755,
            uid: 0,
            gid: 0,
            sha1: None,
        };
        let mut all = [
            entry("usr", true),
            entry("usr/lib/x", false),
            entry("etc/b", true),
            entry("etc/z", false),
            entry("usr/lib", true),
            entry("etc", true),
            entry("etc/b/c", false),
        ];
        all.sort_by(order);
        let names: Vec<_> = all.iter().filter_map(|one| one.path.as_str()).collect();
        let wanted = [
            "etc",
            "etc/z",
            "etc/b",
            "etc/b/c",
            "usr",
            "usr/lib",
            "usr/lib/x",
        ];
        assert_eq!(names, wanted);
    }
}
