//! The name of an image as people write it: `registry/repository:tag@digest`.

use std::fmt;
use std::str::FromStr;

use boltworks_model::Sha256;

use crate::Error;
use crate::descriptor::prefixed;

/// An image's name (the grammar of distribution's `reference` package).
///
/// Nothing is added to it: a name without a registry has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: Option<String>,
    repository: String,
    tag: Option<String>,
    digest: Option<Sha256>,
}

impl Reference {
    /// Host and port of the registry, where one is named.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// The path of the repository in its registry: `library/web`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, where one is given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where one is given.
    pub const fn digest(&self) -> Option<&Sha256> {
        self.digest.as_ref()
    }

    /// The last component of the repository: `web`.
    pub fn short_name(&self) -> &str {
        self.repository
            .rsplit('/')
            .next()
            .unwrap_or(&self.repository)
    }

    /// Registry, repository and tag, `latest` where none is given.
    pub fn with_default_tag(&self) -> String {
        let registry = self
            .registry
            .as_ref()
            .map(|host| format!("{host}/"))
            .unwrap_or_default();
        format!(
            "{registry}{}:{}",
            self.repository,
            self.tag().unwrap_or("latest")
        )
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{}", digest.prefixed())?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let error = |rule| Error::Reference {
            text: text.chars().take(300).collect(),
            rule,
        };
        if text.len() > 1024 {
            return Err(error("it is longer than 1024 bytes"));
        }
        let (name, digest) = match text.split_once('@') {
            None => (text, None),
            Some((name, digest)) => {
                let digest = prefixed::parse(digest);
                (
                    name,
                    Some(digest.ok_or_else(|| error("after '@' comes sha256: and 64 digits"))?),
                )
            }
        };
        let (registry, rest) = match name.split_once('/') {
            Some((first, rest)) if looks_like_host(first) => (Some(first), rest),
            _ => (None, name),
        };
        if !registry.is_none_or(is_host) {
            return Err(error(
                "the registry is a host name or address, and a port after ':'",
            ));
        }
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        let length = registry.map_or(0, |host| host.len() + 1) + repository.len();
        if length > 255 {
            return Err(error("registry and repository are longer than 255 bytes"));
        }
        if !repository.split('/').all(is_component) {
            return Err(error(
                "repository components are lower-case letters and digits, parted by one '.', \
                 one or two '_', or '-'",
            ));
        }
        if !tag.is_none_or(is_tag) {
            return Err(error(
                "a tag is 1 to 128 letters, digits and . _ -, not first . or -",
            ));
        }
        Ok(Self {
            registry: registry.map(str::to_owned),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

/// Whether the first component can only be a registry: a dot, a port, an upper-case letter.
fn looks_like_host(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    let is_port = |port: &str| {
        !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
    };
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return false;
        };
        return address.parse::<std::net::Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    name.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_component(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    for byte in text.bytes() {
        if is_plain(byte) {
            separator.clear();
        } else {
            separator.push(char::from(byte));
            let is_separator = matches!(separator.as_str(), "." | "_" | "__")
                || separator.bytes().all(|byte| byte == b'-');
            if !is_separator {
                return false;
            }
        }
    }
    text.bytes().next().is_some_and(is_plain) && text.bytes().last().is_some_and(is_plain)
}

/// Whether a text is a tag: 1 to 128 letters, digits, `_`, and not first `.` and `-`.
pub fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str) -> (Option<String>, String, Option<String>, bool) {
        let name: Reference = text.parse().unwrap();
        assert_eq!(name.to_string(), text);
        (
            name.registry,
            name.repository,
            name.tag,
            name.digest.is_some(),
        )
    }

    #[test]
    fn names_fall_into_their_parts() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("web"), (None, "web".into(), None, false));
        assert_eq!(
            parts("team/web:1.4"),
            (None, "team/web".into(), some("1.4"), false)
        );
        assert_eq!(
            parts("localhost/web"),
            (some("localhost"), "web".into(), None, false)
        );
        assert_eq!(
            parts("h:5000/a/b:t"),
            (some("h:5000"), "a/b".into(), some("t"), false)
        );
        assert_eq!(
            parts("[::1]:5000/a"),
            (some("[::1]:5000"), "a".into(), None, false)
        );
        let digest = format!("a.example/web:1@sha256:{}", "0a".repeat(32));
        assert_eq!(
            parts(&digest),
            (some("a.example"), "web".into(), some("1"), true)
        );
        assert_eq!(
            "a/b__c-d---e.f:latest"
                .parse::<Reference>()
                .unwrap()
                .short_name(),
            "b__c-d---e.f"
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let hex = "0A".repeat(32);
        let long = "a".repeat(256);
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "Web",
            "a//b",
            "a/../b",
            "a:",
            "a:b:c",
            "a:-b",
            "a:.b",
            "a b",
            "a___b",
            "a._b",
            "a.",
            ".a",
            "a@",
            "a@sha256:",
            "a@sha512:00",
            "h:x/a",
            "h:99999/a",
            "-h.x/a",
            "h.x/",
            "[::1/a",
            "[zz]:1/a",
            "a\n",
            "ä",
            &long,
            &format!("a@sha256:{hex}"),
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
        insta::assert_snapshot!("web:".parse::<Reference>().unwrap_err(), @"'web:' is not an image reference: a tag is 1 to 128 letters, digits and . _ -, not first . or -");
    }

    proptest! {
        #[test]
        fn every_name_survives_its_text(text in "([a-z]{1,5}(:[0-9]{1,4})?/)?[a-z0-9._/-]{1,12}(:[\\w.]{1,5})?") {
            if let Ok(name) = text.parse::<Reference>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            prop_assert!(text.parse::<Reference>().map_or(true, |name| name.to_string() == text));
        }
    }
}
