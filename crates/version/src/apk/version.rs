//! The grammar and the order of apk versions.
//!
//! `number{.number}{letter}{_suffix{number}}{~hash}{-rN}`: the first number may not be missing,
//! everything after it may. Only the order and the number of the parts are fixed:
//!
//! | part | form | how two of them compare |
//! |---|---|---|
//! | first number | digits | as numbers: `01` = `1` |
//! | further numbers | `.` digits | as numbers, but as text if either begins with `0` |
//! | letter | one of `a`–`z` | as letters |
//! | suffixes | `_alpha _beta _pre _rc`, `_cvs _svn _git _hg _p` | in this order |
//! | suffix number | digits right after a suffix | as numbers |
//! | hash | `~` and lower-case hexadecimal digits | as text |
//! | revision | `-r` digits | as numbers |
//!
//! Versions are compared part by part. Where one has a part of another sort than its
//! counterpart, or none, the sorts decide, from low to high: a suffix that comes before a
//! release (`_alpha` to `_rc`), the end, a revision, a hash, a suffix number, a suffix that
//! comes after a release, a letter, a number. So `1.0_rc1 < 1.0 < 1.0-r0 < 1.0_p1 < 1.0a < 1.0.1`.
//!
//! Numbers may have any number of digits; nothing overflows.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid apk version: {reason} at byte {at}")]
pub struct VersionError {
    /// The offending text, cut to 160 characters.
    pub text: String,
    /// What is wrong there.
    pub reason: &'static str,
    /// Where it goes wrong, counted from 0.
    pub at: usize,
}

/// A version of an apk package: `1.3.1_git20260101-r2`.
///
/// Equality follows the order, so `1.0` and `01.0` are equal; the text stays as it was written.
#[derive(Clone)]
pub struct Version(Box<str>);

impl Version {
    /// The longest text taken as a version, in bytes.
    pub const MAX_LEN: usize = 256;

    /// The text, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the version begins with all the parts of `prefix`: what `~` asks for.
    ///
    /// `1.2.3-r0` begins with `1`, `1.2` and `1.2.3`, not with `1.2.30` or `1.20`.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        let (mut own, mut wanted) = (Parts::of(self), Parts::of(prefix));
        loop {
            match wanted.next() {
                Part::End => return true,
                part if own.next().cmp(&part).is_eq() => {}
                _ => return false,
            }
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = |reason, at| VersionError {
            text: boltworks_model::visible_start(text, 160),
            reason,
            at,
        };
        if text.len() > Self::MAX_LEN {
            return Err(error("more than 256 bytes", Self::MAX_LEN));
        }
        let mut parts = Parts {
            rest: text,
            last: Place::Start,
        };
        loop {
            match parts.try_next() {
                Ok(Part::End) => return Ok(Self(text.into())),
                Ok(_) => {}
                Err(reason) => return Err(error(reason, text.len() - parts.rest.len())),
            }
        }
    }
}

impl TryFrom<&str> for Version {
    type Error = VersionError;

    fn try_from(text: &str) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0 == other.0 {
            return Ordering::Equal;
        }
        let (mut left, mut right) = (Parts::of(self), Parts::of(other));
        loop {
            let (one, two) = (left.next(), right.next());
            let order = one.cmp(&two);
            if order.is_ne() || one == Part::End {
                return order;
            }
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut parts = Parts::of(self);
        loop {
            let part = parts.next();
            state.write_u8(part.rank());
            match part {
                Part::First(digits) | Part::SuffixNumber(digits) | Part::Revision(digits) => {
                    significant(digits).hash(state);
                }
                Part::Number(text) | Part::Commit(text) => text.hash(state),
                Part::Letter(letter) => letter.hash(state),
                Part::Suffix(suffix) => suffix.hash(state),
                Part::End => return,
            }
        }
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The words that may follow `_`; those up to `Rc` come before the release itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Suffix {
    Alpha,
    Beta,
    Pre,
    Rc,
    Cvs,
    Svn,
    Git,
    Hg,
    P,
}

impl Suffix {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "alpha" => Self::Alpha,
            "beta" => Self::Beta,
            "pre" => Self::Pre,
            "rc" => Self::Rc,
            "cvs" => Self::Cvs,
            "svn" => Self::Svn,
            "git" => Self::Git,
            "hg" => Self::Hg,
            "p" => Self::P,
            _ => return None,
        })
    }
}

/// One part of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    First(&'a str),
    Number(&'a str),
    Letter(u8),
    Suffix(Suffix),
    SuffixNumber(&'a str),
    Commit(&'a str),
    Revision(&'a str),
    End,
}

impl Part<'_> {
    /// The order of the sorts of parts.
    fn rank(self) -> u8 {
        match self {
            Self::Suffix(suffix) if suffix <= Suffix::Rc => 0,
            Self::End => 1,
            Self::Revision(_) => 2,
            Self::Commit(_) => 3,
            Self::SuffixNumber(_) => 4,
            Self::Suffix(_) => 5,
            Self::Letter(_) => 6,
            Self::Number(_) => 7,
            Self::First(_) => 8,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(left), Self::Number(right))
                if left.starts_with('0') || right.starts_with('0') =>
            {
                left.cmp(right)
            }
            (Self::First(left), Self::First(right))
            | (Self::Number(left), Self::Number(right))
            | (Self::SuffixNumber(left), Self::SuffixNumber(right))
            | (Self::Revision(left), Self::Revision(right)) => numerically(left, right),
            (Self::Letter(left), Self::Letter(right)) => left.cmp(right),
            (Self::Suffix(left), Self::Suffix(right)) => left.cmp(right),
            (Self::Commit(left), Self::Commit(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

fn significant(digits: &str) -> &str {
    digits.trim_start_matches('0')
}

fn numerically(left: &str, right: &str) -> Ordering {
    let (left, right) = (significant(left), significant(right));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// How far into the grammar the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Start,
    Numbers,
    Letter,
    Suffix,
    SuffixNumber,
    Commit,
    Revision,
}

/// Cuts a version into its parts, without allocating.
struct Parts<'a> {
    rest: &'a str,
    last: Place,
}

impl<'a> Parts<'a> {
    fn of(version: &'a Version) -> Self {
        Self {
            rest: &version.0,
            last: Place::Start,
        }
    }

    /// The next part of a text that is known to be a version.
    fn next(&mut self) -> Part<'a> {
        self.try_next().unwrap_or(Part::End)
    }

    fn try_next(&mut self) -> Result<Part<'a>, &'static str> {
        if self.last == Place::Start {
            self.last = Place::Numbers;
            return self
                .digits("a version begins with a digit")
                .map(Part::First);
        }
        let Some(&byte) = self.rest.as_bytes().first() else {
            return Ok(Part::End);
        };
        match byte {
            b'.' => self
                .enter(Place::Numbers, 1, |last| last == Place::Numbers)
                .and_then(|()| self.digits("digits must follow '.'").map(Part::Number)),
            b'a'..=b'z' => self
                .enter(Place::Letter, 1, |last| last == Place::Numbers)
                .map(|()| Part::Letter(byte)),
            b'0'..=b'9' => self
                .enter(Place::SuffixNumber, 0, |last| last == Place::Suffix)
                .and_then(|()| self.digits("digits are missing").map(Part::SuffixNumber)),
            b'_' => self
                .enter(Place::Suffix, 1, |last| last <= Place::SuffixNumber)
                .and_then(|()| self.suffix()),
            b'~' => self
                .enter(Place::Commit, 1, |last| last < Place::Commit)
                .and_then(|()| self.commit()),
            b'-' if self.rest.starts_with("-r") => self
                .enter(Place::Revision, 2, |last| last < Place::Revision)
                .and_then(|()| self.digits("digits must follow '-r'").map(Part::Revision)),
            _ => Err("an unexpected character"),
        }
    }

    /// Goes over to a place of the grammar, if it may follow the last one, and skips `marker` bytes.
    fn enter(
        &mut self,
        place: Place,
        marker: usize,
        may_follow: impl Fn(Place) -> bool,
    ) -> Result<(), &'static str> {
        if !may_follow(self.last) {
            return Err("a part out of its order");
        }
        self.last = place;
        self.rest = self.rest.get(marker..).unwrap_or_default();
        Ok(())
    }

    fn digits(&mut self, missing: &'static str) -> Result<&'a str, &'static str> {
        self.span(|byte| byte.is_ascii_digit()).ok_or(missing)
    }

    fn suffix(&mut self) -> Result<Part<'a>, &'static str> {
        let before = self.rest;
        let suffix = self
            .span(|byte| byte.is_ascii_lowercase())
            .and_then(Suffix::from_word);
        suffix.map(Part::Suffix).ok_or_else(|| {
            self.rest = before;
            "not one of the suffixes alpha, beta, pre, rc, cvs, svn, git, hg, p"
        })
    }

    fn commit(&mut self) -> Result<Part<'a>, &'static str> {
        self.span(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            .map(Part::Commit)
            .ok_or("lower-case hexadecimal digits must follow '~'")
    }

    /// Takes the longest run of bytes that fit; none if there is not even one.
    fn span(&mut self, fits: impl Fn(u8) -> bool) -> Option<&'a str> {
        let end = self
            .rest
            .bytes()
            .position(|byte| !fits(byte))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!taken.is_empty()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher, RandomState};

    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Takes `<`, `=` between versions: `"1 < 1.0 = 1.0"`.
    fn check(chain: &str) {
        let words: Vec<&str> = chain.split_whitespace().collect();
        for window in words.windows(3).step_by(2) {
            let [left, relation, right] = *window else {
                unreachable!("windows of three")
            };
            let order = match relation {
                "<" => Ordering::Less,
                "=" => Ordering::Equal,
                other => panic!("no relation: {other}"),
            };
            assert_eq!(
                version(left).cmp(&version(right)),
                order,
                "{left} {relation} {right}"
            );
            assert_eq!(
                version(right).cmp(&version(left)),
                order.reverse(),
                "{right} vs {left}"
            );
        }
    }

    #[test]
    fn numbers() {
        check("0 < 1 < 2 < 9 < 10 < 11 < 99 < 100");
        check("1 < 1.0 < 1.0.0 < 1.0.1 < 1.1 < 1.2 < 1.9 < 1.10 < 1.11 < 2");
        check("0.1 < 0.9 < 0.10 < 0.99 < 0.100 < 1.0");
        check("20260101 < 20260102 < 20261126 < 99999999999999999999 < 100000000000000000000");
        check("18446744073709551615 < 18446744073709551616 < 18446744073709551617");
        check("1.18446744073709551616 < 1.18446744073709551617");
        check("4294967295.1 < 4294967296.0");
        check("2.2.3 < 2.2.3.1 < 2.3 < 10.2.3");
    }

    #[test]
    fn leading_zeros_count_as_text_after_the_first_number() {
        check("01 = 1");
        check("007.1 = 7.1");
        check("00 = 0");
        check("1.0 < 1.00 < 1.001 < 1.002 < 1.01 < 1.010 < 1.02 < 1.09 < 1.1 < 1.2 < 1.9 < 1.10");
        check("1.05 < 1.5");
        check("1.010 < 1.10");
        check("1.0.5 < 1.00.4");
        check("3.01 < 3.1 < 3.1.0");
        check("2026.01.01 < 2026.1.1");
        check("5.0009 < 5.001");
        check("1_p01 = 1_p1");
        check("1-r01 = 1-r1");
        check("1_rc09 < 1_rc10");
        check("1-r09 < 1-r10");
    }

    #[test]
    fn letters() {
        check("1 < 1a < 1b < 1z < 1.0");
        check("1.0 < 1.0a < 1.0b < 1.0.0 < 1.1");
        check("1.1.1 < 1.1.1a < 1.1.1f < 1.1.1w < 1.1.2");
        check("1.0a < 1.0a-r0 < 1.0a-r1 < 1.0a_p1 < 1.0b");
        check("1.0a_rc1 < 1.0a < 1.0a_p1");
        check("9e < 9z < 10a");
    }

    #[test]
    fn suffixes_before_and_after_the_release() {
        check("1_alpha < 1_beta < 1_pre < 1_rc < 1 < 1_cvs < 1_svn < 1_git < 1_hg < 1_p");
        check("1.0_alpha < 1.0_alpha1 < 1.0_alpha2 < 1.0_alpha10 < 1.0_beta");
        check("1.0_beta3 < 1.0_pre1 < 1.0_rc1 < 1.0_rc2 < 1.0");
        check("1.0 < 1.0_p0 < 1.0_p1 < 1.0_p2 < 1.0_p10 < 1.0.0");
        check("1.0_p < 1.0_p0");
        check("1.0_git20260101 < 1.0_git20261126 < 1.0_hg1 < 1.0_p1");
        check("1.0_cvs9 < 1.0_svn1 < 1.0_git1 < 1.0_hg1");
        check("0_git20250101 < 0_git20260101 < 0.1");
        check("2.0_rc1 < 2.0_rc1-r0 < 2.0_rc1-r1 < 2.0_rc1_p1 < 2.0_rc2");
    }

    #[test]
    fn suffixes_in_a_row() {
        check("1.0_alpha_alpha < 1.0_alpha_beta < 1.0_alpha");
        check("1.0_alpha_pre2 < 1.0_alpha");
        check("1.0_alpha < 1.0_alpha1 < 1.0_alpha_git1 < 1.0_alpha_p1 < 1.0_beta");
        check("1.0_pre_rc1 < 1.0_pre");
        check("1.0_p1_rc1 < 1.0_p1 < 1.0_p1_git5 < 1.0_p1_p1 < 1.0_p2");
        check("1_git1_alpha1_p1_beta < 1_git1_alpha1_p1 < 1_git1");
    }

    #[test]
    fn revisions_and_hashes() {
        check("1.0 < 1.0-r0 < 1.0-r1 < 1.0-r2 < 1.0-r10 < 1.0-r100 < 1.0.0");
        check("1.0-r1 < 1.0~00 < 1.0~00-r0 < 1.0~00-r1 < 1.0~1a < 1.0~ff < 1.0_p1 < 1.0a < 1.0.1");
        check("1.0~a < 1.0~a0 < 1.0~b");
        check("1.0~9 < 1.0~a");
        check("1.0_git1 < 1.0_git1~ab < 1.0_git1~ab-r1 < 1.0_git2");
        check("1.0_rc1~ab < 1.0");
        check("1.3.1-r0 < 1.3.1-r51 < 1.3.2-r0");
        check("1-r18446744073709551616 < 1-r18446744073709551617");
    }

    #[test]
    fn equal_versions_are_one_in_sets_and_maps() {
        let state = RandomState::new();
        for (left, right) in [
            ("01.2", "1.2"),
            ("1_p007", "1_p7"),
            ("0001-r000", "1-r0"),
            ("1", "1"),
        ] {
            assert_eq!(version(left), version(right));
            assert_eq!(
                state.hash_one(version(left)),
                state.hash_one(version(right))
            );
        }
        assert_ne!(version("1.02"), version("1.2"));
        assert_eq!(version("01.2").to_string(), "01.2");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "a",
            ".1",
            "1.",
            "1..2",
            "-r0",
            "v1",
            "1A",
            "1.a",
            "1ab",
            "1a2",
            "1a.2",
            "1 ",
            " 1",
            "1\n",
            "1_",
            "1_foo",
            "1_alphabet",
            "1_P1",
            "1_1",
            "1_p1a",
            "1_p1.2",
            "1_p-",
            "1_p1_",
            "1_rc.1",
            "1-",
            "1-r",
            "1-1",
            "1-rc1",
            "1-r1-r2",
            "1-r1_p1",
            "1-r1.2",
            "1-r1~ab",
            "1-r1a",
            "1-R1",
            "1~",
            "1~g",
            "1~AB",
            "1~ab~cd",
            "1~ab_p1",
            "1~ab.1",
            "1:1",
            "1+1",
            "1,2",
            "1@a",
            "١",
            "1\u{0}",
            "0x10",
            "1_p1-r",
            "1.2.",
            "1e5.0",
            "~ab",
            "_p1",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
        assert!("1".repeat(256).parse::<Version>().is_ok());
        assert!("1".repeat(257).parse::<Version>().is_err());
    }

    #[test]
    fn a_refusal_says_where() {
        let refusal = |text: &str| text.parse::<Version>().unwrap_err().to_string();
        insta::assert_snapshot!(refusal("1.2-3"), @"'1.2-3' is not a valid apk version: an unexpected character at byte 3");
        insta::assert_snapshot!(refusal("1.2_foo1"), @"'1.2_foo1' is not a valid apk version: not one of the suffixes alpha, beta, pre, rc, cvs, svn, git, hg, p at byte 4");
        insta::assert_snapshot!(refusal("1.2a3"), @"'1.2a3' is not a valid apk version: a part out of its order at byte 4");
        insta::assert_snapshot!(refusal("v1"), @"'v1' is not a valid apk version: a version begins with a digit at byte 0");
    }

    #[test]
    fn a_prefix_is_made_of_whole_parts() {
        let begins = |text: &str, prefix: &str| version(text).starts_with(&version(prefix));
        for prefix in ["1", "1.2", "1.2.3", "1.2.3_p1", "1.2.3_p1-r4", "01.2"] {
            assert!(begins("1.2.3_p1-r4", prefix), "{prefix}");
        }
        for prefix in [
            "1.2.3_p",
            "1.2.3_p1~ab",
            "1.2a",
            "1.20",
            "1.2.30",
            "12",
            "1.02",
            "2",
            "1.2.3-r4",
        ] {
            assert_eq!(
                begins("1.2.3_p1-r4", prefix),
                prefix == "1.2.3_p",
                "{prefix}"
            );
        }
        assert!(!begins("1.2", "1.2.0"));
    }

    /// Versions of small parts, so that many pairs share a prefix.
    fn versions() -> impl Strategy<Value = Version> {
        let number = prop::sample::select(vec![
            "0",
            "00",
            "1",
            "01",
            "2",
            "9",
            "10",
            "010",
            "99999999999999999999",
        ]);
        let suffix = prop::sample::select(vec![
            "alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p",
        ]);
        (
            prop::collection::vec(number.clone(), 1..4),
            prop::option::of(prop::sample::select(vec!["a", "b", "z"])),
            prop::collection::vec((suffix, prop::option::of(number.clone())), 0..3),
            prop::option::of(prop::sample::select(vec!["0", "a", "ab", "f0"])),
            prop::option::of(number),
        )
            .prop_map(|(numbers, letter, suffixes, commit, revision)| {
                let mut text = numbers.join(".");
                text.push_str(letter.unwrap_or_default());
                for (word, number) in suffixes {
                    text.push('_');
                    text.push_str(word);
                    text.push_str(number.unwrap_or_default());
                }
                if let Some(commit) = commit {
                    text.push('~');
                    text.push_str(commit);
                }
                if let Some(revision) = revision {
                    text.push_str("-r");
                    text.push_str(revision);
                }
                version(&text)
            })
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in versions(), b in versions(), c in versions()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&a), Ordering::Equal);
            if a <= b && b <= c {
                prop_assert!(a <= c);
                prop_assert_eq!(a == c, a == b && b == c);
            }
            if a == b {
                prop_assert_eq!(a.cmp(&c), b.cmp(&c));
                let state = RandomState::new();
                prop_assert_eq!(state.hash_one(&a), state.hash_one(&b));
            }
        }

        #[test]
        fn what_begins_alike_lies_together(a in versions(), b in versions(), c in versions()) {
            prop_assert!(a.starts_with(&a));
            if a.starts_with(&b) && b.starts_with(&c) {
                prop_assert!(a.starts_with(&c));
            }
            let sorted: BTreeSet<&Version> = [&a, &b, &c].into_iter().collect();
            let bits: Vec<bool> = sorted.iter().map(|version| version.starts_with(&c)).collect();
            prop_assert!(bits != [true, false, true]);
        }

        #[test]
        fn a_version_survives_its_text(a in versions()) {
            let again = version(a.as_str());
            prop_assert_eq!(again.as_str(), a.as_str());
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f._~r-]{0,16}|.{0,24}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
