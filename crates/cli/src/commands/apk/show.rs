//! `boltworks apk info` and `boltworks apk diff`: packages for reading.

use std::path::Path;
use std::process::ExitCode;

use boltworks_apk::diff::{Change, FileChange, How};
use boltworks_apk::package::FileFacts;
use boltworks_apk::{Control, Difference, PackageFile};
use boltworks_factory::{Error, packages};
use boltworks_fsx::RelPath;
use boltworks_fsx::tar::EntryKind;
use boltworks_model::Timestamp;
use serde_json::{Value, json};

use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::table::{size, table};

/// `boltworks apk info`
pub(super) fn info(file: &Path, list: bool, output: &Output) -> Result<ExitCode, Failure> {
    let package = packages::open(file, None)?;
    let facts = if list {
        let facts = package.files();
        Some(facts.map_err(|error| Error::from(error).of_file(file))?)
    } else {
        None
    };
    let mut rows = fields(package.control());
    rows.extend(outside(&package));
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    let mut lines = table(&rows);
    if let Some(facts) = &facts {
        lines.push(String::new());
        lines.extend(table(&facts.iter().map(listed).collect::<Vec<_>>()));
    }
    output.text(&lines.join("\n"));
    output.json(&document(&package, facts.as_ref()));
    Ok(ExitCode::SUCCESS)
}

fn fields(control: &Control) -> Vec<(&'static str, String)> {
    fn words<T: ToString>(items: &[T]) -> String {
        items.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
    }
    let date = control.build_date.map(|date| Timestamp(date).to_string());
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    vec![
        ("name", control.name.to_string()),
        ("version", control.version.to_string()),
        ("arch", control.arch.clone()),
        ("description", control.description.clone()),
        ("url", control.url.clone()),
        ("license", control.license()),
        ("origin", control.origin.clone()),
        ("maintainer", control.maintainer.clone()),
        ("commit", control.commit.clone()),
        ("built", date.unwrap_or_default()),
        ("depends", words(&control.depends)),
        ("provides", words(&control.provides)),
        ("replaces", words(&control.replaces)),
        ("install_if", words(&control.install_if)),
        ("vendored", words(&control.vendored)),
        ("provider_priority", number(control.provider_priority)),
        ("replaces_priority", number(control.replaces_priority)),
        ("triggers", control.triggers.join(" ")),
        ("installed", size(control.installed_size)),
    ]
}

/// What is seen of the package from outside.
fn outside(package: &PackageFile) -> Vec<(&'static str, String)> {
    let scripts = package.scripts().iter().map(|(kind, _)| kind.name());
    let signatures = package
        .signatures()
        .iter()
        .map(|signed| signed.key.as_str());
    let embedded = package.embedded().keys().map(String::as_str);
    let signed = match joined(signatures) {
        names if names.is_empty() => "nobody".to_owned(),
        names => format!("{names} (not judged: see apk verify)"),
    };
    vec![
        ("scripts", joined(scripts)),
        ("embedded", joined(embedded)),
        ("file", size(package.size())),
        ("identity", package.identity().to_q1()),
        ("datahash", package.data_hash().prefixed()),
        ("signed by", signed),
    ]
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

fn listed((path, facts): (&RelPath, &FileFacts)) -> Vec<String> {
    let kind = kind(&facts.kind);
    let target = match &facts.kind {
        EntryKind::Symlink(target) => format!(" -> {}", String::from_utf8_lossy(target)),
        EntryKind::Hardlink(target) => format!(" = {target}"),
        _ => String::new(),
    };
    vec![
        format!("{}{:04o}", kind.0, facts.meta.mode),
        format!("{}:{}", facts.meta.uid, facts.meta.gid),
        facts.size.to_string(),
        format!("{path}{target}"),
    ]
}

/// A letter as `ls` has it, and a word.
const fn kind(kind: &EntryKind) -> (char, &'static str) {
    match kind {
        EntryKind::Dir => ('d', "directory"),
        EntryKind::File => ('-', "file"),
        EntryKind::Symlink(_) => ('l', "symlink"),
        EntryKind::Hardlink(_) => ('h', "hardlink"),
        EntryKind::CharDevice { .. } => ('c', "char-device"),
        EntryKind::BlockDevice { .. } => ('b', "block-device"),
        EntryKind::Fifo => ('p', "fifo"),
    }
}

fn document(
    package: &PackageFile,
    facts: Option<&std::collections::BTreeMap<RelPath, FileFacts>>,
) -> Value {
    let signatures = package.signatures().iter();
    let signatures: Vec<&str> = signatures.map(|signed| signed.key.as_str()).collect();
    let scripts: Vec<&str> = package
        .scripts()
        .iter()
        .map(|(kind, _)| kind.name())
        .collect();
    let files = facts.map(|facts| facts.iter().map(file_document).collect::<Vec<_>>());
    json!({
        "control": package.control(),
        "scripts": scripts,
        "embedded": package.embedded().keys().collect::<Vec<_>>(),
        "size": package.size(),
        "identity": package.identity().to_q1(),
        "datahash": package.data_hash().prefixed(),
        "signatures": signatures,
        "files": files,
    })
}

fn file_document((path, facts): (&RelPath, &FileFacts)) -> Value {
    let target = match &facts.kind {
        EntryKind::Symlink(target) => Some(String::from_utf8_lossy(target).into_owned()),
        EntryKind::Hardlink(target) => Some(target.to_string()),
        _ => None,
    };
    json!({
        "path": path.to_string(),
        "kind": kind(&facts.kind).1,
        "mode": format!("{:04o}", facts.meta.mode),
        "uid": facts.meta.uid,
        "gid": facts.meta.gid,
        "size": facts.size,
        "target": target,
        "digest": facts.sha256.map(|digest| digest.prefixed()),
    })
}

/// `boltworks apk diff`: exit code 1 where the packages differ, as `diff` has it.
pub(super) fn diff(before: &Path, after: &Path, output: &Output) -> Result<ExitCode, Failure> {
    let left = packages::open(before, None)?;
    let right = packages::open(after, None)?;
    let difference =
        boltworks_apk::diff(&left, &right).map_err(|error| Error::from(error).of_file(after))?;
    output.text(&difference_text(&difference).join("\n"));
    output.json(&difference);
    Ok(if difference.is_empty() {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

/// How two packages differ, in lines.
pub(crate) fn difference_text(difference: &Difference) -> Vec<String> {
    if difference.is_empty() {
        return vec!["the same, but perhaps for signatures".to_owned()];
    }
    if difference.is_only_in_form() {
        return vec!["the same content, compressed or timed in another way".to_owned()];
    }
    let mut lines: Vec<String> = difference.fields.iter().map(changed).collect();
    for list in &difference.lists {
        let lines_of = |mark: &'static str, items: &[String]| -> Vec<String> {
            items
                .iter()
                .map(|item| format!("{mark} {} {item}", list.what))
                .collect()
        };
        lines.extend(lines_of("-", &list.only_left));
        lines.extend(lines_of("+", &list.only_right));
    }
    let files = difference.control_files.iter().chain(&difference.files);
    lines.extend(files.map(file_changed));
    lines
}

fn changed(change: &Change) -> String {
    format!(
        "~ {}: {} → {}",
        change.what,
        shown(&change.left),
        shown(&change.right)
    )
}

fn file_changed(change: &FileChange) -> String {
    let path = &change.path;
    match &change.how {
        How::OnlyLeft => format!("- {path}"),
        How::OnlyRight => format!("+ {path}"),
        How::Changed(changes) => {
            let changes: Vec<String> = changes
                .iter()
                .map(|change| {
                    format!(
                        "{} {} → {}",
                        change.what,
                        shown(&change.left),
                        shown(&change.right)
                    )
                })
                .collect();
            format!("~ {path}: {}", changes.join(", "))
        }
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "(nothing)" } else { value }
}
