//! docker's `config.json`, podman's `auth.json` (containers-auth.json(5)), and what a credential
//! helper prints.

use std::collections::BTreeMap;

use boltworks_model::Secret;
use boltworks_net::Login;
use data_encoding::{BASE64, BASE64_NOPAD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Held;

/// The user name under which helpers give an identity token.
const TOKEN: &str = "<token>";

/// One file.
#[derive(Debug, Default)]
pub(super) struct DockerConfig {
    /// By registry, or registry and repository or what it is in.
    logins: BTreeMap<String, Known>,
    /// A helper for each registry.
    helpers: BTreeMap<String, String>,
    /// The helper for all others.
    store: Option<String>,
}

#[derive(Debug)]
struct Known {
    /// The key as it is written: what a helper is asked for.
    key: String,
    held: Option<Held>,
}

/// What a file says of a repository.
pub(super) enum Entry {
    /// This.
    Held(Held),
    /// To ask a helper.
    Helper {
        /// Its name, after `docker-credential-`.
        helper: String,
        /// What it is asked for.
        server: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Written>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize, Default)]
struct Written {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

/// Reads a file. The error is a sentence that repeats no secret.
pub(super) fn parse(text: &str) -> Result<DockerConfig, String> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("it is not what docker and podman write, at line {line}, column {column}")
    })?;
    let mut config = DockerConfig {
        helpers: file.cred_helpers,
        store: file.creds_store.filter(|name| !name.is_empty()),
        ..DockerConfig::default()
    };
    for (key, auth) in file.auths {
        let held = held(auth).map_err(|Unreadable| {
            format!("the login of {key} is not the base64 of NAME:PASSWORD")
        })?;
        config
            .logins
            .insert(plain(&key).to_owned(), Known { key, held });
    }
    Ok(config)
}

/// A login is not the base64 of a pair.
struct Unreadable;

/// What an entry holds; one may be empty.
fn held(auth: Written) -> Result<Option<Held>, Unreadable> {
    if !auth.identitytoken.is_empty() {
        return Ok(Some(Held::Identity(Secret::new(auth.identitytoken))));
    }
    if !auth.registrytoken.is_empty() {
        return Ok(Some(Held::Token(Secret::new(auth.registrytoken))));
    }
    if auth.auth.is_empty() {
        let login = Login::new(auth.username, auth.password);
        return Ok((!login.user.is_empty()).then_some(Held::Login(login)));
    }
    let digits = auth.auth.trim().trim_end_matches('\0');
    let bytes = BASE64
        .decode(digits.as_bytes())
        .or_else(|_| BASE64_NOPAD.decode(digits.as_bytes()));
    let pair = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
    let (user, password) = pair.ok_or(Unreadable)?;
    let password = password.trim_end_matches('\0');
    Ok(Some(Held::Login(Login::new(user, password))))
}

/// A key without scheme and without the path of the registry's API.
fn plain(key: &str) -> &str {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1")
        .or_else(|| key.strip_suffix("/v2"))
        .unwrap_or(key)
}

impl DockerConfig {
    /// What it says of a repository: the longest name that covers it counts.
    pub(super) fn entry(&self, registry: &str, repository: &str) -> Option<Entry> {
        let whole = format!("{registry}/{repository}");
        let names = std::iter::successors(Some(whole.as_str()), |name| {
            name.rsplit_once('/').map(|(above, _)| above)
        });
        for name in names {
            if let Some(helper) = self.helpers.get(name) {
                return Some(Entry::Helper {
                    helper: helper.clone(),
                    server: name.to_owned(),
                });
            }
            if let Some(held) = self.logins.get(name).and_then(|known| known.held.as_ref()) {
                return Some(Entry::Held(copy(held)));
            }
        }
        let server = self
            .logins
            .get(registry)
            .map_or(registry, |known| &known.key);
        self.store.as_ref().map(|store| Entry::Helper {
            helper: store.clone(),
            server: server.to_owned(),
        })
    }
}

fn copy(held: &Held) -> Held {
    match held {
        Held::Login(login) => Held::Login(super::again(login)),
        Held::Identity(token) => Held::Identity(Secret::new(token.expose().clone())),
        Held::Token(token) => Held::Token(Secret::new(token.expose().clone())),
    }
}

/// Whether a text can be the end of a helper's name: nothing that leads elsewhere.
pub(super) fn is_helper(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Reads what a helper printed for `get`.
pub(super) fn parse_helper(text: &str) -> Option<Held> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let answer: Answer = serde_json::from_str(text).ok()?;
    Some(if answer.username == TOKEN {
        Held::Identity(Secret::new(answer.secret))
    } else {
        Held::Login(Login::new(answer.username, answer.secret))
    })
}

/// A file's text with one more login in it; whatever else stands there stays.
///
/// # Errors
/// A sentence, where the text is not what docker writes, or a helper keeps the registry's logins.
pub(super) fn with_login(
    text: Option<&str>,
    registry: &str,
    login: &Login,
) -> Result<String, String> {
    let text = text.unwrap_or("{}");
    let config = parse(text)?;
    let helper = config.helpers.get(registry).or(config.store.as_ref());
    if let Some(helper) = helper {
        return Err(format!(
            "docker-credential-{helper} keeps the logins of {registry}: log in with docker or podman"
        ));
    }
    let mut file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let auths = file.as_object_mut().map(|file| file.entry("auths"));
    let auths = auths.and_then(|auths| {
        let auths = auths.or_insert_with(|| json!({}));
        auths.as_object_mut()
    });
    let auths = auths.ok_or("it is not what docker and podman write")?;
    // Docker itself writes some registries with the scheme and a path: the same one is replaced.
    auths.retain(|key, _| plain(key) != registry);
    let pair = Secret::new(format!("{}:{}", login.user, login.password.expose()));
    let pair = BASE64.encode(pair.expose().as_bytes());
    auths.insert(registry.to_owned(), json!({"auth": pair}));
    let mut text = serde_json::to_string_pretty(&file).map_err(|error| error.to_string())?;
    text.push('\n');
    Ok(text)
}
