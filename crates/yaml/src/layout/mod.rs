//! The usual form of a document's text: how far each line is indented, and which stand apart.
//!
//! | rule | |
//! |---|---|
//! | each level is indented by two spaces | lists within mappings too |
//! | one space after `-` and after `key:` | none at the end of a line |
//! | the text of `\|` and `>` two spaces deeper than its key | but where it says how deep (`\|2`) |
//! | a blank line before each key of the outermost mapping, and before each item of some lists | added where there is none, also before their comments |
//! | a line's end at the end | of the kind the file has |
//!
//! Nothing else changes: comments keep their text and their order, blank lines stay, quotes and
//! long lines stay as they are. Comments move with what they stand at.
//!
//! Structure is read off the lines; what must not be looked into (texts over several lines, `{}`
//! and `[]`) is what the parser says. Then both texts are parsed and compared, event by event: a
//! form that would say something else is an error, never a result.

mod facts;
mod form;

use serde_saphyr::granit_parser::{Event, Parser, Span};

use self::facts::{Facts, Line};
use self::form::Former;
use crate::read::{MAX_BYTES, TOO_LARGE_HELP};
use crate::{Error, Place};

const BOM: char = '\u{feff}';

/// The text in its usual form. Items of the lists under the keys `spaced` of the outermost mapping
/// stand apart. `file` is only for messages.
///
/// # Errors
/// Where the text is no YAML, where a carriage return ends a line, and where the usual form would
/// say something else, or be larger than what is read.
pub fn usual_form(file: &str, text: &str, spaced: &[&str]) -> Result<String, Error> {
    within(MAX_BYTES, file, text, spaced)
}

fn within(most: usize, file: &str, text: &str, spaced: &[&str]) -> Result<String, Error> {
    let bare = text.strip_prefix(BOM).unwrap_or(text);
    let fail = |line: usize, column: usize, message: &str| {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Error::new(
            Place::new(file, bare, narrow(line), narrow(column)),
            message,
        )
    };
    let lines: Vec<Line<'_>> = bare.split_inclusive('\n').map(Line::new).collect();
    if let Some(at) = lines.iter().position(|line| line.body.contains('\r')) {
        return Err(fail(at + 1, 1, LONE_RETURN));
    }
    let facts = Facts::read(bare, &lines)
        .map_err(|(line, message)| fail(line.unwrap_or(0), 1, message.as_str()))?;
    let formed = Former::new(&lines, &facts, spaced).form();
    if formed.len() > most {
        let message = format!(
            "in its usual form the file would have {} bytes, and none may have more than {most}",
            formed.len()
        );
        return Err(fail(0, 0, &message).helped(TOO_LARGE_HELP));
    }
    match difference(bare, &formed) {
        Some(span) => Err(fail(span.start.line(), span.start.col() + 1, DIFFERS)),
        None if text.starts_with(BOM) => Ok(format!("{BOM}{formed}")),
        None => Ok(formed),
    }
}

const LONE_RETURN: &str =
    "a carriage return stands within the line, and YAML ends a line there: end lines with \\n";
const DIFFERS: &str = "in its usual form the file would say something else from here on: write this part more plainly";

/// The first event of `old` that is another one in `new`.
fn difference(old: &str, new: &str) -> Option<Span> {
    let mut after = Parser::new_from_str(new);
    let mut last = Span::default();
    for before in Parser::new_from_str(old) {
        let (before, span) = before.ok()?;
        last = span;
        let is_same = match (&before, after.next()) {
            (Event::Comment(one, _), Some(Ok((Event::Comment(two, _), _)))) => {
                one.trim_end() == two.trim_end()
            }
            (one, Some(Ok((two, _)))) => *one == two,
            _ => false,
        };
        if !is_same {
            return Some(span);
        }
    }
    after.next().map(|_| last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse;

    #[test]
    fn no_form_is_larger_than_what_is_read() {
        let text = "a:\n- b\n- c\n";
        assert_eq!(
            within(15, "x.yaml", text, &[]).unwrap(),
            "a:\n  - b\n  - c\n"
        );
        let error = within(14, "x.yaml", text, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x.yaml: in its usual form the file would have 15 bytes, and none may have more than 14"
        );
    }

    fn check(text: &str, expected: &str) {
        let formed = usual_form("x.yaml", text, &["list"]).unwrap();
        assert_eq!(formed, expected, "{text}");
        let again = usual_form("x.yaml", &formed, &["list"]).unwrap();
        assert_eq!(again, formed, "{text}");
    }

    #[test]
    fn levels_are_indented_by_two() {
        check(
            "a:\n- b:   1  \n  c:\n        d: x\n-   - e\n    - f\n",
            "a:\n  - b: 1\n    c:\n      d: x\n  - - e\n    - f\n",
        );
        check("  a: 1\n  b: 2\n", "a: 1\n\nb: 2\n");
        check("a:\n    \"b\"\n", "a:\n  \"b\"\n");
        check("a:\n-\n   b: 1\n-\n", "a:\n  -\n    b: 1\n  -\n");
    }

    #[test]
    fn texts_move_with_their_keys() {
        check(
            "a:\n- b: |\n      x\n        y\n\n      z\n  c: >-  # c\n   w\n",
            "a:\n  - b: |\n      x\n        y\n\n      z\n    c: >-  # c\n      w\n",
        );
        check(
            "a:\n- b: |2\n      x\n    y\n",
            "a:\n  - b: |2\n        x\n      y\n",
        );
        check(
            "a: |\n    x\n   \n      \nb: 1\n",
            "a: |\n  x\n\n    \nb: 1\n",
        );
        check(
            "a: |\nb: |+\n   x\n\nc: 1\n",
            "a: |\n\nb: |+\n  x\n\nc: 1\n",
        );
        check("a: |+\n   x\nc: 1\n", "a: |+\n  x\nc: 1\n");
        check("a: x |\nb:\n    |\n   y\n", "a: x |\n\nb:\n  |\n  y\n");
    }

    #[test]
    fn what_goes_over_lines_moves_as_one() {
        check(
            "a:\n- b: \"x \n\n      y\"\n- {c: 1,\n   d: 'e\n   f'}\n- g\n  h\n",
            "a:\n  - b: \"x \n\n        y\"\n  - {c: 1,\n     d: 'e\n     f'}\n  - g\n    h\n",
        );
    }

    #[test]
    fn comments_move_with_what_they_stand_at() {
        check(
            "# 1\na:\n# 2\n-   b: 1    # 3  \n    # 4\n    c: |\n        x\n      # 5\n  # 6\n# 7\nd: 1\n     # 8\n",
            "# 1\na:\n  # 2\n  - b: 1    # 3\n    # 4\n    c: |\n      x\n    # 5\n  # 6\n\n# 7\nd: 1\n# 8\n",
        );
    }

    #[test]
    fn what_stands_apart_has_a_blank_line_before_it() {
        check(
            "a: 1\nlist:\n  - x: 1\n    y: 2\n  # second\n  - z\n\n\n  - w\n# b\nb:\n  - 1\n  - 2\n",
            "a: 1\n\nlist:\n  - x: 1\n    y: 2\n\n  # second\n  - z\n\n\n  - w\n\n# b\nb:\n  - 1\n  - 2\n",
        );
    }

    #[test]
    fn ends_of_lines_stay() {
        check("a: |\r\n   x\r\nb: 1", "a: |\r\n  x\r\n\r\nb: 1\r\n");
        check("\u{feff}a: 1\nb:  2", "\u{feff}a: 1\n\nb: 2\n");
        check("a: 1", "a: 1\n");
        // A line's end would be one more in the text.
        check("a: |\n   x", "a: |\n  x");
        check("a: |-\n   x", "a: |-\n  x\n");
        check("---\na:  1\n...\n", "---\na: 1\n...\n");
        let refused = usual_form("x.yaml", "a: 1\rb: 2\n", &[]).unwrap_err();
        assert!(refused.to_string().contains("carriage return"), "{refused}");
    }

    #[test]
    fn what_is_no_yaml_has_its_place() {
        let refused = usual_form("x.yaml", "a: 1\nb: [\n", &[]).unwrap_err();
        assert_eq!((refused.line, refused.file.as_str()), (2, "x.yaml"));
    }

    /// Lines of documents and of what is almost one.
    fn hostile() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            6 => Just("a: "), 4 => Just("- "), 3 => Just("\n"), 3 => Just("\n  "), 3 => Just("\n    "),
            1 => Just("\n   "), 1 => Just("\n\n"), 2 => Just("b"), 2 => Just("|\n"), 1 => Just("|2-\n"),
            1 => Just(">+\n"), 2 => Just("# c"), 1 => Just(" #"), 1 => Just("\""), 1 => Just("'"),
            1 => Just("{"), 1 => Just("}"), 1 => Just("["), 1 => Just("]"), 1 => Just(", "),
            1 => Just("? "), 1 => Just(": "), 1 => Just("&x "), 1 => Just("*x"), 1 => Just("!t "),
            1 => Just("\t"), 1 => Just("\r\n"), 1 => Just("\r"), 1 => Just("---\n"), 1 => Just("..."),
            1 => Just("ü"), 1 => Just("\u{85}"), 1 => Just("\u{2028}"), 1 => Just("  "),
        ];
        proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
    }

    /// An item of a list, or a key, with a value that is indented by so much.
    fn entry(is_list: bool, number: usize, (value, by, extra): &(String, usize, u8)) -> String {
        let comment = if *extra == 1 { "# c\n" } else { "" };
        let blank = if *extra == 2 { "\n" } else { "" };
        let key = if is_list {
            "-".to_owned()
        } else {
            format!("k{number}:")
        };
        let deeper = format!("\n{:by$}", "", by = *by);
        let is_block = !value.starts_with(['x', '"', '{', '|']);
        let gap = if is_block { deeper.as_str() } else { "  " };
        let value = value.replace('\n', &deeper);
        format!("{comment}{blank}{key}{gap}{value}")
    }

    /// A value as it is written in some form: indented as it comes, with comments between.
    fn written() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("x".to_owned()),
            Just("\"y # z\"".to_owned()),
            Just("{k: 1}".to_owned()),
            Just("|\n t\n\n  u".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let item = (inner, 1..5_usize, 0..4_u8);
            proptest::collection::vec(item, 1..4).prop_flat_map(move |items| {
                (Just(items), any::<bool>()).prop_map(move |(items, is_list)| {
                    let lines = items.iter().enumerate();
                    let lines = lines.map(|(number, item)| entry(is_list, number, item));
                    lines.collect::<Vec<_>>().join("\n")
                })
            })
        })
    }

    fn comments(text: &str) -> Vec<String> {
        let events = Parser::new_from_str(text).map_while(Result::ok);
        let comment = |(event, _)| match event {
            Event::Comment(text, _) => Some(text.trim_end().to_owned()),
            _ => None,
        };
        events.filter_map(comment).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// Hostile texts are put into a form that stays as it is, or refused.
        #[test]
        fn a_form_is_final(text in hostile()) {
            if let Ok(formed) = usual_form("x", &text, &["a"]) {
                prop_assert_eq!(comments(&text), comments(&formed));
                prop_assert!(difference(&text, &formed).is_none());
                match usual_form("x", &formed, &["a"]) {
                    Ok(again) => prop_assert_eq!(again, formed),
                    Err(error) => prop_assert!(false, "{error}: {formed:?}"),
                }
            }
        }

        /// What is written by the rules of YAML is never refused.
        #[test]
        fn every_indentation_is_understood(text in written()) {
            prop_assume!(parse::<serde::de::IgnoredAny>("x", &text).is_ok());
            let formed = usual_form("x", &text, &["k0"]).unwrap();
            prop_assert_eq!(comments(&text), comments(&formed));
            let blank = |text: &str| text.lines().filter(|line| line.trim().is_empty()).count();
            prop_assert!(blank(&formed) >= blank(&text));
            prop_assert_eq!(usual_form("x", &formed, &["k0"]).unwrap(), formed);
        }
    }
}
