//! What steps print: the whole of it goes to the store, the end of it into errors.

use std::collections::VecDeque;
use std::io::Write;

use boltworks_model::{Event, Sink, is_unseen};
use boltworks_store::{BlobDraft, Store};

use crate::Error;
use crate::steps::Count;

/// How many lines an error shows.
const TAIL_LINES: usize = 30;
/// The longest line that is kept in one piece.
const LINE_BYTES: usize = 4096;
/// The most that is kept of one log. A build that prints more goes on; the log says how much is
/// missing, and has the last lines again.
const LOG_BYTES: u64 = 256 << 20;

/// A log in the making.
pub struct Log<'a, 's> {
    job: &'a str,
    sink: &'a dyn Sink,
    draft: BlobDraft<'s>,
    tail: VecDeque<String>,
    partial: Vec<u8>,
    limit: u64,
    written: u64,
    left_out: u64,
}

impl<'a, 's> Log<'a, 's> {
    /// Starts the log of a job.
    pub fn new(store: &'s Store, sink: &'a dyn Sink, job: &'a str) -> Result<Self, Error> {
        Self::with_limit(store, sink, job, LOG_BYTES)
    }

    fn with_limit(
        store: &'s Store,
        sink: &'a dyn Sink,
        job: &'a str,
        limit: u64,
    ) -> Result<Self, Error> {
        Ok(Self {
            job,
            sink,
            draft: store.begin()?,
            tail: VecDeque::with_capacity(TAIL_LINES),
            partial: Vec::new(),
            limit,
            written: 0,
            left_out: 0,
        })
    }

    /// Names the step that follows.
    pub fn step(&mut self, step: &str, count: Count) -> Result<(), Error> {
        let Count { begun, of } = count;
        let step = printable(step.as_bytes());
        self.sink.event(Event::Step {
            job: self.job,
            step: &format!("step {begun} of {of}: {step}"),
        });
        self.take(&format!("== {step}"))
    }

    /// The last line.
    pub fn told(&self) -> Option<&str> {
        self.tail.back().map(String::as_str)
    }

    /// Takes bytes as they were printed.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LINE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends an unfinished line.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.partial.is_empty() {
            return Ok(());
        }
        let line = printable(&self.partial);
        self.partial.clear();
        self.line(&line)
    }

    /// Takes a whole line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Error> {
        self.sink.event(Event::Line {
            job: self.job,
            line,
        });
        self.take(line)
    }

    fn take(&mut self, line: &str) -> Result<(), Error> {
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        let size = line.len() as u64 + 1;
        // Once something is left out, all that follows is: a log has one gap at most.
        if self.left_out > 0 || self.written + size > self.limit {
            self.left_out += size;
            return Ok(());
        }
        self.written += size;
        self.keep(line)
    }

    fn keep(&mut self, line: &str) -> Result<(), Error> {
        self.draft.write_all(line.as_bytes())?;
        Ok(self.draft.write_all(b"\n")?)
    }

    /// Says in the log itself that it is not whole.
    fn close_gap(&mut self) -> Result<(), Error> {
        if self.left_out == 0 {
            return Ok(());
        }
        let Self {
            job,
            limit,
            left_out,
            ..
        } = *self;
        let text = format!(
            "== {left_out} bytes are left out here: a log holds {limit}; the last {} lines were:",
            self.tail.len()
        );
        self.sink.event(Event::Warning {
            text: &format!("{job} printed {left_out} bytes more than its log holds"),
        });
        self.keep(&text)?;
        for line in self.tail.clone() {
            self.keep(&line)?;
        }
        Ok(())
    }

    /// Ends the log; gives it, not yet in the store, and its last lines.
    pub fn finish(mut self) -> Result<(BlobDraft<'s>, Vec<String>), Error> {
        self.flush()?;
        self.close_gap()?;
        Ok((self.draft, self.tail.into()))
    }
}

/// A line without anything that a terminal would obey: what a hostile build prints is shown, and
/// changes no title, no colour and no clipboard. Colours are left out, and what a progress bar wrote
/// over, as a person would have seen it; whatever else is no text is shown as `\u{fffd}`.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.trim_end();
    let mut shown = String::with_capacity(rest.len());
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = after;
        match c {
            '\u{1b}' | '\u{9b}' => match behind_sequence(c, after) {
                Some(behind) => rest = behind,
                None => shown.push(char::REPLACEMENT_CHARACTER),
            },
            '\r' => shown.clear(),
            '\u{8}' => drop(shown.pop()),
            '\t' => shown.push(c),
            c if is_unseen(c) => shown.push(char::REPLACEMENT_CHARACTER),
            c => shown.push(c),
        }
    }
    shown.trim_end().to_owned()
}

/// What follows a sequence that a terminal obeys, after its first character (ECMA-48, 5.4 and 8.3);
/// nothing, where it is not whole.
fn behind_sequence(first: char, after: &str) -> Option<&str> {
    let (kind, after) = if first == '\u{9b}' {
        ('[', after)
    } else {
        let kind = after.chars().next()?;
        (kind, after.get(kind.len_utf8()..)?)
    };
    let behind = |is_within: &dyn Fn(char) -> bool, is_last: &dyn Fn(char) -> bool| {
        let end = after.find(|c| !is_within(c))?;
        let last = after.get(end..)?.chars().next().filter(|c| is_last(*c))?;
        after.get(end + last.len_utf8()..)
    };
    match kind {
        // Colours, and where the cursor goes.
        '[' => behind(&|c| matches!(c, ' '..='?'), &|c| matches!(c, '@'..='~')),
        // Titles, links, the clipboard: up to the end that is theirs.
        ']' | 'P' | 'X' | '^' | '_' => {
            let bell = after.find('\u{7}').map(|at| (at, 1));
            let end = after.find("\u{1b}\\").map(|at| (at, 2));
            let (at, length) = bell.into_iter().chain(end).min()?;
            after.get(at + length..)
        }
        // Sets of characters.
        ' '..='/' => behind(&|c| matches!(c, ' '..='/'), &|c| matches!(c, '0'..='~')),
        '0'..='~' => Some(after),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::{Limit, Root};

    use super::*;

    struct Nobody;

    impl Sink for Nobody {
        fn event(&self, _: Event<'_>) {}
    }

    #[test]
    fn a_log_says_what_it_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Root::open(folder.path()).unwrap()).unwrap();
        let text = |limit| {
            let mut log = Log::with_limit(&store, &Nobody, "build", limit).unwrap();
            for number in 1..=100 {
                log.bytes(format!("line {number}\n").as_bytes()).unwrap();
            }
            let (draft, tail) = log.finish().unwrap();
            let digest = draft.commit().unwrap().digest;
            let bytes = store.read_bytes(&digest, Limit::mib(1)).unwrap();
            (String::from_utf8(bytes.into_inner()).unwrap(), tail)
        };
        let mut named = Log::new(&store, &Nobody, "build").unwrap();
        named
            .step("a\u{1b}[31mb", Count { begun: 1, of: 1 })
            .unwrap();
        assert_eq!(named.told(), Some("== ab"));
        let (whole, tail) = text(LOG_BYTES);
        assert_eq!(whole.lines().count(), 100);
        let (cut, same) = text(14);
        assert_eq!(tail, same);
        let gap = "== 778 bytes are left out here: a log holds 14; the last 30 lines were:";
        assert_eq!(cut, format!("line 1\nline 2\n{gap}\n{}\n", tail.join("\n")));
    }

    #[test]
    fn terminals_are_told_nothing() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(printable(bytes), expected);
        check(b"a\tb\x1b[2J\x07c\r\n", "a\tb\u{fffd}c");
        check(b"\x1b[1;31merror:\x1b[0m it\x1b(B\x1b[m\n", "error: it");
        check("\u{9b}31mred\u{9b}0m".as_bytes(), "red");
        check(b"10%\r100%\r\n", "100%");
        check(b"bb\x08b \x1b[K", "bb");
        check(b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b", "ab");
        // What is not whole is shown.
        check("a\u{202e}b\u{200b}".as_bytes(), "a\u{fffd}b\u{fffd}");
        check(b"\x1b]0;all of it", "\u{fffd}]0;all of it");
        check(b"\x1b[31", "\u{fffd}[31");
        check(b"\x1b", "\u{fffd}");
        check("\u{9d}x\u{1b}ü".as_bytes(), "\u{fffd}x\u{fffd}ü");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_printed_is_shown_as_text(
            bytes in proptest::collection::vec(proptest::sample::select(
                b"ab \t\r\n\x08\x07\x1b\x1b[]m;0(\\\xc2\x9b\x9d".to_vec()), 0..60)
        ) {
            let shown = printable(&bytes);
            assert!(!shown.chars().any(|c| c.is_control() && c != '\t'), "{shown:?}");
        }
    }
}
