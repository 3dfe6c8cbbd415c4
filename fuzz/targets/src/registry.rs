//! What registries answer, and the files in which logins are kept.

use boltworks_net::machine::{http_auth, netrc};
use boltworks_registry::{Credentials, challenge};

use crate::{taken, text};

/// The header by which a registry wants to be shown something.
pub fn registry_challenge(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    for challenge in challenge::parse(text.trim_end()) {
        taken();
        assert!(!challenge.scheme.is_empty());
        assert!(!challenge.scheme.contains(char::is_whitespace));
        assert!(challenge.parameters.keys().all(|key| !key.is_empty()));
    }
}

/// Files of logins, with a line `---` between them: docker's, netrc, `HTTP_AUTH`, a helper's answer.
pub fn registry_logins(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let mut parts = text.split("\n---\n");
    let mut part = || parts.next().unwrap_or_default();
    let mut credentials = Credentials::default();
    if credentials.add_docker("config.json", part()).is_ok() {
        taken();
    }
    let curl = part();
    credentials.add_netrc(curl);
    if let Some(login) = netrc::parse(curl).login("registry.example") {
        assert!(curl.contains("password"), "a password from nowhere");
        assert!(login.user.is_empty() || curl.contains("login"));
    }
    let apko = part().trim();
    if let Ok(logins) = http_auth::parse(apko) {
        assert!(logins.iter().all(|(host, _)| !host.is_empty()));
    }
    // A mistake in it is told without any of its text, and the rest is read.
    drop(credentials.add_http_auth(apko));
    let answer = part();
    let ask = |helper: &str, _: &str| {
        assert!(!helper.contains('/'), "a helper that leads elsewhere");
        Ok(answer.to_owned())
    };
    for repository in ["web", "team/web"] {
        drop(credentials.of("registry.example", repository, &ask));
    }
}
