//! The licences that a recipe declares, beside those that its sources show.
//!
//! 1. `walk`: files of archives, of checkouts and of folders, one after the other, none of them
//!    unpacked.
//! 2. `sort`: which of them are looked at, and what for.
//! 3. Here: what they are, and whether the recipe says so.
//!
//! What is shown is no judgement of a lawyer's: texts that are alike, and words in comments.

mod sort;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use boltworks_fsx::RelPath;
use boltworks_model::{Ambient, chain, visible_path};
use boltworks_recipe::licences::{Addition, added, joined};
use boltworks_recipe::parse_recipe;
use boltworks_recipe::resolved::{Copyright, Fetch, KnownBy, Recipe, SourceRef, Step};
pub use boltworks_sbom::detection::Match;
use boltworks_sbom::detection::{Declared, Detector, Look, tags};

pub use self::sort::Depth;
use self::sort::Sort;
use crate::attempt::announced;
use crate::equipment::{Reach, not_fetched, request};
use crate::files::{Place, TEXT_LIMIT};
use crate::{Error, Home};

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Licences {
    /// The licence lines of the recipe.
    pub declared: Vec<String>,
    /// What files are or say, source by source.
    pub files: Vec<Finding>,
    /// Licences that are declared and that no file showed.
    pub absent: Vec<String>,
    /// Sources that were not looked into, and why.
    pub unread: Vec<(String, String)>,
}

/// What a file is or says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The source it is in.
    pub source: String,
    /// Its path in the workspace.
    pub path: String,
    /// What it shows.
    pub what: What,
}

/// What a file shows.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The texts of licences, each with whether the recipe declares it.
    Texts(Vec<(Match, bool)>),
    /// An `SPDX-License-Identifier`, in so many files, of which this is the first.
    Tag {
        /// The expression.
        expression: String,
        /// How many files.
        files: usize,
        /// Whether the recipe declares it.
        is_declared: bool,
    },
    /// A text that should be a licence, and is none that is known.
    Unknown {
        /// The nearest.
        nearest: Option<Match>,
        /// Whether the recipe names the file as the text of a licence.
        is_declared: bool,
    },
}

impl Licences {
    /// Whether everything that was found is declared.
    pub fn is_good(&self) -> bool {
        self.undeclared().next().is_none()
    }

    /// What was found and is not declared: expression, and the file with its text.
    fn undeclared(&self) -> impl Iterator<Item = Addition> {
        self.files.iter().flat_map(|file| {
            let (texts, tag) = match &file.what {
                What::Texts(texts) => (texts.as_slice(), None),
                What::Tag {
                    expression,
                    is_declared: false,
                    ..
                } => (&[][..], Some(expression)),
                What::Tag { .. } | What::Unknown { .. } => (&[][..], None),
            };
            let texts = texts.iter().filter(|(_, is_declared)| !is_declared);
            let texts = texts.map(|(found, _)| Addition {
                license: found.licence.clone(),
                path: Some(file.path.clone()),
            });
            texts.chain(tag.map(|expression| Addition {
                license: expression.clone(),
                path: None,
            }))
        })
    }

    /// What a recipe must name too, each once. What a file with the text shows goes before what only
    /// comments say.
    fn missing(&self) -> Vec<Addition> {
        let (texts, tags): (Vec<_>, Vec<_>) = self.undeclared().partition(|one| one.path.is_some());
        let mut missing: Vec<Addition> = Vec::new();
        for one in texts.into_iter().chain(tags) {
            let named: Vec<&str> = missing.iter().map(|one| one.license.as_str()).collect();
            let is_named = match &one.path {
                Some(_) => named.contains(&one.license.as_str()),
                None => Declared::read(&named).covers_tag(&one.license),
            };
            if !is_named {
                missing.push(one);
            }
        }
        missing
    }
}

/// How missing licences are written into a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An entry for each, with the file that holds the text.
    Flat,
    /// One expression.
    Simple,
}

/// Names in a recipe what was found and is not declared; whether anything was written.
pub fn correct(file: &Path, licences: &Licences, form: Form) -> Result<bool, Error> {
    let missing = licences.missing();
    if missing.is_empty() {
        return Ok(false);
    }
    let place = Place::of(file)?;
    let text = place.read_text(TEXT_LIMIT)?;
    let name = file.to_string_lossy();
    let recipe = parse_recipe(&name, &text)?;
    let edited = match form {
        Form::Flat => added(&recipe, &text, &missing)?,
        Form::Simple => joined(&recipe, &text, &missing)?,
    };
    let again = parse_recipe(&name, &edited)?;
    let entries = again.package.copyright.iter();
    let lines: Vec<&str> = entries.map(|entry| entry.license.as_str()).collect();
    let declared = Declared::read(&lines);
    if let Some(lost) = missing
        .iter()
        .find(|one| !declared.covers_tag(&one.license))
    {
        return Err(Error::Inconsistent {
            what: format!(
                "{name} would not name {} after all: nothing was changed",
                lost.license
            ),
        });
    }
    place.write(
        edited.as_bytes(),
        place.stat()?.map_or(0o644, |stat| stat.mode),
    )?;
    Ok(true)
}

/// Looks into the sources of a recipe's build.
pub fn of_recipe(
    home: &Home,
    recipe: &Recipe,
    depth: Depth,
    ambient: &Ambient<'_>,
) -> Result<Licences, Error> {
    let reach = Reach::new(home)?;
    let fetcher = reach.fetcher(home);
    let version = recipe.package.version.to_string();
    let laid = laid_out(recipe);
    let mut looker = Looker::new(&recipe.package.copyright, depth)?;
    let mut unread = Vec::new();
    for source in &recipe.sources {
        ambient.cancel.check()?;
        let name = name_of(source);
        if let KnownBy::Nothing(unpinned) = &source.known_by {
            unread.push((name, chain(&unpinned.error())));
            continue;
        }
        let fetched = fetcher.fetch(&request(recipe, source, &version)?, ambient);
        let fetched = fetched.map_err(|error| not_fetched(source, error))?;
        let blob = home.store.open_blob(&fetched.digest)?;
        let mut see = |path: &RelPath, bytes: walk::Bytes<'_>| {
            ambient.cancel.check()?;
            looker.see(&name, path, bytes)
        };
        let job = format!("look into {name}");
        let walked = announced(
            &job,
            ambient,
            |_| "looked into",
            || {
                if let KnownBy::Commit(checkout) = &source.known_by {
                    let folder = home.state_folder("scratch")?;
                    return walk::checkout(&folder, &blob, (&source.uri, checkout), &mut see);
                }
                let fetch = laid.get(source.key.as_str()).copied();
                walk::archive(blob.reader(), (&name, fetch), &mut see)
            },
        );
        match walked {
            Ok(None) => {}
            Ok(Some(why)) => unread.push((name, why)),
            Err(Error::Cancelled(cancelled)) => return Err(cancelled.into()),
            Err(error) => unread.push((name, chain(&error))),
        }
    }
    Ok(looker.finish(&recipe.package.licenses, unread))
}

/// Looks into a folder, of which nothing is declared.
pub fn of_folder(path: &Path, depth: Depth) -> Result<Licences, Error> {
    let root = crate::files::folder(path)?;
    let name = visible_path(path);
    let mut looker = Looker::new(&[], depth)?;
    walk::folder(&root, &mut |path, bytes| looker.see(&name, path, bytes))?;
    Ok(looker.finish(&[], Vec::new()))
}

/// The last part of a source's address.
fn name_of(source: &SourceRef) -> String {
    let path = source.uri.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.rsplit('/');
    let name = parts.find(|part| !part.is_empty());
    name.unwrap_or(&source.uri).to_owned()
}

/// How the archives of a recipe are laid into the workspace, by the keys of their sources.
fn laid_out(recipe: &Recipe) -> BTreeMap<&str, &Fetch> {
    let split = recipe.subpackages.iter().flat_map(|one| &one.pipeline);
    let mut open: Vec<&Step> = recipe.pipeline.iter().chain(split).collect();
    let mut laid = BTreeMap::new();
    while let Some(step) = open.pop() {
        open.extend(&step.pipeline);
        if let Some(fetch) = &step.fetch {
            laid.insert(fetch.key.as_str(), fetch);
        }
    }
    laid
}

/// Looks at files and remembers what they showed.
struct Looker<'a> {
    detector: Detector,
    copyright: &'a [Copyright],
    declared: Declared,
    depth: Depth,
    files: Vec<Finding>,
    /// Expressions in source files: source and expression to first file and count.
    tags: BTreeMap<(String, String), (String, usize)>,
}

impl<'a> Looker<'a> {
    fn new(copyright: &'a [Copyright], depth: Depth) -> Result<Self, Error> {
        let lines: Vec<&str> = copyright.iter().map(|one| one.license.as_str()).collect();
        Ok(Self {
            detector: Detector::load()?,
            copyright,
            declared: Declared::read(&lines),
            depth,
            files: Vec::new(),
            tags: BTreeMap::new(),
        })
    }

    fn see(&mut self, source: &str, path: &RelPath, bytes: walk::Bytes<'_>) -> Result<(), Error> {
        let Some(sort) = Sort::of(path, self.depth) else {
            return Ok(());
        };
        let bytes = bytes(sort.most())?;
        let Some(text) = sort::text(&bytes) else {
            return Ok(());
        };
        let path = path.to_string();
        if sort == Sort::Source {
            for expression in tags(&text) {
                let known = self.tags.entry((source.to_owned(), expression));
                known.or_insert((path.clone(), 0)).1 += 1;
            }
            return Ok(());
        }
        let entry = self.copyright.iter();
        let entry = entry.filter(|one| one.license_path.as_deref() == Some(path.as_str()));
        let what = match self.detector.look(&text) {
            Look::Known(found) => {
                let expected: Vec<&str> = entry
                    .filter_map(|one| one.detection_override.as_deref())
                    .collect();
                let expected = Declared::read(&expected);
                let found = found.into_iter().map(|found| {
                    let is_declared = self.declared.covers(&found) || expected.covers(&found);
                    (found, is_declared)
                });
                What::Texts(found.collect())
            }
            // What is said of a package's parts need be no licence.
            Look::Unknown(_) if sort == Sort::Notice => return Ok(()),
            Look::Unknown(nearest) => What::Unknown {
                nearest,
                is_declared: entry.count() > 0,
            },
        };
        self.files.push(Finding {
            source: source.to_owned(),
            path,
            what,
        });
        Ok(())
    }

    fn finish(mut self, declared: &[String], unread: Vec<(String, String)>) -> Licences {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for finding in &self.files {
            if let What::Texts(texts) = &finding.what {
                let names = texts
                    .iter()
                    .flat_map(|(found, _)| found.others.iter().chain([&found.licence]).cloned());
                seen.extend(names);
            }
        }
        for ((source, expression), (path, files)) in std::mem::take(&mut self.tags) {
            seen.extend(Declared::read(&[&expression]).names().map(str::to_owned));
            self.files.push(Finding {
                source,
                path,
                what: What::Tag {
                    is_declared: self.declared.covers_tag(&expression),
                    expression,
                    files,
                },
            });
        }
        let absent = self.declared.names();
        let absent = absent.filter(|name| !seen.contains(*name) && !name.contains(" WITH "));
        Licences {
            declared: declared.to_vec(),
            absent: absent.map(str::to_owned).collect(),
            files: self.files,
            unread,
        }
    }
}
