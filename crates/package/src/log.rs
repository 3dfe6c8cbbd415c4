//! What steps print: the whole of it goes to the store, the end of it into errors.

use std::collections::VecDeque;
use std::io::Write;

use boltworks_model::{Event, Sink};
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
/// changes no title, no colour and no clipboard.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let shown = |c: char| {
        if c.is_control() && c != '\t' {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.trim_end().chars().map(shown).collect()
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
        let (whole, tail) = text(LOG_BYTES);
        assert_eq!(whole.lines().count(), 100);
        let (cut, same) = text(14);
        assert_eq!(tail, same);
        let gap = "== 778 bytes are left out here: a log holds 14; the last 30 lines were:";
        assert_eq!(cut, format!("line 1\nline 2\n{gap}\n{}\n", tail.join("\n")));
    }

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(
            printable(b"a\tb\x1b[2J\x07\rc\r\n"),
            "a\tb\u{fffd}[2J\u{fffd}\u{fffd}c"
        );
        assert_eq!(printable("\u{9b}31m".as_bytes()), "\u{fffd}31m");
    }
}
