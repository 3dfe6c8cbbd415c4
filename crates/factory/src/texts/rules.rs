//! What is wrong with the texts of recipes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use boltworks_crypto::sha256;
use boltworks_model::Architecture;
use boltworks_package::lint::LINTERS;
use boltworks_recipe::lint::fix::fixed;
use boltworks_recipe::lint::{Finding, Known, RULES, Subject, UNDERSTOOD, lint};
use boltworks_recipe::resolved::Recipe;
use boltworks_recipe::{Libc, PipelineLibrary, ResolveOptions, parse_recipe, parsed, resolve};
use boltworks_sbom::licence::Licence;
use rayon::prelude::*;

use super::{Read, is_folder, read, replace};
use crate::Error;
use crate::catalog::{with_own_pipelines, with_pipelines};
use crate::files::{folder, parent};

/// How recipes are looked at.
#[derive(Debug, Clone)]
pub struct LintOrder {
    /// Recipes, and folders of recipes.
    pub paths: Vec<PathBuf>,
    /// Folders of pipelines, which go before the program's own.
    pub pipelines: Vec<PathBuf>,
    /// For which architecture recipes are read. One that is for others is read for its first.
    pub architecture: Architecture,
    /// Rules that are not asked.
    pub skipped: BTreeSet<String>,
    /// Whether what can be put right without a change of meaning is.
    pub fix: bool,
}

/// What is wrong with a recipe.
#[derive(Debug, Default)]
pub struct Linted {
    /// What was found and is still there.
    pub findings: Vec<Finding>,
    /// What was put right.
    pub fixed: Vec<Finding>,
}

/// A recipe's file, and what is wrong with it or why it cannot be read.
pub type LintedFile = (PathBuf, Result<Linted, Error>);

/// Looks at recipes, each by itself. That a text is not understood is a finding too.
pub fn lint_recipes(order: &LintOrder) -> Result<Vec<LintedFile>, Error> {
    let is_rule = |name: &String| rule_names().any(|rule| rule == name);
    if let Some(unknown) = order.skipped.iter().find(|name| !is_rule(name)) {
        let names: Vec<&str> = rule_names().collect();
        return Err(Error::asked(
            format!("there is no rule '{unknown}'"),
            format!("the rules are {}", names.join(", ")),
        ));
    }
    let mut library = PipelineLibrary::builtin();
    for path in order.pipelines.iter().rev() {
        library = with_pipelines(library, &folder(path)?, &path.to_string_lossy())?;
    }
    let libraries = own_pipelines(&order.paths, &library)?;
    let known = known();
    let linted = |(file, text): Read| {
        let library = libraries.get(parent(&file)).unwrap_or(&library);
        let reader = Reader {
            order,
            library,
            known: &known,
        };
        let linted = text.and_then(|text| reader.lint(&file, &text));
        (file, linted)
    };
    Ok(read(&order.paths)?.into_par_iter().map(linted).collect())
}

/// The names of all rules.
fn rule_names() -> impl Iterator<Item = &'static str> {
    std::iter::once(UNDERSTOOD).chain(RULES.iter().map(|rule| rule.name))
}

/// The pipelines that recipes of each folder can name.
fn own_pipelines(
    paths: &[PathBuf],
    library: &PipelineLibrary,
) -> Result<BTreeMap<PathBuf, PipelineLibrary>, Error> {
    let mut libraries = BTreeMap::new();
    for path in paths {
        let place = if is_folder(path)? { path } else { parent(path) };
        if !libraries.contains_key(place) {
            let own = with_own_pipelines(library.clone(), &folder(place)?, place)?;
            libraries.insert(place.to_owned(), own);
        }
    }
    Ok(libraries)
}

/// What rules cannot know by themselves.
fn known() -> Known {
    Known {
        linters: LINTERS.iter().map(|linter| linter.name).collect(),
        licence: |text| {
            let read = Licence::read(&[text], sha256);
            let note = read.notes.into_iter().next()?;
            // A `LicenseRef-` made for a document is of no use here.
            Some(
                note.split(": LicenseRef-")
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            )
        },
    }
}

struct Reader<'a> {
    order: &'a LintOrder,
    library: &'a PipelineLibrary,
    known: &'a Known,
}

impl Reader<'_> {
    fn lint(&self, file: &Path, text: &str) -> Result<Linted, Error> {
        let name = file.to_string_lossy();
        let skipped = &self.order.skipped;
        let recipe = match parse_recipe(&name, text) {
            Ok(recipe) => recipe,
            Err(error) => {
                let told = !skipped.contains(UNDERSTOOD);
                let finding = told.then(|| Finding::not_understood(&error));
                return Ok(Linted {
                    findings: finding.into_iter().collect(),
                    ..Linted::default()
                });
            }
        };
        let resolved = self.understood(&recipe);
        let subject = Subject {
            recipe: &recipe,
            resolved: resolved.as_ref().ok(),
            library: self.library,
            known: self.known,
        };
        let findings = lint(&subject, resolved.as_ref().err(), skipped);
        let mut linted = Linted {
            findings,
            ..Linted::default()
        };
        if let (true, Ok(resolved)) = (self.order.fix, &resolved) {
            self.fix(&mut linted, (file, text), resolved)?;
        }
        Ok(linted)
    }

    fn fix(
        &self,
        linted: &mut Linted,
        (file, text): (&Path, &str),
        resolved: &Recipe,
    ) -> Result<(), Error> {
        let before = resolved.compile_json();
        let name = file.to_string_lossy();
        let is_same = |text: &str| {
            let now = parse_recipe(&name, text).and_then(|recipe| self.understood(&recipe));
            now.is_ok_and(|now| now.compile_json() == before)
        };
        let (now, done) = fixed(text, &linted.findings, is_same);
        if done.is_empty() {
            return Ok(());
        }
        replace(file, text, &now)?;
        let findings = std::mem::take(&mut linted.findings).into_iter();
        for (number, finding) in findings.enumerate() {
            if done.contains(&number) {
                linted.fixed.push(finding);
            } else {
                linted.findings.push(finding);
            }
        }
        Ok(())
    }

    /// Reads a recipe for the architecture that is asked for, or for the first that it is for.
    fn understood(&self, recipe: &parsed::Recipe) -> Result<Recipe, boltworks_recipe::Error> {
        let read = |architecture| {
            let options = ResolveOptions {
                libc: Libc::Musl,
                ..ResolveOptions::new(architecture, self.library)
            };
            resolve(recipe, &options)
        };
        let asked = read(self.order.architecture);
        if !asked
            .as_ref()
            .is_err_and(boltworks_recipe::Error::is_other_architecture)
        {
            return asked;
        }
        let named = recipe.package.target_architecture.iter();
        let mut known = named.filter_map(|name| name.parse().ok());
        known.next().map_or(asked, read)
    }
}
