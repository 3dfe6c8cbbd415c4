//! Which proxy stands before an address.

use std::collections::BTreeMap;

use crate::Address;

/// The proxies for `http` and `https`, and the hosts that are reached without.
///
/// Both kinds are asked by `CONNECT`, so a proxy must allow it for the ports in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` addresses: `http://proxy:3128`.
    pub http: Option<String>,
    /// For `https` addresses.
    pub https: Option<String>,
    /// Host names, suffixes (`.corp`), or `*`.
    pub except: Vec<String>,
}

impl Proxies {
    /// Reads the variables that most programs share: `http_proxy`, `https_proxy`, `all_proxy`
    /// and `no_proxy`, lower case before upper case. `HTTP_PROXY` in upper case is not read,
    /// because a CGI server sets it from a request's header.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Self {
        let value = |names: &[&str]| {
            names
                .iter()
                .filter_map(|&name| environment.get(name))
                .map(|value| value.trim())
                .find(|value| !value.is_empty())
                .map(str::to_owned)
        };
        let all = value(&["all_proxy", "ALL_PROXY"]);
        let except = value(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        Self {
            http: value(&["http_proxy"]).or_else(|| all.clone()),
            https: value(&["https_proxy", "HTTPS_PROXY"]).or(all),
            except: except
                .split([',', ' '])
                .map(str::trim)
                .filter(|entry| !entry.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
        }
    }

    /// The proxy before an address, if there is one.
    pub fn before(&self, address: &Address) -> Option<&str> {
        let origin = address.origin();
        let proxy = if origin.is_https() {
            &self.https
        } else {
            &self.http
        };
        let is_excepted = self
            .except
            .iter()
            .any(|entry| is_covered(origin.host(), origin.port(), entry));
        proxy.as_deref().filter(|_| !is_excepted)
    }
}

/// `corp.example` covers itself and what is beneath it, with or without a dot in front.
fn is_covered(host: &str, port: u16, entry: &str) -> bool {
    if entry == "*" {
        return true;
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') => (name, digits.parse::<u16>().ok()),
        _ => (entry, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_start_matches('*').trim_start_matches('.');
    host == name
        || host
            .strip_suffix(name)
            .is_some_and(|before| before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_cover_a_host_and_what_is_beneath_it() {
        let environment = BTreeMap::from([
            ("https_proxy".to_owned(), "http://proxy:3128".to_owned()),
            ("HTTP_PROXY".to_owned(), "http://evil:1".to_owned()),
            (
                "NO_PROXY".to_owned(),
                "corp.example, .lab,127.0.0.1:8080,::1".to_owned(),
            ),
        ]);
        let proxies = Proxies::from_environment(&environment);
        let before = |text: &str| proxies.before(&text.parse().unwrap());
        assert_eq!(before("https://a.example/"), Some("http://proxy:3128"));
        assert_eq!(
            before("https://notcorp.example/"),
            Some("http://proxy:3128")
        );
        assert_eq!(before("https://x.corp.example/"), None);
        assert_eq!(before("https://corp.example/"), None);
        assert_eq!(before("https://x.lab/"), None);
        assert_eq!(before("https://127.0.0.1:8080/"), None);
        assert_eq!(before("https://127.0.0.1/"), Some("http://proxy:3128"));
        assert_eq!(before("https://[::1]/"), None);
        assert_eq!(before("http://a.example/"), None);
    }
}
