//! Versions as apko reads and orders them; not every version of apk's is one.
//!
//! `number{.number}{letter}{_pre{number}}{_post{number}}{-rN}`, with at most one suffix of each
//! kind. Unlike in apk, further numbers are always compared as numbers, the longer list of
//! numbers is the greater, and there is no hash.

/// The greatest number that apko holds.
const MAX_NUMBER: u64 = i64::MAX.unsigned_abs();

const PRE: [&str; 4] = ["_alpha", "_beta", "_pre", "_rc"];
const POST: [&str; 5] = ["_cvs", "_svn", "_git", "_hg", "_p"];
/// The rank of no pre-release: after all of them.
const RELEASE: usize = PRE.len() + 1;

/// A version; the order of the fields is the order of comparison.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: Vec<u64>,
    letter: Option<u8>,
    pre: usize,
    pre_number: u64,
    post: usize,
    post_number: u64,
    revision: u64,
}

impl Version {
    /// Reads a version; `None` if apko could not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut numbers = vec![number(&mut rest)?];
        while let Some(after) = rest.strip_prefix('.') {
            rest = after;
            numbers.push(number(&mut rest)?);
        }
        let letter = rest.bytes().next().filter(u8::is_ascii_lowercase);
        if letter.is_some() {
            rest = rest.get(1..)?;
        }
        let (pre, pre_number) = suffix(&mut rest, &PRE)?;
        let (post, post_number) = suffix(&mut rest, &POST)?;
        let mut revision = 0;
        if let Some(after) = rest.strip_prefix("-r") {
            rest = after;
            revision = number(&mut rest)?;
        }
        rest.is_empty().then_some(Self {
            numbers,
            letter,
            pre: if pre == 0 { RELEASE } else { pre },
            pre_number,
            post,
            post_number,
            revision,
        })
    }

    /// What `~` asks for: the numbers begin with those of `wanted`; where there are just as
    /// many, everything else that `wanted` names is the same.
    pub(super) fn is_within(&self, wanted: &Self) -> bool {
        if !self.numbers.starts_with(&wanted.numbers) {
            return false;
        }
        let same = |own: u64, wanted: u64| wanted == 0 || own == wanted;
        self.numbers.len() > wanted.numbers.len()
            || (wanted.letter.is_none() || self.letter == wanted.letter)
                && (wanted.pre == RELEASE || self.pre == wanted.pre)
                && same(self.pre_number, wanted.pre_number)
                && (wanted.post == 0 || self.post == wanted.post)
                && same(self.post_number, wanted.post_number)
                && same(self.revision, wanted.revision)
    }
}

/// Takes digits; `None` where there are none, or too many.
fn number(rest: &mut &str) -> Option<u64> {
    let text = *rest;
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, after) = text.split_at_checked(end)?;
    *rest = after;
    digits.parse().ok().filter(|&number| number <= MAX_NUMBER)
}

/// Takes one of the suffixes and its number: the suffix's place, counted from 1, 0 for none.
fn suffix(rest: &mut &str, known: &[&str]) -> Option<(usize, u64)> {
    for (place, name) in known.iter().enumerate() {
        if let Some(after) = rest.strip_prefix(name) {
            *rest = after;
            let has_number = rest.starts_with(|c: char| c.is_ascii_digit());
            let number = if has_number { number(rest)? } else { 0 };
            return Some((place + 1, number));
        }
    }
    Some((0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn versions_are_ordered() {
        let ordered = [
            "1.0_alpha",
            "1.0_rc1",
            "1.0_rc2_p1",
            "1.0",
            "1.0-r1",
            "1.0_git2",
            "1.0_p1",
            "1.0_p1-r1",
            "1.0a",
            "1.0.0",
            "1.00.1",
            "1.2",
            "1.10",
            "2",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("1.01"), version("01.1-r0"));
    }

    #[test]
    fn what_apko_cannot_read_is_none() {
        let long = "1.9223372036854775808";
        for text in [
            "", "a", "1.", "1..2", "1ab", "1_p1_p2", "1_p1_rc1", "1_foo", "1~abc", "1-r", "1-rc",
            "1 ", long,
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
        version("1.9223372036854775807");
    }

    #[test]
    fn a_version_is_within_another() {
        for (own, wanted, is_within) in [
            ("1.2.3-r4", "1.2", true),
            ("1.2.3-r4", "1.2.3", true),
            ("1.2.3-r4", "1.2.3-r4", true),
            ("1.2.3-r4", "1.2.3-r5", false),
            ("1.2.3-r4", "1.2-r5", true),
            ("1.2", "1.2.0", false),
            ("1.20", "1.2", false),
            ("1.2a", "1.2", true),
            ("1.2a", "1.2b", false),
            ("1.2_rc1", "1.2_rc", true),
            ("1.2_rc1", "1.2_rc2", false),
            ("1.2_p1", "1.2_git1", false),
        ] {
            let answer = version(own).is_within(&version(wanted));
            assert_eq!(answer, is_within, "{own} {wanted}");
        }
    }
}
