//! Where a repository is, as far as anything here may ask for it.

use std::fmt;

use crate::Error;
use crate::error::without_user;

/// A repository's address: `https://…`, `http://…` or `git://…`, and nothing that a program or a
/// local file could hide in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote(String);

impl Remote {
    /// Reads an address.
    ///
    /// # Errors
    /// [`Error::Unusable`] for every other kind of address.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let unusable = |reason| Error::Unusable {
            uri: without_user(text).chars().take(240).collect(),
            reason,
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if !matches!(scheme, "https" | "http" | "git") {
            return Err(unusable(
                "git repositories are fetched from https://, http:// and git:// addresses only \
                 (a `sources:` entry of boltworks.yaml can name an archive instead)",
            ));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(unusable("there is white space in the address"));
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            return Err(unusable(
                "a user's name or password is in the address: it would be in every record \
                 (repositories that ask for one are not fetched)",
            ));
        }
        if host.is_empty() || host.starts_with(['-', ':', '.']) {
            return Err(unusable("there is no host in the address"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The address.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// What git may use to get there, redirects included: none leads from `https` to `http`.
    pub(super) fn protocols(&self) -> &'static str {
        match self.0.split("://").next() {
            Some("https") => "https",
            Some("http") => "http:https",
            _ => "git",
        }
    }

    /// The address of a submodule, which may be said relative to this one: `../other.git`.
    pub(super) fn join(&self, text: &str) -> Result<Self, Error> {
        if !text.starts_with("./") && !text.starts_with("../") {
            return Self::parse(text);
        }
        let outside = || Error::Unusable {
            uri: text.chars().take(240).collect(),
            reason: "it leads out of the host that its repository is at",
        };
        let (scheme, rest) = self.0.split_once("://").ok_or_else(outside)?;
        let mut parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        for part in text.split('/') {
            match part {
                "." | "" => {}
                ".." if parts.len() > 1 => drop(parts.pop()),
                ".." => return Err(outside()),
                part => parts.push(part),
            }
        }
        Self::parse(&format!("{scheme}://{}", parts.join("/")))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_servers_are_taken() {
        for good in [
            "https://git.example/x.git",
            "http://127.0.0.1:8080/x",
            "git://git.example/x",
            "https://[::1]/x",
        ] {
            assert_eq!(Remote::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "x",
            "/etc",
            "../x",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c touch% /tmp/x",
            "file:///etc",
            "ssh://git@git.example/x",
            "git@git.example:x.git",
            "https::git.example",
            "HTTPS://git.example/x",
            "https://user:word@git.example/x",
            "https://-oProxyCommand=x/y",
            "https:///x",
            "https://git.example/a b",
            "https://git.example/a\nb",
        ] {
            let error = Remote::parse(bad).unwrap_err();
            assert!(matches!(error, Error::Unusable { .. }), "{bad}: {error}");
        }
    }

    #[test]
    fn submodules_are_found_beside_their_repository() {
        let base = Remote::parse("https://git.example/group/x.git/").unwrap();
        let check = |relative: &str, expected: Option<&str>| {
            let joined = base.join(relative).ok();
            assert_eq!(joined.as_ref().map(Remote::as_str), expected, "{relative}");
        };
        check("../y.git", Some("https://git.example/group/y.git"));
        check("./y.git", Some("https://git.example/group/x.git/y.git"));
        check("../../other/y", Some("https://git.example/other/y"));
        check("../../../y", None);
        check("../../../../etc", None);
        check("git://b.example/y", Some("git://b.example/y"));
        check("ext::sh -c x", None);
        check("/etc", None);
    }

    #[test]
    fn no_redirect_leads_to_a_weaker_protocol() {
        let protocols = |text: &str| Remote::parse(text).unwrap().protocols();
        assert_eq!(protocols("https://a.example/x"), "https");
        assert_eq!(protocols("http://a.example/x"), "http:https");
        assert_eq!(protocols("git://a.example/x"), "git");
    }
}
