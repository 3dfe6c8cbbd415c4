//! Which bytes of a file a request wants: conditions and one range (RFC 9110, sections 13 and 14).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use boltworks_model::{Sha256, Timestamp};

/// What conditions are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The file's bytes: its entity tag.
    pub digest: Sha256,
    /// How many there are.
    pub size: u64,
    /// When it was released: its last change.
    pub since: Timestamp,
}

/// The headers of a request for a file, as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Every `If-None-Match`.
    pub if_none_match: Vec<&'a str>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'a str>,
    /// `Range`; only `GET` knows it.
    pub range: Option<&'a str>,
    /// `If-Range`.
    pub if_range: Option<&'a str>,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: the client has it.
    Unchanged,
    /// All of it.
    Whole,
    /// From one byte to another, both included and in the file.
    Part {
        /// The first byte, counted from 0.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// Nothing: the range lies behind the end.
    Outside,
}

impl Facts {
    /// The entity tag.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.digest.prefixed())
    }

    /// The last change as HTTP dates know it: from 1970 to 9999.
    pub fn last_modified(&self) -> Option<SystemTime> {
        const END: u64 = 253_402_300_800;
        let seconds = u64::try_from(self.since.0).ok();
        UNIX_EPOCH.checked_add(Duration::from_secs(
            seconds.filter(|&seconds| seconds < END)?,
        ))
    }

    /// What a request wants. What is not understood is as if it was not there.
    pub fn wanted(&self, asked: &Asked<'_>) -> Wanted {
        match asked.range {
            _ if self.is_unchanged(asked) => Wanted::Unchanged,
            Some(range) if self.is_still_meant(asked.if_range) => parse_range(range, self.size),
            _ => Wanted::Whole,
        }
    }

    /// Section 13.2.2: `If-None-Match` decides if it is there, else `If-Modified-Since`.
    fn is_unchanged(&self, asked: &Asked<'_>) -> bool {
        if !asked.if_none_match.is_empty() {
            let own = self.etag();
            let mut lists = asked.if_none_match.iter();
            return lists.any(|list| is_listed(list, &own));
        }
        let date = asked.if_modified_since;
        let date = date.and_then(|text| httpdate::parse_http_date(text).ok());
        date.zip(self.last_modified())
            .is_some_and(|(asked, since)| since <= asked)
    }

    /// `If-Range`: strong comparison of a tag, or the very date.
    fn is_still_meant(&self, if_range: Option<&str>) -> bool {
        match if_range {
            None => true,
            Some(text) if text.ends_with('"') => text == self.etag(),
            Some(text) => {
                let date = httpdate::parse_http_date(text).ok();
                date.is_some() && date == self.last_modified()
            }
        }
    }
}

/// Weak comparison with each tag of a list. Our tags hold no comma.
fn is_listed(list: &str, own: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
}

/// Section 14.2: a range that is not understood, or several of them, mean the whole file.
fn parse_range(text: &str, size: u64) -> Wanted {
    let Some(("bytes", spec)) = text
        .split_once('=')
        .map(|(unit, spec)| (unit.trim(), spec.trim()))
    else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too large for any file is still a number.
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Some(first), None) if last.is_empty() => (first, size.saturating_sub(1)),
        (None, Some(0)) if first.is_empty() => return Wanted::Outside,
        (None, Some(count)) if first.is_empty() => {
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        _ => return Wanted::Whole,
    };
    match range {
        (first, last) if first < size => Wanted::Part { first, last },
        _ => Wanted::Outside,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FACTS: Facts = Facts {
        digest: Sha256::new([7; 32]),
        size: 10,
        since: Timestamp(784_111_777),
    };
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn check(text: &str, expected: Option<(u64, u64)>) {
        let range = match expected {
            Some((first, last)) => Wanted::Part { first, last },
            None => Wanted::Whole,
        };
        assert_eq!(parse_range(text, 10), range, "{text}");
    }

    #[test]
    fn one_range_is_understood() {
        check("bytes=0-0", Some((0, 0)));
        check("bytes=2-5", Some((2, 5)));
        check("bytes=2-", Some((2, 9)));
        check("bytes=-3", Some((7, 9)));
        check("bytes=-30", Some((0, 9)));
        check("bytes=2-99999999999999999999999", Some((2, 9)));
        check("bytes=9-9", Some((9, 9)));
    }

    #[test]
    fn what_is_no_single_range_means_everything() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=1--2",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn what_is_outside_is_told_so() {
        for text in [
            "bytes=10-",
            "bytes=10-11",
            "bytes=99999999999999999999999-",
            "bytes=-0",
        ] {
            assert_eq!(parse_range(text, 10), Wanted::Outside, "{text}");
        }
        for text in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(parse_range(text, 0), Wanted::Outside, "{text}");
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(is_listed("\"a\"", "\"a\"") && is_listed("W/\"a\"", "\"a\""));
        assert!(is_listed("\"b\", \"a\"", "\"a\"") && is_listed("*", "\"a\""));
        for other in ["\"b\"", "a", "", "W/W/\"a\""] {
            assert!(!is_listed(other, "\"a\""), "{other}");
        }
    }

    #[test]
    fn conditions_come_before_ranges() {
        let etag = FACTS.etag();
        let range = Asked {
            range: Some("bytes=2-5"),
            ..Asked::default()
        };
        let part = Wanted::Part { first: 2, last: 5 };
        let check =
            |asked: Asked<'_>, wanted| assert_eq!(FACTS.wanted(&asked), wanted, "{asked:?}");
        check(Asked::default(), Wanted::Whole);
        check(range.clone(), part);
        let tagged = |tag| Asked {
            if_none_match: vec!["\"x\"", tag],
            if_modified_since: Some(DATE),
            ..range.clone()
        };
        check(tagged(&etag), Wanted::Unchanged);
        check(tagged("\"y\""), part);
        for (date, wanted) in [
            (DATE, Wanted::Unchanged),
            ("Sun, 06 Nov 1994 08:49:36 GMT", part),
            ("yesterday", part),
        ] {
            let if_modified_since = Some(date);
            check(
                Asked {
                    if_modified_since,
                    ..range.clone()
                },
                wanted,
            );
        }
        for (condition, wanted) in [
            (etag.as_str(), part),
            (DATE, part),
            ("\"x\"", Wanted::Whole),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            let if_range = Some(condition);
            check(
                Asked {
                    if_range,
                    ..range.clone()
                },
                wanted,
            );
        }
    }

    #[test]
    fn a_time_without_a_date_is_never_meant() {
        let facts = Facts {
            since: Timestamp(-1),
            ..FACTS
        };
        let asked = Asked {
            range: Some("bytes=2-5"),
            if_range: Some("yesterday"),
            ..Asked::default()
        };
        assert_eq!(facts.wanted(&asked), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_inside(text in "bytes=[0-9]{0,20}-[0-9]{0,20}", size: u64) {
            if let Wanted::Part { first, last } = parse_range(&text, size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
