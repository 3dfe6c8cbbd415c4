//! What is put right without a change of meaning.

use std::collections::BTreeSet;

use boltworks_yaml::edit::{Change, remove_items, replace};

use super::Finding;
use crate::parsed::Text;

/// How one finding is put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// A text becomes another one.
    Text(Change),
    /// An item of a list goes, with its line.
    Item(Change),
}

impl Fix {
    /// A text becomes another one.
    pub(super) fn text(text: &Text, new: String) -> Self {
        Self::Text(text.change(new))
    }

    /// An item goes.
    pub(super) fn item(text: &Text) -> Self {
        Self::Item(text.change(""))
    }
}

/// A text in which what was found is put right, and the numbers of the findings that are.
///
/// `is_same` says whether a text still means the same: what would change that is left alone, and so
/// is what is not written plainly. Comments, blank lines and all else stay.
pub fn fixed(
    text: &str,
    findings: &[Finding],
    is_same: impl Fn(&str) -> bool,
) -> (String, BTreeSet<usize>) {
    let fixes: Vec<(usize, &Fix)> = findings
        .iter()
        .enumerate()
        .filter_map(|(number, finding)| Some((number, finding.spot.fix.as_ref()?)))
        .collect();
    if fixes.is_empty() {
        return (text.to_owned(), BTreeSet::new());
    }
    let numbers = |fixes: &[(usize, &Fix)]| fixes.iter().map(|(number, _)| *number).collect();
    if let Some(whole) = applied(text, &fixes).filter(|whole| is_same(whole)) {
        return (whole, numbers(&fixes));
    }
    // Not all at once: then those that can be, each for itself.
    let mut kept: Vec<(usize, &Fix)> = Vec::new();
    let mut best = text.to_owned();
    for fix in fixes {
        kept.push(fix);
        match applied(text, &kept).filter(|whole| is_same(whole)) {
            Some(whole) => best = whole,
            None => drop(kept.pop()),
        }
    }
    (best, numbers(&kept))
}

/// Texts first: they change no line's number.
fn applied(text: &str, fixes: &[(usize, &Fix)]) -> Option<String> {
    let (mut texts, mut items) = (Vec::new(), Vec::new());
    for (_, fix) in fixes {
        match fix {
            Fix::Text(change) => texts.push(change.clone()),
            Fix::Item(change) => items.push(change.clone()),
        }
    }
    let text = replace(text, &texts).ok()?;
    remove_items(&text, &items).ok()
}
