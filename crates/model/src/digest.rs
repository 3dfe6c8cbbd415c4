//! Digests: fixed-size values that name bytes.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {name} digest: {expected} hexadecimal digits are needed")]
pub struct ParseDigestError {
    text: String,
    name: &'static str,
    expected: usize,
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $len:literal) => {
        $(#[$doc])*
        ///
        /// Shown, parsed and serialised as lower-case hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The number of bytes.
            pub const LEN: usize = $len;

            /// Wraps raw digest bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// `algorithm:hex`, as OCI and most manifests write it.
            pub fn prefixed(&self) -> String {
                format!(concat!($prefix, ":{}"), self)
            }

            /// `algorithm-base64`, as subresource integrity and apko's locks write it.
            pub fn integrity(&self) -> String {
                format!(concat!($prefix, "-{}"), BASE64.encode(&self.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, ":{}"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            /// Takes hexadecimal digits, with or without the algorithm in front.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let hex = text.strip_prefix(concat!($prefix, ":")).unwrap_or(text);
                HEXLOWER_PERMISSIVE
                    .decode(hex.as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| ParseDigestError {
                        text: crate::visible_start(text, 160),
                        name: $prefix,
                        expected: $len * 2,
                    })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

digest!(
    /// The digest that names every blob of the factory (FIPS 180-4).
    Sha256, "sha256", 32
);
digest!(
    /// A digest some upstreams publish beside their tarballs (FIPS 180-4).
    Sha512, "sha512", 64
);
digest!(
    /// A *name* that the apk and Maven formats use. Never a proof of anything.
    Sha1, "sha1", 20
);

impl Sha1 {
    /// The form of the apk index: `Q1` and the base64 of the digest.
    pub fn to_q1(self) -> String {
        format!("Q1{}", BASE64.encode(&self.0))
    }

    /// Reads the `Q1…` form, of which each digest has one: no padding but at the end.
    pub fn parse_q1(text: &str) -> Result<Self, ParseDigestError> {
        text.strip_prefix("Q1")
            .and_then(|body| BASE64.decode(body.as_bytes()).ok())
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .filter(|digest| digest.to_q1() == text)
            .ok_or_else(|| ParseDigestError {
                text: crate::visible_start(text, 160),
                name: "Q1 (sha1)",
                expected: Self::LEN * 2,
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_digest_has_one_q1_form() {
        let whole = format!("Q1{}", BASE64.encode(&[7; 20]));
        let parted = format!("Q1{}{}", BASE64.encode(&[7]), BASE64.encode(&[7; 19]));
        assert_eq!(Sha1::parse_q1(&whole), Ok(Sha1::new([7; 20])));
        for other in [
            &parted,
            &whole.replace('=', ""),
            &whole.replace("Bwc=", "Bwd="),
        ] {
            assert!(Sha1::parse_q1(other).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_digest_survives_its_text(bytes: [u8; 32], short: [u8; 20]) {
            let digest = Sha256::new(bytes);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(digest.prefixed().parse(), Ok(digest));
            prop_assert_eq!(Sha1::parse_q1(&Sha1::new(short).to_q1()), Ok(Sha1::new(short)));
        }

        #[test]
        fn no_text_panics(text: String) {
            let parsed: Result<Sha256, _> = text.parse();
            prop_assert!(parsed.is_err() || text.len() >= 64);
        }
    }
}
