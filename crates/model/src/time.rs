//! Points in time, always passed in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whole seconds since 1970-01-01T00:00:00Z, as in `SOURCE_DATE_EPOCH`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 2242-03-16T12:56:31Z, the last one for which the header of an archive has room: 33 bits.
    pub const LAST: Self = Self((1 << 33) - 1);

    /// Whether a package can carry it: from [`Self::EPOCH`] to [`Self::LAST`].
    pub const fn is_packable(self) -> bool {
        Self::EPOCH.0 <= self.0 && self.0 <= Self::LAST.0
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second: `2026-11-26T10:25:20Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// A text is not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time like 2026-11-26T10:25:20Z")]
pub struct ParseTimestampError(String);

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads RFC 3339, with any offset; parts of a second are cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment: jiff::Timestamp = text
            .parse()
            .map_err(|_| ParseTimestampError(crate::visible_start(text, 80)))?;
        Ok(Self(moment.as_second()))
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn is_read_with_any_offset() {
        let check = |text: &str, expect: Option<i64>| {
            assert_eq!(text.parse().ok(), expect.map(Timestamp), "{text}");
        };
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-11-26T12:25:20.9+02:00", Some(1_795_688_720));
        check("2026-11-26", None);
        check("now", None);
        check("", None);
    }

    #[test]
    fn is_shown_in_utc() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_795_688_720).to_string(), "2026-11-26T10:25:20Z");
        assert_eq!(Timestamp::LAST.to_string(), "2242-03-16T12:56:31Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), format!("@{}", i64::MAX));
    }
}
