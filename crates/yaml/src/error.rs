//! What was wrong, where, and what to write instead.

use std::fmt;

use boltworks_model::{visible, visible_line, visible_start};
use serde::de::IgnoredAny;
use serde_saphyr::Error as Inner;
use serde_saphyr::budget::BudgetBreach;

use crate::read::options;
use crate::suggest::closest;
use crate::syntax::{DEPTH_HELP, TABS_HELP, TAG_HELP, syntax};

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
            .collect::<String>();
        Self {
            file: file.to_owned(),
            line,
            column,
            snippet: visible(&snippet).into_owned(),
        }
    }
}

impl fmt::Display for Place {
    /// `file:line:column`, as far as they are known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible_line(&self.file))?;
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
    /// What to do next, where nothing is suggested.
    pub help: Option<String>,
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
            help: None,
        }
    }

    /// The same error with what to do next.
    #[must_use]
    pub fn helped(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What to do next, a line: what is suggested, if anything is.
    pub fn advice(&self) -> Option<String> {
        let suggested = self.suggestion.as_deref().map(did_you_mean);
        let help = || Some(visible_line(self.help.as_deref()?).into_owned());
        suggested.or_else(help)
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
        write!(f, "{}: {}", self.place(), visible_line(&self.message))?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {}", did_you_mean(suggestion)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The question that goes with a suggestion.
pub fn did_you_mean(suggestion: &str) -> String {
    format!("did you mean '{}'?", visible_line(suggestion))
}

/// From the reader's error to ours: our words, the place, the nearest known name, what to do.
pub(crate) fn explain(file: &str, text: &str, error: &Inner) -> Error {
    let mut error = innermost(error);
    let place = |error: &Inner| {
        let (line, column) = error.location().map_or((0, 0), |location| {
            (narrow(location.line()), narrow(location.column()))
        });
        Place::new(file, text, line, column)
    };
    let mut at = place(error);
    let broken;
    if let Inner::SerdeMissingField { .. } = error {
        // The reader stops where a mapping seems to end; what ended it may be no YAML at all.
        broken = serde_saphyr::from_str_with_options::<IgnoredAny>(text, options()).err();
        if let Some(syntax) = broken.as_ref().map(innermost)
            && matches!(syntax, Inner::ExternalMessage { .. })
        {
            error = syntax;
            at = place(error);
        }
    }
    let (message, suggestion) = words(error);
    let owner = owner(text, &at);
    let help = help(error, owner.as_ref().map(|owner| owner.key));
    if let (Inner::SerdeMissingField { .. }, Some(owner)) = (error, owner)
        && !is_item(&at.snippet)
    {
        at = Place::new(file, text, owner.line, owner.column);
    }
    if let Some((line, column)) = tab_of(error, text, at.line) {
        at = Place::new(file, text, line, column);
        let message = if message.contains(TABS) {
            message
        } else {
            format!("{TABS}: {message}")
        };
        return Error::new(at, message).helped(TABS_HELP);
    }
    Error::new(at, message).suggest(suggestion).helped(help)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn innermost(error: &Inner) -> &Inner {
    match error {
        Inner::AliasError { error, .. } | Inner::WithSnippet { error, .. } => innermost(error),
        error => error,
    }
}

const TABS: &str = "YAML is indented with spaces, not tabs";

/// Where the tab stands that a line is indented with, if that is what is wrong: the reader is past it
/// when it finds that out, or says it of the line before, or has other words for it.
fn tab_of(error: &Inner, text: &str, line: u32) -> Option<(u32, u32)> {
    let Inner::ExternalMessage { msg, .. } = error else {
        return None;
    };
    if msg.contains("recursion limit") {
        return None;
    }
    let lines = text.lines().zip(1..).skip((line as usize).checked_sub(1)?);
    let most = if msg.contains("tab") { usize::MAX } else { 1 };
    lines.take(most).find_map(|(body, line)| {
        let indent = body.chars().take_while(|c| c.is_whitespace());
        let (_, column) = indent.zip(1..).find(|(c, _)| *c == '\t')?;
        Some((line, column))
    })
}

/// A key, and where it stands.
struct Owner<'a> {
    key: &'a str,
    line: u32,
    column: u32,
}

/// The key whose value begins at a place: before it on its line, or further out above it.
fn owner<'a>(text: &'a str, at: &Place) -> Option<Owner<'a>> {
    let index = (at.line as usize).checked_sub(1)?;
    let lines: Vec<&str> = text.lines().take(index + 1).collect();
    let line = lines.get(index)?;
    let start = line
        .char_indices()
        .nth((at.column as usize).saturating_sub(1));
    let before = line.get(..start.map_or(line.len(), |(byte, _)| byte))?;
    if before.contains(|c: char| !c.is_whitespace() && c != '-') {
        return key_of(before.trim_end_matches(['{', '[', ' ']), index);
    }
    // Items may stand as far out as the key they belong to.
    let indent = line.len() - line.trim_start().len();
    let depth = indent + usize::from(is_item(line));
    lines
        .iter()
        .enumerate()
        .take(index)
        .rev()
        .filter(|(_, line)| !matches!(line.trim_start().chars().next(), None | Some('#')))
        .find(|(_, line)| line.len() - line.trim_start().len() < depth)
        .and_then(|(index, line)| key_of(line, index))
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with('-')
}

/// The key that a line ends with.
fn key_of(line: &str, index: usize) -> Option<Owner<'_>> {
    let before = line.trim_end().strip_suffix(':')?;
    let is_mark = |c: char| c.is_whitespace() || "{[,".contains(c);
    let key = before
        .rsplit(is_mark)
        .next()
        .filter(|key| !key.is_empty())?;
    let column = before.get(..before.len() - key.len())?.chars().count() + 1;
    Some(Owner {
        key,
        line: u32::try_from(index + 1).ok()?,
        column: u32::try_from(column).ok()?,
    })
}

/// What to do next; `key` is what the value belongs to.
fn help(error: &Inner, key: Option<&str>) -> String {
    let key = key.map(cut);
    let beneath = key
        .as_ref()
        .map_or_else(String::new, |key| format!(" beneath `{key}:`"));
    let shape = |expected: &str| shape(expected, key.as_deref(), &beneath);
    let fixed = match error {
        Inner::SerdeMissingField { field, .. } => {
            return format!("add the line `{}: …`{beneath}", cut(field));
        }
        Inner::Unexpected { expected, .. } => return shape(expected),
        Inner::InvalidScalar { ty, .. } => return shape(ty),
        Inner::NullIntoString { .. } => return shape("string scalar"),
        Inner::InvalidBooleanStrict { .. } => {
            return "write true or false, without quotes".to_owned();
        }
        Inner::SerdeUnknownField { .. } => "correct the key, or take it away",
        Inner::SerdeUnknownVariant { .. } => "write one of those that are known",
        Inner::DuplicateMappingKey { .. } => "keep one of them: the other would be lost",
        Inner::MultipleDocuments { .. } => "put each document into a file of its own",
        Inner::MergeValueNotMapOrSeqOfMaps { .. } => "name a mapping by its anchor: `<<: *name`",
        Inner::UnknownAnchor { .. } => {
            "put text that begins with * in quotes, or name it with & further up"
        }
        Inner::UnsupportedTag { .. } => TAG_HELP,
        Inner::Budget { breach, .. } => budget_help(breach),
        Inner::AliasReplayLimitExceeded { .. }
        | Inner::AliasExpansionLimitExceeded { .. }
        | Inner::AliasReplayStackDepthExceeded { .. }
        | Inner::RecursiveReferencesRequireWeakTypes { .. } => EXPANSION_HELP,
        Inner::ExternalMessage { msg, .. } => syntax(msg).1,
        other => syntax(&other.to_string()).1,
    };
    fixed.to_owned()
}

/// An example of what should stand there.
fn shape(expected: &str, key: Option<&str>, beneath: &str) -> String {
    let written = |value: &str| match key {
        Some(key) => format!("write `{key}: {value}`"),
        None => format!("write `{value}`"),
    };
    match expected {
        "mapping start" => {
            format!("write keys with values{beneath}, each on a line of its own: `name: text`")
        }
        "sequence start" => format!("begin each item{beneath} with a dash: `- item`"),
        "string scalar" => written("\"text\""),
        _ => match key {
            Some(key) => format!("write a whole number after `{key}:`, in digits alone"),
            None => "write a whole number, in digits alone".to_owned(),
        },
    }
}

pub(crate) const EXPANSION_HELP: &str = "write out what the anchors stand for where it is wanted";

fn budget_help(breach: &BudgetBreach) -> &'static str {
    match breach {
        BudgetBreach::Depth { .. } => DEPTH_HELP,
        BudgetBreach::Documents { .. } => "put each document into a file of its own",
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => EXPANSION_HELP,
        _ => "make several files of it",
    }
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
        Inner::MergeValueNotMapOrSeqOfMaps { .. } => {
            "a merge key (<<) takes a mapping, or a list of mappings".to_owned()
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
            format!("{TABS}: {}", cut(msg))
        }
        Inner::ExternalMessage { msg, .. } => match syntax(msg) {
            (Some(ours), _) => ours.to_owned(),
            (None, _) => cut(msg),
        },
        Inner::Message { msg, .. } => cut(msg),
        other => {
            let rendered = other.to_string();
            let front = rendered.rsplit_once(" at line ");
            let theirs = front.map_or(rendered.as_str(), |(front, _)| front);
            syntax(theirs).0.map_or_else(|| cut(theirs), str::to_owned)
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
    visible_start(text, 160)
}
