//! What tells two packages apart.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_crypto::sha256;
use boltworks_fsx::RelPath;
use boltworks_fsx::tar::EntryKind;
use serde::Serialize;

use crate::control::Control;
use crate::error::Error;
use crate::package::{FileFacts, PackageFile};

/// What tells two packages apart; empty lists where nothing does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Fields of `.PKGINFO`, but for the digest of the data section and lists.
    pub fields: Vec<Change>,
    /// Lists of `.PKGINFO`: what only one of the two has.
    pub lists: Vec<ListChange>,
    /// Scripts and other files of the control section.
    pub control_files: Vec<FileChange>,
    /// Files, directories and links.
    pub files: Vec<FileChange>,
    /// Whether the compressed data sections are the same bytes.
    pub same_data: bool,
    /// Whether the compressed control sections are the same bytes.
    pub same_control: bool,
}

impl Difference {
    /// Whether the packages differ at most in their signatures.
    pub const fn is_empty(&self) -> bool {
        self.same_data && self.same_control
    }

    /// Whether anything differs that has a name, beyond compression and time of the entries.
    pub fn is_only_in_form(&self) -> bool {
        self.fields.is_empty()
            && self.lists.is_empty()
            && self.control_files.is_empty()
            && self.files.is_empty()
    }
}

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is: `pkgver`, `mode`, …
    pub what: &'static str,
    /// In the first package.
    pub left: String,
    /// In the second one.
    pub right: String,
}

/// One list that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListChange {
    /// Which one: `depend`, `provides`, …
    pub what: &'static str,
    /// What only the first package has.
    pub only_left: Vec<String>,
    /// What only the second one has.
    pub only_right: Vec<String>,
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// The path.
    pub path: String,
    /// How it differs.
    #[serde(flatten)]
    pub how: How,
}

/// How a path differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Only the first package has it.
    OnlyLeft,
    /// Only the second package has it.
    OnlyRight,
    /// Both have it, with these values that differ.
    Changed(Vec<Change>),
}

/// Compares two packages. Their files are read only where the data sections differ.
pub fn diff(left: &PackageFile, right: &PackageFile) -> Result<Difference, Error> {
    let same_data = left.data_hash() == right.data_hash();
    let same_control = left.identity() == right.identity();
    let files = if same_data {
        Vec::new()
    } else {
        let name = |path: &RelPath| path.to_string();
        compare(&left.files()?, &right.files()?, name, file_changes)
    };
    let control_files = compare(
        &control_files(left),
        &control_files(right),
        |path| (*path).clone(),
        |left, right| changes(&[("content", described(left), described(right))]),
    );
    Ok(Difference {
        fields: fields(left.control(), right.control()),
        lists: lists(left.control(), right.control()),
        control_files,
        files,
        same_data,
        same_control,
    })
}

/// Compares what is said of one package twice.
pub fn diff_controls(left: &Control, right: &Control) -> Difference {
    let (fields, lists) = (fields(left, right), lists(left, right));
    Difference {
        same_data: true,
        same_control: fields.is_empty() && lists.is_empty(),
        fields,
        lists,
        ..Difference::default()
    }
}

/// Every key of either side whose values differ.
fn compare<K: Ord, V: PartialEq>(
    left: &BTreeMap<K, V>,
    right: &BTreeMap<K, V>,
    name: impl Fn(&K) -> String,
    tell: impl Fn(&V, &V) -> Vec<Change>,
) -> Vec<FileChange> {
    let keys: BTreeSet<&K> = left.keys().chain(right.keys()).collect();
    let changed = keys.into_iter().filter_map(|key| {
        let how = match (left.get(key), right.get(key)) {
            (Some(_), None) => How::OnlyLeft,
            (None, Some(_)) => How::OnlyRight,
            (Some(left), Some(right)) if left != right => How::Changed(tell(left, right)),
            _ => return None,
        };
        Some(FileChange {
            path: name(key),
            how,
        })
    });
    changed.collect()
}

/// The pairs that differ.
fn changes(pairs: &[(&'static str, String, String)]) -> Vec<Change> {
    let differing = pairs.iter().filter(|(_, left, right)| left != right);
    differing
        .map(|(what, left, right)| Change {
            what,
            left: left.clone(),
            right: right.clone(),
        })
        .collect()
}

fn control_files(package: &PackageFile) -> BTreeMap<String, Vec<u8>> {
    let embedded = package
        .embedded()
        .iter()
        .map(|(name, bytes)| (name.clone(), bytes.clone()));
    let scripts = package
        .scripts()
        .iter()
        .map(|(kind, text)| (format!(".{kind}"), text.to_vec()));
    embedded.chain(scripts).collect()
}

fn described(bytes: &[u8]) -> String {
    format!("{} bytes, {}", bytes.len(), sha256(bytes).prefixed())
}

fn fields(left: &Control, right: &Control) -> Vec<Change> {
    let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let date = |control: &Control| control.build_date.map(|date| date.to_string());
    let pair = |what, of: fn(&Control) -> String| (what, of(left), of(right));
    changes(&[
        pair("pkgname", |control| control.name.to_string()),
        pair("pkgver", |control| control.version.to_string()),
        pair("arch", |control| control.arch.clone()),
        pair("size", |control| control.installed_size.to_string()),
        pair("origin", |control| control.origin.clone()),
        pair("pkgdesc", |control| control.description.clone()),
        pair("url", |control| control.url.clone()),
        pair("commit", |control| control.commit.clone()),
        pair("maintainer", |control| control.maintainer.clone()),
        (
            "builddate",
            date(left).unwrap_or_default(),
            date(right).unwrap_or_default(),
        ),
        (
            "provider_priority",
            number(left.provider_priority),
            number(right.provider_priority),
        ),
        (
            "replaces_priority",
            number(left.replaces_priority),
            number(right.replaces_priority),
        ),
    ])
}

fn lists(left: &Control, right: &Control) -> Vec<ListChange> {
    fn words<T: ToString>(items: &[T]) -> Vec<String> {
        items.iter().map(T::to_string).collect()
    }
    fn others(control: &Control) -> Vec<String> {
        control
            .other
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect()
    }
    let pair = |what, of: fn(&Control) -> Vec<String>| -> Option<ListChange> {
        let (left, right) = (of(left), of(right));
        let lacking = |list: &[String], other: &[String]| -> Vec<String> {
            list.iter()
                .filter(|item| !other.contains(item))
                .cloned()
                .collect()
        };
        let (only_left, only_right) = (lacking(&left, &right), lacking(&right, &left));
        let differs = !only_left.is_empty() || !only_right.is_empty();
        differs.then_some(ListChange {
            what,
            only_left,
            only_right,
        })
    };
    [
        pair("license", |control| control.licenses.clone()),
        pair("depend", |control| words(&control.depends)),
        pair("provides", |control| words(&control.provides)),
        pair("replaces", |control| words(&control.replaces)),
        pair("install_if", |control| words(&control.install_if)),
        pair("vendored", |control| words(&control.vendored)),
        pair("triggers", |control| control.triggers.clone()),
        pair("other", others),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn file_changes(left: &FileFacts, right: &FileFacts) -> Vec<Change> {
    let pair = |what, of: fn(&FileFacts) -> String| (what, of(left), of(right));
    changes(&[
        pair("kind", |facts| kind(&facts.kind).to_owned()),
        pair("target", |facts| target(&facts.kind)),
        pair("mode", |facts| format!("{:04o}", facts.meta.mode)),
        pair("owner", |facts| {
            format!("{}:{}", facts.meta.uid, facts.meta.gid)
        }),
        pair("time", |facts| facts.meta.mtime.to_string()),
        pair("size", |facts| facts.size.to_string()),
        pair("content", |facts| {
            facts.sha256.map(|sum| sum.prefixed()).unwrap_or_default()
        }),
        pair("xattrs", xattrs),
    ])
}

const fn kind(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Dir => "directory",
        EntryKind::File => "file",
        EntryKind::Symlink(_) => "symbolic link",
        EntryKind::Hardlink(_) => "hard link",
        EntryKind::CharDevice { .. } => "character device",
        EntryKind::BlockDevice { .. } => "block device",
        EntryKind::Fifo => "pipe",
    }
}

fn target(kind: &EntryKind) -> String {
    match kind {
        EntryKind::Symlink(target) => String::from_utf8_lossy(target).into_owned(),
        EntryKind::Hardlink(target) => target.to_string(),
        _ => String::new(),
    }
}

fn xattrs(facts: &FileFacts) -> String {
    let pairs = facts.meta.xattrs.iter().map(|(name, value)| {
        format!(
            "{}={}",
            String::from_utf8_lossy(name),
            data_encoding::HEXLOWER.encode(value)
        )
    });
    pairs.collect::<Vec<_>>().join(" ")
}
