//! What is wanted, where else it may be, and what was found.

use std::time::Duration;

use boltworks_fsx::Expected;
use boltworks_model::{Checkout, Material, Sha256, SourceKind};

/// One source that a recipe names.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Upstream's address: `https://…`, `http://…`, or `pypi:PROJECT/FILE` for a source
    /// distribution at the index pip is configured for; of a commit its repository's.
    pub uri: &'a str,
    /// What the recipe says it is.
    pub known_by: KnownBy<'a>,
    /// The package whose recipe names it.
    pub package: &'a str,
    /// That package's version, without the epoch.
    pub version: &'a str,
}

/// What a recipe knows a source by.
#[derive(Debug, Clone, Copy)]
pub enum KnownBy<'a> {
    /// A file, by its digest.
    File(Expected),
    /// A commit, by its name.
    Checkout(&'a Checkout),
}

impl<T: Into<Expected>> From<T> for KnownBy<'_> {
    fn from(expected: T) -> Self {
        Self::File(expected.into())
    }
}

/// What fetching from a git repository may take.
#[derive(Debug, Clone, Copy)]
pub struct GitLimits {
    /// The most bytes of packs, submodules' included.
    pub bytes: u64,
    /// How long a server may say nothing.
    pub quiet: Duration,
    /// The most bytes of memory of each process of git's: a change of a few bytes in a pack can claim to
    /// make an object of any size.
    pub memory: u64,
}

/// The same files at another address: `prefix` of an address is replaced by `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// What the address begins with.
    pub prefix: String,
    /// What it begins with at the mirror.
    pub to: String,
}

impl Mirror {
    /// The address at the mirror, if the mirror has this one.
    pub fn translate(&self, uri: &str) -> Option<String> {
        uri.strip_prefix(&self.prefix)
            .map(|rest| format!("{}{rest}", self.to))
    }
}

/// Where an override's file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In Debian's archive, as the `orig` tarball of a source package.
    Debian {
        /// The source package.
        name: String,
        /// Its version, as a hint: any version with this very file will do.
        version: Option<String>,
    },
    /// At the index pip is configured for.
    Pypi {
        /// The project.
        project: String,
    },
    /// At an address.
    Address(String),
}

/// The factory's word on where a package's source is: it replaces address and digest together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The package whose recipe names the source.
    pub package: String,
    /// That package's version.
    pub version: String,
    /// The recipe's address that is meant, where `*` stands for anything; all of them if absent.
    pub uri: Option<String>,
    /// Where the file is.
    pub origin: Origin,
    /// What it is called there.
    pub file: String,
    /// Its digest.
    pub sha256: Sha256,
    /// What sort of source it is.
    pub kind: SourceKind,
}

impl Override {
    /// Whether it speaks of this source.
    pub fn covers(&self, request: &Request<'_>) -> bool {
        self.package == request.package
            && self.version == request.version
            && self
                .uri
                .as_deref()
                .is_none_or(|pattern| is_match(pattern, request.uri))
    }
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn is_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(between) = last.replace(part) {
            let Some(index) = rest.find(between) else {
                return false;
            };
            rest = rest.get(index + between.len()..).unwrap_or_default();
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

/// A source that is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The blob.
    pub digest: Sha256,
    /// How many bytes it has.
    pub size: u64,
    /// What goes into the build record. Only `uri` and `sha256` are the same on every machine.
    pub material: Material,
    /// Whether the network was used.
    pub is_new: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(is_match(pattern, text), expected, "{pattern} on {text}");
    }

    #[test]
    fn patterns() {
        check("https://a.example/x", "https://a.example/x", true);
        check("https://a.example/x", "https://a.example/xy", false);
        check("*.tar.gz", "https://a.example/x.tar.gz", true);
        check("https://*/x-*.tar.gz", "https://a.example/x-1.tar.gz", true);
        check(
            "https://*/x-*.tar.gz",
            "https://a.example/y-1.tar.gz",
            false,
        );
        check("*", "", true);
        check("a*b*c", "abc", true);
        check("a*a", "a", false);
    }

    #[test]
    fn a_mirror_translates_what_it_has() {
        let mirror = Mirror {
            prefix: "https://a.example/".into(),
            to: "http://b.example/a/".into(),
        };
        assert_eq!(
            mirror.translate("https://a.example/x").as_deref(),
            Some("http://b.example/a/x")
        );
        assert_eq!(mirror.translate("https://c.example/x"), None);
    }
}
