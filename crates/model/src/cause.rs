//! An error told with its causes.

use std::error::Error;

use crate::visible_line;

/// An error with everything beneath it, on one line: `write the layout: no space left on device`.
/// A cause that the text above it quotes already is not told twice, nor one that only puts `SQLite`'s
/// number in front of it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let line = cause.to_string();
        let numbered = line
            .strip_prefix("Error code ")
            .and_then(|rest| rest.split_once(": "));
        let words = numbered.map_or(line.as_str(), |(_, words)| words);
        // One of the two may be for a line of a message already.
        if !visible_line(&text).contains(&*visible_line(words)) {
            text.push_str(": ");
            text.push_str(&line);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Fault {
        what: &'static str,
        source: Option<Box<Self>>,
    }

    #[test]
    fn every_cause_is_told_once() {
        let fault = |what, source: Option<Fault>| Fault {
            what,
            source: source.map(Box::new),
        };
        let cause = fault("disk full", None);
        let quoted = fault("write x: disk full", Some(cause));
        let top = fault("release", Some(quoted));
        assert_eq!(chain(&top), "release: write x: disk full");
        assert_eq!(chain(&fault("alone", None)), "alone");
        let cause = fault("bad 'a\nb\u{7}'", None);
        let quoted = fault("x.yaml: bad 'a\\nb\u{fffd}'", Some(cause));
        assert_eq!(chain(&quoted), "x.yaml: bad 'a\\nb\u{fffd}'");
        let number = fault("Error code 8: attempt to write", None);
        let top = fault("attempt to write", Some(number));
        assert_eq!(chain(&top), "attempt to write");
    }
}
