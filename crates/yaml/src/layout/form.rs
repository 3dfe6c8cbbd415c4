//! Lines moved to their usual columns.

use std::collections::BTreeMap;

use super::facts::{Facts, Header, Line};

/// How far a level is indented.
const STEP: usize = 2;

/// A list or mapping that is open, with its column in the text and in the usual form.
#[derive(Debug, Clone, Copy)]
struct Block {
    is_list: bool,
    old: usize,
    new: usize,
}

/// A line in its usual form.
#[derive(Debug, Clone, Default)]
struct Formed {
    body: String,
    is_blank: bool,
    /// The column of a line that is only a comment.
    comment: Option<usize>,
    /// The line is one that stands apart, at this column.
    apart: Option<usize>,
}

pub(super) struct Former<'t> {
    lines: &'t [Line<'t>],
    facts: &'t Facts,
    spaced: &'t [&'t str],
    open: Vec<Block>,
    /// Whether items of the list under the current key of the outermost mapping stand apart.
    is_spaced: bool,
    /// Whether blank lines are part of the text before.
    keeps_end: bool,
    /// By how much each line was moved.
    moved: BTreeMap<usize, (usize, usize)>,
    formed: Vec<Formed>,
    comments: Vec<usize>,
    /// Whether a line's end at the end would be part of a text.
    ends_in_text: bool,
}

impl<'t> Former<'t> {
    pub(super) fn new(lines: &'t [Line<'t>], facts: &'t Facts, spaced: &'t [&'t str]) -> Self {
        Self {
            lines,
            facts,
            spaced,
            open: Vec::new(),
            is_spaced: false,
            keeps_end: false,
            moved: BTreeMap::new(),
            formed: vec![Formed::default(); lines.len()],
            comments: Vec::new(),
            ends_in_text: false,
        }
    }

    pub(super) fn form(mut self) -> String {
        let mut number = 0;
        while let Some(&line) = self.lines.get(number) {
            number = if let Some(&first) = self.facts.inside.get(&number) {
                self.shift(number, line, self.moved.get(&first).copied());
                number + 1
            } else if line.is_blank() {
                self.put(
                    number,
                    Formed {
                        is_blank: true,
                        ..Formed::default()
                    },
                );
                number + 1
            } else if line.is_comment() {
                self.comments.push(number);
                number + 1
            } else {
                self.line(number, line);
                match self.facts.texts.get(&number) {
                    Some(&header) => self.text(number + 1, header),
                    None => number + 1,
                }
            };
        }
        let before = std::mem::take(&mut self.open);
        self.place_comments(&before, None);
        self.written()
    }

    fn put(&mut self, number: usize, formed: Formed) {
        if let Some(place) = self.formed.get_mut(number) {
            *place = formed;
        }
    }

    /// A line that moves with another one.
    fn shift(&mut self, number: usize, line: Line<'_>, moved: Option<(usize, usize)>) {
        let (old, new) = moved.unwrap_or_default();
        self.ends_in_text = false;
        let body = if line.is_blank() {
            String::new()
        } else {
            let indent = (line.indent() + new).saturating_sub(old);
            format!("{:indent$}{}", "", line.from(line.indent()))
        };
        let is_blank = body.is_empty();
        self.put(
            number,
            Formed {
                body,
                is_blank,
                ..Formed::default()
            },
        );
    }

    /// A line on which something begins.
    fn line(&mut self, number: usize, line: Line<'_>) {
        self.ends_in_text = false;
        let column = line.indent();
        let before = self.open.clone();
        if is_marker(line.body) {
            self.open.clear();
            self.place_comments(&before, Some((0, 0)));
            self.put(
                number,
                Formed {
                    body: line.body.trim_end_matches([' ', '\t']).to_owned(),
                    ..Formed::default()
                },
            );
            return;
        }
        let (mut at, mut new, mut is_apart) = (column, None, false);
        let mut body = String::new();
        while is_item(line.from(at)) {
            let (here, is_old) = self.enter(true, at, new);
            is_apart |= is_old && self.open.len() == 2 && self.is_spaced;
            let after = line.from(at + 1);
            let gap = after.len() - after.trim_start_matches([' ', '\t']).len();
            let spaces = after.get(..gap).unwrap_or_default();
            let rest = after.get(gap..).unwrap_or_default();
            let is_usual = !rest.is_empty() && !rest.starts_with('#') && !spaces.contains('\t');
            if body.is_empty() {
                body = " ".repeat(here);
            }
            body.push('-');
            body.push_str(if is_usual { " " } else { spaces });
            at += 1 + gap;
            new = Some(here + STEP);
        }
        let rest = line.from(at);
        if !rest.is_empty() {
            let key = self.facts.keys.get(&number).filter(|key| key.start >= at);
            let here = if key.is_some() || is_entry(rest) {
                let (here, is_old) = self.enter(false, at, new);
                if self.open.len() == 1 {
                    is_apart |= is_old;
                    let name = key.and_then(|key| line.body.get(key.clone()));
                    let name = name.unwrap_or_default().trim_matches(['"', '\'']);
                    self.is_spaced = self.spaced.contains(&name);
                }
                here
            } else {
                self.value_column(at, new)
            };
            if body.is_empty() {
                body = " ".repeat(here);
            }
            body.push_str(&one_space(line, at, key.map(|key| key.end)));
        }
        let column_now = body.len() - body.trim_start_matches(' ').len();
        // What goes over several lines may end here in a space that counts.
        if self.facts.inside.get(&(number + 1)) != Some(&number) {
            body.truncate(body.trim_end_matches([' ', '\t']).len());
        }
        self.place_comments(&before, Some((column, column_now)));
        self.moved.insert(number, (column, column_now));
        let apart = (is_apart && !self.keeps_end).then_some(column_now);
        self.keeps_end = false;
        self.put(
            number,
            Formed {
                body,
                apart,
                ..Formed::default()
            },
        );
    }

    /// Enters an item or a key at a column: its column in the usual form, and whether its list or
    /// mapping was open. `new` is known where it is not the first on its line.
    fn enter(&mut self, is_list: bool, old: usize, new: Option<usize>) -> (usize, bool) {
        if let Some(new) = new {
            self.open.push(Block { is_list, old, new });
            return (new, false);
        }
        while let Some(last) = self.open.last() {
            let is_over = last.old > old || (last.old == old && last.is_list && !is_list);
            if !is_over {
                break;
            }
            self.open.pop();
        }
        match self.open.last() {
            Some(last) if last.old == old && last.is_list == is_list => (last.new, true),
            last => {
                let new = last.map_or(0, |last| last.new + STEP);
                self.open.push(Block { is_list, old, new });
                (new, false)
            }
        }
    }

    /// The column of a value that has a line of its own.
    fn value_column(&mut self, old: usize, new: Option<usize>) -> usize {
        if let Some(new) = new {
            return new;
        }
        while self.open.last().is_some_and(|last| last.old >= old) {
            self.open.pop();
        }
        self.open.last().map_or(0, |last| last.new + STEP)
    }

    /// The lines of a text, from this one on; the line after them.
    fn text(&mut self, first: usize, header: Header) -> usize {
        let parent = self.open.last().copied();
        let lines = self.lines.get(first..).unwrap_or_default();
        let Some(written) = lines.iter().find(|line| !line.is_blank()) else {
            self.keeps_end = header.keeps_end;
            self.ends_in_text = true;
            return first;
        };
        let (old, new) = match (header.depth, parent) {
            (None, Some(parent)) => (written.indent(), parent.new + STEP),
            (Some(depth), Some(parent)) => (parent.old + depth, parent.new + depth),
            (_, None) => (written.indent(), written.indent()),
        };
        self.keeps_end = header.keeps_end;
        if written.indent() < old || parent.is_some_and(|parent| old <= parent.old) {
            return first;
        }
        let is_text = |line: &&Line<'_>| line.is_blank() || line.indent() >= old;
        let count = lines.iter().take_while(is_text).count();
        for (number, &line) in lines.iter().enumerate().take(count) {
            let body = match line.body.get(old..) {
                Some(rest) if line.indent() >= old && !rest.is_empty() => {
                    format!("{:new$}{rest}", "")
                }
                _ => String::new(),
            };
            let is_blank = body.trim_matches(' ').is_empty();
            self.put(
                first + number,
                Formed {
                    body,
                    is_blank,
                    ..Formed::default()
                },
            );
        }
        self.ends_in_text = !header.strips_end;
        first + count
    }

    /// Puts comments where they belong: to the line after them, to a list or mapping at whose
    /// column they stand, or to the one they stand in. `before` is what was open before that line.
    fn place_comments(&mut self, before: &[Block], next: Option<(usize, usize)>) {
        for number in std::mem::take(&mut self.comments) {
            let Some(&line) = self.lines.get(number) else {
                continue;
            };
            let old = line.indent();
            let here = before.iter().rev().find(|block| block.old <= old);
            let here = here.or(before.first());
            let column = match (next, here) {
                (Some((next, new)), _) if next == old => new,
                (_, Some(block)) => block.new,
                (Some((next, new)), None) => (old + new).saturating_sub(next),
                (None, None) => old,
            };
            let comment = line.body.trim_matches([' ', '\t']);
            let body = format!("{:column$}{comment}", "");
            let comment = Some(column);
            self.put(
                number,
                Formed {
                    body,
                    comment,
                    ..Formed::default()
                },
            );
        }
    }

    /// All lines, with blank ones before those that stand apart.
    fn written(self) -> String {
        let usual_end = self.lines.first().map_or("\n", |line| line.end);
        let mut blanks: Vec<usize> = Vec::new();
        for (number, formed) in self.formed.iter().enumerate() {
            let Some(column) = formed.apart else { continue };
            let above = self.formed.get(..number).unwrap_or_default();
            let own = above
                .iter()
                .rev()
                .take_while(|line| line.comment == Some(column));
            let first = number - own.count();
            let is_apart = match first.checked_sub(1) {
                Some(above) => self.formed.get(above).is_none_or(|line| line.is_blank),
                None => true,
            };
            if !is_apart {
                blanks.push(first);
            }
        }
        let mut blanks = blanks.into_iter().peekable();
        let mut text = String::new();
        for (number, (formed, line)) in self.formed.iter().zip(self.lines).enumerate() {
            if blanks.next_if_eq(&number).is_some() {
                text.push_str(if usual_end.is_empty() {
                    "\n"
                } else {
                    usual_end
                });
            }
            text.push_str(&formed.body);
            text.push_str(line.end);
        }
        let is_ended = text.is_empty() || text.ends_with('\n') || self.ends_in_text;
        if !is_ended {
            text.push_str(if usual_end.is_empty() {
                "\n"
            } else {
                usual_end
            });
        }
        text
    }
}

/// Whether a line begins or ends a document.
fn is_marker(line: &str) -> bool {
    let after = line
        .strip_prefix("---")
        .or_else(|| line.strip_prefix("..."));
    after.is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t']))
}

/// Whether an item of a list begins here.
fn is_item(text: &str) -> bool {
    let after = text.strip_prefix('-');
    after.is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t']))
}

/// Whether a key or a value begins here that says so by its mark.
fn is_entry(text: &str) -> bool {
    let after = text.strip_prefix(['?', ':']);
    after.is_some_and(|after| after.is_empty() || after.starts_with([' ', '\t']))
}

/// A line from `at`, with one space between its key, which ends at `key_end`, and the value.
fn one_space(line: Line<'_>, at: usize, key_end: Option<usize>) -> String {
    let rest = line.from(at);
    let spaced = || {
        let key_end = key_end?;
        let key = line.body.get(at..key_end)?;
        let value = line.from(key_end).strip_prefix(':')?;
        let is_usual =
            value.starts_with("  ") && !value.trim_start_matches(' ').starts_with(['#', '\t']);
        let value = value.trim_start_matches(' ');
        (is_usual && !value.is_empty()).then(|| format!("{key}: {value}"))
    };
    spaced().unwrap_or_else(|| rest.to_owned())
}
