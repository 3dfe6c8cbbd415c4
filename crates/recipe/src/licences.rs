//! Licences that a recipe does not name yet, written into its text: not a comment or blank line else
//! changes.

use boltworks_yaml::edit::{Change, add_list, append_items, replace};

use crate::Error;
use crate::parsed::{Recipe, Text};

/// A licence to be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// An SPDX expression.
    pub license: String,
    /// The file that holds its text.
    pub path: Option<String>,
}

/// The text with an entry of `copyright` for each of these, after those that there are.
pub fn added(recipe: &Recipe, text: &str, additions: &[Addition]) -> Result<String, Error> {
    if additions.is_empty() {
        return Ok(text.to_owned());
    }
    let items: Vec<Vec<String>> = additions.iter().map(item).collect();
    let edited = if let Some(license) = named(recipe).next_back() {
        append_items(text, &license.change(""), &items)
    } else {
        let epoch = &recipe.package.epoch;
        let beside = Change {
            line: epoch.line,
            column: epoch.column,
            old: epoch.value.to_string(),
            new: String::new(),
        };
        add_list(text, &beside, ("copyright", &items))
    };
    edited.map_err(|fault| recipe.origin.unchangeable(fault))
}

/// The text in which the first entry of `copyright` names all of these too, joined by `AND`.
pub fn joined(recipe: &Recipe, text: &str, additions: &[Addition]) -> Result<String, Error> {
    let Some(license) = named(recipe).next().filter(|_| !additions.is_empty()) else {
        let all: Vec<&str> = additions.iter().map(|one| one.license.as_str()).collect();
        let together = Addition {
            license: conjunction(&all),
            path: None,
        };
        let additions = if all.is_empty() {
            vec![]
        } else {
            vec![together]
        };
        return added(recipe, text, &additions);
    };
    let mut all = vec![license.as_str()];
    all.extend(additions.iter().map(|one| one.license.as_str()));
    let change = license.change(conjunction(&all));
    replace(text, &[change]).map_err(|fault| recipe.origin.unchangeable(fault))
}

/// The licences that entries name.
fn named(recipe: &Recipe) -> impl DoubleEndedIterator<Item = &Text> {
    let entries = recipe.package.copyright.iter();
    entries
        .map(|entry| &entry.license)
        .filter(|license| !license.is_empty())
}

fn conjunction(all: &[&str]) -> String {
    let bracketed = all.iter().map(|one| {
        // Brackets at its beginning may end before its last alternative: `(A AND B) OR C`.
        if all.len() > 1 && one.to_ascii_uppercase().contains(" OR ") {
            format!("({one})")
        } else {
            (*one).to_owned()
        }
    });
    bracketed.collect::<Vec<_>>().join(" AND ")
}

fn item(addition: &Addition) -> Vec<String> {
    let mut lines = vec![format!("license: {}", scalar(&addition.license))];
    lines.extend(
        addition
            .path
            .iter()
            .map(|path| format!("license-path: {}", scalar(path))),
    );
    lines
}

/// A text as a scalar: plain where it may be, else in double quotes, which JSON's are (YAML 1.2, 7.3.1).
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-/()".contains(c);
    let words = text.split(' ');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && words
            .clone()
            .all(|word| !word.is_empty() && word.chars().all(is_plain));
    if is_plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_recipe;

    const TEXT: &str = "# top\npackage:\n  name: x\n  version: 1\n  epoch: 0 # first\n  copyright:\n    # mine\n    - license: MIT # so\n\npipeline: []\n";

    fn addition(license: &str, path: &str) -> Addition {
        Addition {
            license: license.to_owned(),
            path: Some(path.to_owned()).filter(|path| !path.is_empty()),
        }
    }

    fn licences(text: &str) -> Vec<String> {
        let recipe = parse_recipe("x.yaml", text).unwrap();
        let entries = recipe.package.copyright.iter();
        entries.map(|one| one.license.to_string()).collect()
    }

    #[test]
    fn licences_are_added_and_nothing_else_changes() {
        let recipe = parse_recipe("x.yaml", TEXT).unwrap();
        let more = [addition("Zlib", "doc/LICENCE 1"), addition("ISC", "")];
        let text = added(&recipe, TEXT, &more).unwrap();
        let lines = "    - license: Zlib\n      license-path: doc/LICENCE 1\n    - license: ISC\n";
        assert_eq!(text, TEXT.replace("# so\n", &format!("# so\n{lines}")));
        assert_eq!(licences(&text), ["MIT", "Zlib", "ISC"]);
        assert_eq!(added(&recipe, TEXT, &[]).unwrap(), TEXT);
        let text = joined(
            &recipe,
            TEXT,
            &[addition("A OR B", ""), addition("ISC", "")],
        )
        .unwrap();
        assert_eq!(licences(&text), ["MIT AND (A OR B) AND ISC"]);
        let part = [addition("(A AND B) OR C", "")];
        let text = joined(&recipe, TEXT, &part).unwrap();
        assert_eq!(licences(&text), ["MIT AND ((A AND B) OR C)"]);
        assert!(text.contains("# so\n"), "{text}");

        let without = TEXT.replace("  copyright:\n    # mine\n    - license: MIT # so\n", "");
        let recipe = parse_recipe("x.yaml", &without).unwrap();
        let text = added(&recipe, &without, &[addition("Zlib", "- odd: \"name\"")]).unwrap();
        assert_eq!(licences(&text), ["Zlib"]);
        assert!(
            text.contains("  epoch: 0 # first\n  copyright:\n"),
            "{text}"
        );
        let text = joined(
            &recipe,
            &without,
            &[addition("Zlib", "x"), addition("ISC", "")],
        )
        .unwrap();
        assert_eq!(licences(&text), ["Zlib AND ISC"]);

        let flow = TEXT.replace(
            "\n    # mine\n    - license: MIT # so\n",
            " [{license: MIT}]\n",
        );
        let recipe = parse_recipe("x.yaml", &flow).unwrap();
        let error = added(&recipe, &flow, &more).unwrap_err().to_string();
        assert!(error.starts_with("x.yaml:6:25: "), "{error}");
    }
}
