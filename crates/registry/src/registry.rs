//! One repository of a registry: questions with what the registry wants to be shown, repeated where
//! that can help.
//!
//! A registry that wants to know who asks says so in its answer, and names a scheme:
//!
//! - `Basic`: the login goes to the registry itself.
//! - `Bearer`: its token server, which it names, gives a token for it. The server is shown the login
//!   that is meant for this registry, whoever it is, over `https` or within this machine only. The
//!   token is bound to the registry's origin: no other is ever sent it, also not the one that an
//!   upload or a redirect leads to.

use std::sync::{Arc, Mutex, PoisonError};

use boltworks_model::{Ambient, Secret};
use boltworks_net::{
    Address, Answer, Client, Content, Error as NetError, Exchange, Method, Origin,
    OriginBoundCredential, Retry,
};
use boltworks_oci::Reference;
use data_encoding::HEXUPPER;
use serde::Deserialize;

use crate::challenge::{self, Challenge};
use crate::error::words;
use crate::{Error, Held};

/// No answer without content is larger.
pub(crate) const MAX_ANSWER: u64 = 64 * 1024;
/// No answer of a token server is larger.
const MAX_TOKEN: u64 = 256 * 1024;
/// What this client calls itself to token servers.
const CLIENT: &str = "boltworks";

/// What is to be done with the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Pull,
    /// Writing too; blobs may be taken over from another repository of the same registry.
    Push {
        /// That repository.
        mount_from: Option<String>,
    },
}

/// A repository of a registry.
pub struct Registry<'a> {
    pub(crate) client: &'a Client,
    pub(crate) ambient: Ambient<'a>,
    /// How failures are met.
    pub(crate) retry: Retry,
    /// Registry and repository, for messages.
    pub(crate) name: String,
    /// The root of the repository: `…/v2/team/web/`.
    root: Address,
    /// What must be known for the repository to be asked.
    scopes: Vec<String>,
    pub(crate) mount_from: Option<String>,
    held: Option<Held>,
    shown: Mutex<Shown>,
}

/// What the registry is shown at present.
#[derive(Default)]
struct Shown {
    /// Counts how often it has changed.
    number: u32,
    credential: Option<Arc<OriginBoundCredential>>,
}

impl std::fmt::Debug for Registry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<'a> Registry<'a> {
    /// The repository that a name is in. Nothing is asked yet. A registry on this machine is spoken to
    /// in plain HTTP, any other in HTTPS.
    ///
    /// # Errors
    /// [`Error::NoRegistry`] if the name has none.
    pub fn new(
        client: &'a Client,
        name: &Reference,
        access: Access,
        held: Option<Held>,
        ambient: Ambient<'a>,
    ) -> Result<Self, Error> {
        let host = name.registry().ok_or_else(|| Error::NoRegistry {
            name: name.to_string(),
        })?;
        let repository = name.repository();
        let secure: Address = format!("https://{host}/v2/{repository}/").parse()?;
        let root = if secure.origin().is_loopback() {
            format!("http://{host}/v2/{repository}/").parse()?
        } else {
            secure
        };
        let (what, mount_from) = match access {
            Access::Pull => ("pull", None),
            Access::Push { mount_from } => ("pull,push", mount_from),
        };
        let mut scopes = vec![format!("repository:{repository}:{what}")];
        scopes.extend(
            mount_from
                .iter()
                .map(|from| format!("repository:{from}:pull")),
        );
        Ok(Self {
            client,
            ambient,
            retry: Retry::default(),
            name: format!("{host}/{repository}"),
            root,
            scopes,
            mount_from,
            held,
            shown: Mutex::default(),
        })
    }

    /// The same with other rules for failures.
    #[must_use]
    pub const fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Asks whether this is a registry that lets us in (distribution-spec, end-1).
    ///
    /// # Errors
    /// [`Error::Denied`] if it does not; [`Error::Refused`] if it is no registry.
    pub fn check(&self) -> Result<(), Error> {
        let answer = self.ask(
            &self.root.join("/v2/")?,
            &Exchange::new(Method::Get, MAX_ANSWER),
        )?;
        match answer.status {
            200..=299 => Ok(()),
            _ => Err(Error::refused(
                "speak with the registry of",
                &self.name,
                answer,
            )),
        }
    }

    /// An address of the repository: `blobs/sha256:…`.
    pub(crate) fn at(&self, path: &str) -> Result<Address, Error> {
        // The colon of a digest must not be read as that of a scheme.
        Ok(self.root.join(&format!("./{path}"))?)
    }

    /// Asks, and asks again where that can help; any other answer is the caller's to understand.
    pub(crate) fn ask(&self, address: &Address, what: &Exchange<'_>) -> Result<Answer, Error> {
        let mut failures = 0;
        loop {
            self.ambient.cancel.check()?;
            let outcome = self.ask_once(address, what);
            let transience = match &outcome {
                Ok(answer) if answer.status < 400 => return outcome,
                Ok(answer) => answer.refused().transience(),
                Err(error) => error.transience(),
            };
            failures += 1;
            if !self.retry.pause(transience, failures, &self.ambient)? {
                return outcome;
            }
        }
    }

    /// Asks once, but for a second time if the registry wants to know who asks.
    pub(crate) fn ask_once(&self, address: &Address, what: &Exchange<'_>) -> Result<Answer, Error> {
        let is_ours = address.origin() == self.root.origin();
        let mut is_last = false;
        loop {
            let (number, credential) = self.shown();
            let credential = credential.filter(|_| is_ours);
            let answer = self.client.exchange(address, what, credential.as_deref())?;
            match answer.status {
                401 if is_ours && !is_last && answer.address.origin() == self.root.origin() => {
                    self.log_in(answer, number)?;
                    is_last = true;
                }
                401 | 403 => return Err(self.denied(answer)),
                _ => return Ok(answer),
            }
        }
    }

    /// What is shown at present, for a download.
    pub(crate) fn shown(&self) -> (u32, Option<Arc<OriginBoundCredential>>) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        (shown.number, shown.credential.clone())
    }

    fn denied(&self, answer: Answer) -> Error {
        Error::Denied {
            registry: self.name.clone(),
            who: self.who(),
            status: answer.status,
            words: words(answer),
        }
    }

    fn who(&self) -> String {
        self.held.as_ref().map_or_else(
            || "as nobody, for no login is known for it".to_owned(),
            Held::who,
        )
    }

    /// Gets what the answer asks for, unless another thread did since `number`.
    fn log_in(&self, answer: Answer, number: u32) -> Result<(), Error> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.number != number {
            return Ok(());
        }
        let challenges: Vec<Challenge> = answer
            .headers("www-authenticate")
            .iter()
            .flat_map(|header| challenge::parse(header))
            .collect();
        let of = |scheme: &str| challenges.iter().find(|one| one.scheme == scheme);
        let origin = self.root.origin();
        let credential = match (of("bearer"), of("basic"), &self.held) {
            (Some(_), _, Some(Held::Token(token))) => {
                self.verify_protected(origin)?;
                bearer(origin, token.expose())
            }
            (Some(bearer), ..) => self.token(bearer)?,
            (None, Some(_), Some(Held::Login(login))) => {
                self.verify_protected(origin)?;
                login.bound_to(origin.clone())
            }
            (None, ..) => return Err(self.denied(answer)),
        };
        shown.number += 1;
        shown.credential = Some(Arc::new(credential));
        Ok(())
    }

    fn verify_protected(&self, origin: &Origin) -> Result<(), Error> {
        if origin.is_protected() {
            return Ok(());
        }
        Err(Error::Unprotected {
            registry: self.name.clone(),
            address: origin.to_string(),
        })
    }

    /// A token from the server that a registry names.
    fn token(&self, challenge: &Challenge) -> Result<OriginBoundCredential, Error> {
        let realm = challenge
            .parameters
            .get("realm")
            .ok_or_else(|| self.nonsense("log in to", "it names no token server"))?;
        let realm: Address = realm.parse()?;
        let is_downgrade = self.root.origin().is_https() && !realm.origin().is_https();
        if self.held.is_some() || is_downgrade {
            self.verify_protected(realm.origin())?;
        }
        let mut query = String::new();
        if let Some(service) = challenge.parameters.get("service") {
            add(&mut query, "service", service);
        }
        let answer = match &self.held {
            Some(Held::Identity(identity)) => {
                add(&mut query, "client_id", CLIENT);
                add(&mut query, "grant_type", "refresh_token");
                add(&mut query, "scope", &self.scopes.join(" "));
                add(&mut query, "refresh_token", identity.expose());
                let form = Secret::new(query);
                let open = || -> Box<dyn std::io::Read> { Box::new(form.expose().as_bytes()) };
                let content = Content {
                    media_type: "application/x-www-form-urlencoded",
                    length: form.expose().len() as u64,
                    range: None,
                    open: &open,
                };
                let post = Exchange::new(Method::Post, MAX_TOKEN).with(content);
                self.ask_server(&realm, &post, None)?
            }
            held => {
                for scope in &self.scopes {
                    add(&mut query, "scope", scope);
                }
                let credential = match held {
                    Some(Held::Login(login)) => Some(login.bound_to(realm.origin().clone())),
                    _ => None,
                };
                let get = Exchange::new(Method::Get, MAX_TOKEN);
                let address = with_query(&realm, &query)?;
                self.ask_server(&address, &get, credential.as_ref())?
            }
        };
        let token = parse_token(&answer.read_all()?)
            .ok_or_else(|| self.nonsense("log in to", "its token server gives no token"))?;
        Ok(bearer(self.root.origin(), token.expose()))
    }

    /// Asks the token server, and asks again where that can help.
    fn ask_server(
        &self,
        address: &Address,
        what: &Exchange<'_>,
        credential: Option<&OriginBoundCredential>,
    ) -> Result<Answer, Error> {
        let answer = self.retry.run(&self.ambient, || {
            let answer = self.client.exchange(address, what, credential)?;
            match answer.status {
                200..=299 | 400..=428 => Ok(answer),
                _ => Err(answer.refused()),
            }
        });
        match answer {
            Ok(answer) if answer.status < 300 => Ok(answer),
            Ok(answer) => Err(self.denied(answer)),
            Err(NetError::Cancelled(cancelled)) => Err(cancelled.into()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn nonsense(&self, what: &str, reason: impl Into<String>) -> Error {
        Error::Nonsense {
            what: what.to_owned(),
            registry: self.name.clone(),
            reason: reason.into(),
        }
    }

    /// Holds the digest that an answer names, if it names one, against the true one.
    pub(crate) fn verify_said(
        &self,
        what: &str,
        answer: &Answer,
        digest: &boltworks_model::Sha256,
    ) -> Result<(), Error> {
        match answer.header("docker-content-digest") {
            Some(said) if said.trim() != digest.prefixed() => Err(Error::Lied {
                what: what.to_owned(),
                registry: self.name.clone(),
                digest: *digest,
                said: boltworks_model::visible_start(&said, 160),
            }),
            _ => Ok(()),
        }
    }
}

fn bearer(origin: &Origin, token: &str) -> OriginBoundCredential {
    OriginBoundCredential::new(origin.clone(), Secret::new(format!("Bearer {token}")))
}

/// The token in a token server's answer: nothing that would be more than one header.
fn parse_token(bytes: &[u8]) -> Option<Secret<String>> {
    #[derive(Deserialize)]
    struct Given {
        #[serde(default)]
        token: String,
        #[serde(default)]
        access_token: String,
    }
    let given: Given = serde_json::from_slice(bytes).ok()?;
    let token = if given.token.is_empty() {
        given.access_token
    } else {
        given.token
    };
    let is_fit = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then(|| Secret::new(token))
}

/// Adds a parameter to a query or form.
fn add(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push('%');
            HEXUPPER.encode_append(&[byte], query);
        }
    }
}

/// An address with more in its query.
pub(crate) fn with_query(address: &Address, query: &str) -> Result<Address, NetError> {
    let path = address.path();
    let mark = match path.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    address.join(&format!("{path}{mark}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_added() {
        let check = |address: &str, query: &str, expected: &str| {
            let address: Address = address.parse().unwrap();
            assert_eq!(with_query(&address, query).unwrap().path(), expected);
        };
        check("https://a.example/b", "c=d", "/b?c=d");
        check("https://a.example/b?", "c=d", "/b?c=d");
        check("https://a.example/b?x=%2F", "c=d", "/b?x=%2F&c=d");
        let mut query = String::new();
        add(&mut query, "scope", "repository:a/b:pull,push");
        add(&mut query, "x", "ä &");
        assert_eq!(
            query,
            "scope=repository%3Aa%2Fb%3Apull%2Cpush&x=%C3%A4%20%26"
        );
    }

    #[test]
    fn tokens_are_one_header() {
        let token = |text: &str| parse_token(text.as_bytes()).map(|token| token.expose().clone());
        assert_eq!(token(r#"{"token":"t"}"#).unwrap(), "t");
        assert_eq!(
            token(r#"{"access_token":"a","expires_in":3}"#).unwrap(),
            "a"
        );
        assert_eq!(token(r#"{"token":"a\r\nx: y"}"#), None);
        assert_eq!(token("{}"), None);
    }
}
