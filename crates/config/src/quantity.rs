//! Sizes, times and counts as people write them, where each is a limit for something that runs:
//! one in which nothing can run is a slip.

use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// The least memory in which anything runs.
const LEAST_MEMORY: u64 = 1 << 20;

/// A number of bytes, a mebibyte at least: `1048576`, `512MiB`, `4GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Bytes(pub u64);

/// A length of time, a second at least: `90s`, `20m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Span(pub Duration);

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit.trim()))
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scaled = split(text).and_then(|(number, unit)| {
            let shift = match unit {
                "" | "B" => 0,
                "KiB" | "Ki" => 10,
                "MiB" | "Mi" => 20,
                "GiB" | "Gi" => 30,
                "TiB" | "Ti" => 40,
                _ => return None,
            };
            number.checked_mul(1 << shift)
        });
        match scaled {
            None => Err(format!("'{text}' is not a size like 512MiB or 4GiB")),
            Some(size) if size < LEAST_MEMORY => Err(format!(
                "nothing runs in '{text}', which counts bytes: 1MiB at least"
            )),
            Some(size) => Ok(Self(size)),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scaled = split(text).and_then(|(number, unit)| {
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 60 * 60,
                _ => return None,
            };
            number.checked_mul(seconds)
        });
        match scaled {
            None => Err(format!("'{text}' is not a time like 90s, 20m or 2h")),
            Some(0) => Err(format!("nothing runs in '{text}': 1s at least")),
            Some(seconds) => Ok(Self(Duration::from_secs(seconds))),
        }
    }
}

macro_rules! from_text {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }
    };
}

/// The kernel's `PID_MAX_LIMIT`.
const MOST_PROCESSES: u64 = 1 << 22;

/// Reads how many processes there may be, one at least.
pub(crate) fn processes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    match Option::deserialize(deserializer)? {
        Some(0) => Err(de::Error::custom("nothing runs with '0': 1 at least")),
        Some(count) if count > MOST_PROCESSES => Err(de::Error::custom(format!(
            "'{count}' is more than Linux can count: {MOST_PROCESSES} at most"
        ))),
        count => Ok(count),
    }
}

from_text!(Bytes);
from_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!("4GiB".parse(), Ok(Bytes(4 << 30)));
        assert_eq!("1048577".parse(), Ok(Bytes(1_048_577)));
        assert_eq!("2h".parse(), Ok(Span(Duration::from_hours(2))));
        assert!("4GB".parse::<Bytes>().is_err());
        assert!("99999999999TiB".parse::<Bytes>().is_err());
        assert!("2".parse::<Span>().is_err());
        assert!("4".parse::<Bytes>().unwrap_err().contains("counts bytes"));
        assert!("0m".parse::<Span>().unwrap_err().contains("1s at least"));
        assert!("".parse::<Bytes>().is_err());
    }
}
