//! `${{…}}`: finding it, filling it in, and how far it may grow.
//!
//! melange has two engines: a literal replacement that leaves what it does not know, then a
//! strict look-up. Here there is one pass, and the *place* decides: scripts, names, dependencies
//! and inputs are filled in strictly; text for people (descriptions, names of steps) keeps what
//! is not known. What was filled in is not looked at again, so that a value can never name
//! another. Spaces inside the braces are allowed everywhere.

use std::cell::Cell;

/// The most text one recipe may be filled in to, in bytes.
pub const MAX_FILLED: usize = 64 << 20;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text that stays.
    Literal(&'a str),
    /// `${{name}}`
    Variable {
        /// The whole of it.
        token: &'a str,
        /// The name within.
        name: &'a str,
    },
    /// `${{` with no end, or with something else than a name before it.
    Malformed(&'a str),
}

/// Takes a text apart; the pieces put together are the text.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = next_piece(rest);
        rest = after;
        Some(piece)
    })
}

fn next_piece(text: &str) -> (Piece<'_>, &str) {
    const OPEN: &str = "${{";
    let Some(inside) = text.strip_prefix(OPEN) else {
        // Scripts are long and have few variables: one character is looked for at a time.
        let mut opens = text.match_indices('$').map(|(at, _)| at);
        let open = opens.find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(OPEN)));
        let (literal, rest) = split(text, open.unwrap_or(text.len()));
        return (Piece::Literal(literal), rest);
    };
    let (length, is_closed) = end_of_name(inside);
    let close = if is_closed { CLOSE.len() } else { 0 };
    let (token, rest) = split(text, OPEN.len() + length + close);
    let name = inside.get(..length).unwrap_or_default().trim();
    if is_closed && is_name(name) {
        (Piece::Variable { token, name }, rest)
    } else {
        (Piece::Malformed(token), rest)
    }
}

const CLOSE: &str = "}}";

/// How long what is within the braces is, and whether they close. A name never goes over a
/// line's end, nor does the search for one; and no search goes over the close, so that a line
/// of variables is looked at once.
fn end_of_name(inside: &str) -> (usize, bool) {
    let bytes = inside.as_bytes();
    for at in 0..bytes.len() {
        match bytes.get(at..).unwrap_or_default() {
            [b'\n' | b'\r', ..] => return (at, false),
            rest if rest.starts_with(CLOSE.as_bytes()) => return (at, true),
            _ => {}
        }
    }
    (bytes.len(), false)
}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Whether a text can be the name of a variable: letters, digits and `. _ -`, at most 128.
pub fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// What is left of [`MAX_FILLED`].
#[derive(Debug)]
pub struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_FILLED))
    }
}

impl Budget {
    /// Takes `bytes`; false when there are not so many left.
    #[must_use]
    pub fn take(&self, bytes: usize) -> bool {
        match self.0.get().checked_sub(bytes) {
            Some(left) => {
                self.0.set(left);
                true
            }
            None => false,
        }
    }
}

/// Why a text could not be filled in.
#[derive(Debug, PartialEq, Eq)]
pub enum FillError<'a, E> {
    /// A variable that is not known, or whose value is an error.
    Variable {
        /// `${{name}}`
        token: &'a str,
        /// What the look-up said.
        error: E,
    },
    /// Something that is no variable.
    Malformed(&'a str),
    /// More than [`MAX_FILLED`].
    TooMuch,
}

/// Fills in every variable; each must be known.
pub fn fill<'a, E>(
    text: &'a str,
    budget: &Budget,
    mut look_up: impl FnMut(&str) -> Result<String, E>,
) -> Result<String, FillError<'a, E>> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        let value;
        let part = match piece {
            Piece::Literal(literal) => literal,
            Piece::Variable { token, name } => {
                value = look_up(name).map_err(|error| FillError::Variable { token, error })?;
                &value
            }
            Piece::Malformed(token) => return Err(FillError::Malformed(token)),
        };
        if !budget.take(part.len()) {
            return Err(FillError::TooMuch);
        }
        filled += part;
    }
    Ok(filled)
}

/// Fills in what is known and keeps the rest, for text that only people read.
pub fn fill_known<'a, E>(
    text: &'a str,
    budget: &Budget,
    mut look_up: impl FnMut(&str) -> Option<String>,
) -> Result<String, FillError<'a, E>> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        let value;
        let part = match piece {
            Piece::Literal(kept) | Piece::Malformed(kept) => kept,
            Piece::Variable { token, name } => match look_up(name) {
                Some(known) => {
                    value = known;
                    &value
                }
                None => token,
            },
        };
        if !budget.take(part.len()) {
            return Err(FillError::TooMuch);
        }
        filled += part;
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look_up(name: &str) -> Result<String, String> {
        match name {
            "package.version" => Ok("1.2".to_owned()),
            "vars.tricky" => Ok("${{package.version}}".to_owned()),
            other => Err(other.to_owned()),
        }
    }

    #[test]
    fn variables_are_filled_in_once() {
        let check = |text: &str, expected: Result<&str, FillError<'_, String>>| {
            let got = fill(text, &Budget::default(), look_up);
            assert_eq!(got.as_deref(), expected.as_deref(), "{text}");
        };
        check(
            "a ${{package.version}}-${{ package.version }} $x ${y} }}",
            Ok("a 1.2-1.2 $x ${y} }}"),
        );
        check("${{vars.tricky}}", Ok("${{package.version}}"));
        let unknown = FillError::Variable {
            token: "${{ no.such }}",
            error: "no.such".to_owned(),
        };
        check("a ${{ no.such }}", Err(unknown));
        check(
            "a ${{range.key == 1}} b",
            Err(FillError::Malformed("${{range.key == 1}}")),
        );
        check("a ${{b\n}}", Err(FillError::Malformed("${{b")));
        check("${{}}", Err(FillError::Malformed("${{}}")));
        check("$${{package.version}}", Ok("$1.2"));
        check("", Ok(""));
    }

    #[test]
    fn what_people_read_keeps_what_is_not_known() {
        let filled = fill_known::<()>(
            "${{package.version}} ${{no.such}} ${{range.key == 1}} ${{",
            &Budget::default(),
            |name| look_up(name).ok(),
        );
        assert_eq!(filled.unwrap(), "1.2 ${{no.such}} ${{range.key == 1}} ${{");
    }

    #[test]
    fn growth_is_bounded() {
        let budget = Budget::default();
        let big = "x".repeat(1 << 20);
        let text = "${{a}}".repeat(65);
        let filled = fill(&text, &budget, |_| Ok::<_, ()>(big.clone()));
        assert_eq!(filled.unwrap_err(), FillError::TooMuch);
    }

    #[test]
    fn a_long_line_is_looked_at_once() {
        // A search to the line's end at each variable would look at a million megabytes.
        let line = "${{vars.a}}".repeat(1 << 20);
        assert_eq!(pieces(&line).count(), 1 << 20);
        let line = "${{vars.a} ".repeat(1 << 20);
        assert_eq!(pieces(&line).count(), 1);
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text in "[${}a. \n]{0,40}") {
            let whole: String = pieces(&text)
                .map(|piece| match piece {
                    Piece::Literal(part) | Piece::Malformed(part) => part,
                    Piece::Variable { token, .. } => token,
                })
                .collect();
            prop_assert_eq!(whole, text);
        }

        #[test]
        fn text_without_variables_is_untouched(text in "[^$]{0,60}") {
            let filled = fill(&text, &Budget::default(), |_| Err::<String, _>(()));
            prop_assert_eq!(filled.unwrap(), text);
        }

        #[test]
        fn every_variable_is_replaced(before in "[a-z{}$ ]{0,5}x", name in "[a-z.-]{1,12}", value in ".{0,20}", spaces in " {0,2}") {
            let text = format!("{before}${{{{{spaces}{name}{spaces}}}}}!");
            let filled = fill(&text, &Budget::default(), |asked| {
                if asked == name { Ok(value.clone()) } else { Err(()) }
            });
            if !before.contains("${{") {
                prop_assert_eq!(filled.unwrap(), format!("{before}{value}!"));
            }
        }

        #[test]
        fn nothing_known_changes_nothing(text in "(?s).{0,60}") {
            let filled = fill_known::<()>(&text, &Budget::default(), |_| None);
            prop_assert_eq!(filled.unwrap(), text);
        }
    }
}
