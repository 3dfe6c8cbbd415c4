//! What can go wrong with a registry, and whether trying again can help.

use boltworks_model::{Cancelled, Sha256, visible_start};
use boltworks_net::{Answer, Transience};

/// Why something was not pushed or pulled.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "one `Error` per room is the house's convention"
)]
pub enum Error {
    /// The way to the registry, or its status.
    #[error(transparent)]
    Net(#[from] boltworks_net::Error),
    /// A document is no manifest or index.
    #[error(transparent)]
    Oci(#[from] boltworks_oci::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] boltworks_store::Error),
    /// A name names no registry.
    #[error("find the registry of '{name}': it names none, as in registry.example/team/web:1")]
    NoRegistry {
        /// The name.
        name: String,
    },
    /// The registry does not do what it was asked, and says so.
    #[error("{what} {registry}: it answered {status}{words}")]
    Refused {
        /// `push the blob sha256:… to`.
        what: String,
        /// The repository, with its registry.
        registry: String,
        /// The status (RFC 9110 section 15).
        status: u16,
        /// What it said, after a colon; or nothing.
        words: String,
        /// Whether trying again can help.
        transience: Transience,
    },
    /// The registry wants to know who asks, or does not let them.
    #[error("log in to {registry} {who}: it answered {status}{words}")]
    Denied {
        /// The repository, with its registry.
        registry: String,
        /// `as NAME`, or that nobody is known.
        who: String,
        /// The status.
        status: u16,
        /// What it said, after a colon; or nothing.
        words: String,
    },
    /// A secret would cross the network unprotected.
    #[error("log in to {registry}: {address} is no https address, so no password is sent to it")]
    Unprotected {
        /// The registry.
        registry: String,
        /// Who would have got it.
        address: String,
    },
    /// The registry names other bytes than it should.
    #[error("{what} {registry}: it says the digest is '{said}', but it is {}", digest.prefixed())]
    Lied {
        /// What was done.
        what: String,
        /// The repository, with its registry.
        registry: String,
        /// What the digest is.
        digest: Sha256,
        /// What it says, cut to 160 characters.
        said: String,
    },
    /// The registry's answer makes no sense.
    #[error("{what} {registry}: {reason}")]
    Nonsense {
        /// What was done.
        what: String,
        /// The repository, with its registry.
        registry: String,
        /// What does not fit.
        reason: String,
    },
    /// It is not there.
    #[error("pull {name}: the registry does not have it{words}")]
    Missing {
        /// What was asked for.
        name: String,
        /// What it said, after a colon; or nothing.
        words: String,
    },
    /// What is to be pushed does not fit together.
    #[error("push {}: {reason}", digest.prefixed())]
    Unfit {
        /// The blob.
        digest: Sha256,
        /// What does not fit.
        reason: String,
    },
    /// More than may be pulled.
    #[error("pull {name}: it has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// What was asked for.
        name: String,
        /// How many it has.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A file of logins cannot be read.
    #[error("read the logins in {file}: {reason}")]
    Logins {
        /// The file, or the variable.
        file: String,
        /// Why not; nothing of what is in it.
        reason: String,
    },
    /// A credential helper does not help.
    #[error("ask {helper} for the login of {server}: {reason}")]
    Helper {
        /// The program.
        helper: String,
        /// Whose login.
        server: String,
        /// Why not.
        reason: String,
    },
    /// Somebody pressed the button.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Error {
    /// Whether trying again can help.
    pub fn transience(&self) -> Transience {
        match self {
            Self::Net(error) => error.transience(),
            Self::Refused { transience, .. } => *transience,
            _ => Transience::Permanent,
        }
    }

    /// Whether somebody pressed the button.
    pub const fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled(_)
                | Self::Net(boltworks_net::Error::Cancelled(_))
                | Self::Store(boltworks_store::Error::Cancelled(_))
        )
    }

    /// What to do next.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Denied { .. } => {
                "log in with `docker login REGISTRY` or `podman login REGISTRY`, as somebody who may \
                 do this there"
            }
            Self::Unprotected { .. } => {
                "use a registry with https, or one on this machine: a password is sent nowhere else"
            }
            Self::NoRegistry { .. } => "write the name like registry.example/team/web:1",
            Self::Lied { .. } | Self::Nonsense { .. } => {
                "look at the registry, and at proxies before it: no tag was set to anything that is \
                 not whole"
            }
            Self::Net(_) => {
                "check the registry's name, the network and its proxy; then run the same command \
                 again: what is there is not sent again"
            }
            Self::Refused { .. } => {
                "run the same command again later: what is there is not sent again"
            }
            Self::Missing { .. } => "correct the name, its tag or its digest",
            Self::Logins { .. } => {
                "correct the file, or log in again with the program that writes it"
            }
            Self::Helper { .. } => {
                "log in again with `docker login REGISTRY`, or repair the helper"
            }
            Self::TooLarge { .. } => "name another image",
            Self::Store(_) | Self::Oci(_) | Self::Unfit { .. } => {
                "make the image again: what is to be pushed is not whole"
            }
            Self::Cancelled(_) => "run the same command again: what was finished is kept",
        }
    }

    /// An answer that refuses, with the registry's own words (distribution-spec, error codes).
    pub(crate) fn refused(what: impl Into<String>, registry: &str, answer: Answer) -> Self {
        let transience = answer.refused().transience();
        Self::refused_as(what, registry, answer, transience)
    }

    /// The same where the asker knows better whether trying again can help.
    pub(crate) fn refused_as(
        what: impl Into<String>,
        registry: &str,
        answer: Answer,
        transience: Transience,
    ) -> Self {
        Self::Refused {
            what: what.into(),
            registry: registry.to_owned(),
            status: answer.status,
            words: words(answer),
            transience,
        }
    }
}

/// What a registry says of an error: after a colon, one line, nothing that moves a cursor.
pub(crate) fn words(answer: Answer) -> String {
    let Ok(bytes) = answer.read_all() else {
        return String::new();
    };
    parse_words(&bytes)
}

fn parse_words(bytes: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        #[serde(default)]
        errors: Vec<One>,
        #[serde(default)]
        details: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(said) = serde_json::from_slice::<Said>(bytes) else {
        return String::new();
    };
    let errors = said.errors.iter().take(3).map(|one| {
        if one.message.is_empty() {
            one.code.clone()
        } else {
            format!("{} ({})", one.message, one.code)
        }
    });
    let all: Vec<String> = errors.chain(said.details).collect();
    let line = visible_start(&all.join("; "), 300);
    if line.is_empty() {
        line
    } else {
        format!(": {line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_quoted_without_harm() {
        let said = br#"{"errors":[{"code":"DENIED","message":"no\u001b[2J\nway"}]}"#;
        assert_eq!(parse_words(said), ": no\u{fffd}[2J\\nway (DENIED)");
        assert_eq!(parse_words(b"<html>"), "");
        assert_eq!(parse_words(br#"{"errors":[]}"#), "");
        let long = format!(r#"{{"details":"{}"}}"#, "x".repeat(1000));
        assert_eq!(parse_words(long.as_bytes()).len(), 302);
    }
}
