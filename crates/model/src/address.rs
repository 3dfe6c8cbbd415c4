//! The addresses that sources have, as far as anything here may ask for them.

use std::fmt;

/// Why nothing can be fetched from an address, and what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(pub &'static str);

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAddress<'a> {
    /// At a server: `https://…` or `http://…`.
    Web(&'a str),
    /// A source distribution at the index pip is configured for: `pypi:PROJECT/FILE`.
    Pypi {
        /// The project.
        project: &'a str,
        /// The file.
        file: &'a str,
    },
}

impl<'a> FileAddress<'a> {
    /// Reads an address.
    pub fn parse(text: &'a str) -> Result<Self, AddressError> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Self::Web(text));
        }
        text.strip_prefix("pypi:")
            .and_then(|what| what.split_once('/'))
            .filter(|(project, file)| {
                !project.is_empty() && !file.is_empty() && !file.contains('/')
            })
            .map(|(project, file)| Self::Pypi { project, file })
            .ok_or(AddressError(
                "only https://, http:// and pypi:PROJECT/FILE are known \
                 (a `sources:` entry of boltworks.yaml can say where else it is)",
            ))
    }
}

const OUTSIDE: AddressError = AddressError("it leads out of the host that its repository is at");

/// A git repository's address: `https://…`, `http://…` or `git://…`, and nothing that a program or a
/// local file could hide in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote(String);

impl Remote {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if !matches!(scheme, "https" | "http" | "git") {
            return Err(AddressError(
                "git repositories are fetched from https://, http:// and git:// addresses only \
                 (a `sources:` entry of boltworks.yaml can name an archive instead)",
            ));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(AddressError("there is white space in the address"));
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            return Err(AddressError(
                "a user's name or password is in the address: it would be in every record \
                 (repositories that ask for one are not fetched)",
            ));
        }
        if host.is_empty() || host.starts_with(['-', ':', '.']) {
            return Err(AddressError("there is no host in the address"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What git may use to get there, redirects included: none leads from `https` to `http`.
    pub fn protocols(&self) -> &'static str {
        match self.0.split("://").next() {
            Some("https") => "https",
            Some("http") => "http:https",
            _ => "git",
        }
    }

    /// The address of a submodule, which may be said relative to this one: `../other.git`.
    pub fn join(&self, text: &str) -> Result<Self, AddressError> {
        if !text.starts_with("./") && !text.starts_with("../") {
            return Self::parse(text);
        }
        let (scheme, rest) = self.0.split_once("://").ok_or(OUTSIDE)?;
        let mut parts: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        for part in text.split('/') {
            match part {
                "." | "" => {}
                ".." if parts.len() > 1 => drop(parts.pop()),
                ".." => return Err(OUTSIDE),
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
            assert!(Remote::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_are_at_servers_or_at_the_index() {
        let check = |text: &str, expected: Option<FileAddress<'_>>| {
            assert_eq!(FileAddress::parse(text).ok(), expected, "{text}");
        };
        let web = "https://a.example/x";
        check(web, Some(FileAddress::Web(web)));
        let (project, file) = ("x", "x-1.tar.gz");
        check(
            "pypi:x/x-1.tar.gz",
            Some(FileAddress::Pypi { project, file }),
        );
        for bad in [
            "",
            "/etc/passwd",
            "file:///etc/passwd",
            "ftp://a/x",
            "pypi:x",
            "pypi:x/a/b",
        ] {
            check(bad, None);
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
