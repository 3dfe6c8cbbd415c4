//! The `if` grammar, as melange has it:
//!
//! ```text
//! expression := atom (("&&" | "||") atom)*        equal precedence, from left to right
//! atom       := "(" expression ")" | value ("==" | "!=") value
//! value      := 'text' | "text" | ${{name}}
//! ```
//!
//! There is no negation. In quotes `\\`, `\'`, `\"`, `\n` and `\t` mean what they mean in C; before
//! another character `\` is itself. Variables within quotes are filled in too.

use crate::substitute::{Piece, pieces};

/// The deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;

/// Why a condition could not be decided.
#[derive(Debug, PartialEq, Eq)]
pub enum ConditionError<E> {
    /// The text is not of the grammar.
    Syntax {
        /// The character, from 1.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A variable is not known.
    Variable {
        /// `${{name}}`
        token: String,
        /// What the look-up said.
        error: E,
    },
}

/// Whether a variable has its value where a subpackage's condition is decided: what the recipe says
/// itself, and `range`. The guest's and the package's at hand do not.
pub(crate) fn is_known_for_subpackages(name: &str) -> bool {
    let package = ["name", "version", "epoch", "full-version", "description"];
    match name.split_once('.') {
        Some(("vars" | "range", _)) => true,
        Some(("package", field)) => package.contains(&field),
        _ => false,
    }
}

/// Decides a condition. Every variable in it must be known, whatever the rest says.
pub fn holds<E>(
    text: &str,
    look_up: &mut dyn FnMut(&str) -> Result<String, E>,
) -> Result<bool, ConditionError<E>> {
    let mut parser = Parser {
        text,
        at: 0,
        look_up,
    };
    let value = parser.expression(0)?;
    parser.skip_space();
    if parser.rest().is_empty() {
        Ok(value)
    } else {
        Err(parser.expected("'&&', '||' or the end"))
    }
}

struct Parser<'a, 'f, E> {
    text: &'a str,
    at: usize,
    look_up: &'f mut dyn FnMut(&str) -> Result<String, E>,
}

impl<'a, E> Parser<'a, '_, E> {
    fn expression(&mut self, depth: usize) -> Result<bool, ConditionError<E>> {
        let mut value = self.atom(depth)?;
        loop {
            if self.eat("&&") {
                // Both sides are always read, so that errors do not depend on values.
                let right = self.atom(depth)?;
                value = value && right;
            } else if self.eat("||") {
                let right = self.atom(depth)?;
                value = value || right;
            } else {
                return Ok(value);
            }
        }
    }

    fn atom(&mut self, depth: usize) -> Result<bool, ConditionError<E>> {
        if self.eat("(") {
            if depth >= MAX_DEPTH {
                return Err(self.expected("fewer nested parentheses"));
            }
            let value = self.expression(depth + 1)?;
            if !self.eat(")") {
                return Err(self.expected("')'"));
            }
            return Ok(value);
        }
        let left = self.value()?;
        let is_equality = if self.eat("==") {
            true
        } else if self.eat("!=") {
            false
        } else {
            return Err(self.expected("'==' or '!='"));
        };
        let right = self.value()?;
        Ok((left == right) == is_equality)
    }

    fn value(&mut self) -> Result<String, ConditionError<E>> {
        self.skip_space();
        let rest = self.rest();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let inside = rest.get(1..).unwrap_or_default();
            let Some(length) = end_of_quote(inside, quote) else {
                return Err(self.expected("a closing quote in the text that starts"));
            };
            let text = inside.get(..length).unwrap_or_default();
            let value = self.fill(text)?;
            self.at += length + 2;
            return Ok(value);
        }
        match pieces(rest).next() {
            Some(Piece::Variable { token, .. }) => {
                let value = self.fill(token)?;
                self.at += token.len();
                Ok(value)
            }
            _ => Err(self.expected("'text' or ${{name}}")),
        }
    }

    fn fill(&mut self, text: &str) -> Result<String, ConditionError<E>> {
        let mut filled = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Literal(literal) => unescape(literal, &mut filled),
                Piece::Variable { token, name } => {
                    filled += &(self.look_up)(name).map_err(|error| ConditionError::Variable {
                        token: token.to_owned(),
                        error,
                    })?;
                }
                Piece::Malformed(_) => return Err(self.expected("${{name}}")),
            }
        }
        Ok(filled)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn expected(&self, expected: &'static str) -> ConditionError<E> {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        ConditionError::Syntax {
            at: before.chars().count() + 1,
            expected,
        }
    }
}

/// Where the text in quotes ends.
fn end_of_quote(inside: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, character) in inside.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        *into += before;
        let mut characters = after.chars();
        match characters.next() {
            Some(plain @ ('\\' | '\'' | '"')) => into.push(plain),
            Some('n') => into.push('\n'),
            Some('t') => into.push('\t'),
            Some(other) => into.extend(['\\', other]),
            None => into.push('\\'),
        }
        rest = characters.as_str();
    }
    *into += rest;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decide(text: &str) -> Result<bool, ConditionError<String>> {
        holds(text, &mut |name| match name {
            "build.arch" => Ok("x86_64".to_owned()),
            "vars.empty" => Ok(String::new()),
            other => Err(other.to_owned()),
        })
    }

    #[test]
    fn conditions_are_decided() {
        let check = |text: &str, expected: bool| {
            assert_eq!(decide(text), Ok(expected), "{text}");
        };
        check("${{build.arch}} == 'x86_64'", true);
        check("${{build.arch}} == \"aarch64\"", false);
        check("${{ build.arch }}!='aarch64'", true);
        check("'a' == 'a' && 'b' != 'b' || 'c' == 'c'", true);
        check("'a' == 'a' || 'b' == 'b' && 'c' == 'd'", false);
        check("'a' == 'a' || ('b' == 'b' && 'c' == 'd')", true);
        check("\"${{build.arch}}-x\" == \"x86_64-x\"", true);
        check("\"${{vars.empty}}\" == \"\"", true);
        check(" ( ( 'ä' == 'ä' ) ) ", true);
        check(r#"'it\'s' == "it's" && "\"" == '"'"#, true);
        check(
            r"'a\tb\n' == 'a	b
' && '\\d' == '\d'",
            true,
        );
        check(
            "${{build.arch}} != 'x86_64' && ${{build.arch}} != 'x86' && ${{build.arch}} != 'mips64'",
            false,
        );
    }

    #[test]
    fn what_is_no_condition_says_where() {
        let check = |text: &str, at: usize, expected: &'static str| {
            assert_eq!(
                decide(text),
                Err(ConditionError::Syntax { at, expected }),
                "{text}"
            );
        };
        check("", 1, "'text' or ${{name}}");
        check("'a'", 4, "'==' or '!='");
        check("'a' = 'a'", 5, "'==' or '!='");
        check("'ä' == 'a", 8, "a closing quote in the text that starts");
        check("x86_64 == 'x86_64'", 1, "'text' or ${{name}}");
        check("'a' == 'a' 'b'", 12, "'&&', '||' or the end");
        check("('a' == 'a'", 12, "')'");
        check("!'a' == 'a'", 1, "'text' or ${{name}}");
        check("'a' == 'a' &&", 14, "'text' or ${{name}}");
        check("${{a b}} == 'a'", 1, "'text' or ${{name}}");
        check(&"(".repeat(100_000), 34, "fewer nested parentheses");
    }

    #[test]
    fn every_variable_must_be_known() {
        let unknown = decide("'a' == 'b' && ${{no.such}} == ''");
        let error = "no.such".to_owned();
        assert_eq!(
            unknown,
            Err(ConditionError::Variable {
                token: "${{no.such}}".to_owned(),
                error
            })
        );
    }

    /// An expression as text, and what it means by the grammar.
    fn expression() -> impl Strategy<Value = (String, bool)> {
        let comparison = ("[a-b]{0,2}", "[a-b]{0,2}", any::<bool>(), any::<bool>()).prop_map(
            |(left, right, is_equality, double)| {
                let quote = if double { '"' } else { '\'' };
                let sign = if is_equality { "==" } else { "!=" };
                let text = format!("{quote}{left}{quote} {sign} {quote}{right}{quote}");
                (text, (left == right) == is_equality)
            },
        );
        comparison.prop_recursive(4, 24, 4, |inner| {
            let rest = prop::collection::vec((any::<bool>(), inner.clone()), 0..4);
            (inner, rest).prop_map(|(first, rest)| join(&first, rest))
        })
    }

    /// Puts expressions together from left to right.
    fn join(first: &(String, bool), rest: Vec<(bool, (String, bool))>) -> (String, bool) {
        let (mut text, mut value) = (format!("({})", first.0), first.1);
        for (is_and, (right, right_value)) in rest {
            let sign = if is_and { "&&" } else { "||" };
            text = format!("{text} {sign} ({right})");
            value = if is_and {
                value && right_value
            } else {
                value || right_value
            };
        }
        (text, value)
    }

    proptest! {
        #[test]
        fn the_grammar_means_what_it_says((text, value) in expression()) {
            prop_assert_eq!(decide(&text), Ok(value));
        }

        #[test]
        fn no_text_panics(text in "[()'\"=!&|${}a. é]{0,40}") {
            if let Err(ConditionError::Syntax { at, .. }) = decide(&text) {
                prop_assert!(at <= text.chars().count() + 1);
            }
        }
    }
}
