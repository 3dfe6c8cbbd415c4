//! The texts of recipes: put into their usual form, and looked at for what is wrong with them. No
//! factory is needed, and nothing is made.

mod rules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boltworks_fsx::{FileKind, RelPath, Root};
use boltworks_model::visible_path;
use boltworks_recipe::format::usual_form;
use rayon::prelude::*;

pub use self::rules::{LintOrder, Linted, LintedFile, lint_recipes};
use crate::Error;
use crate::files::{Place, TEXT_LIMIT, folder, no_text};

/// A recipe's file, and its text or why it has none.
pub(crate) type Read = (PathBuf, Result<String, Error>);

/// Reads the files, and of the folders every `.yaml` file directly in them, by name: each once. A file
/// that cannot be read keeps no other from being read.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Read>, Error> {
    let mut read: Vec<Read> = Vec::new();
    for path in paths {
        if is_folder(path)? {
            read.extend(read_folder(path)?);
        } else {
            let text = Place::of(path).and_then(|place| place.read_text(TEXT_LIMIT));
            read.push((path.clone(), text));
        }
    }
    if paths.len() > 1 {
        let mut seen = BTreeSet::new();
        read.retain(|(path, _)| identity(path).is_none_or(|identity| seen.insert(identity)));
    }
    Ok(read)
}

/// What tells a file from others, however it is named: its folder, and its name there.
fn identity(path: &Path) -> Option<(u64, u64, RelPath)> {
    let place = Place::of(path).ok()?;
    let folder = place.folder().stat_self().ok()?;
    Some((folder.dev, folder.inode, place.name().clone()))
}

/// Whether a path names a folder: `.` does too, which is no name in one.
pub(crate) fn is_folder(path: &Path) -> Result<bool, Error> {
    if path.file_name().is_none() {
        return Ok(true);
    }
    Place::of(path)?.is_folder()
}

fn read_folder(path: &Path) -> Result<Vec<Read>, Error> {
    let (root, names) = recipes_in(path)?;
    let read = names.into_par_iter().map(|name| {
        let file = path.join(name.as_path());
        let text = root.read_text(&name, TEXT_LIMIT);
        let text = text.map_err(|error| no_text(error, &file));
        (file, text)
    });
    Ok(read.collect())
}

/// A folder that a person names for its recipes, and those. Without any it was named wrongly.
pub(crate) fn recipes_in(path: &Path) -> Result<(Root, Vec<RelPath>), Error> {
    let root = folder(path)?;
    let names = recipe_names(root.list()?)?;
    if names.is_empty() {
        return Err(Error::asked(
            format!("there is no recipe in {}", visible_path(path)),
            "name a folder whose files end in .yaml; what is in folders beneath it is not taken",
        ));
    }
    Ok((root, names))
}

/// The recipes among what is in a folder.
pub(crate) fn recipe_names(entries: Vec<boltworks_fsx::DirEntry>) -> Result<Vec<RelPath>, Error> {
    let entries = entries.into_iter();
    let files = entries.filter(|entry| entry.kind != FileKind::Dir);
    let names = files.map(|entry| entry.name);
    let names = names.filter(|name| !name.starts_with(b".") && name.ends_with(b".yaml"));
    Ok(names.map(RelPath::new).collect::<Result<_, _>>()?)
}

/// Why a file is not understood, with its place, and what to do next.
pub fn reason(file: &Path, error: &Error) -> String {
    match error {
        // Their words begin with the place.
        Error::Recipe(_) => error.told(),
        error => format!("{}: {}", visible_path(file), error.told()),
    }
}

/// A recipe's text and its usual form.
#[derive(Debug)]
pub struct Formed {
    /// Its file.
    pub file: PathBuf,
    /// What stands there.
    pub before: String,
    /// What is to stand there.
    pub now: String,
}

impl Formed {
    /// Whether it has its usual form already.
    pub fn is_usual(&self) -> bool {
        self.before == self.now
    }

    /// Puts the usual form into the file: at once or not at all, and not if somebody else changed
    /// it meanwhile.
    pub fn write(&self) -> Result<(), Error> {
        replace(&self.file, &self.before, &self.now)
    }
}

/// Puts another text into a file, if what stands there is still what was read.
fn replace(file: &Path, before: &str, now: &str) -> Result<(), Error> {
    let place = Place::of(file)?;
    let there = place.read_text(TEXT_LIMIT)?;
    if there == now {
        // A file that is named twice.
        return Ok(());
    }
    if there != before {
        return Err(Error::asked(
            format!("{} was changed meanwhile, and is kept", visible_path(file)),
            "run the command again",
        ));
    }
    let mode = place.stat()?.map_or(0o644, |stat| stat.mode);
    place.write_text(now, mode)
}

/// A recipe's file, and its usual form or why it has none.
pub type FormedFile = (PathBuf, Result<Formed, Error>);

/// The usual form of each recipe, or why it has none. Nothing is written.
pub fn usual_forms(paths: &[PathBuf]) -> Result<Vec<FormedFile>, Error> {
    let formed = |(file, text): Read| {
        let formed = text.and_then(|before| {
            let now = usual_form(&file.to_string_lossy(), &before)?;
            let file = file.clone();
            Ok(Formed { file, before, now })
        });
        (file, formed)
    };
    Ok(read(paths)?.into_par_iter().map(formed).collect())
}
