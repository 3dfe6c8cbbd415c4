//! What must be known of a text before its lines are moved.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

/// A line, and what ends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) body: &'t str,
    pub(super) end: &'t str,
}

impl<'t> Line<'t> {
    pub(super) fn new(whole: &'t str) -> Self {
        let body = whole
            .strip_suffix("\r\n")
            .or_else(|| whole.strip_suffix('\n'));
        let body = body.unwrap_or(whole);
        let end = whole.get(body.len()..).unwrap_or_default();
        Self { body, end }
    }

    pub(super) fn indent(self) -> usize {
        self.body.len() - self.body.trim_start_matches(' ').len()
    }

    pub(super) fn is_blank(self) -> bool {
        self.body.trim_matches([' ', '\t']).is_empty()
    }

    pub(super) fn is_comment(self) -> bool {
        self.body.trim_start_matches([' ', '\t']).starts_with('#')
    }

    /// The body from a byte on.
    pub(super) fn from(self, at: usize) -> &'t str {
        self.body.get(at..).unwrap_or_default()
    }
}

/// What the parser says of lines, which count from 0.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The first key of a block mapping on a line, in bytes of the line.
    pub(super) keys: BTreeMap<usize, Range<usize>>,
    /// Lines within something that began on the line named.
    pub(super) inside: BTreeMap<usize, usize>,
    /// Lines on which `|` or `>` stands.
    pub(super) texts: BTreeMap<usize, Header>,
}

/// What stands after `|` or `>`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Header {
    pub(super) depth: Option<usize>,
    pub(super) keeps_end: bool,
    pub(super) strips_end: bool,
}

/// A line from 1, if it is known, and what is wrong there.
type Wrong = (Option<usize>, String);

impl Facts {
    pub(super) fn read(text: &str, lines: &[Line<'_>]) -> Result<Self, Wrong> {
        let mut facts = Self::default();
        let starts = starts(lines);
        // Whether each open collection is a mapping that waits for a key.
        let mut open: Vec<(StructureStyle, bool, bool, usize)> = Vec::new();
        let mut before = Span::default();
        for event in Parser::new_from_str(text) {
            let (event, span) =
                event.map_err(|error| (Some(error.marker().line()), error.info().clone()))?;
            if matches!(event, Event::Comment(..)) {
                continue;
            }
            let is_node = matches!(
                event,
                Event::Scalar(..)
                    | Event::Alias(..)
                    | Event::SequenceStart(..)
                    | Event::MappingStart(..)
            );
            if let (true, Some((style, true, waits, _))) = (is_node, open.last_mut()) {
                if *waits && *style == StructureStyle::Block && matches!(event, Event::Scalar(..)) {
                    facts.add_key(span, &starts);
                }
                *waits = !*waits;
            }
            let line = span.start.line().saturating_sub(1);
            match event {
                Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                    facts.add_text(before, lines)?;
                    before = span;
                }
                Event::Scalar(..) => {
                    facts.add_inside(line, span);
                    before = span;
                }
                Event::Alias(..) | Event::DocumentStart(true, _) => before = span,
                Event::SequenceStart(style, ..) => open.push((style, false, false, line)),
                Event::MappingStart(style, ..) => open.push((style, true, true, line)),
                Event::SequenceEnd | Event::MappingEnd => {
                    if let Some((StructureStyle::Flow, _, _, line)) = open.pop() {
                        facts.add_inside(line, span);
                        before = span;
                    }
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    fn add_key(&mut self, span: Span, starts: &[usize]) {
        let line = span.start.line().saturating_sub(1);
        if let (Some(start), Some(range)) = (starts.get(line), span.byte_range())
            && let (Some(from), Some(to)) = (
                range.start.checked_sub(*start),
                range.end.checked_sub(*start),
            )
        {
            self.keys.entry(line).or_insert(from..to);
        }
    }

    fn add_inside(&mut self, first: usize, span: Span) {
        for line in first + 1..span.end.line() {
            let inside = self.inside.entry(line).or_insert(first);
            *inside = first.min(*inside);
        }
    }

    /// Finds the `|` or `>` of a text: after what is before it.
    fn add_text(&mut self, before: Span, lines: &[Line<'_>]) -> Result<(), Wrong> {
        let first = before.end.line().saturating_sub(1);
        for (number, line) in lines.iter().enumerate().skip(first) {
            let skipped = if number == first { before.end.col() } else { 0 };
            let mut characters = line.body.char_indices().skip(skipped);
            let from = characters.next().map_or(line.body.len(), |(at, _)| at);
            if let Some(header) = Header::read(line.from(from)) {
                self.texts.insert(number, header);
                return Ok(());
            }
        }
        Err((Some(first + 1), "this text is not understood".to_owned()))
    }
}

impl Header {
    /// What the end of a line says, if a text begins there.
    fn read(part: &str) -> Option<Self> {
        let part = part.trim_start_matches([' ', '\t']);
        if part.starts_with('#') {
            return None;
        }
        let comment = part.find(" #").or_else(|| part.find("\t#"));
        let part = part.get(..comment.unwrap_or(part.len()))?;
        let word = part.split([' ', '\t']).rfind(|word| !word.is_empty())?;
        let marks = word.strip_prefix(['|', '>'])?;
        let is_mark = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-');
        marks.chars().all(is_mark).then(|| Self {
            depth: marks
                .chars()
                .find_map(|c| c.to_digit(10))
                .and_then(|digit| usize::try_from(digit).ok()),
            keeps_end: marks.contains('+'),
            strips_end: marks.contains('-'),
        })
    }
}

/// Where each line begins, in bytes.
fn starts(lines: &[Line<'_>]) -> Vec<usize> {
    let mut at = 0;
    let mut start = |line: &Line<'_>| {
        let start = at;
        at += line.body.len() + line.end.len();
        start
    };
    lines.iter().map(&mut start).collect()
}
