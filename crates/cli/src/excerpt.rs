//! What is wrong at a place in a file of the user's, shown with the line.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use boltworks_factory::Error as FactoryError;
use boltworks_model::{visible, visible_line};

use crate::failure::Failure;
use crate::output;
use crate::terminal::{self, cut, hung_within};

/// A place in a file of the user's, what is wrong there, and what to write instead.
pub(crate) struct Place {
    /// What is wrong.
    pub(crate) message: String,
    /// Where.
    pub(crate) at: boltworks_yaml::Place,
    /// What to do next.
    pub(crate) help: Option<String>,
}

/// What to do with a file that should be text and is none.
pub(crate) const NO_TEXT: &str =
    "take the byte away, or save the file as UTF-8 text: `iconv -t UTF-8` converts it";

/// The columns of `error: `, by which all lines of a message are put in.
const TITLE: usize = 7;

impl Place {
    /// The place that a failure is about, if it is about a file of the user's.
    pub(crate) fn of(failure: &Failure) -> Option<Self> {
        match failure {
            Failure::Recipe(error) => Some(Self::of_recipe(error)),
            Failure::Fsx(error) => Self::of_no_text(error),
            Failure::Factory(error) => match error.cause() {
                FactoryError::Recipe(error) => Some(Self::of_recipe(error)),
                FactoryError::Config(error) => Some(Self {
                    message: error.message.clone(),
                    at: error.place(),
                    help: error.advice(),
                }),
                _ => None,
            },
            _ => None,
        }
    }

    fn of_recipe(error: &boltworks_recipe::Error) -> Self {
        Self {
            message: error.message(),
            at: error.place(),
            help: error.help(),
        }
    }

    /// Where a file that should be text is none.
    fn of_no_text(error: &boltworks_fsx::Error) -> Option<Self> {
        let (file, found) = error.no_text()?;
        Some(Self {
            message: format!("the byte 0x{:02x} is no UTF-8 text", found.byte),
            at: boltworks_yaml::Place {
                line: found.line,
                column: found.column,
                ..boltworks_yaml::Place::new(file, &found.shown, 1, 1)
            },
            help: Some(NO_TEXT.to_owned()),
        })
    }
}

/// The place as a person reads it: the message, the line, a mark under the word.
pub(crate) fn excerpt(place: &Place) -> String {
    let at = &place.at;
    let [file, message] = [&at.file, &place.message].map(|text| visible_line(text));
    let width = terminal::width();
    let message = hung_within(&message, width.map(|width| width.saturating_sub(TITLE)));
    // Tabs stay tabs here: the mark beneath is put by them.
    let text = visible(&at.snippet);
    let text = &*text;
    let column = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    let start = text
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(index, _)| index);
    let line = usize::try_from(at.line).unwrap_or(1);
    let title = Level::ERROR.primary_title(&*message);
    // Of a long line only the beginning is kept: no excerpt is better than one without the place.
    let is_cut_off = column > 0
        && start == text.len()
        && text.chars().count() == boltworks_yaml::Place::SNIPPET_CHARS;
    let mut title = if at.line == 0 || is_cut_off {
        let mut origin = Origin::path(&*file);
        if at.line > 0 {
            origin = origin.line(line).char_column(column + 1);
        }
        title.element(origin)
    } else {
        title.element(
            Snippet::source(text)
                .line_start(line)
                .path(&*file)
                .annotation(AnnotationKind::Primary.span(start..mark_end(text, start, width))),
        )
    };
    let help = place.help.as_deref().map(visible_line);
    if let Some(help) = &help {
        title = title.element(Level::HELP.message(&**help));
    }
    let report = [title];
    let renderer = if output::is_coloured() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    match width {
        Some(width) => renderer.term_width(width).render(&report),
        None => renderer.render(&report),
    }
}

/// Where a mark of so many columns at most ends: only about one that is narrower than the terminal is a
/// line cut on both sides.
fn mark_end(text: &str, start: usize, width: Option<usize>) -> usize {
    let end = word_end(text, start);
    let word = text.get(start..end).unwrap_or_default();
    start + width.map_or(word, |width| cut(word, width / 3)).len()
}

/// Where the word ends that begins at `start`: text in quotes and a variable are one, and a bracket
/// that closes what is around it is no part of it. One character at least, if there is any.
fn word_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let first = rest.chars().next();
    let close = match first {
        Some('"') => Some("\""),
        Some('\'') => Some("'"),
        _ if rest.starts_with("${{") => Some("}}"),
        _ => None,
    };
    let closed = close.and_then(|close| Some(1 + rest.get(1..)?.find(close)? + close.len()));
    let ends = |(at, c): (usize, char)| {
        let next = rest.get(at + c.len_utf8()..).unwrap_or_default();
        let is_key = c == ':' && next.chars().next().is_none_or(char::is_whitespace);
        (is_key || c.is_whitespace() || ",[]{}".contains(c)).then_some(at)
    };
    let length = closed.or_else(|| rest.char_indices().find_map(ends));
    start
        + length
            .unwrap_or(rest.len())
            .max(first.map_or(0, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_ends_where_a_person_sees_it_end() {
        let check = |text: &str, word: &str| {
            let start = text.find(word).unwrap();
            assert_eq!(text.get(start..word_end(text, start)), Some(word), "{text}");
        };
        check("  name: \"a b: c\" # d", "\"a b: c\"");
        check("  name: 'a b, c'", "'a b, c'");
        check("  runs: echo ${{no such}}/x", "${{no such}}");
        check(
            "  keyring: [https://example.org/a b]",
            "https://example.org/a",
        );
        check("nmae: a", "nmae");
        check("nmae:", "nmae");
        check("{nmae}", "nmae");
        check("\t\tx\ty", "x");
        check("'never closed", "'never");
        check("[é", "[");
        check("é", "é");
    }
}
