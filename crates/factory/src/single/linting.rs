//! Packages that are there, linted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::{Ambient, Event};
use boltworks_package::lint::{
    LINTERS, Level, Refused, Report, Subject, document, lint_package, lint_tree,
};
use boltworks_recipe::resolved::{Recipe, Test};
use boltworks_recipe::{parse_recipe, parsed};
use boltworks_records::ActionRecord;

use super::rebuild::inside::RECIPE;
use crate::planning::LINT_DOCUMENT;
use crate::{Error, Home, packages};

/// No document of linters is larger.
const DOCUMENT_LIMIT: Limit = Limit::mib(256);

/// The level of every linter: those that must pass, those that only warn, and all others off. A list
/// that is absent holds the linters that have that level themselves.
pub fn levels(
    required: Option<&[String]>,
    warned: Option<&[String]>,
) -> Result<BTreeMap<String, Level>, Error> {
    let names = LINTERS.iter().map(|linter| linter.name);
    let given = required.into_iter().chain(warned).flatten();
    for name in given {
        if !names.clone().any(|known| known == name) {
            let all: Vec<&str> = names.collect();
            return Err(Error::asked(
                format!("there is no linter '{name}'"),
                format!("there are {}", all.join(", ")),
            ));
        }
    }
    let is_in = |list: Option<&[String]>, name: &str, level: bool| match list {
        Some(list) => list.iter().any(|one| one == name),
        None => level,
    };
    let level = |linter: &boltworks_package::lint::Linter| {
        if is_in(required, linter.name, linter.level == Level::Error) {
            Level::Error
        } else if is_in(warned, linter.name, linter.level == Level::Warn) {
            Level::Warn
        } else {
            Level::Off
        }
    };
    let levels = LINTERS.iter();
    Ok(levels
        .map(|linter| (linter.name.to_owned(), level(linter)))
        .collect())
}

/// Lints packages in files. What tests they have is known of the recipe inside them: a package without one
/// has none, and of one that this program built nobody knows, since its recipe is kept without.
pub fn files(
    paths: &[PathBuf],
    levels: &BTreeMap<String, Level>,
    scratch: &Path,
) -> Result<Vec<Report>, Error> {
    let scratch = Root::open(scratch)?;
    let report = |path: &PathBuf| {
        let package = packages::open(path, None)?;
        let name = package.control().name.as_str();
        let written = package.embedded().get(RECIPE);
        let written = written.map(|text| parse_recipe(RECIPE, &String::from_utf8_lossy(text)));
        let tested_with = match &written {
            None => Some(Vec::new()),
            Some(Ok(recipe)) => Some(pipelines_of(recipe, name)),
            Some(Err(_)) => None,
        };
        let subject = Subject {
            name,
            levels: levels.clone(),
            tested_with,
            ..Subject::default()
        };
        let report = lint_package(&subject, &package, &scratch);
        report.map_err(|error| Error::from(error).of_file(path))
    };
    paths.iter().map(report).collect()
}

/// What linters found when an action was carried out, as JSON.
pub fn recorded(home: &Home, record: &ActionRecord) -> Result<Option<Vec<u8>>, Error> {
    let Some(digest) = record.documents.get(LINT_DOCUMENT) else {
        return Ok(None);
    };
    Ok(Some(
        home.store.read_bytes(digest, DOCUMENT_LIMIT)?.into_inner(),
    ))
}

/// Some reports as JSON.
pub fn as_json(reports: &[Report]) -> Vec<u8> {
    document(reports)
}

/// Lints packages of an action anew, with the levels that hold now.
pub(super) fn again(
    home: &Home,
    record: &ActionRecord,
    recipe: &Recipe,
    ambient: &Ambient<'_>,
) -> Result<(), Error> {
    let scratch = home.state_folder("scratch")?;
    let mut reports = Vec::new();
    for artifact in &record.artifacts {
        ambient.cancel.check()?;
        let blob = home.store.open_blob(&artifact.digest)?;
        let package = PackageFile::open(Arc::clone(blob.file()), &OpenOptions::default())?;
        let name = artifact.coordinate.name.as_str();
        let (disabled, test) = said_of(recipe, name);
        let used = test.map(|test| test.pipelines_used.iter().map(|used| used.name.as_str()));
        let subject = Subject {
            name,
            disabled,
            tested_with: Some(used.into_iter().flatten().collect()),
            levels: home.lint_levels.clone(),
        };
        // Linters look at what the steps left, and the SBOM came later.
        let mut tree = package.tree(&scratch)?;
        let version = artifact.coordinate.version.as_str();
        let sbom = boltworks_sbom::package_path(name, version);
        tree.remove(&RelPath::try_from(sbom.as_str())?);
        reports.push(lint_tree(&subject, &tree)?);
    }
    for text in reports.iter().flat_map(Report::warnings) {
        ambient.sink.event(Event::Warning { text: &text });
    }
    match Refused::from_reports(&reports) {
        Some(refused) => Err(boltworks_package::Error::Lint(refused).into()),
        None => Ok(()),
    }
}

/// The pipelines that the test of a package uses, by a recipe as it is written.
fn pipelines_of<'r>(recipe: &'r parsed::Recipe, name: &str) -> Vec<&'r str> {
    let mut split = recipe.subpackages.iter();
    let test = match split.find(|package| *package.name == *name) {
        Some(package) => package.test.as_ref(),
        None => recipe.test.as_ref(),
    };
    let mut used = Vec::new();
    gather_used(test.map_or(&[], |test| &test.pipeline), &mut used);
    used
}

/// The pipelines that steps use, and those within them.
fn gather_used<'s>(steps: &'s [parsed::Step], used: &mut Vec<&'s str>) {
    for step in steps {
        used.extend(step.uses.as_deref());
        gather_used(&step.pipeline, used);
    }
}

/// What a recipe says of one of its packages: which linters only warn, and its test.
fn said_of<'r>(recipe: &'r Recipe, name: &str) -> (&'r [String], Option<&'r Test>) {
    let split = recipe.subpackages.iter();
    let found = split
        .into_iter()
        .find(|package| package.name.as_str() == name);
    match found {
        Some(package) => (&package.checks_disabled, package.test.as_ref()),
        None => (&recipe.package.checks_disabled, recipe.test.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn each_package_has_its_own_test() {
        let text = "package: {name: a, version: 1}
test: {pipeline: [{uses: test/pkgconf}]}
subpackages:
- name: b
- name: c
  test: {pipeline: [{pipeline: [{uses: test/tw/pkgconf}]}]}
";
        let recipe = parse_recipe("a.yaml", text).unwrap();
        let used = ["a", "b", "c"].map(|name| pipelines_of(&recipe, name));
        assert_eq!(
            used,
            [vec!["test/pkgconf"], vec![], vec!["test/tw/pkgconf"]]
        );
    }

    #[test]
    fn lists_replace_levels() {
        let level = |levels: &BTreeMap<String, Level>, name: &str| levels.get(name).copied();
        let own = levels(None, None).unwrap();
        assert!(
            LINTERS
                .iter()
                .all(|linter| level(&own, linter.name) == Some(linter.level))
        );
        let given = levels(Some(&words(&["dylib"])), None).unwrap();
        assert_eq!(level(&given, "dylib"), Some(Level::Error));
        assert_eq!(level(&given, "dev"), Some(Level::Off));
        assert_eq!(level(&given, "dll"), Some(Level::Warn));
        let given = levels(Some(&[]), Some(&words(&["empty"]))).unwrap();
        assert_eq!(level(&given, "empty"), Some(Level::Warn));
        assert_eq!(level(&given, "dev"), Some(Level::Off));
        let unknown = levels(Some(&words(&["dyllib"])), None).unwrap_err();
        assert_eq!(unknown.to_string(), "there is no linter 'dyllib'");
    }
}
