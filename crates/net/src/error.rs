//! What can go wrong on the way to another machine, and whether trying again can help.

use std::io;
use std::time::Duration;

use boltworks_model::Cancelled;

/// Why nothing, or not all, was received.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "one `Error` per room is the house's convention"
)]
pub enum Error {
    /// A text is not an address this client uses.
    #[error("use '{text}' as an address: {reason}")]
    Address {
        /// The text, cut to 160 characters.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A proxy setting cannot be used.
    #[error("use the proxy that is set for {scheme}")]
    Proxy {
        /// `http` or `https`.
        scheme: &'static str,
        /// Why not.
        #[source]
        source: Box<ureq::Error>,
    },
    /// No certificate authority of this machine could be read.
    #[error(
        "read the certificate authorities of this machine: {reason} (install the package ca-certificates)"
    )]
    Authorities {
        /// What was found instead.
        reason: String,
    },
    /// A certificate authority given in the settings is not PEM.
    #[error("read an additional certificate authority as PEM")]
    ExtraAuthority,
    /// No name server knows the host.
    #[error("reach {host}: its name is not known here")]
    UnknownHost {
        /// The host.
        host: String,
    },
    /// The host did not answer, or refused.
    #[error("connect to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The other side is not who it should be, or TLS cannot be spoken with it.
    #[error("speak TLS with {host}")]
    Tls {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The exchange broke off before the body.
    #[error("get {address}")]
    Exchange {
        /// What was asked for.
        address: String,
        /// Why it broke off.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The body broke off.
    #[error("receive {address}")]
    Body {
        /// What was asked for.
        address: String,
        /// Why it broke off.
        #[source]
        source: io::Error,
    },
    /// The server said no.
    #[error("get {address}: the server answered {status}")]
    Status {
        /// What was asked for.
        address: String,
        /// The status (RFC 9110 section 15).
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// An exchange that sends something broke off.
    #[error("{method} {address}")]
    Sent {
        /// `PUT`, say.
        method: &'static str,
        /// Where to.
        address: String,
        /// Why it broke off.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The server did not do what it was asked.
    #[error("{method} {address}: the server answered {status}")]
    Refused {
        /// `PUT`, say.
        method: &'static str,
        /// Where to.
        address: String,
        /// The status (RFC 9110 section 15).
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// Something that is sent is wanted by somebody else.
    #[error("follow the redirect from {from} to {to}: what is sent goes to the former only")]
    Elsewhere {
        /// Who redirected.
        from: String,
        /// Where to.
        to: String,
    },
    /// The server's headers contradict what was asked, or each other.
    #[error("get {address}: {reason}")]
    Nonsense {
        /// What was asked for.
        address: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// There is more than may be.
    #[error("receive {address}: it is larger than the {max} bytes that are allowed")]
    TooLarge {
        /// What was asked for.
        address: String,
        /// The limit in bytes.
        max: u64,
    },
    /// A redirect goes from TLS to plain text.
    #[error("follow the redirect from {from} to {to}: it leaves https for http")]
    Downgrade {
        /// Who redirected.
        from: String,
        /// Where to.
        to: String,
    },
    /// The redirects do not end.
    #[error("get {address}: more than {max} redirects")]
    TooManyRedirects {
        /// What was asked for first.
        address: String,
        /// How many are followed.
        max: usize,
    },
    /// A credential was about to be sent to somebody else.
    #[error("send the credential of {bound} to {asked}: it belongs to the former only")]
    ForeignCredential {
        /// Whose it is.
        bound: String,
        /// Who would have got it.
        asked: String,
    },
    /// What was received could not be kept.
    #[error("keep what is received")]
    Keep(#[source] io::Error),
    /// Somebody pressed the button.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transience {
    /// It cannot.
    Permanent,
    /// Once more, at most: a name that is not known now will hardly be known in a minute.
    Once,
    /// It can; after this long, if the server said so.
    Transient(Option<Duration>),
}

impl Error {
    /// Whether trying again can help.
    pub fn transience(&self) -> Transience {
        match self {
            Self::UnknownHost { .. } => Transience::Once,
            Self::Connect { .. } => Transience::Transient(None),
            Self::Status {
                status: 408 | 425 | 429 | 500 | 502 | 503 | 504,
                retry_after,
                ..
            }
            | Self::Refused {
                status: 408 | 425 | 429 | 500 | 502 | 503 | 504,
                retry_after,
                ..
            } => Transience::Transient(*retry_after),
            Self::Exchange { source, .. } | Self::Sent { source, .. } => match source.as_ref() {
                ureq::Error::Io(source) if is_permanent(source) => Transience::Permanent,
                ureq::Error::Io(_)
                | ureq::Error::Timeout(_)
                | ureq::Error::Protocol(_)
                | ureq::Error::ConnectionFailed => Transience::Transient(None),
                _ => Transience::Permanent,
            },
            Self::Body { source, .. } if !is_permanent(source) => Transience::Transient(None),
            _ => Transience::Permanent,
        }
    }

    /// Whether another address may do where this one did not: everything but a full disk, a
    /// pressed button, and mistakes in the address or the credential.
    pub const fn is_about_this_server(&self) -> bool {
        !matches!(
            self,
            Self::Keep(_) | Self::Cancelled(_) | Self::Authorities { .. }
        )
    }

    /// The same for what is sent: a broken pipe is told with the method.
    pub(crate) fn sent(
        method: &'static str,
        address: &crate::Address,
        source: ureq::Error,
    ) -> Self {
        match Self::exchange(address, source) {
            Self::Exchange { address, source } => Self::Sent {
                method,
                address,
                source,
            },
            other => other,
        }
    }

    pub(crate) fn exchange(address: &crate::Address, source: ureq::Error) -> Self {
        let host = address.origin().host().to_owned();
        match &source {
            ureq::Error::HostNotFound => Self::UnknownHost { host },
            ureq::Error::Io(reason) if is_unknown_name(reason) => Self::UnknownHost { host },
            ureq::Error::Io(reason) if is_tls(reason) => Self::Tls {
                host,
                source: Box::new(source),
            },
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::TlsRequired => Self::Tls {
                host,
                source: Box::new(source),
            },
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve)
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_) => Self::Connect {
                host,
                source: Box::new(source),
            },
            ureq::Error::Io(reason) if is_unreachable(reason) => Self::Connect {
                host,
                source: Box::new(source),
            },
            _ => Self::Exchange {
                address: address.to_string(),
                source: Box::new(source),
            },
        }
    }
}

/// The standard library has no stable kind for a failed look-up of a name, only this text.
fn is_unknown_name(reason: &io::Error) -> bool {
    reason
        .to_string()
        .starts_with("failed to lookup address information")
}

fn is_tls(reason: &io::Error) -> bool {
    reason
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

fn is_unreachable(reason: &io::Error) -> bool {
    matches!(
        reason.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
    )
}

fn is_permanent(reason: &io::Error) -> bool {
    is_tls(reason)
        || matches!(
            reason.kind(),
            io::ErrorKind::PermissionDenied
                | io::ErrorKind::FileTooLarge
                | io::ErrorKind::StorageFull
                | io::ErrorKind::OutOfMemory
        )
}
