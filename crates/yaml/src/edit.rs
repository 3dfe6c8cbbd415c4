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

/// Adds items to a list, after the item that a scalar is in: of each the lines, the first of which
/// begins with what follows the dash. [`Change::new`] does not count.
///
/// The list must have its items on lines of their own.
pub fn append_items(
    text: &str,
    inside: &Change,
    items: &[Vec<String>],
) -> Result<String, Unchangeable> {
    let token = token(text, inside)?;
    let before = text.get(..token.start).unwrap_or_default();
    let dash = dash_of(before);
    let dash = dash.ok_or_else(|| refuse(inside, "it is in no list with a line for each item"))?;
    // Downwards to what is no more of it; blank lines and comments before that are not either.
    let mut end = text.len();
    let mut at = text
        .get(token.end..)
        .and_then(|after| after.find('\n'))
        .map_or(text.len(), |found| token.end + found + 1);
    let mut last = at;
    for line in text.get(at..).unwrap_or_default().split_inclusive('\n') {
        let is_blank = line.trim().is_empty();
        if !is_blank && depth(line) <= dash {
            end = at;
            break;
        }
        at += line.len();
        if !is_blank {
            last = at;
        }
    }
    let last = last.min(end);
    let (kept, rest) = text.split_at_checked(last).unwrap_or((text, ""));
    let mut edited = kept.to_owned();
    if !edited.ends_with('\n') {
        edited.push('\n');
    }
    push_items(&mut edited, dash, items);
    edited.push_str(rest);
    Ok(edited)
}

/// Writes items whose dashes stand so far in.
fn push_items(text: &mut String, dash: usize, items: &[Vec<String>]) {
    for item in items {
        for (number, line) in item.iter().enumerate() {
            let mark = if number == 0 { "- " } else { "  " };
            for part in [" ".repeat(dash).as_str(), mark, line, "\n"] {
                text.push_str(part);
            }
        }
    }
}

/// How far in the dash of an item stands, of which this text ends within the first scalars.
fn dash_of(before: &str) -> Option<usize> {
    let mut lines = before.split('\n').rev();
    let own = lines.next()?;
    if own.trim_start().starts_with("- ") {
        return Some(depth(own));
    }
    // The dash stands farther left than everything of its item, and so does nothing else of it.
    let is_other = |line: &&str| {
        let text = line.trim_start();
        !text.is_empty() && !text.starts_with('#') && depth(line) < depth(own)
    };
    let line = lines.find(is_other)?;
    line.trim_start().starts_with("- ").then(|| depth(line))
}

/// How many spaces a line begins with.
fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Adds a key with a list after the line that a scalar ends on, as deep as its own key.
/// [`Change::new`] does not count.
pub fn add_list(
    text: &str,
    beside: &Change,
    (key, items): (&str, &[Vec<String>]),
) -> Result<String, Unchangeable> {
    let token = token(text, beside)?;
    let start = text
        .get(..token.start)
        .and_then(|before| before.rfind('\n'));
    let line = text.get(start.map_or(0, |at| at + 1)..).unwrap_or_default();
    let own = depth(line);
    if own == 0
        || !line
            .trim_start()
            .starts_with(|c: char| c.is_ascii_alphabetic())
    {
        return Err(refuse(beside, "its map has no line for each key"));
    }
    let end = text.get(token.end..).and_then(|after| after.find('\n'));
    let (kept, rest) = end
        .and_then(|at| text.split_at_checked(token.end + at + 1))
        .unwrap_or((text, ""));
    let mut edited = kept.to_owned();
    if !edited.ends_with('\n') {
        edited.push('\n');
    }
    let indent = " ".repeat(own);
    for part in [indent.as_str(), key, ":\n"] {
        edited.push_str(part);
    }
    push_items(&mut edited, own + 2, items);
    edited.push_str(rest);
    Ok(edited)
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

    #[test]
    fn items_are_added_after_the_last() {
        let text = "p:\n  c:\n    # why\n    - l: MIT # so\n      a: |\n        one\n\n        two\n    # end\n\n  d: 1\n";
        let items = [
            vec!["l: Zlib".to_owned(), "f: x".to_owned()],
            vec!["l: ISC".to_owned()],
        ];
        let inside = change(4, 10, "MIT", "");
        let more = "    - l: Zlib\n      f: x\n    - l: ISC\n";
        let expected = text.replace("        two\n", &format!("        two\n{more}"));
        assert_eq!(append_items(text, &inside, &items).unwrap(), expected);
        // The scalar need not be the item's first, and the list may be the last thing there is.
        let text = "c:\n- f:\n  - y\n  l: MIT";
        let added = append_items(text, &change(4, 6, "MIT", ""), &items[1..]).unwrap();
        assert_eq!(added, "c:\n- f:\n  - y\n  l: MIT\n- l: ISC\n");
        for (text, column) in [("c: [{l: MIT}]\n", 9), ("- a\n- b:\nc:\n  l: MIT", 6)] {
            let line = u32::try_from(text.lines().count()).unwrap();
            let inside = change(line, column, "MIT", "");
            assert!(append_items(text, &inside, &items).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_is_added_beside_a_key() {
        let items = [vec!["l: MIT".to_owned(), "f: x".to_owned()]];
        let text = "p:\n  n: x # name\n  d: 1\n";
        let added = add_list(text, &change(2, 6, "x", ""), ("c", &items)).unwrap();
        let more = "  c:\n    - l: MIT\n      f: x\n";
        assert_eq!(added, text.replace("  d", &format!("{more}  d")));
        assert!(add_list("p: {n: x}\n", &change(1, 8, "x", ""), ("c", &items)).is_err());
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
