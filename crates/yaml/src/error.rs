//! What was wrong, where, and what to write instead.

use std::fmt;

use serde_saphyr::Error as Inner;
use serde_saphyr::budget::BudgetBreach;

use crate::suggest::closest;

/// A place in a file a user wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user called it.
    pub file: String,
    /// The line, from 1; 0 where only the file is known.
    pub line: u32,
    /// The column in characters, from 1; 0 where only the line is known.
    pub column: u32,
    /// The line itself, cut to [`Place::SNIPPET_CHARS`] characters.
    pub snippet: String,
}

impl Place {
    /// The most characters of a line that are kept.
    pub const SNIPPET_CHARS: usize = 240;

    /// The place at `line` and `column` of `text`, which is the content of `file`.
    pub fn new(file: &str, text: &str, line: u32, column: u32) -> Self {
        let snippet = (line as usize)
            .checked_sub(1)
            .and_then(|index| text.lines().nth(index))
            .unwrap_or_default()
            .trim_end()
            .chars()
            .take(Self::SNIPPET_CHARS)
            .map(|c| {
                if c.is_control() && c != '\t' {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect();
        Self {
            file: file.to_owned(),
            line,
            column,
            snippet,
        }
    }
}

impl fmt::Display for Place {
    /// `file:line:column`, as far as they are known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// Why a file is not what it should be.
///
/// Shown as `file:line:column: message; did you mean 'x'?`, a lower-case fragment on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::error_impl_error,
    reason = "the one error of this room, named as every room names its own"
)]
pub struct Error {
    /// The file, as the user called it.
    pub file: String,
    /// The line, from 1; 0 where only the file is known.
    pub line: u32,
    /// The column in characters, from 1; 0 where only the line is known.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// The offending line.
    pub snippet: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

impl Error {
    /// An error at a place.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        let Place {
            file,
            line,
            column,
            snippet,
        } = place;
        Self {
            file,
            line,
            column,
            message: message.into(),
            snippet,
            suggestion: None,
        }
    }

    /// The same error with what to write instead.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        Place {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            snippet: self.snippet.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean '{suggestion}'?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// From the reader's error to ours: our words, the place, the nearest known name.
pub(crate) fn explain(file: &str, text: &str, error: &Inner) -> Error {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (line, column) = error.location().map_or((0, 0), |location| {
        (narrow(location.line()), narrow(location.column()))
    });
    let (message, suggestion) = words(error);
    Error::new(Place::new(file, text, line, column), message).suggest(suggestion)
}

fn words(error: &Inner) -> (String, Option<&'static str>) {
    let message = match error {
        Inner::SerdeUnknownField {
            field, expected, ..
        } => {
            return unknown("key", field, expected);
        }
        Inner::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            return unknown("value", variant, expected);
        }
        Inner::AliasError { error, .. } | Inner::WithSnippet { error, .. } => return words(error),
        Inner::SerdeMissingField { field, .. } => format!("the key '{field}' is missing"),
        Inner::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key '{}' is written twice", cut(key))
        }
        Inner::DuplicateMappingKey { .. } => "a key is written twice".to_owned(),
        Inner::InvalidBooleanStrict { .. } => "write true or false".to_owned(),
        Inner::NullIntoString { .. } => "text is needed here, not nothing".to_owned(),
        Inner::Unexpected { expected, .. } => needed(expected),
        Inner::InvalidScalar { ty, .. } => needed(ty),
        Inner::SerdeInvalidType {
            unexpected,
            expected,
            ..
        }
        | Inner::SerdeInvalidValue {
            unexpected,
            expected,
            ..
        } => {
            format!("expected {expected}, not {}", cut(unexpected))
        }
        Inner::MultipleDocuments { .. } => SECOND_DOCUMENT.to_owned(),
        Inner::MergeKeyNotAllowed { .. } => {
            "merge keys (<<) are not read: write the keys out".to_owned()
        }
        Inner::UnknownAnchor { .. } => "the alias names no anchor before it".to_owned(),
        Inner::UnsupportedTag { tag, .. } => format!("the tag '{}' is not known", cut(tag)),
        Inner::Budget { breach, .. } => budget(breach).to_owned(),
        Inner::AliasReplayLimitExceeded { .. }
        | Inner::AliasExpansionLimitExceeded { .. }
        | Inner::AliasReplayStackDepthExceeded { .. }
        | Inner::RecursiveReferencesRequireWeakTypes { .. } => EXPANSION.to_owned(),
        Inner::ExternalMessage { msg, .. } if msg.contains("recursion limit") => DEPTH.to_owned(),
        Inner::ExternalMessage { msg, .. } if msg.contains("tab") => {
            format!("YAML is indented with spaces, not tabs: {}", cut(msg))
        }
        Inner::ExternalMessage { msg, .. } | Inner::Message { msg, .. } => cut(msg),
        other => {
            let rendered = other.to_string();
            cut(rendered
                .rsplit_once(" at line ")
                .map_or(rendered.as_str(), |(front, _)| front))
        }
    };
    (message, None)
}

const SECOND_DOCUMENT: &str = "a second document starts here: a file holds one";
const EXPANSION: &str = "the anchors expand to too much";
const DEPTH: &str = "nested too deeply: the limit is 40 levels";
const _: () = assert!(crate::MAX_DEPTH == 40, "the message names the limit");

fn budget(breach: &BudgetBreach) -> &'static str {
    match breach {
        BudgetBreach::Depth { .. } => DEPTH,
        BudgetBreach::Documents { .. } => SECOND_DOCUMENT,
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => EXPANSION,
        _ => "the file holds too much",
    }
}

fn whole_number(last: u64) -> String {
    format!("a whole number from 0 to {last} is needed here")
}

fn needed(expected: &str) -> String {
    match expected {
        "mapping start" => "a mapping is needed here: keys and values".to_owned(),
        "sequence start" => "a list is needed here".to_owned(),
        "string scalar" => "text is needed here".to_owned(),
        "u8" => whole_number(u8::MAX.into()),
        "u16" => whole_number(u16::MAX.into()),
        "u32" => whole_number(u32::MAX.into()),
        "u64" | "usize" => "a whole number is needed here, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number is needed here".to_owned(),
        other => format!("expected {other}"),
    }
}

fn unknown(what: &str, text: &str, known: &[&'static str]) -> (String, Option<&'static str>) {
    let suggestion = closest(text, known.iter().copied());
    let message = match suggestion {
        Some(_) => format!("unknown {what} '{}'", cut(text)),
        None if known.is_empty() => format!("unknown {what} '{}': none is taken here", cut(text)),
        None => format!(
            "unknown {what} '{}': known here are {}",
            cut(text),
            known.join(", ")
        ),
    };
    (message, suggestion)
}

/// A user's text, short enough for one line of a message.
fn cut(text: &str) -> String {
    text.chars()
        .take(160)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
