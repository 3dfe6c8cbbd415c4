//! The leaves: text with a place, numbers, file modes, and the file all places are in.

use std::ops::Deref;
use std::sync::Arc;

use boltworks_yaml::edit::{Change, Unchangeable};
use boltworks_yaml::{Place, Spanned};
use serde::{Deserialize, Deserializer, de};

use crate::{Error, Problem};

/// Text as written, with its place. `3.10`, `true` and `0x1F` stay what they look like; null is
/// the empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Spanned<String>);

impl Text {
    /// No text, nowhere.
    pub(crate) const NOWHERE: Self = Self(Spanned::unplaced(String::new()));

    /// Text that was not read from a file.
    pub fn unplaced(text: impl Into<String>) -> Self {
        Self(Spanned::unplaced(text.into()))
    }

    /// Another text at the same place.
    pub(crate) fn with(&self, text: String) -> Self {
        let (line, column) = (self.line(), self.column());
        Self(Spanned {
            value: text,
            line,
            column,
        })
    }

    /// The change that puts another text there.
    pub(crate) fn change(&self, new: impl Into<String>) -> Change {
        Change {
            line: self.line(),
            column: self.column(),
            old: self.as_str().to_owned(),
            new: new.into(),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0.value
    }

    /// The line it starts on, from 1; 0 where unknown.
    pub const fn line(&self) -> u32 {
        self.0.line
    }

    /// The column it starts at, from 1; 0 where unknown.
    pub const fn column(&self) -> u32 {
        self.0.column
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Option<String>>::deserialize(deserializer)?;
        Ok(Self(spanned.map(Option::unwrap_or_default)))
    }
}

/// A whole number with its place.
pub type Number<T = u64> = Spanned<T>;

/// Permission bits of a path, `0o755`.
///
/// As apko reads them: `0o755` and `0755` are octal, `493` is decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// The number.
    pub bits: u32,
    /// Whether it is written like octal digits without their prefix (`755`, `644`, …): read as decimal
    /// it sets other bits than anybody meant.
    pub is_bare: bool,
}

impl Permissions {
    /// Octal spellings that people write without a prefix.
    const BARE: [&'static str; 22] = [
        "400", "440", "444", "500", "550", "555", "600", "640", "644", "660", "664", "666", "700",
        "710", "711", "750", "755", "770", "775", "777", "1777", "4755",
    ];

    fn parse(text: &str) -> Result<Self, String> {
        let octal = text.strip_prefix("0o").or_else(|| text.strip_prefix('0'));
        let bits = match octal {
            Some("") => Some(0),
            Some(digits) => {
                let (digits, base) = match digits.split_at_checked(1) {
                    Some(("x" | "X", digits)) => (digits, 16),
                    Some(("b" | "B", digits)) => (digits, 2),
                    _ => (digits, 8),
                };
                u32::from_str_radix(digits, base).ok()
            }
            None => text.parse().ok(),
        };
        match bits {
            Some(bits) if !text.contains(['+', '-']) => Ok(Self {
                bits,
                is_bare: Self::BARE.contains(&text),
            }),
            _ => Err(format!("'{text}' is no file mode: write it as 0o755")),
        }
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// The file something was read from, kept so that later errors can show the line. Where the file
/// includes others, those too: their lines are counted on from where the last one's end.
#[derive(Debug, Clone)]
pub struct Origin {
    own: Part,
    /// In the order of their lines.
    included: Arc<[Part]>,
}

/// One file of an origin.
#[derive(Debug, Clone)]
struct Part {
    file: Arc<str>,
    text: Arc<str>,
    /// So many lines are counted before its first one.
    above: u32,
}

impl Default for Origin {
    fn default() -> Self {
        Self::new("", "")
    }
}

impl PartialEq for Origin {
    /// Always equal: where something stands does not change what it says.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Origin {
    /// The file called `file` with this content.
    pub fn new(file: &str, text: &str) -> Self {
        Self {
            own: Part {
                file: Arc::from(file),
                text: Arc::from(text),
                above: 0,
            },
            included: Arc::from([]),
        }
    }

    /// The file, as the user called it.
    pub fn file(&self) -> &str {
        &self.own.file
    }

    /// Its content.
    pub fn text(&self) -> &str {
        &self.own.text
    }

    /// The line that the first of another file would have.
    pub(crate) fn end(&self) -> u32 {
        let last = self.included.last().unwrap_or(&self.own);
        let lines = u32::try_from(last.text.lines().count()).unwrap_or(u32::MAX);
        last.above.saturating_add(lines).saturating_add(1)
    }

    /// With another file, whose lines are counted from [`end`](Self::end) on.
    pub(crate) fn with(&self, file: &str, text: &str) -> Self {
        let part = Part {
            file: Arc::from(file),
            text: Arc::from(text),
            above: self.end(),
        };
        Self {
            own: self.own.clone(),
            included: self.included.iter().cloned().chain([part]).collect(),
        }
    }

    /// The file that a line is in, and which of its lines that is.
    fn part(&self, line: u32) -> (&Part, u32) {
        let within = self.included.iter().rev().find(|part| part.above < line);
        let part = within.unwrap_or(&self.own);
        (part, line.saturating_sub(part.above))
    }

    /// The place of a text.
    pub fn place(&self, text: &Text) -> Place {
        self.at(text.line(), text.column())
    }

    /// The place of a key, by its value's.
    pub(crate) fn place_of_key(&self, key: &str, value: &Text) -> Place {
        let (part, last) = self.part(value.line());
        let before = part.text.lines().zip(1..).take(last as usize);
        let mut found = None;
        for (line, number) in before {
            let end = if number == last {
                (value.column() as usize).saturating_sub(1)
            } else {
                usize::MAX
            };
            let end = line
                .char_indices()
                .nth(end)
                .map_or(line.len(), |(at, _)| at);
            let before = line.get(..end).unwrap_or_default();
            if let Some(at) = key_at(before, key) {
                found = Some((number, before.get(..at).unwrap_or_default().chars().count()));
            }
        }
        match found {
            Some((line, before)) => {
                let column = u32::try_from(before + 1).unwrap_or(u32::MAX);
                Place::new(&part.file, &part.text, line, column)
            }
            None => self.place(value),
        }
    }

    /// A place in the file; line and column count from 1.
    pub fn at(&self, line: u32, column: u32) -> Place {
        let (part, line) = self.part(line);
        Place::new(&part.file, &part.text, line, column)
    }

    /// That a text of the file cannot be changed.
    pub(crate) fn unchangeable(&self, fault: Unchangeable) -> Error {
        let place = self.at(fault.change.line, fault.change.column);
        let problem = Problem::Unchangeable {
            old: fault.change.old,
            reason: fault.reason,
        };
        Error::at(place, problem)
    }

    /// The place of a character of a text, counted from 1. White space may be written otherwise than it
    /// is read: folded text goes over many lines. Where more is written otherwise, the text's own place.
    pub fn place_within(&self, text: &Text, at: usize) -> Place {
        self.walk_to(text, at)
            .unwrap_or_else(|| self.place_of(text, text))
    }

    fn walk_to(&self, text: &Text, at: usize) -> Option<Place> {
        let (part, line) = self.part(text.line());
        let at_once = |line, column| Place::new(&part.file, &part.text, line, column);
        let mut walk = Walk::from(&part.text, line, text.column())?;
        if matches!(walk.next(), Some('"' | '\'')) && walk.next() != text.chars().next() {
            walk.step();
        }
        // What is expected behind the end is missing there.
        let mut place = (walk.line, walk.column);
        for (number, c) in (1..).zip(text.chars()) {
            if c.is_whitespace() {
                if number == at {
                    break;
                }
                continue;
            }
            walk.skip_white();
            if walk.next() != Some(c) {
                return None;
            }
            if number == at {
                return Some(at_once(walk.line, walk.column));
            }
            walk.step();
            place = (walk.line, walk.column);
        }
        Some(at_once(place.0, place.1))
    }

    /// The place of `part` within a text that may go over many lines.
    pub fn place_of(&self, text: &Text, part: &str) -> Place {
        let (line, column) = self.spot_of(text, part);
        self.at(line, column)
    }

    /// The same, as line and column that [`at`](Self::at) takes.
    pub(crate) fn spot_of(&self, text: &Text, part: &str) -> (u32, u32) {
        let (own, line) = self.part(text.line());
        let first = (line as usize).saturating_sub(1);
        let most = text.as_str().lines().count().saturating_add(1);
        let found = own
            .text
            .lines()
            .enumerate()
            .skip(first)
            .take(most)
            .find_map(|(line, body)| {
                let from = if line == first {
                    byte_of(body, text.column())
                } else {
                    0
                };
                let at = from + body.get(from..)?.find(part)?;
                Some((line, body.get(..at)?.chars().count()))
            });
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        match found {
            Some((line, column)) if text.line() > 0 => (
                narrow(line + 1).saturating_add(own.above),
                narrow(column + 1),
            ),
            _ => (text.line(), text.column()),
        }
    }
}

/// Walks a file's text character by character.
struct Walk<'a> {
    rest: std::str::Chars<'a>,
    line: u32,
    column: u32,
}

impl<'a> Walk<'a> {
    /// From a place on.
    fn from(text: &'a str, line: u32, column: u32) -> Option<Self> {
        let skipped: usize = text
            .split_inclusive('\n')
            .take((line as usize).checked_sub(1)?)
            .map(str::len)
            .sum();
        let body = text.get(skipped..)?;
        let start = byte_of(body.lines().next()?, column);
        Some(Self {
            rest: body.get(start..)?.chars(),
            line,
            column,
        })
    }

    fn next(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn step(&mut self) {
        if self.rest.next() == Some('\n') {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
    }

    fn skip_white(&mut self) {
        while self.next().is_some_and(char::is_whitespace) {
            self.step();
        }
    }
}

fn byte_of(line: &str, column: u32) -> usize {
    line.char_indices()
        .nth((column as usize).saturating_sub(1))
        .map_or(line.len(), |(byte, _)| byte)
}

/// Where a line has a key for the last time, in bytes.
fn key_at(line: &str, key: &str) -> Option<usize> {
    let is_mark = |c: char| c.is_whitespace() || "{,'\"".contains(c);
    let found = line.rmatch_indices(key).find(|(at, _)| {
        let (before, after) = (line.get(..*at), line.get(at + key.len()..));
        let after = after.map(|after| after.trim_start_matches(['\'', '"', ' ']));
        before.is_some_and(|before| before.is_empty() || before.ends_with(is_mark))
            && after.is_some_and(|after| after.starts_with(':'))
    });
    found.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_octal_unless_they_say_otherwise() {
        let check = |text: &str, bits: Option<u32>| {
            assert_eq!(
                Permissions::parse(text).ok().map(|found| found.bits),
                bits,
                "{text}"
            );
        };
        check("0o755", Some(0o755));
        check("0755", Some(0o755));
        check("493", Some(0o755));
        check("0", Some(0));
        check("0o1777", Some(0o1777));
        check("755", Some(755));
        check("0o799", None);
        check("0x1ed", Some(0o755));
        check("0b111101101", Some(0o755));
        check("0é", None);
        check("0+7", None);
        check("-1", None);
        check("rwx", None);
        let is_bare = |text: &str| Permissions::parse(text).unwrap().is_bare;
        assert!(is_bare("755") && is_bare("1777"));
        assert!(!is_bare("493") && !is_bare("0o755") && !is_bare("511"));
    }
}
