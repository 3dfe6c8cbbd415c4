//! The width of a person's terminal: no line of ours goes beyond it. A terminal breaks what is wider,
//! and others' words, padded with spaces, would begin a line as our own do.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use boltworks_model::visible;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How far what belongs to a line is put in beneath it.
const INDENT: usize = 4;
/// Nobody reads narrower ones: what is so narrow says nothing of its width.
const NARROWEST: usize = 20;
/// Tabs go to the next of these columns.
const TAB: usize = 8;

/// The width of the terminal that standard error is, if it is one.
pub(crate) fn width() -> Option<usize> {
    width_of(&std::io::stderr())
}

fn width_of(stream: &(impl AsFd + IsTerminal)) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width >= NARROWEST)
}

/// Lines that belong to the first of them, put in beneath it; and the rest of what is too wide for
/// standard error too.
pub(crate) fn hung(text: &str) -> String {
    hung_within(text, width())
}

/// The same for standard output.
pub(crate) fn hung_out(text: &str) -> String {
    hung_within(text, width_of(&std::io::stdout()))
}

/// The same for so many columns, where there is a limit.
pub(crate) fn hung_within(text: &str, width: Option<usize>) -> String {
    let lines = visible(text).replace('\n', &format!("\n{:INDENT$}", ""));
    let Some(width) = width else {
        return lines;
    };
    let lines = lines.split('\n').map(|line| folded(line, width));
    lines.collect::<Vec<_>>().join("\n")
}

/// The beginning of a line that is no wider than so many columns.
pub(crate) fn cut(line: &str, width: usize) -> &str {
    line.get(..end_within(line, 0, width)).unwrap_or(line)
}

/// The columns that a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// A line as lines no wider than that: broken at a space where there is one near the end, and put in
/// beneath the first.
fn folded(line: &str, width: usize) -> String {
    let own = line.len() - line.trim_start_matches(' ').len();
    let indent = (own + INDENT).min(width / 2);
    let (mut text, mut rest, mut before) = (String::new(), line, 0);
    loop {
        let end = end_within(rest, before, width);
        let (fits, more) = rest.split_at(end);
        if more.is_empty() {
            text.push_str(fits);
            return text;
        }
        let space = fits.rfind(' ').filter(|space| *space > end / 2);
        let end = if more.starts_with(' ') { None } else { space }.unwrap_or(end);
        let (fits, more) = rest.split_at(end);
        text.push_str(fits.trim_end_matches(' '));
        rest = more.trim_start_matches(' ');
        if rest.is_empty() {
            return text;
        }
        text.extend(["\n", &" ".repeat(indent)]);
        before = indent;
    }
}

/// Where a text, begun in a column, reaches the width: after one character at least.
fn end_within(text: &str, mut column: usize, width: usize) -> usize {
    for (at, c) in text.char_indices() {
        column += match c {
            '\t' => TAB - column % TAB,
            c => c.width().unwrap_or(0),
        };
        if column > width && at > 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_words_begin_no_line_of_a_terminal() {
        let padded = format!("= build a: b{}error: forged", " ".repeat(70));
        assert_eq!(folded(&padded, 80), "= build a: b\n    error: forged");
        let log = format!("  {}error: forged and more", "\u{a0}".repeat(78));
        let folded_log = folded(&log, 80);
        let (_, second) = folded_log.split_once('\n').unwrap();
        assert_eq!(second, "      error: forged and more");
        assert_eq!(folded("short", 80), "short");
        assert_eq!(
            folded("one two three four", 12),
            "one two\n    three\n    four"
        );
        assert_eq!(folded("aaaaaaaaaaaaaaaa", 12), "aaaaaaaaaaaa\n    aaaa");
    }

    #[test]
    fn what_counts_is_how_wide_it_is_shown() {
        assert_eq!(cut("日本語", 5), "日本");
        assert_eq!(cut("a\tb", 8), "a\t");
        assert_eq!(cut("e\u{301}f", 1), "e\u{301}");
        assert_eq!(
            folded(&"語".repeat(12), 20),
            format!("{}\n    語語", "語".repeat(10))
        );
        assert_eq!(columns("日本a"), 5);
        // Narrower than one character: it ends all the same.
        assert_eq!(folded("語語", 1), "語\n語");
    }
}
