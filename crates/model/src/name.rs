//! Identities that are text: checked once, where they enter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {what}: {rule}")]
pub struct NameError {
    /// The offending text, cut to 160 characters.
    pub text: String,
    /// What it should have been.
    pub what: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl NameError {
    fn new(text: &str, what: &'static str, rule: &'static str) -> Self {
        Self {
            text: crate::visible_start(text, 160),
            what,
            rule,
        }
    }
}

macro_rules! text_identity {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
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

/// The name of a package, or of what one provides (`so:libz.so.1`, `cmd:make`, `pc:zlib`).
///
/// Letters, digits and `+ - . _ : / [ ] , * %` after a first letter, digit, `.`, `_` or `/`,
/// at most 256 bytes: what apk-tools accepts in a provided name and that is safe in a file
/// name once it is known to be a *package's* own ([`PackageName::is_file_safe`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

text_identity!(PackageName);

impl PackageName {
    /// Whether the name can stand in a file name of a repository: no `/` and no `:`.
    pub fn is_file_safe(&self) -> bool {
        !self.0.contains(['/', ':'])
    }

    /// What the name of a package made here must be: a letter or a digit, then letters, digits
    /// and `+ _ . -`. It is the name of folders too.
    pub const OWN_RULE: &str =
        "starts with a letter or a digit and has only letters, digits and + _ . - in it";

    /// Whether a package made here can have the name ([`PackageName::OWN_RULE`]).
    pub fn is_own(&self) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
        self.0.bytes().next().is_some_and(is_plain)
            && self
                .0
                .bytes()
                .all(|byte| is_plain(byte) || b"+_.-".contains(&byte))
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = |rule| NameError::new(text, "package name", rule);
        let Some(&first) = text.as_bytes().first() else {
            return Err(error("it is empty"));
        };
        if text.len() > 256 {
            return Err(error("it is longer than 256 bytes"));
        }
        if !(first.is_ascii_alphanumeric() || matches!(first, b'.' | b'_' | b'/')) {
            return Err(error(
                "it must start with a letter, a digit, '.', '_' or '/'",
            ));
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._:/[],*%".contains(&byte);
        if !text.bytes().all(is_allowed) {
            return Err(error(
                "only letters, digits and + - . _ : / [ ] , * % are allowed",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A name that users pull: `web:1.4`, `os/x86_64`.
///
/// Lower-case letters, digits and `. _ -` in components parted by `/`, and at most one `:tag`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(String);

text_identity!(ChannelName);

impl ChannelName {
    /// The part before the `:`.
    pub fn repository(&self) -> &str {
        self.0
            .split_once(':')
            .map_or(self.0.as_str(), |(repository, _)| repository)
    }

    /// The part after the `:`.
    pub fn tag(&self) -> Option<&str> {
        self.0.split_once(':').map(|(_, tag)| tag)
    }
}

impl FromStr for ChannelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = |rule| NameError::new(text, "channel name", rule);
        let (repository, tag) = match text.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (text, None),
        };
        let is_component = |part: &str| {
            part.bytes()
                .next()
                .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
        };
        let is_tag = |tag: &str| {
            tag.len() <= 128
                && tag
                    .bytes()
                    .next()
                    .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
                && tag
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if repository.len() > 255 || !repository.split('/').all(is_component) {
            return Err(error("components are lower-case letters, digits and . _ -"));
        }
        if !tag.is_none_or(is_tag) {
            return Err(error("a tag is letters, digits and . _ -, at most 128"));
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! architectures {
    ($($variant:ident, $apk:literal, $oci:literal, $os_variant:expr, $go:literal;)*) => {
        /// A processor architecture, under the names of apk and of OCI.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Architecture {
            $(
                #[doc = concat!("`", $apk, "`, which OCI calls `", $oci, "`.")]
                $variant,
            )*
        }

        impl Architecture {
            /// All nine, in the order of their apk names.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name apk uses: `x86_64`, `aarch64`, `armv7`, …
            pub const fn apk(self) -> &'static str {
                match self { $(Self::$variant => $apk,)* }
            }

            /// The name apko and OCI platforms use, with the variant: `amd64`, `arm/v7`, …
            pub const fn oci(self) -> &'static str {
                match self { $(Self::$variant => $oci,)* }
            }

            /// The OCI platform variant (`v7`), where there is one.
            pub const fn variant(self) -> Option<&'static str> {
                match self { $(Self::$variant => $os_variant,)* }
            }

            /// The name the Go toolchain uses: `amd64`, `arm64`, `arm`, …
            pub const fn go(self) -> &'static str {
                match self { $(Self::$variant => $go,)* }
            }
        }

        impl FromStr for Architecture {
            type Err = NameError;

            /// Takes an apk name or an OCI name.
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|architecture| text == architecture.apk() || text == architecture.oci())
                    .ok_or_else(|| {
                        NameError::new(text, "architecture", concat!("known are", $(" ", $apk,)*))
                    })
            }
        }
    };
}

architectures! {
    Aarch64, "aarch64", "arm64", None, "arm64";
    Armhf, "armhf", "arm/v6", Some("v6"), "arm";
    Armv7, "armv7", "arm/v7", Some("v7"), "arm";
    Loongarch64, "loongarch64", "loong64", None, "loong64";
    Ppc64le, "ppc64le", "ppc64le", None, "ppc64le";
    Riscv64, "riscv64", "riscv64", None, "riscv64";
    S390x, "s390x", "s390x", None, "s390x";
    X86, "x86", "386", None, "386";
    X86_64, "x86_64", "amd64", None, "amd64";
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.apk())
    }
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.apk())
    }
}

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_checked() {
        let is_name = |text: &str| text.parse::<PackageName>().is_ok();
        assert!(is_name("so:libc.musl-x86_64.so.1") && is_name("g++") && is_name("py3.12-foo"));
        assert!(
            !is_name("") && !is_name("-a") && !is_name("a b") && !is_name("a\n") && !is_name("ä")
        );
        let is_channel = |text: &str| text.parse::<ChannelName>().is_ok();
        assert!(is_channel("web:1.4") && is_channel("os/x86_64") && is_channel("a/b:c"));
        assert!(
            !is_channel("Web")
                && !is_channel("a/../b")
                && !is_channel("a:b:c")
                && !is_channel("a:")
        );
    }

    #[test]
    fn architectures_have_two_names() {
        for &architecture in Architecture::ALL {
            assert_eq!(architecture.apk().parse(), Ok(architecture));
            assert_eq!(architecture.oci().parse(), Ok(architecture));
        }
        assert!("vax".parse::<Architecture>().is_err());
    }

    proptest! {
        #[test]
        fn a_file_safe_name_never_leaves_its_folder(text in "[ -~]{0,20}") {
            if let Ok(name) = text.parse::<PackageName>() {
                prop_assert!(!name.is_file_safe() || !name.as_str().contains('/'));
                prop_assert!(!name.is_own() || name.is_file_safe() && !text.starts_with('.'));
            }
        }
    }
}
