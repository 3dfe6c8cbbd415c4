//! One GET: redirects followed by us, credentials kept to their origin, the body bounded.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boltworks_model::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::http::{HeaderMap, HeaderName, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::exchange::joined;
use crate::{Address, Error, OriginBoundCredential, Proxies, date};

/// How many redirects are followed.
pub(crate) const MAX_REDIRECTS: usize = 10;
/// A header block larger than this is refused.
const MAX_HEADERS: usize = 64 * 1024;

/// How the client behaves; nothing in it is secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The proxies to use.
    pub proxies: Proxies,
    /// Certificate authorities trusted besides the machine's own, as PEM texts.
    pub extra_authorities: Vec<Vec<u8>>,
    /// What the client calls itself.
    pub user_agent: String,
    /// How long looking up a name, and then connecting, may take.
    pub connect: Duration,
    /// How long the other side may stay silent.
    pub stall: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            proxies: Proxies::default(),
            extra_authorities: Vec::new(),
            user_agent: concat!("boltworks/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
        }
    }
}

/// What is asked for, besides the address.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Leave out this many bytes at the beginning (RFC 9110 section 14).
    pub range_from: Option<u64>,
    /// The range is wanted only if this entity tag or date still holds (`If-Range`).
    pub if_range: Option<&'a str>,
    /// It is wanted only if this entity tag or date holds no longer (`If-None-Match`,
    /// `If-Modified-Since`).
    pub unless: Option<&'a str>,
    /// The media type that is wanted.
    pub accept: Option<&'a str>,
    /// A secret for its own origin.
    pub credential: Option<&'a OriginBoundCredential>,
    /// How large the body may be, in bytes.
    pub max: u64,
}

impl Request<'_> {
    /// Asks for all of something of at most this many bytes.
    pub const fn all(max: u64) -> Self {
        Self {
            range_from: None,
            if_range: None,
            unless: None,
            accept: None,
            credential: None,
            max,
        }
    }
}

/// An answer whose body is still to be read. The status is 200 to 299, or 416 where a range was asked
/// for, or 304 where what is known already was not.
#[derive(Debug)]
pub struct Response {
    /// Who answered in the end.
    pub address: Address,
    /// The status.
    pub status: u16,
    /// The entity tag or, without a strong one, the date of the last change.
    pub validator: Option<String>,
    /// `Content-Range`: where the body begins, and how large the whole is.
    pub range: (Option<u64>, Option<u64>),
    /// How large the body claims to be.
    pub length: Option<u64>,
    /// The media type.
    pub content_type: Option<String>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// The whole body.
    pub fn read_all(self) -> Result<Vec<u8>, Error> {
        self.body.read_whole(&self.address)
    }
}

/// A body; past its limit it gives an error of kind [`io::ErrorKind::FileTooLarge`].
pub struct Body {
    inner: ureq::BodyReader<'static>,
    left: u64,
    max: u64,
}

impl Body {
    /// Everything that is left of it.
    pub(crate) fn read_whole(mut self, address: &Address) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the body bounds itself")]
        let read = self.read_to_end(&mut bytes);
        match read {
            Ok(_) => Ok(bytes),
            Err(source) if source.kind() == io::ErrorKind::FileTooLarge => Err(Error::TooLarge {
                address: address.to_string(),
                max: self.max,
            }),
            Err(source) => Err(Error::Body {
                address: address.to_string(),
                source,
            }),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        Ok(count)
    }
}

/// An HTTP client; cheap until it is used, and usable from several threads at once.
pub struct Client {
    settings: Settings,
    /// One agent for each proxy, and one for no proxy.
    agents: Mutex<BTreeMap<Option<String>, ureq::Agent>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client. The machine's certificate authorities are read when it is first used.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            agents: Mutex::new(BTreeMap::new()),
        }
    }

    /// Asks once; redirects are followed, failures are not repeated.
    ///
    /// # Errors
    /// Besides what breaks on the way: [`Error::Status`] for 4xx and 5xx (but 416, if a range was
    /// asked for, and 304, if what is known was not), [`Error::Downgrade`] for a redirect from `https` to `http`, and
    /// [`Error::ForeignCredential`] for a credential of another origin than the address's.
    pub fn get(&self, address: &Address, request: &Request<'_>) -> Result<Response, Error> {
        let mut authorization = request
            .credential
            .map(|bound| bound.for_address(address))
            .transpose()?;
        let mut current = address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask(&current, request, authorization)?;
            let status = response.status().as_u16();
            if !is_redirect(status) {
                return answer(current, request, response);
            }
            let target =
                text(response.headers(), header::LOCATION).ok_or_else(|| Error::Nonsense {
                    address: current.to_string(),
                    reason: "it redirects without saying where to",
                })?;
            let next = joined(&current, &target)?;
            tracing::debug!(from = %current, to = %next, status, "redirected");
            // Dropped for good: whoever redirects back may be anybody.
            authorization = authorization.filter(|_| next.origin() == current.origin());
            current = next;
        }
        Err(Error::TooManyRedirects {
            address: address.to_string(),
            max: MAX_REDIRECTS,
        })
    }

    fn ask(
        &self,
        address: &Address,
        request: &Request<'_>,
        authorization: Option<&Secret<String>>,
    ) -> Result<ureq::http::Response<ureq::Body>, Error> {
        let agent = self.agent(address)?;
        let mut call = agent
            .get(address.to_string())
            .header(header::ACCEPT_ENCODING, "identity");
        if let Some(from) = request.range_from {
            call = call.header(header::RANGE, format!("bytes={from}-"));
            if let Some(validator) = request.if_range {
                call = call.header(header::IF_RANGE, validator);
            }
        }
        if let Some(known) = request.unless {
            let name = if known.starts_with('"') {
                header::IF_NONE_MATCH
            } else {
                header::IF_MODIFIED_SINCE
            };
            call = call.header(name, known);
        }
        if let Some(accept) = request.accept {
            call = call.header(header::ACCEPT, accept);
        }
        if let Some(secret) = authorization {
            call = call.header(header::AUTHORIZATION, secret.expose());
        }
        call.call()
            .map_err(|source| Error::exchange(address, source))
    }

    /// How long the other side may stay silent.
    pub(crate) const fn stall(&self) -> Duration {
        self.settings.stall
    }

    pub(crate) fn agent(&self, address: &Address) -> Result<ureq::Agent, Error> {
        let proxy = self.settings.proxies.before(address).map(str::to_owned);
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        // TLS is set up for its first use only: reading all certificate authorities takes a while.
        let is_tls =
            address.origin().is_https() || proxy.as_ref().is_some_and(|p| p.starts_with("https"));
        let key = proxy.clone().or_else(|| (!is_tls).then(String::new));
        if let Some(agent) = agents.get(&key) {
            return Ok(agent.clone());
        }
        let agent = self.build(address, proxy.as_deref(), is_tls || proxy.is_some())?;
        agents.insert(key, agent.clone());
        Ok(agent)
    }

    fn build(
        &self,
        address: &Address,
        proxy: Option<&str>,
        is_tls: bool,
    ) -> Result<ureq::Agent, Error> {
        let scheme = if address.origin().is_https() {
            "https"
        } else {
            "http"
        };
        let proxy = proxy
            .map(ureq::Proxy::new)
            .transpose()
            .map_err(|source| Error::Proxy {
                scheme,
                source: Box::new(source),
            })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = if is_tls {
            self.authorities()?
        } else {
            Vec::new()
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::new_with_certs(&roots))
            .build();
        Ok(ureq::Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .user_agent(self.settings.user_agent.as_str())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MAX_HEADERS)
            .timeout_resolve(Some(self.settings.connect))
            .timeout_connect(Some(self.settings.connect))
            .timeout_recv_response(Some(self.settings.stall))
            .timeout_per_read(Some(self.settings.stall))
            .timeout_per_write(Some(self.settings.stall))
            .build()
            .new_agent())
    }

    fn authorities(&self) -> Result<Vec<Certificate<'static>>, Error> {
        let native = rustls_native_certs::load_native_certs();
        let mut roots: Vec<_> = native
            .certs
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect();
        for pem in &self.settings.extra_authorities {
            for der in CertificateDer::pem_slice_iter(pem) {
                let der = der.map_err(|_| Error::ExtraAuthority)?;
                roots.push(Certificate::from_der(&der).to_owned());
            }
        }
        if roots.is_empty() {
            let reasons: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
            let reason = if reasons.is_empty() {
                "there are none".to_owned()
            } else {
                reasons.join("; ")
            };
            return Err(Error::Authorities { reason });
        }
        Ok(roots)
    }
}

fn answer(
    address: Address,
    request: &Request<'_>,
    response: ureq::http::Response<ureq::Body>,
) -> Result<Response, Error> {
    let status = response.status().as_u16();
    let headers = response.headers();
    let is_wanted = (200..=299).contains(&status)
        || (status == 416 && request.range_from.is_some())
        || (status == 304 && request.unless.is_some());
    if !is_wanted {
        let retry_after = text(headers, header::RETRY_AFTER)
            .and_then(|wait| date::wait(&wait, text(headers, header::DATE).as_deref()));
        return Err(Error::Status {
            address: address.to_string(),
            status,
            retry_after,
        });
    }
    let strong_tag = text(headers, header::ETAG).filter(|tag| tag.starts_with('"'));
    let validator = strong_tag.or_else(|| text(headers, header::LAST_MODIFIED));
    let range =
        text(headers, header::CONTENT_RANGE).map_or((None, None), |value| parse_range(&value));
    let length = response.body().content_length();
    if length.is_some_and(|length| length > request.max) {
        return Err(Error::TooLarge {
            address: address.to_string(),
            max: request.max,
        });
    }
    let content_type = text(headers, header::CONTENT_TYPE);
    let body = body_of(response.into_body(), request.max);
    Ok(Response {
        address,
        status,
        validator,
        range,
        length,
        content_type,
        body,
    })
}

/// A body of at most so many bytes.
pub(crate) fn body_of(body: ureq::Body, max: u64) -> Body {
    Body {
        inner: body.into_reader(),
        left: max,
        max,
    }
}

pub(crate) const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// `bytes 5-9/10`, `bytes 5-9/*`, `bytes */10`: where it begins, and how large the whole is.
fn parse_range(value: &str) -> (Option<u64>, Option<u64>) {
    let Some((range, whole)) = value
        .trim()
        .strip_prefix("bytes ")
        .and_then(|rest| rest.split_once('/'))
    else {
        return (None, None);
    };
    let start = range
        .split_once('-')
        .and_then(|(start, _)| start.trim().parse().ok());
    (start, whole.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse_range("bytes 5-9/10"), (Some(5), Some(10)));
        assert_eq!(parse_range("bytes 5-9/*"), (Some(5), None));
        assert_eq!(parse_range("bytes */10"), (None, Some(10)));
        assert_eq!(parse_range("lines 5-9/10"), (None, None));
    }
}
