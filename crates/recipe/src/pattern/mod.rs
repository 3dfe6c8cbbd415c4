//! Regular expressions and replacements as recipes have them: Go's.
//!
//! Go's `regexp` is RE2: leftmost-first, no look-around, no back-references, linear time. The
//! `regex` crate is the same kind of engine and reads nearly the same language. What differs is
//! translated here:
//!
//! | Go | here |
//! |---|---|
//! | `\d \w \s \b` are ASCII | classes of ASCII |
//! | `[a&&b]`, `[a--b]`, `[a[b]`: plain characters | escaped: the crate has operations on sets |
//! | `\Q…\E`, `\123`, `{` that begins no repetition | escaped characters |
//! | `(?<1>…)`, `\C`, `\pN` of an unknown kind | refused |
//! | `$1x` is the group `1x`, `$$` a dollar, a lone `$` itself | the same ([`Replacement`]) |
//!
//! A pattern costs what it would grow to, so that a few bytes cannot take an hour.

mod class;
mod replacement;
mod translate;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use regex::{Regex, RegexBuilder};

pub use replacement::{Replacement, ReplacementError};
pub use translate::PatternError;

/// The longest pattern, in bytes.
pub const MAX_PATTERN: usize = 4096;

/// The longest text a pattern is looked for in, in bytes.
pub const MAX_TEXT: usize = 4096;

/// The most a pattern may grow to, in states of its automaton, roughly.
pub const MAX_COST: u64 = 20_000;

/// The compiled program's limit in bytes: far above what [`MAX_COST`] makes.
const MAX_PROGRAM: usize = 16 << 20;

/// So many patterns a thread keeps, and none that cost more.
const KEPT: usize = 16;
const KEPT_COST: u64 = 1_000;

/// A regular expression of Go's.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    cost: u64,
}

/// Work that patterns may still do, in steps of an automaton, roughly.
#[derive(Debug)]
pub struct Fuel(Cell<u64>);

impl Default for Fuel {
    fn default() -> Self {
        Self(Cell::new(Self::FULL))
    }
}

impl Fuel {
    /// What there is at first: well below a second of work.
    pub const FULL: u64 = 50_000_000;

    /// Takes `steps`; false when there are not so many left.
    #[must_use]
    pub fn take(&self, steps: u64) -> bool {
        match self.0.get().checked_sub(steps) {
            Some(left) => {
                self.0.set(left);
                true
            }
            None => false,
        }
    }
}

/// Why a replacement could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// The text is longer than [`MAX_TEXT`].
    TextTooLong,
    /// The [`Fuel`] is used up.
    TooMuchWork,
    /// The result is longer than asked.
    ResultTooLong,
}

impl Pattern {
    /// Reads a pattern. Of a collection many recipes have the same few: a thread keeps those it read
    /// last.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        thread_local! {
            static LAST: RefCell<VecDeque<(Box<str>, Pattern)>> = const { RefCell::new(VecDeque::new()) };
        }
        LAST.with_borrow_mut(|last| {
            if let Some((_, known)) = last.iter().find(|(known, _)| **known == *text) {
                return Ok(known.clone());
            }
            let pattern = Self::compile(text)?;
            if pattern.cost <= KEPT_COST {
                last.truncate(KEPT - 1);
                last.push_front((text.into(), pattern.clone()));
            }
            Ok(pattern)
        })
    }

    fn compile(text: &str) -> Result<Self, PatternError> {
        let translated = translate::translate(text)?;
        let built = RegexBuilder::new(&translated.text)
            .size_limit(MAX_PROGRAM)
            .dfa_size_limit(1 << 20)
            .nest_limit(translate::MAX_NESTING + 8)
            .build();
        match built {
            Ok(regex) => Ok(Self {
                regex,
                cost: translated.cost,
            }),
            Err(regex::Error::CompiledTooBig(_)) => Err(PatternError::too_big(text)),
            Err(_) => Err(PatternError::unknown_class(text)),
        }
    }

    /// What it costs to look at one character, and to make it.
    pub const fn cost(&self) -> u64 {
        self.cost
    }

    /// Replaces every match, as Go's `ReplaceAllString` does; the result has at most `most` bytes.
    pub fn replace_all(
        &self,
        text: &str,
        replacement: &Replacement,
        fuel: &Fuel,
        most: usize,
    ) -> Result<String, Exhausted> {
        if text.len() > MAX_TEXT {
            return Err(Exhausted::TextTooLong);
        }
        // A search may look at all that is left and then take one character.
        let length = text.len() as u64 + 1;
        if !fuel.take(self.cost.saturating_mul(length).saturating_mul(length)) {
            return Err(Exhausted::TooMuchWork);
        }
        let mut replaced = String::new();
        let mut after = 0;
        for captures in self.regex.captures_iter(text) {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            replaced += text.get(after..whole.start()).unwrap_or_default();
            replacement.expand(&captures, &mut replaced);
            after = whole.end();
            if replaced.len() > most {
                return Err(Exhausted::ResultTooLong);
            }
        }
        replaced += text.get(after..).unwrap_or_default();
        if replaced.len() > most {
            return Err(Exhausted::ResultTooLong);
        }
        Ok(replaced)
    }
}

#[cfg(test)]
mod tests;
