//! Whom to log in as at a registry: what docker, podman, curl and apko on this machine are configured
//! to use, from texts.
//!
//! The first that knows the repository counts: docker's and podman's files in the order they were
//! added, each asked for the repository, then for what it is in, and at last for the whole registry;
//! then `HTTP_AUTH`; then netrc.

mod docker;

use boltworks_model::Secret;
use boltworks_net::Login;
use boltworks_net::machine::{http_auth, netrc};

use crate::Error;
use docker::{DockerConfig, Entry};

/// What a registry is shown.
#[derive(Debug)]
pub enum Held {
    /// A name and a password.
    Login(Login),
    /// A token that its token server takes for new ones (`identitytoken`).
    Identity(Secret<String>),
    /// A token for the registry itself (`registrytoken`).
    Token(Secret<String>),
}

impl Held {
    /// Who that is, for messages.
    pub(crate) fn who(&self) -> String {
        match self {
            Self::Login(login) => format!("as {}", boltworks_model::visible_start(&login.user, 80)),
            Self::Identity(_) | Self::Token(_) => "with a token".to_owned(),
        }
    }
}

/// Starts `docker-credential-NAME get` with a server's name as its input; what it prints. The error
/// is what it says.
pub type AskHelper<'a> = dyn Fn(&str, &str) -> Result<String, String> + 'a;

/// All logins that are known.
#[derive(Debug, Default)]
pub struct Credentials {
    docker: Vec<DockerConfig>,
    http_auth: Vec<(String, Login)>,
    netrc: Vec<netrc::Netrc>,
}

impl Credentials {
    /// Adds docker's `config.json` or podman's `auth.json`.
    ///
    /// # Errors
    /// [`Error::Logins`] if it is not what it should be.
    pub fn add_docker(&mut self, file: &str, text: &str) -> Result<(), Error> {
        let config = docker::parse(text).map_err(|reason| Error::Logins {
            file: file.to_owned(),
            reason,
        })?;
        self.docker.push(config);
        Ok(())
    }

    /// Adds what apko's variable `HTTP_AUTH` holds.
    ///
    /// # Errors
    /// [`Error::Logins`] if it is not what it should be.
    pub fn add_http_auth(&mut self, text: &str) -> Result<(), Error> {
        let logins = http_auth::parse(text).map_err(|reason| Error::Logins {
            file: "HTTP_AUTH".to_owned(),
            reason,
        })?;
        self.http_auth.extend(logins);
        Ok(())
    }

    /// Adds a netrc file.
    pub fn add_netrc(&mut self, text: &str) {
        self.netrc.push(netrc::parse(text));
    }

    /// Whom to log in as for a repository; `None` for nobody.
    ///
    /// # Errors
    /// [`Error::Helper`] if a credential helper that is configured for the registry fails.
    pub fn of(
        &self,
        registry: &str,
        repository: &str,
        ask: &AskHelper<'_>,
    ) -> Result<Option<Held>, Error> {
        for config in &self.docker {
            let found = match config.entry(registry, repository) {
                None => None,
                Some(Entry::Held(held)) => Some(held),
                Some(Entry::Helper { helper, server }) => from_helper(&helper, &server, ask)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(self.login(registry).map(Held::Login))
    }

    /// Whom to log in as at a host that is no registry, with or without its port: what `HTTP_AUTH` and
    /// netrc say.
    pub fn login(&self, host: &str) -> Option<Login> {
        let bare = without_port(host);
        let named = |(name, login): &(String, Login)| {
            let is_it = name.eq_ignore_ascii_case(bare) || name.eq_ignore_ascii_case(host);
            is_it.then(|| again(login))
        };
        let login = self.http_auth.iter().find_map(named);
        let of_file = |netrc: &netrc::Netrc| netrc.login(bare).map(again);
        login.or_else(|| self.netrc.iter().find_map(of_file))
    }
}

/// The text of docker's `config.json` with one more login in it, which takes the place of an older one
/// for the same registry; whatever else stands there stays. `file` is its name, `text` what is in it
/// so far.
///
/// # Errors
/// [`Error::Logins`] if it is not what it should be, or says that a helper keeps the logins.
pub fn with_login(
    file: &str,
    text: Option<&str>,
    registry: &str,
    login: &Login,
) -> Result<String, Error> {
    docker::with_login(text, registry, login).map_err(|reason| Error::Logins {
        file: file.to_owned(),
        reason,
    })
}

fn again(login: &Login) -> Login {
    Login::new(login.user.clone(), login.password.expose().clone())
}

fn without_port(registry: &str) -> &str {
    let after = registry.rfind(']').map_or(0, |at| at + 1);
    let colon = registry.get(after..).and_then(|tail| tail.find(':'));
    colon
        .and_then(|at| registry.get(..after + at))
        .unwrap_or(registry)
}

fn from_helper(helper: &str, server: &str, ask: &AskHelper<'_>) -> Result<Option<Held>, Error> {
    let failed = |reason: String| Error::Helper {
        helper: format!("docker-credential-{helper}"),
        server: server.to_owned(),
        reason: boltworks_model::visible_start(&reason, 300),
    };
    if !docker::is_helper(helper) {
        return Err(failed("its name is none of a program".to_owned()));
    }
    match ask(helper, server) {
        Ok(answer) => docker::parse_helper(&answer)
            .map(Some)
            .ok_or_else(|| failed("its answer is not one of a credential helper".to_owned())),
        // The words by which helpers say that they know no login are part of their protocol.
        Err(reason) if reason.contains("credentials not found") => Ok(None),
        Err(reason) => Err(failed(reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(credentials: &Credentials, registry: &str, repository: &str) -> String {
        let ask = |helper: &str, server: &str| match helper {
            "good" => Ok(format!(
                r#"{{"ServerURL":"{server}","Username":"helped","Secret":"{server}"}}"#
            )),
            "token" => Ok(r#"{"Username":"<token>","Secret":"t"}"#.to_owned()),
            "none" => Err("credentials not found in native keychain".to_owned()),
            _ => Err("it is broken".to_owned()),
        };
        match credentials.of(registry, repository, &ask) {
            Ok(None) => "nobody".to_owned(),
            Ok(Some(Held::Login(login))) => format!("{}:{}", login.user, login.password.expose()),
            Ok(Some(Held::Identity(token))) => format!("identity {}", token.expose()),
            Ok(Some(Held::Token(token))) => format!("token {}", token.expose()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_narrowest_login_counts() {
        let mut all = Credentials::default();
        let auths = r#"{"auths": {
            "https://r.example/v1/": {"auth": "bWU6cDp3"},
            "r.example/team": {"username": "team", "password": "x"},
            "r.example/team/web": {"identitytoken": "i"},
            "t.example:5000": {"registrytoken": "r"},
            "empty.example": {}
        }}"#;
        all.add_docker("config.json", auths).unwrap();
        all.add_http_auth("basic:h.example:you:pw").unwrap();
        all.add_netrc("machine n.example login net password rc");
        assert_eq!(who(&all, "r.example", "other"), "me:p:w");
        assert_eq!(who(&all, "r.example", "teams"), "me:p:w");
        assert_eq!(who(&all, "r.example", "team/db"), "team:x");
        assert_eq!(who(&all, "r.example", "team/web"), "identity i");
        assert_eq!(who(&all, "r.example:444", "team"), "nobody");
        assert_eq!(who(&all, "t.example:5000", "a"), "token r");
        assert_eq!(who(&all, "empty.example", "a"), "nobody");
        assert_eq!(who(&all, "h.example:5000", "a"), "you:pw");
        assert_eq!(who(&all, "n.example", "a"), "net:rc");
        assert_eq!(who(&all, "[::1]:5000", "a"), "nobody");
    }

    #[test]
    fn helpers_are_asked_for_their_registries() {
        let mut all = Credentials::default();
        let config = r#"{"credHelpers": {"g.example": "good", "b.example": "bad", "e.example": "../evil"},
            "credsStore": "none", "auths": {"https://i.example/v1/": {}, "p.example": {"auth": "YTpi"}}}"#;
        all.add_docker("config.json", config).unwrap();
        all.add_docker("auth.json", r#"{"credsStore": "token"}"#)
            .unwrap();
        assert_eq!(who(&all, "g.example", "a"), "helped:g.example");
        assert_eq!(who(&all, "p.example", "a"), "a:b");
        assert_eq!(who(&all, "i.example", "a"), "identity t");
        assert_eq!(
            who(&all, "b.example", "a"),
            "ask docker-credential-bad for the login of b.example: it is broken"
        );
        assert!(who(&all, "e.example", "a").contains("none of a program"));
    }

    #[test]
    fn a_login_is_added_and_nothing_else_changes() {
        let login = Login::new("me", "p:w");
        let text = with_login("c.json", None, "r.example", &login).unwrap();
        let other =
            r#"{"psFormat":"x","auths":{"https://r.example/v1/":{"auth":"YTpi"},"s.example":{}}}"#;
        let both = with_login("c.json", Some(other), "r.example", &login).unwrap();
        assert!(both.contains("\"psFormat\": \"x\"") && both.contains("s.example"));
        for text in [text, both] {
            let mut all = Credentials::default();
            all.add_docker("c.json", &text).unwrap();
            assert_eq!(who(&all, "r.example", "a"), "me:p:w");
            assert_eq!(text.matches("r.example").count(), 1);
        }
        let error = with_login(
            "c.json",
            Some(r#"{"credsStore":"pass"}"#),
            "r.example",
            &login,
        );
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("docker-credential-pass")
        );
        assert!(with_login("c.json", Some("[]"), "r.example", &login).is_err());
    }

    #[test]
    fn what_is_no_configuration_is_told_without_its_text() {
        let mut all = Credentials::default();
        let error = all
            .add_docker("c.json", r#"{"auths": {"a": {"auth": "hunter2"}}}"#)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "read the logins in c.json: the login of a is not the base64 of NAME:PASSWORD"
        );
        let error = all
            .add_docker("c.json", r#"{"auths": "hunter2"}"#)
            .unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
