//! What a new version changes in a recipe's text: version and epoch, and what sources are known by.
//!
//! Two steps, because the address of a source is known only once the version stands in the text:
//! [`version`] gives that text; of the recipe read from it, [`known_by`] names what is to follow.

use boltworks_yaml::edit::{Change, replace};

use crate::parsed::{Recipe, Step, Text};
use crate::{Error, Problem};

/// The text with another version. The epoch begins again at 0.
pub fn version(recipe: &Recipe, text: &str, version: &str) -> Result<String, Error> {
    let package = &recipe.package;
    let mut changes = vec![package.version.change(version)];
    let epoch = &package.epoch;
    if epoch.value != 0 {
        changes.push(Change {
            line: epoch.line,
            column: epoch.column,
            old: epoch.value.to_string(),
            new: "0".to_owned(),
        });
    }
    edited(recipe, text, &changes)
}

/// A digest or commit in a step, which a new version makes another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it is.
    pub kind: KnownKind,
    /// The value, with its place.
    pub value: Text,
}

/// What a source is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownKind {
    /// `expected-sha256`.
    Sha256,
    /// `expected-sha512`.
    Sha512,
    /// `expected-commit`.
    Commit,
}

/// What the sources of all steps are known by, those of subpackages and tests too, in the order of
/// the file.
///
/// # Errors
/// [`Problem::Unchangeable`] where a variable says it: nobody would notice that it stayed.
pub fn known_by(recipe: &Recipe) -> Result<Vec<Known>, Error> {
    let split = recipe.subpackages.iter();
    let split = split.flat_map(|package| {
        let test = package.test.iter().flat_map(|test| &test.pipeline);
        package.pipeline.iter().chain(test)
    });
    let own = recipe.pipeline.iter();
    let tests = recipe.test.iter().flat_map(|test| &test.pipeline);
    let mut known = Vec::new();
    for step in own.chain(split).chain(tests) {
        gather(recipe, step, &mut known)?;
    }
    Ok(known)
}

fn gather(recipe: &Recipe, step: &Step, known: &mut Vec<Known>) -> Result<(), Error> {
    // These inputs say what a source is known by, whatever pipeline takes them.
    const INPUTS: [(&str, KnownKind); 3] = [
        ("expected-sha256", KnownKind::Sha256),
        ("expected-sha512", KnownKind::Sha512),
        ("expected-commit", KnownKind::Commit),
    ];
    for (input, kind) in INPUTS {
        let Some(value) = step.with.get(input).filter(|value| !value.is_empty()) else {
            continue;
        };
        if value.contains("${{") {
            let problem = Problem::Unchangeable {
                old: value.to_string(),
                reason: "a variable says what the source is known by: write it here, or change \
                         version, epoch and variable by hand",
            };
            return Err(Error::at(recipe.origin.place(value), problem));
        }
        known.push(Known {
            kind,
            value: value.clone(),
        });
    }
    for inner in &step.pipeline {
        gather(recipe, inner, known)?;
    }
    Ok(())
}

/// The text with other values for what sources are known by.
pub fn known_as(recipe: &Recipe, text: &str, values: &[(Known, String)]) -> Result<String, Error> {
    let changes: Vec<Change> = values
        .iter()
        .filter(|(known, new)| *known.value != **new)
        .map(|(known, new)| known.value.change(new.as_str()))
        .collect();
    edited(recipe, text, &changes)
}

fn edited(recipe: &Recipe, text: &str, changes: &[Change]) -> Result<String, Error> {
    replace(text, changes).map_err(|fault| recipe.origin.unchangeable(fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_recipe;

    const TEXT: &str = "\
# A library.
package:
  name: zlib
  version: 1.3.1   # upstream's

  epoch: 4
  description: x
pipeline:
  - uses: fetch
    with:
      uri: https://a.example/zlib-${{package.version}}.tar.gz
      expected-sha256: \"aa\"   # of the tarball
  - if: ${{build.arch}} == 'x86_64'
    pipeline:
      - uses: git-checkout
        with: {repository: https://b.example/x, expected-commit: cafe, tag: 'v${{package.version}}'}
      - uses: fetch
        with:
          uri: https://a.example/data
          expected-sha512: dd
subpackages:
  - name: more
    pipeline:
      - uses: fetch
        with: {uri: x, expected-sha256: ee}
    test:
      pipeline:
        - uses: our/fetch
          with: {uri: y, expected-sha256: ff}
";

    #[test]
    fn a_new_version_changes_what_it_must() {
        let recipe = parse_recipe("zlib.yaml", TEXT).unwrap();
        let bumped = version(&recipe, TEXT, "1.4").unwrap();
        let expected = TEXT
            .replace("1.3.1 ", "1.4 ")
            .replace("epoch: 4", "epoch: 0");
        assert_eq!(bumped, expected);
        let recipe = parse_recipe("zlib.yaml", &bumped).unwrap();
        let known = known_by(&recipe).unwrap();
        let kinds: Vec<_> = known.iter().map(|known| known.kind).collect();
        let (digest, commit, long) = (KnownKind::Sha256, KnownKind::Commit, KnownKind::Sha512);
        assert_eq!(kinds, [digest, commit, long, digest, digest]);
        let values: Vec<_> = known
            .into_iter()
            .zip(["bb".to_owned(), "beef".to_owned()])
            .collect();
        let known = known_as(&recipe, &bumped, &values).unwrap();
        let expected = expected.replace("\"aa\"", "\"bb\"").replace("cafe", "beef");
        assert_eq!(known, expected);
        assert_eq!(known_as(&recipe, &bumped, &[]).unwrap(), bumped);
    }

    #[test]
    fn what_a_variable_says_is_refused() {
        let text = TEXT.replace("expected-sha512: dd", "expected-sha512: ${{vars.known}}");
        let recipe = parse_recipe("zlib.yaml", &text).unwrap();
        let error = known_by(&recipe).unwrap_err().to_string();
        assert!(error.starts_with("zlib.yaml:20:28: "), "{error}");
        assert!(error.contains("by hand"), "{error}");
    }

    #[test]
    fn a_version_that_is_not_written_as_it_reads_is_refused_with_its_place() {
        let text = TEXT.replace("1.3.1", "\"1\\x2e3\"");
        let recipe = parse_recipe("zlib.yaml", &text).unwrap();
        let error = version(&recipe, &text, "1.4").unwrap_err().to_string();
        assert!(error.starts_with("zlib.yaml:4:12: "), "{error}");
        assert!(error.contains("without escapes"), "{error}");
    }
}
