//! The sources of recipes: brought into the store, or hashed there.

use boltworks_model::{Ambient, Material, Sha256, SourceKind, chain};
use boltworks_plan::ActionKind;
use boltworks_recipe::resolved::{Recipe, SourceRef};
use boltworks_source::{Checked, Error as SourceError, Fetcher, Request};

use crate::equipment::Reach;
use crate::equipment::request;
use crate::{Error, Line};

/// One source and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// The recipe that names it.
    pub recipe: String,
    /// Its address there.
    pub uri: String,
    /// What became of it.
    pub state: SourceState,
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// It is in the store.
    Kept {
        /// The blob.
        sha256: Sha256,
        /// Its bytes.
        size: u64,
        /// Whether it was fetched just now.
        is_new: bool,
        /// What sort of source it is.
        kind: SourceKind,
        /// Where it was fetched from, where that is not the recipe's address.
        from: Option<String>,
    },
    /// It was hashed in the store, and is what the recipe expects.
    Good {
        /// The blob.
        sha256: Sha256,
    },
    /// It is not in the store.
    Missing,
    /// It is in the store with other bytes, or could not be had.
    Bad {
        /// Why, in words.
        reason: String,
    },
}

impl SourceState {
    /// Whether it is in the store, as far as was looked.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Kept { .. } | Self::Good { .. })
    }
}

impl Line {
    /// Fetches the sources of recipes, of all where none is named. One that cannot be had does
    /// not keep the others away.
    pub fn fetch_sources(
        &self,
        names: &[String],
        ambient: &Ambient<'_>,
    ) -> Result<Vec<SourceRow>, Error> {
        self.each_source(names, ambient, |fetcher, request| {
            Ok(match fetcher.fetch(request, ambient) {
                Ok(fetched) => kept(&fetched),
                Err(SourceError::Cancelled(cancelled)) => return Err(cancelled.into()),
                Err(error) => SourceState::Bad {
                    reason: chain(&error),
                },
            })
        })
    }

    /// Hashes what the store has of the sources of recipes, of all where none is named.
    pub fn verify_sources(
        &self,
        names: &[String],
        ambient: &Ambient<'_>,
    ) -> Result<Vec<SourceRow>, Error> {
        self.each_source(names, ambient, |fetcher, request| {
            Ok(match fetcher.verify(request)? {
                Checked::Good(sha256) => SourceState::Good { sha256 },
                Checked::Missing => SourceState::Missing,
                Checked::Bad(reason) => SourceState::Bad { reason },
            })
        })
    }

    fn each_source(
        &self,
        names: &[String],
        ambient: &Ambient<'_>,
        state: impl Fn(&Fetcher<'_>, &Request<'_>) -> Result<SourceState, Error>,
    ) -> Result<Vec<SourceRow>, Error> {
        let reach = Reach::new(&self.home)?;
        let fetcher = reach.fetcher(&self.home);
        let (mut rows, names) = self.unread(names);
        let Some(names) = names else {
            return Ok(rows);
        };
        for (name, recipe) in self.recipes_named(&names)? {
            let version = recipe.package.version.to_string();
            for source in sources(recipe) {
                ambient.cancel.check()?;
                let state = match request(recipe, source, &version) {
                    Ok(request) => state(&fetcher, &request)?,
                    Err(error) => SourceState::Bad {
                        reason: chain(&error),
                    },
                };
                rows.push(SourceRow {
                    recipe: name.to_owned(),
                    uri: source.uri.clone(),
                    state,
                });
            }
        }
        Ok(rows)
    }

    /// The recipes that could not be read, each as a row, of all or of those that are named; and the
    /// names that are left, unless all of them were such.
    fn unread(&self, names: &[String]) -> (Vec<SourceRow>, Option<Vec<String>>) {
        let unread = self.loaded.catalog.unread.iter();
        let unread = unread.filter(|(subject, _)| subject.kind == ActionKind::Recipe);
        let rows: Vec<SourceRow> = unread
            .filter(|(subject, _)| names.is_empty() || names.contains(&subject.name))
            .map(|(subject, why)| SourceRow {
                recipe: subject.name.clone(),
                uri: String::new(),
                state: SourceState::Bad {
                    reason: why.clone(),
                },
            })
            .collect();
        let is_read = |name: &&String| !rows.iter().any(|row| row.recipe == **name);
        let left: Vec<String> = names.iter().filter(is_read).cloned().collect();
        let is_done = left.is_empty() && !names.is_empty();
        (rows, (!is_done).then_some(left))
    }

    /// Recipes by name or by file.
    fn recipes_named(&self, names: &[String]) -> Result<Vec<(&str, &Recipe)>, Error> {
        let all = &self.loaded.catalog.recipes;
        if names.is_empty() {
            let all = all.iter().map(|(name, item)| (name.as_str(), &item.recipe));
            return Ok(all.collect());
        }
        let find = |wanted: &String| {
            let is_it = |name: &str| {
                let file = self.loaded.recipes.get(name).map(|source| &source.path);
                name == wanted || file == Some(wanted)
            };
            let found = all.iter().find(|(name, _)| is_it(name));
            found
                .map(|(name, item)| (name.as_str(), &item.recipe))
                .ok_or_else(|| self.loaded.missing(ActionKind::Recipe, wanted))
        };
        names.iter().map(find).collect()
    }
}

/// Every source of a recipe and of its tests, each once.
pub(crate) fn sources(recipe: &Recipe) -> Vec<&SourceRef> {
    let mut all: Vec<&SourceRef> = Vec::new();
    for source in recipe
        .sources
        .iter()
        .chain(recipe.tests().flat_map(|test| &test.sources))
    {
        if !all.iter().any(|known| known.key == source.key) {
            all.push(source);
        }
    }
    all
}

fn kept(fetched: &boltworks_source::Fetched) -> SourceState {
    let (kind, from) = match &fetched.material {
        Material::Source {
            kind, fetched_from, ..
        } => (*kind, fetched_from.clone()),
        _ => (SourceKind::Tarball, None),
    };
    SourceState::Kept {
        sha256: fetched.digest,
        size: fetched.size,
        is_new: fetched.is_new,
        kind,
        from,
    }
}
