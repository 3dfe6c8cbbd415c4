//! Scalars of a text replaced where they stand; not a comment, quote or blank line else changes.
//!
//! A place is what [`Spanned`](crate::Spanned) tells. What stands there must be what was read: a
//! text that changed meanwhile is refused, and so is a scalar that is not written as it reads
//! (with escapes, over several lines).

use std::fmt;
use std::ops::Range;

/// One scalar to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The line it stands on, from 1.
    pub line: u32,
    /// The column it starts at, in characters, from 1.
    pub column: u32,
    /// What was read there.
    pub old: String,
    /// What is to be there.
    pub new: String,
}

/// A scalar that cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchangeable {
    /// The one.
    pub change: Change,
    /// Why not.
    pub reason: &'static str,
}

impl fmt::Display for Unchangeable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change {
            line, column, old, ..
        } = &self.change;
        write!(
            f,
            "line {line}, column {column}: replace '{old}': {}",
            self.reason
        )
    }
}

impl std::error::Error for Unchangeable {}

/// Makes all changes, or none. Quotes stay; a plain scalar is quoted if the new text needs it.
pub fn replace(text: &str, changes: &[Change]) -> Result<String, Unchangeable> {
    let mut ranges = changes
        .iter()
        .map(|change| Ok((token(text, change)?, change)))
        .collect::<Result<Vec<_>, Unchangeable>>()?;
    ranges.sort_by_key(|(range, _)| range.start);
    let mut edited = String::with_capacity(text.len());
    let mut done = 0;
    for (range, change) in ranges {
        let Some(before) = text.get(done..range.start) else {
            return Err(refuse(change, "another change is made at the same place"));
        };
        edited.push_str(before);
        let old = text.get(range.clone()).unwrap_or_default();
        edited.push_str(&written(old, change)?);
        done = range.end;
    }
    edited.push_str(text.get(done..).unwrap_or_default());
    Ok(edited)
}

/// Removes items of lists, with their lines: all of them, or none. [`Change::new`] does not count.
///
/// Only an item that has a line of its own, with nothing else on it, can be removed: a comment
/// there is somebody's.
pub fn remove_items(text: &str, items: &[Change]) -> Result<String, Unchangeable> {
    let mut ranges = Vec::new();
    for item in items {
        let token = token(text, item)?;
        let start = text
            .get(..token.start)
            .and_then(|before| before.rfind('\n'));
        let start = start.map_or(0, |at| at + 1);
        let end = text.get(token.end..).and_then(|after| after.find('\n'));
        let end = end.map_or(text.len(), |at| token.end + at + 1);
        let before = text.get(start..token.start).unwrap_or_default();
        let after = text.get(token.end..end).unwrap_or_default();
        if before.trim() != "-" || !after.trim().is_empty() {
            return Err(refuse(item, "it has no line of its own"));
        }
        ranges.push(start..end);
    }
    ranges.sort_by_key(|range| range.start);
    ranges.dedup();
    let mut kept = String::with_capacity(text.len());
    let mut done = 0;
    for range in ranges {
        kept.push_str(text.get(done..range.start).unwrap_or_default());
        done = range.end;
    }
    kept.push_str(text.get(done..).unwrap_or_default());
    Ok(kept)
}

fn refuse(change: &Change, reason: &'static str) -> Unchangeable {
    Unchangeable {
        change: change.clone(),
        reason,
    }
}

/// The bytes of a scalar, its quotes included.
fn token(text: &str, change: &Change) -> Result<Range<usize>, Unchangeable> {
    const CHANGED: &str = "the text has something else there";
    let start = offset(text, change.line, change.column).ok_or_else(|| refuse(change, CHANGED))?;
    let rest = text.get(start..).unwrap_or_default();
    let quote = rest
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''));
    let inside = quote.map_or(rest, |quote| rest.trim_start_matches(quote));
    let Some(after) = inside.strip_prefix(change.old.as_str()) else {
        let is_block = rest.starts_with(['|', '>']);
        let reason = if is_block || quote.is_some() {
            "it is not written there as it reads: write it on one line, without escapes"
        } else {
            CHANGED
        };
        return Err(refuse(change, reason));
    };
    let is_end = match quote {
        Some(quote) => after.starts_with(quote),
        None => after.is_empty() || after.starts_with(['\n', '\r', ' ', '\t', ',', ']', '}']),
    };
    if change.old.is_empty() || !is_end {
        return Err(refuse(change, CHANGED));
    }
    let quotes = if quote.is_some() { 2 } else { 0 };
    Ok(start..start + change.old.len() + quotes)
}

/// Where a place is in the text.
fn offset(text: &str, line: u32, column: u32) -> Option<usize> {
    let line = usize::try_from(line).ok()?.checked_sub(1)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let start = match line {
        0 => 0,
        line => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let mut characters = text.get(start..)?.char_indices();
    Some(start + characters.nth(column)?.0)
}

/// The new text in the place of a token.
fn written(old: &str, change: &Change) -> Result<String, Unchangeable> {
    let new = change.new.as_str();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-~/@=".contains(c);
    let may_stand_plain =
        new.starts_with(|c: char| c.is_ascii_alphanumeric()) && new.chars().all(is_plain);
    let quote = match old
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))
    {
        None if may_stand_plain => return Ok(new.to_owned()),
        None => '"',
        Some(quote) => quote,
    };
    if new.contains(['"', '\'', '\\']) || new.contains(char::is_control) {
        return Err(refuse(
            change,
            "the new text has quotes or control characters in it",
        ));
    }
    Ok(format!("{quote}{new}{quote}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Spanned, parse};

    fn change(line: u32, column: u32, old: &str, new: &str) -> Change {
        Change {
            line,
            column,
            old: old.to_owned(),
            new: new.to_owned(),
        }
    }

    #[test]
    fn only_the_scalars_change() {
        let text = "# zlib\r\na: 1.2.3   # the version\n\nb:\n  - {c: 'x y', d: 4}\nü: \"1.2.3\"\n";
        let edited = replace(
            text,
            &[
                change(5, 19, "4", "10"),
                change(6, 4, "1.2.3", "1.3"),
                change(2, 4, "1.2.3", "1.3"),
                change(5, 9, "x y", "z"),
            ],
        );
        assert_eq!(
            edited.unwrap(),
            "# zlib\r\na: 1.3   # the version\n\nb:\n  - {c: 'z', d: 10}\nü: \"1.3\"\n"
        );
        assert_eq!(
            replace("a: 1", &[change(1, 4, "1", "# x")]).unwrap(),
            "a: \"# x\""
        );
    }

    #[test]
    fn what_is_not_as_it_was_read_stays() {
        let refused = |text: &str, change| replace(text, &[change]).unwrap_err().reason;
        for (text, column) in [("a: 12", 4), ("a: 2", 4), ("a: 1", 9), ("b: \"12\"", 4)] {
            let reason = refused(text, change(1, column, "1", "3"));
            assert!(reason.contains("something else"), "{text}: {reason}");
        }
        for text in ["a: |\n  1\n", "a: \"\\x31\""] {
            let reason = refused(text, change(1, 4, "1", "3"));
            assert!(reason.contains("as it reads"), "{text}: {reason}");
        }
        assert!(refused("a: 1", change(1, 4, "1", "\"")).contains("quotes"));
        let twice = [change(1, 4, "1", "2"), change(1, 4, "1", "3")];
        assert!(replace("a: 1", &twice).is_err());
        assert!(replace("a: 1", &[change(0, 4, "1", "2")]).is_err());
        assert!(replace("a: 1", &[change(9, 1, "1", "2")]).is_err());
    }

    #[test]
    fn an_item_goes_with_its_line() {
        let text = "a:\n  - b\n  # c\n  - d # d\n  - b\n  - [b]\n  - b";
        let removed = |line, column, old| remove_items(text, &[change(line, column, old, "")]);
        assert_eq!(
            removed(5, 5, "b").unwrap(),
            "a:\n  - b\n  # c\n  - d # d\n  - [b]\n  - b"
        );
        let both = [change(5, 5, "b", ""), change(7, 5, "b", "")];
        let left = "a:\n  - b\n  # c\n  - d # d\n  - [b]\n";
        assert_eq!(remove_items(text, &both).unwrap(), left);
        for (line, column, old) in [(4, 5, "d"), (6, 6, "b"), (1, 1, "a")] {
            assert!(removed(line, column, old).is_err(), "{line}");
        }
    }

    proptest! {
        /// What was replaced reads as the new text, in every style of writing.
        #[test]
        fn what_is_written_is_read(
            old in "[a-z0-9][a-z0-9.]{0,8}",
            new in "[a-z0-9#:, .~-]{1,12}",
            style in 0..4_usize,
        ) {
            #[derive(Debug, serde::Deserialize)]
            struct Document {
                key: Spanned<String>,
            }
            prop_assume!(new.trim() == new);
            let text = match style {
                0 => format!("# c\nkey: {old} # c\n"),
                1 => format!("key:   \"{old}\"\n"),
                2 => format!("{{ key: '{old}' }}"),
                _ => format!("{{ key: {old} }}"),
            };
            let key = parse::<Document>("x", &text).unwrap().key;
            prop_assert_eq!(&key.value, &old);
            let edited = replace(&text, &[change(key.line, key.column, &old, &new)]).unwrap();
            prop_assert_eq!(parse::<Document>("x", &edited).unwrap().key.value, new);
        }
    }
}
