//! Questions besides a plain GET: a method, what is sent with it, and whatever is answered.
//!
//! Every status comes back, with its headers: it is the protocol above that knows what they mean.
//! What holds for [`Client::get`] holds here: a credential goes to its own origin only, nothing
//! leaves `https` for `http`, answers are bounded. What changes something is redirected within its
//! origin only.

use std::io::Read;

use boltworks_model::Secret;
use ureq::http::{HeaderMap, HeaderName, Request, header};
use ureq::{AsSendBody as _, SendBody};

use crate::client::{MAX_REDIRECTS, body_of, is_redirect, text};
use crate::{Address, Body, Client, Error, OriginBoundCredential, date};

/// After a body was sent, the other side may think so many times longer than it may stay silent
/// elsewhere: it has to hash what it got.
const THINKING: u32 = 10;

/// What is done with an address (RFC 9110 section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks for it.
    Get,
    /// Asks for its headers.
    Head,
    /// Hands something to it.
    Post,
    /// Changes a part of it (RFC 5789).
    Patch,
    /// Makes it what is sent.
    Put,
}

impl Method {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
        }
    }

    const fn only_asks(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// What makes a reader of something that is sent.
pub type Open<'a> = dyn Fn() -> Box<dyn Read + 'a> + 'a;

/// What is sent along.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// Its media type.
    pub media_type: &'a str,
    /// How many bytes the reader gives.
    pub length: u64,
    /// Where it stands in the whole, first and last byte, where it is a part (`Content-Range` as
    /// registries write it: `0-1023`).
    pub range: Option<(u64, u64)>,
    /// A reader from its first byte; asked for anew whenever it is sent.
    pub open: &'a Open<'a>,
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("media_type", &self.media_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// What is done.
    pub method: Method,
    /// The media types that are wanted.
    pub accept: Option<&'a str>,
    /// What is sent along; nothing is a body of no bytes where the method has one.
    pub content: Option<Content<'a>>,
    /// How large the answer's body may be, in bytes.
    pub max: u64,
}

impl<'a> Exchange<'a> {
    /// A question with nothing beside it.
    pub const fn new(method: Method, max: u64) -> Self {
        Self {
            method,
            accept: None,
            content: None,
            max,
        }
    }

    /// The same with something sent along.
    #[must_use]
    pub const fn with(mut self, content: Content<'a>) -> Self {
        self.content = Some(content);
        self
    }
}

/// What was answered, of any status but a redirect that was followed.
#[derive(Debug)]
pub struct Answer {
    /// Who answered in the end.
    pub address: Address,
    /// What was asked.
    pub method: Method,
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    /// How large the body may be.
    max: u64,
    body: ureq::Body,
}

impl Answer {
    /// A header's value, where it is there and is text.
    pub fn header(&self, name: &'static str) -> Option<String> {
        text(&self.headers, HeaderName::from_static(name))
    }

    /// All values of a header that are text.
    pub fn headers(&self, name: &'static str) -> Vec<String> {
        let values = self.headers.get_all(HeaderName::from_static(name)).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        texts.map(str::to_owned).collect()
    }

    /// Where `Location` points to. Absent, or out of `https` into `http`, it is an error.
    pub fn location(&self) -> Result<Address, Error> {
        let target = self.header("location").ok_or_else(|| Error::Nonsense {
            address: self.address.to_string(),
            reason: "it answers without saying where it goes on",
        })?;
        joined(&self.address, &target)
    }

    /// How large the body is, or would be for a HEAD.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The answer as an error: the server does not do what it was asked.
    pub fn refused(&self) -> Error {
        let retry_after = self
            .header("retry-after")
            .and_then(|wait| date::wait(&wait, self.header("date").as_deref()));
        Error::Refused {
            method: self.method.name(),
            address: self.address.to_string(),
            status: self.status,
            retry_after,
        }
    }

    /// The body, bounded.
    pub fn into_body(self) -> Body {
        body_of(self.body, self.max)
    }

    /// The whole body.
    pub fn read_all(self) -> Result<Vec<u8>, Error> {
        let address = self.address.clone();
        self.into_body().read_whole(&address)
    }
}

impl Client {
    /// Asks once, with a secret for its own origin; failures are not repeated.
    ///
    /// # Errors
    /// What breaks on the way; [`Error::Downgrade`] and [`Error::ForeignCredential`] as for
    /// [`Client::get`]; [`Error::Elsewhere`] where something that is sent is wanted by another
    /// origin.
    pub fn exchange(
        &self,
        address: &Address,
        exchange: &Exchange<'_>,
        credential: Option<&OriginBoundCredential>,
    ) -> Result<Answer, Error> {
        let mut authorization = credential
            .map(|bound| bound.for_address(address))
            .transpose()?;
        let mut current = address.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange_once(&current, exchange, authorization)?;
            let status = response.status().as_u16();
            let (parts, body) = response.into_parts();
            let answer = Answer {
                address: current,
                method: exchange.method,
                status,
                headers: parts.headers,
                max: exchange.max,
                body,
            };
            let keeps_method = matches!(status, 307 | 308);
            if !is_redirect(status) || !(exchange.method.only_asks() || keeps_method) {
                return Ok(answer);
            }
            let next = answer.location()?;
            let is_foreign = next.origin() != answer.address.origin();
            if is_foreign && !exchange.method.only_asks() {
                return Err(Error::Elsewhere {
                    from: answer.address.to_string(),
                    to: next.to_string(),
                });
            }
            tracing::debug!(from = %answer.address, to = %next, status, "redirected");
            // Dropped for good: whoever redirects back may be anybody.
            authorization = authorization.filter(|_| !is_foreign);
            current = next;
        }
        Err(Error::TooManyRedirects {
            address: address.to_string(),
            max: MAX_REDIRECTS,
        })
    }

    fn exchange_once(
        &self,
        address: &Address,
        exchange: &Exchange<'_>,
        authorization: Option<&Secret<String>>,
    ) -> Result<ureq::http::Response<ureq::Body>, Error> {
        let agent = self.agent(address)?;
        let mut request = Request::builder()
            .method(exchange.method.name())
            .uri(address.to_string())
            .header(header::ACCEPT_ENCODING, "identity");
        if let Some(accept) = exchange.accept {
            request = request.header(header::ACCEPT, accept);
        }
        if let Some(secret) = authorization {
            request = request.header(header::AUTHORIZATION, secret.expose());
        }
        let failed = |source| Error::sent(exchange.method.name(), address, source);
        let sent = if exchange.method.only_asks() {
            let request = request.body(()).map_err(|error| failed(error.into()))?;
            agent.run(request)
        } else {
            if let Some(content) = &exchange.content {
                request = request
                    .header(header::CONTENT_TYPE, content.media_type)
                    .header(header::CONTENT_LENGTH, content.length);
                if let Some((first, last)) = content.range {
                    request = request.header(header::CONTENT_RANGE, format!("{first}-{last}"));
                }
            }
            let mut reader = exchange.content.as_ref().map(|content| (content.open)());
            let mut nothing: &[u8] = &[];
            let body = match &mut reader {
                Some(reader) => SendBody::from_reader(reader),
                None => nothing.as_body(),
            };
            let request = request.body(body).map_err(|error| failed(error.into()))?;
            let request = agent
                .configure_request(request)
                .timeout_recv_response(Some(self.stall() * THINKING))
                .build();
            agent.run(request)
        };
        sent.map_err(failed)
    }
}

/// Where a reference of an answer points to.
pub(crate) fn joined(from: &Address, target: &str) -> Result<Address, Error> {
    let next = from.join(target)?;
    if from.origin().is_https() && !next.origin().is_https() {
        return Err(Error::Downgrade {
            from: from.to_string(),
            to: next.to_string(),
        });
    }
    Ok(next)
}
