//! Licence lines of recipes and packages as valid SPDX expressions.

use std::collections::{BTreeMap, BTreeSet};

use spdx::{Expression, LicenseItem, ParseMode};

use crate::Hash;
use crate::ident::sanitized;
use crate::spdx::ExtractedLicence;

/// What SPDX writes where nothing is claimed.
pub const NO_ASSERTION: &str = "NOASSERTION";

/// GNU's old names (`GPL-2.0+`) are read; guesses such as `apache2` are not.
pub(crate) const MODE: ParseMode = ParseMode {
    allow_slash_as_or_operator: false,
    allow_imprecise_license_names: false,
    allow_postfix_plus_on_gpl: true,
    allow_deprecated: true,
    allow_unknown: false,
};

/// A package's licences, ready for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// A valid SPDX expression, or `NOASSERTION`.
    pub expression: String,
    /// What the expression's `LicenseRef-` identifiers stand for.
    pub extracted: Vec<ExtractedLicence>,
    /// One line for each text that was no valid expression.
    pub notes: Vec<String>,
}

impl Licence {
    /// Reads a package's licence lines; several mean that all of them apply.
    ///
    /// A line that is no valid expression becomes one `LicenseRef-` that carries the line as
    /// it was; a line that says nothing is left out. Both leave a note. Without any line left
    /// the licence is `NOASSERTION`.
    pub fn read<S: AsRef<str>>(lines: &[S], hash: Hash) -> Self {
        let mut terms: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut extracted = BTreeMap::new();
        let mut notes = Vec::new();
        for line in lines {
            let line = line.as_ref().trim();
            if matches!(
                line.to_ascii_lowercase().as_str(),
                "" | "unknown" | "none" | "noassertion"
            ) {
                notes.push(format!("the licence '{line}' says nothing"));
                continue;
            }
            let term = valid(line, &mut extracted).unwrap_or_else(|| {
                let id = reference(line, hash);
                notes.push(format!(
                    "the licence '{}' is no SPDX expression: {id}",
                    short(line)
                ));
                let text = format!("The package states its licence as: {line}");
                extracted.insert(id.clone(), text);
                id
            });
            if seen.insert(term.clone()) {
                terms.push(term);
            }
        }
        let bracketed = |term: &String| match terms.len() {
            2.. if term.to_ascii_uppercase().contains(" OR ") => format!("({term})"),
            _ => term.clone(),
        };
        let mut expression = terms
            .iter()
            .map(bracketed)
            .collect::<Vec<_>>()
            .join(" AND ");
        if expression.is_empty() {
            expression.push_str(NO_ASSERTION);
        }
        let extracted = extracted
            .into_iter()
            .map(|(id, text)| ExtractedLicence::new(id, text));
        Self {
            expression,
            extracted: extracted.collect(),
            notes,
        }
    }
}

/// The line as an expression that a strict reader takes, its references noted; `None` if it is none.
fn valid(line: &str, extracted: &mut BTreeMap<String, String>) -> Option<String> {
    if line.len() > 4096 {
        return None;
    }
    Expression::parse_mode(line, MODE).ok()?;
    let canonical = Expression::canonicalize(line)
        .ok()?
        .unwrap_or_else(|| line.to_owned());
    let parsed = Expression::parse_mode(&canonical, MODE).ok()?;
    let mut references = BTreeMap::new();
    for requirement in parsed.requirements() {
        if requirement
            .req
            .addition
            .as_ref()
            .is_some_and(|addition| addition.id().is_none())
        {
            return None; // an `AdditionRef-`, which SPDX 2.3 does not know
        }
        if let LicenseItem::Other(reference) = &requirement.req.license {
            if reference.doc_ref.is_some() {
                return None; // of another document, which is not at hand
            }
            let text = "The package's own licence of this name; its text is with its sources.";
            references.insert(reference.to_string(), text.to_owned());
        }
    }
    // Not `append`, which makes the whole map anew.
    extracted.extend(references);
    Some(canonical)
}

/// A `LicenseRef-` for a line that is no expression: readable, and not another line's.
fn reference(line: &str, hash: Hash) -> String {
    let mut name = sanitized(&line.replace(|character: char| character.is_whitespace(), "-"));
    name.truncate(64);
    let digest = hash(line.as_bytes()).to_string();
    let tail = digest.get(..8).unwrap_or_default();
    format!("LicenseRef-{name}-{tail}")
}

fn short(line: &str) -> String {
    line.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::package::tests::toy_hash;

    fn check(lines: &[&str]) -> String {
        let licence = Licence::read(lines, toy_hash);
        let ids: Vec<&str> = licence
            .extracted
            .iter()
            .map(|one| one.license_id.as_str())
            .collect();
        format!(
            "{} | {} | {}",
            licence.expression,
            ids.join(", "),
            licence.notes.join("; ")
        )
    }

    #[test]
    fn good_lines_stay_and_bad_ones_are_kept_as_references() {
        insta::assert_snapshot!(check(&["MIT"]), @"MIT |  |");
        insta::assert_snapshot!(check(&["MIT OR Apache-2.0", "Zlib", "MIT OR Apache-2.0"]), @"(MIT OR Apache-2.0) AND Zlib |  |");
        insta::assert_snapshot!(check(&["GPL-2.0+", "GPL-2.0"]), @"GPL-2.0-or-later AND GPL-2.0-only |  |");
        insta::assert_snapshot!(check(&["GPL-2.0-or-later WITH GCC-exception-2.0"]), @"GPL-2.0-or-later WITH GCC-exception-2.0 |  |");
        insta::assert_snapshot!(check(&["LicenseRef-ours AND MIT"]), @"LicenseRef-ours AND MIT | LicenseRef-ours |");
        insta::assert_snapshot!(check(&["Public Domain & friends", "BSD"]), @"LicenseRef-Public-Domain-C38-friends-62f90cc6 AND LicenseRef-BSD-2cdfee5a | LicenseRef-BSD-2cdfee5a, LicenseRef-Public-Domain-C38-friends-62f90cc6 | the licence 'Public Domain & friends' is no SPDX expression: LicenseRef-Public-Domain-C38-friends-62f90cc6; the licence 'BSD' is no SPDX expression: LicenseRef-BSD-2cdfee5a");
        insta::assert_snapshot!(check(&["apache2"]), @"LicenseRef-apache2-6d426d2f | LicenseRef-apache2-6d426d2f | the licence 'apache2' is no SPDX expression: LicenseRef-apache2-6d426d2f");
        insta::assert_snapshot!(check(&["unknown", ""]), @"NOASSERTION |  | the licence 'unknown' says nothing; the licence '' says nothing");
        insta::assert_snapshot!(check(&[]), @"NOASSERTION |  |");
        insta::assert_snapshot!(check(&["DocumentRef-x:LicenseRef-y"]), @"LicenseRef-DocumentRef-xC58LicenseRef-y-eea32ff9 | LicenseRef-DocumentRef-xC58LicenseRef-y-eea32ff9 | the licence 'DocumentRef-x:LicenseRef-y' is no SPDX expression: LicenseRef-DocumentRef-xC58LicenseRef-y-eea32ff9");
    }

    #[test]
    fn many_lines_are_read_quickly() {
        let lines: Vec<String> = (0..100_000).map(|at| format!("LicenseRef-{at}")).collect();
        assert_eq!(Licence::read(&lines, toy_hash).extracted.len(), lines.len());
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_valid(lines in proptest::collection::vec("[ -~]{0,24}|MIT|GPL-2.0\\+|\\(MIT OR X11\\)", 0..4)) {
            let licence = Licence::read(&lines, toy_hash);
            if licence.expression != NO_ASSERTION {
                let parsed = Expression::parse_mode(&licence.expression, MODE);
                prop_assert!(parsed.is_ok(), "{}", licence.expression);
                for requirement in parsed.unwrap().requirements() {
                    if let LicenseItem::Other(reference) = &requirement.req.license {
                        let id = reference.to_string();
                        prop_assert!(licence.extracted.iter().any(|one| one.license_id == id));
                    }
                }
            }
        }
    }
}
