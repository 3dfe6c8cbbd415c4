//! Texts of others as people may see them: the one place that says which characters may not pass.
//!
//! A recipe, a package or a build step chooses what stands in a message. Whatever a terminal obeys
//! instead of showing it, whatever turns the order of what is shown around, and whatever shows nothing
//! at all, becomes `\u{fffd}`: it could forge what a person reads.

use std::borrow::Cow;
use std::path::Path;

/// What stands in place of a character that may not pass.
const REPLACEMENT: &str = "\u{fffd}";

/// Lines for people: line feeds and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_odd = |c| is_unseen(c) && !matches!(c, '\n' | '\t');
    if text.contains(is_odd) {
        text.replace(is_odd, REPLACEMENT).into()
    } else {
        text.into()
    }
}

/// The same on one line: line feeds and tabs are written `\n` and `\t`, so that a text begins no line of
/// its own.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    if text.contains(is_unseen) {
        visible_start(text, usize::MAX).into()
    } else {
        text.into()
    }
}

/// A path on one line.
pub fn visible_path(path: impl AsRef<Path>) -> String {
    visible_line(&path.as_ref().to_string_lossy()).into_owned()
}

/// The first characters of a text on one line.
pub fn visible_start(text: &str, most: usize) -> String {
    let mut line = String::new();
    for c in text.chars().take(most) {
        match c {
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            c if is_unseen(c) => line.push_str(REPLACEMENT),
            c => line.push(c),
        }
    }
    line
}

/// Whether a character is not seen as itself: controls (Unicode's `Cc`), and format characters (`Cf`,
/// `Zl`, `Zp`) that have no picture.
///
/// U+200C and U+200D are seen: they shape letters of Persian and of India, and turn nothing around.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_told_nothing_by_others() {
        assert_eq!(visible("a\tb\nc ü 👩\u{200d}💻"), "a\tb\nc ü 👩\u{200d}💻");
        assert_eq!(
            visible("\u{1b}]0;x\u{7}\r\u{9b}31mü\u{7f}"),
            "\u{fffd}]0;x\u{fffd}\u{fffd}\u{fffd}31mü\u{fffd}"
        );
    }

    #[test]
    fn nothing_turns_a_line_around_or_hides_in_it() {
        let marks = [
            '\u{200e}', '\u{200f}', '\u{61c}', '\u{2028}', '\u{200b}', '\u{feff}',
        ];
        let embeddings = '\u{202a}'..='\u{202e}';
        for c in marks
            .into_iter()
            .chain(embeddings)
            .chain('\u{2066}'..='\u{2069}')
        {
            assert_eq!(visible(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn a_line_stays_one() {
        assert_eq!(visible_line("a\nerror: b\tc"), "a\\nerror: b\\tc");
        assert_eq!(
            visible_line("a\r\u{85}\u{2029}b"),
            "a\u{fffd}\u{fffd}\u{fffd}b"
        );
        assert_eq!(visible_start("ä\nbc", 3), "ä\\nb");
        let once = visible_line("a\n\u{1b}").into_owned();
        assert_eq!(visible_line(&once), once);
    }
}
