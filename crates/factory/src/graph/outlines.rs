//! What came of recipes' texts, kept for the next time.
//!
//! ```text
//! boltworks outlines 1
//! CONTEXT                  digest of everything beside the texts that decides what comes of them
//! = DIGEST                 a recipe's text
//! n zlib                   its name
//! b busybox gcc            what its build asks for
//! t bash                   what its tests ask for
//! p zlib-dev               a package it makes
//! r zlib                   what that asks for when it is installed
//! o pc:zlib                what else that is found as
//! = DIGEST
//! elsewhere                it is for other architectures
//! # DIGEST                 of everything above
//! ```
//!
//! The texts stay the truth: each is read and hashed every time. A file that is damaged, or of
//! another context (other pipelines, another program), is as none, and is replaced. What is not
//! understood is not kept: it is read again, so that the error is told again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;

use boltworks_crypto::{Sha256Hasher, sha256};
use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::Sha256;
use boltworks_plan::outline::{Offer, Outline};
use boltworks_recipe::PipelineLibrary;

use super::GraphOrder;
use crate::files::{Place, folder};

/// The entry of a recipe for other architectures.
pub(super) const ELSEWHERE: &str = "elsewhere\n";

const HEAD: &str = "boltworks outlines 1\n";

/// The folder of such files.
const FOLDER: &str = "graphs";

/// The largest file that is read.
const LIMIT: Limit = Limit::mib(256);

/// What came of one text.
#[derive(Debug)]
pub(super) struct Kept<'k> {
    /// The text's digest.
    pub(super) digest: Sha256,
    /// What came of it, as it is written here.
    pub(super) entry: Cow<'k, str>,
}

/// What an entry says.
pub(super) enum Entry<'a> {
    /// A recipe.
    Here(Outline<'a>),
    /// One for other architectures.
    Elsewhere,
}

/// What came of an outline's recipe.
pub(super) fn written(outline: &Outline<'_>) -> String {
    let mut text = format!("n {}\n", outline.name);
    add(&mut text, 'b', &outline.build);
    add(&mut text, 't', &outline.tests);
    for package in &outline.packages {
        add(&mut text, 'p', &[package.name]);
        add(&mut text, 'r', &package.runtime);
        add(&mut text, 'o', &package.provides);
    }
    text
}

/// Names of packages have neither spaces nor line breaks in them.
fn add(text: &mut String, mark: char, names: &[&str]) {
    if !names.is_empty() {
        text.push(mark);
        for name in names {
            text.push(' ');
            text.push_str(name);
        }
        text.push('\n');
    }
}

/// Reads an entry.
pub(super) fn read(entry: &str) -> Entry<'_> {
    if entry == ELSEWHERE {
        return Entry::Elsewhere;
    }
    let mut outline = Outline::default();
    for line in entry.lines() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let names = || rest.split(' ').collect();
        match mark {
            "n" => outline.name = rest,
            "b" => outline.build = names(),
            "t" => outline.tests = names(),
            "p" => outline.packages.push(Offer {
                name: rest,
                ..Offer::default()
            }),
            "r" | "o" => {
                if let Some(last) = outline.packages.last_mut() {
                    let list = if mark == "r" {
                        &mut last.runtime
                    } else {
                        &mut last.provides
                    };
                    *list = names();
                }
            }
            _ => {}
        }
    }
    Entry::Here(outline)
}

/// What came of texts before.
#[derive(Debug)]
pub(super) struct Known {
    text: String,
    entries: HashMap<Sha256, Range<usize>>,
    /// What decides beside the texts, and where it is all kept.
    place: Option<(Sha256, Root, RelPath)>,
}

impl Known {
    /// Loads what is kept for these folders. What cannot be read is as nothing.
    pub(super) fn load(order: &GraphOrder, libraries: &[PipelineLibrary]) -> Self {
        let mut known = Self {
            text: String::new(),
            entries: HashMap::new(),
            place: place(order, libraries),
        };
        if let Some((context, root, name)) = &known.place
            && let Ok(text) = root.read_text(name, LIMIT)
            && let Some(entries) = entries(&text, context)
        {
            known.entries = entries;
            known.text = text;
        }
        known
    }

    #[expect(clippy::unused_self, reason = "as its sisters")]
    pub(super) fn digest(&self, text: &str) -> Sha256 {
        sha256(text.as_bytes())
    }

    pub(super) fn get(&self, digest: &Sha256) -> Option<&str> {
        self.text.get(self.entries.get(digest)?.clone())
    }

    /// Keeps what came of all texts, if that is not what is kept already. That it cannot be kept
    /// costs time the next time, and nothing else.
    pub(super) fn keep<'k>(&self, all: impl Iterator<Item = &'k Kept<'k>>) {
        let Some((context, root, name)) = &self.place else {
            return;
        };
        let all: BTreeMap<&Sha256, &str> = all.map(|kept| (&kept.digest, &*kept.entry)).collect();
        let is_kept = |digest: &&Sha256| self.entries.contains_key(digest);
        if all.len() == self.entries.len() && all.keys().all(is_kept) {
            return;
        }
        let entries = all.into_iter();
        let entries: String = entries
            .flat_map(|(digest, entry)| [format!("= {digest}\n"), entry.to_owned()])
            .collect();
        let body = format!("{HEAD}{context}\n{entries}");
        let text = format!("{body}# {}\n", sha256(body.as_bytes()));
        if let Err(error) = root.write(name, text.as_bytes(), 0o644) {
            tracing::debug!("what was read of recipes is not kept: {error}");
        }
    }
}

/// What decides beside the texts, and where what came of these folders' texts is kept.
fn place(order: &GraphOrder, libraries: &[PipelineLibrary]) -> Option<(Sha256, Root, RelPath)> {
    let memory = order.memory.as_ref()?;
    let mut context = Sha256Hasher::new();
    let mut add = |part: &[u8]| {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    };
    let program = Place::of(&memory.program).ok()?.stat().ok()??;
    add(order.architecture.apk().as_bytes());
    for number in [program.size, program.inode, program.dev] {
        add(&number.to_le_bytes());
    }
    add(&program.mtime.to_le_bytes());
    for library in libraries {
        // The program's own pipelines change with the program.
        for (name, text) in library.added() {
            add(name.as_bytes());
            add(text.as_bytes());
        }
        add(b"");
    }
    let root = Root::create(&memory.folder.join(FOLDER)).ok()?;
    let mut folders = Sha256Hasher::new();
    for path in &order.folders {
        let path = folder(path).ok()?.path_for_children().ok()?;
        folders.update(path.as_os_str().as_bytes());
        folders.update(b"\0");
    }
    let name = folders.finish().to_string();
    let name = RelPath::try_from(name.get(..16)?).ok()?;
    Some((context.finish(), root, name))
}

/// Where each entry is in a file of this context that is whole.
fn entries(text: &str, context: &Sha256) -> Option<HashMap<Sha256, Range<usize>>> {
    let head = format!("{HEAD}{context}\n");
    let (body, end) = text.strip_suffix('\n')?.rsplit_once("\n# ")?;
    let body = text.get(..=body.len())?;
    if !body.starts_with(&head) || end.parse() != Ok(sha256(body.as_bytes())) {
        return None;
    }
    let mut entries = HashMap::new();
    let mut last: Option<(Sha256, usize)> = None;
    let mut at = head.len();
    for line in body.get(at..)?.split_inclusive('\n') {
        if let Some(digest) = line.strip_prefix("= ") {
            if let Some((digest, start)) = last.take() {
                entries.insert(digest, start..at);
            }
            last = Some((digest.trim_end().parse().ok()?, at + line.len()));
        }
        at += line.len();
    }
    if let Some((digest, start)) = last {
        entries.insert(digest, start..at);
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "n zlib\nb busybox gcc\nt bash\np zlib\no pc:zlib\np zlib-dev\nr zlib\n";

    #[test]
    fn an_outline_is_read_as_it_was_written() {
        let Entry::Here(outline) = read(ENTRY) else {
            panic!("{ENTRY}");
        };
        assert_eq!(outline.name, "zlib");
        assert_eq!(outline.build, ["busybox", "gcc"]);
        assert_eq!(outline.packages[1].runtime, ["zlib"]);
        assert_eq!(written(&outline), ENTRY);
        assert!(matches!(read(ELSEWHERE), Entry::Elsewhere));
    }

    #[test]
    fn what_is_kept_is_whole_or_nothing() {
        let context = sha256(b"context");
        let (one, two) = (sha256(b"one"), sha256(b"two"));
        let body = format!("{HEAD}{context}\n= {one}\n{ENTRY}= {two}\n{ELSEWHERE}");
        let text = format!("{body}# {}\n", sha256(body.as_bytes()));
        let found = entries(&text, &context).unwrap();
        assert_eq!(&text[found[&one].clone()], ENTRY);
        assert_eq!(&text[found[&two].clone()], ELSEWHERE);
        assert_eq!(found.len(), 2);
        assert!(entries(&text, &sha256(b"another")).is_none());
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            let damaged = String::from_utf8(damaged).unwrap();
            assert!(entries(&damaged, &context).is_none(), "byte {at}");
            assert!(entries(&text[..at], &context).is_none(), "{at} bytes");
        }
    }
}
