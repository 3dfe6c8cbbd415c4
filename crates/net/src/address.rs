//! Addresses: absolute, `http` or `https`, without a credential inside.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Longer addresses are refused.
const MAX_LEN: usize = 8192;

/// Whom an address belongs to: scheme, host and port (RFC 6454). Credentials are bound to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The host in lower case; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where the address leaves it out.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS protects what is sent.
    pub const fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether it is this machine, by its name or its address.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host == "localhost"
            || bare
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// Whether a password may be sent there: nobody on the way reads it.
    pub fn is_protected(&self) -> bool {
        self.is_https || self.is_loopback()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.is_https {
            ("https", 443)
        } else {
            ("http", 80)
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

/// An absolute `http` or `https` address (RFC 3986) without user information and fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    origin: Origin,
    /// Begins with `/`; the query is part of it.
    path: String,
}

impl Address {
    /// Whom it belongs to.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Path and query, from the first `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last component of the path, without the query: what a file of it would be called.
    pub fn file_name(&self) -> &str {
        let path = self
            .path
            .split_once('?')
            .map_or(self.path.as_str(), |(path, _)| path);
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    }

    /// What a reference in an answer of this address points to (RFC 3986 section 5.2).
    pub fn join(&self, reference: &str) -> Result<Self, Error> {
        let reference = reference
            .split_once('#')
            .map_or(reference, |(before, _)| before);
        check_text(reference, reference)?;
        if let Some((scheme, _)) = reference.split_once("://")
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return reference.parse();
        }
        if let Some(rest) = reference.strip_prefix("//") {
            let scheme = if self.origin.is_https {
                "https"
            } else {
                "http"
            };
            return format!("{scheme}://{rest}").parse();
        }
        let own_path = self
            .path
            .split_once('?')
            .map_or(self.path.as_str(), |(path, _)| path);
        let path = if reference.is_empty() {
            self.path.clone()
        } else if reference.starts_with('/') {
            without_dots(reference)
        } else if reference.starts_with('?') {
            format!("{own_path}{reference}")
        } else {
            let folder = own_path.rsplit_once('/').map_or("", |(folder, _)| folder);
            without_dots(&format!("{folder}/{reference}"))
        };
        Ok(Self {
            origin: self.origin.clone(),
            path,
        })
    }

    /// The address of something beneath this one, which is taken as a folder.
    pub fn below(&self, path: &str) -> Result<Self, Error> {
        let mut folder = self.clone();
        if !folder.path.ends_with('/') {
            folder.path.push('/');
        }
        folder.join(path)
    }
}

/// Removes `.` and `..` components (RFC 3986 section 5.2.4); never leaves the root.
fn without_dots(path: &str) -> String {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if let Some(query) = query {
        clean.push('?');
        clean.push_str(query);
    }
    clean
}

fn fault(text: &str, reason: &'static str) -> Error {
    Error::Address {
        text: boltworks_model::visible_start(text, 160),
        reason,
    }
}

fn check_text(part: &str, whole: &str) -> Result<(), Error> {
    if part.len() > MAX_LEN {
        return Err(fault(whole, "it is longer than 8192 bytes"));
    }
    if part
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || byte == b'\\')
    {
        return Err(fault(
            whole,
            "only visible ASCII characters may stand in it",
        ));
    }
    Ok(())
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        check_text(text, text)?;
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| fault(text, "it must begin with http:// or https://"))?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(fault(text, "it must begin with http:// or https://")),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(Error::Address {
                text: format!("{scheme}://…@…"),
                reason: "a user or password may not stand in it",
            });
        }
        let (host, port) =
            split_port(authority).ok_or_else(|| fault(text, "its port is no number"))?;
        if !is_host(host) {
            return Err(fault(text, "it names no valid host"));
        }
        let port = port.unwrap_or(if is_https { 443 } else { 80 });
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        let origin = Origin {
            is_https,
            host: host.to_ascii_lowercase(),
            port,
        };
        Ok(Self { origin, path })
    }
}

/// Host and port; `None` if what follows the `:` is no port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after_brackets = authority.rfind(']').map_or(0, |index| index + 1);
    let (brackets, tail) = authority.split_at(after_brackets);
    match tail.split_once(':') {
        None => Some((authority, None)),
        Some((_, "")) => Some((authority.strip_suffix(':')?, None)),
        Some((before, port)) => {
            let host = authority.get(..brackets.len() + before.len())?;
            let is_plain = port.bytes().all(|byte| byte.is_ascii_digit());
            port.parse()
                .ok()
                .filter(|_| is_plain)
                .map(|port| (host, Some(port)))
        }
    }
}

fn is_host(host: &str) -> bool {
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 255
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(base: &str, reference: &str, expected: &str) {
        let base: Address = base.parse().unwrap();
        assert_eq!(base.join(reference).unwrap().to_string(), expected);
    }

    #[test]
    fn references_are_resolved() {
        check("https://a.example/b/c?d", "e", "https://a.example/b/e");
        check(
            "https://a.example/b/c",
            "../../../e/./f/..",
            "https://a.example/e/",
        );
        check(
            "https://a.example/b/c",
            "/e?f=../g",
            "https://a.example/e?f=../g",
        );
        check("https://a.example/b/c?d", "?f", "https://a.example/b/c?f");
        check(
            "https://a.example/b",
            "//c.example:8443/d",
            "https://c.example:8443/d",
        );
        check(
            "https://a.example/b",
            "http://c.example/d#e",
            "http://c.example/d",
        );
        check("http://[::1]:8080/b", "c", "http://[::1]:8080/c");
        let base: Address = "https://a.example/simple".parse().unwrap();
        assert_eq!(
            base.below("certifi/").unwrap().to_string(),
            "https://a.example/simple/certifi/"
        );
    }

    #[test]
    fn an_origin_knows_its_port() {
        let origin = |text: &str| text.parse::<Address>().unwrap().origin().clone();
        assert_eq!(
            origin("https://A.example/x"),
            origin("https://a.example:443/y")
        );
        assert_ne!(origin("https://a.example/"), origin("http://a.example/"));
        assert_ne!(origin("http://a.example:81/"), origin("http://a.example/"));
    }

    #[test]
    fn this_machine_is_known() {
        let is = |text: &str| text.parse::<Address>().unwrap().origin().is_loopback();
        for own in [
            "http://localhost:5000/",
            "http://127.1.2.3/",
            "http://[::1]:1/",
        ] {
            assert!(is(own), "{own}");
        }
        for other in [
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example/",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn strange_addresses_are_refused_and_secrets_not_repeated() {
        for text in [
            "",
            "a",
            "ftp://a/",
            "file:///etc/passwd",
            "http://",
            "http:///x",
            "http://a:b/",
            "http://a:99999/",
            "http://a\\b/",
            "http://a b/",
            "http://a/\n",
            "http://[::1",
            "http://é/",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        let error = "https://me:hunter2@a.example/"
            .parse::<Address>()
            .unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(text in "https?://[a-z0-9.]{1,8}(:[0-9]{1,4})?(/[!-~]{0,12})?") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            }
        }

        #[test]
        fn no_reference_panics(reference: String) {
            let base: Address = "http://a.example/b/c".parse().unwrap();
            if let Ok(joined) = base.join(&reference) {
                prop_assert!(joined.path().starts_with('/'));
            }
        }
    }
}
