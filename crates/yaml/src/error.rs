//! What was wrong, where, and what to write instead.

use std::fmt;

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
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        Self { file: file.to_owned(), line, column, snippet }
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
        let Place { file, line, column, snippet } = place;
        Self { file, line, column, message: message.into(), snippet, suggestion: None }
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
