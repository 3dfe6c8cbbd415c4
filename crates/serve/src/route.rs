//! A request's path, parsed into types.
//!
//! A path is split at its slashes before anything is decoded, and each part must be a name of its
//! kind. So there is no text left that could lead anywhere but to a look-up.

use boltworks_model::{Architecture, ChannelName, Sha256};

use crate::query;
use crate::refusal::Refusal;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The page for people.
    Page,
    /// Whether this is a registry.
    Registry,
    /// The image repositories.
    Catalog,
    /// The tags of a repository.
    Tags(Repository),
    /// A manifest by tag or digest.
    Manifest(Repository, Reference),
    /// A blob by digest.
    Blob(Repository, Sha256),
    /// The manifests about another one.
    Referrers(Repository, Sha256),
    /// A file of an apk repository.
    Apk(Repository, Architecture, ApkName),
    /// A public key by its file name.
    Key(String),
}

/// The name of a repository: a channel's without tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(ChannelName);

impl Repository {
    fn parse(parts: &[String]) -> Option<Self> {
        let name: ChannelName = parts.join("/").parse().ok()?;
        name.tag().is_none().then_some(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A tag.
    Tag(String),
    /// The digest of the manifest.
    Digest(Sha256),
}

/// A file of an apk repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApkName {
    /// `APKINDEX.tar.gz`.
    Index,
    /// A package by its file's name.
    Package(String),
    /// Any file of it by its digest.
    Digest(Sha256),
}

impl Route {
    /// The route of a path, still percent-encoded.
    pub fn parse(path: &str) -> Result<Self, Refusal> {
        let parts = path
            .strip_prefix('/')
            .ok_or(Refusal::NoSuchPage)?
            .split('/');
        // A slash that was encoded parts nothing, and no name has one.
        let decode = |part| query::decode(part).filter(|text| !text.contains('/'));
        let parts: Option<Vec<String>> = parts.map(decode).collect();
        let parts = parts.ok_or(Refusal::NoSuchPage)?;
        let texts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match texts.as_slice() {
            [""] => Ok(Self::Page),
            ["v2"] | ["v2", ""] => Ok(Self::Registry),
            ["v2", "_catalog"] => Ok(Self::Catalog),
            ["v2", .., _, _] => Self::parse_registry(parts.get(1..).unwrap_or_default()),
            ["apk", _, .., _, _] => Self::parse_apk(parts.get(1..).unwrap_or_default()),
            ["keys", name] if is_key(name) => Ok(Self::Key((*name).to_owned())),
            _ => Err(Refusal::NoSuchPage),
        }
    }

    fn parse_registry(parts: &[String]) -> Result<Self, Refusal> {
        let Some((name, [kind, last])) = parts.split_last_chunk::<2>() else {
            return Err(Refusal::NoSuchPage);
        };
        let repository = Repository::parse(name).ok_or(Refusal::NameInvalid);
        let digest = || parse_digest(last).ok_or(Refusal::DigestInvalid);
        match (kind.as_str(), last.as_str()) {
            ("tags", "list") => Ok(Self::Tags(repository?)),
            ("manifests", _) => Ok(Self::Manifest(repository?, parse_reference(last)?)),
            ("blobs", _) => Ok(Self::Blob(repository?, digest()?)),
            ("referrers", _) => Ok(Self::Referrers(repository?, digest()?)),
            _ => Err(Refusal::NoSuchPage),
        }
    }

    fn parse_apk(parts: &[String]) -> Result<Self, Refusal> {
        let Some((name, [arch, file])) = parts.split_last_chunk::<2>() else {
            return Err(Refusal::NoSuchPage);
        };
        let repository = Repository::parse(name).ok_or(Refusal::NoSuchPage)?;
        // Only under apk's own name, because it is part of the repository's.
        let is_name = |architecture: &&Architecture| architecture.apk() == arch;
        let architecture = Architecture::ALL
            .iter()
            .find(is_name)
            .copied()
            .ok_or(Refusal::NoSuchPage)?;
        let file = match file.as_str() {
            "APKINDEX.tar.gz" => ApkName::Index,
            name if is_package(name) => ApkName::Package(name.to_owned()),
            name => ApkName::Digest(parse_digest(name).ok_or(Refusal::NoSuchPage)?),
        };
        Ok(Self::Apk(repository, architecture, file))
    }
}

fn parse_reference(text: &str) -> Result<Reference, Refusal> {
    if text.contains(':') {
        return parse_digest(text)
            .map(Reference::Digest)
            .ok_or(Refusal::DigestInvalid);
    }
    if boltworks_oci::reference::is_tag(text) {
        return Ok(Reference::Tag(text.to_owned()));
    }
    Err(Refusal::ManifestUnknown)
}

/// Exactly `sha256:` and 64 lower-case digits.
fn parse_digest(text: &str) -> Option<Sha256> {
    let digest: Sha256 = text.parse().ok()?;
    (digest.prefixed() == text).then_some(digest)
}

fn is_package(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._~[],*%".contains(&byte);
    let is_first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= 255
        && name.strip_suffix(".apk").is_some()
        && name.bytes().next().is_some_and(is_first)
        && name.bytes().all(is_allowed)
}

fn is_key(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._@".contains(&byte);
    name.len() <= 255
        && name.ends_with(".rsa.pub")
        && !name.starts_with('.')
        && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(path: &str) -> String {
        match Route::parse(path) {
            Ok(route) => format!("{route:?}"),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    #[test]
    fn paths_become_routes() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let short = |path: &str| shown(path).replace(&digest, "…");
        assert_eq!(shown("/"), "Page");
        assert_eq!(shown("/v2"), "Registry");
        assert_eq!(shown("/v2/"), "Registry");
        assert_eq!(shown("/v2/_catalog"), "Catalog");
        assert_eq!(shown("/v2/a/b/tags/list"), r#"Tags(Repository("a/b"))"#);
        assert_eq!(
            shown("/v2/tags/list/tags/list"),
            r#"Tags(Repository("tags/list"))"#
        );
        assert_eq!(
            shown("/v2/web/manifests/1.4"),
            r#"Manifest(Repository("web"), Tag("1.4"))"#
        );
        for path in ["sha256:", "sha256%3A"].map(|text| digest.replace("sha256:", text)) {
            assert_eq!(
                short(&format!("/v2/web/blobs/{path}")),
                r#"Blob(Repository("web"), …)"#
            );
        }
        assert_eq!(
            short(&format!("/v2/web/referrers/{digest}")),
            r#"Referrers(Repository("web"), …)"#
        );
        assert_eq!(
            shown("/apk/os/x86_64/APKINDEX.tar.gz"),
            r#"Apk(Repository("os"), X86_64, Index)"#
        );
        assert_eq!(
            shown("/apk/a/os/aarch64/g%2B%2B-1.0-r0.apk"),
            r#"Apk(Repository("a/os"), Aarch64, Package("g++-1.0-r0.apk"))"#
        );
        assert_eq!(shown("/keys/web.rsa.pub"), r#"Key("web.rsa.pub")"#);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let upper = format!("/v2/web/blobs/sha256:{}", "0A".repeat(32));
        for (path, expected) in [
            ("", "NoSuchPage"),
            ("*", "NoSuchPage"),
            ("//", "NoSuchPage"),
            ("/v2/web", "NoSuchPage"),
            ("/v2/../../etc/passwd", "NoSuchPage"),
            ("/v2/../web/tags/list", "NameInvalid"),
            ("/v2/%2e%2e/tags/list", "NameInvalid"),
            ("/v2/a%2Fb/tags/list", "NoSuchPage"),
            ("/v2/Web/tags/list", "NameInvalid"),
            ("/v2/web:1/tags/list", "NameInvalid"),
            ("/v2//tags/list", "NameInvalid"),
            ("/v2/web/blobs/sha256:..", "DigestInvalid"),
            ("/v2/web/blobs/sha512:00", "DigestInvalid"),
            (&upper, "DigestInvalid"),
            ("/v2/web/manifests/-x", "ManifestUnknown"),
            ("/v2/web/manifests/a%00b", "ManifestUnknown"),
            ("/v2/web/blobs/uploads/", "NoSuchPage"),
            ("/apk/os/x86_64/", "NoSuchPage"),
            ("/apk/os/x86_64", "NoSuchPage"),
            ("/apk/os/amd64/APKINDEX.tar.gz", "NoSuchPage"),
            ("/apk/os/x86_64/../a.apk", "NoSuchPage"),
            ("/apk/os/x86_64/..%2Fa.apk", "NoSuchPage"),
            ("/apk/os/x86_64/.apk", "NoSuchPage"),
            ("/keys/../a.rsa.pub", "NoSuchPage"),
            ("/keys/a.rsa", "NoSuchPage"),
            ("/%zz", "NoSuchPage"),
            ("/%ff", "NoSuchPage"),
        ] {
            assert_eq!(shown(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_out(path in "(/|/v2/|/apk/|/keys/)([a-z0-9./%:_-]|\\.\\./|%2e|%2f){0,40}") {
            if let Ok(route) = Route::parse(&path) {
                let text = format!("{route:?}");
                let is_out = ["../", "/..", "\"..\""].iter().any(|way| text.contains(way));
                prop_assert!(!is_out, "{}", text);
            }
        }
    }
}
