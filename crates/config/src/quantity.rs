//! Sizes and times as people write them.

use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// A number of bytes: `1048576`, `512MiB`, `4GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Bytes(pub u64);

/// A length of time: `90s`, `20m`, `2h`.
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
        scaled
            .map(Self)
            .ok_or_else(|| format!("'{text}' is not a size like 512MiB or 4GiB"))
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
        scaled
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("'{text}' is not a time like 90s, 20m or 2h"))
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

from_text!(Bytes);
from_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!("4GiB".parse(), Ok(Bytes(4 << 30)));
        assert_eq!("17".parse(), Ok(Bytes(17)));
        assert_eq!("2h".parse(), Ok(Span(Duration::from_hours(2))));
        assert!("4GB".parse::<Bytes>().is_err());
        assert!("99999999999TiB".parse::<Bytes>().is_err());
        assert!("2".parse::<Span>().is_err());
        assert!("".parse::<Bytes>().is_err());
    }
}
