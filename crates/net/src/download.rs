//! A transfer that goes on where it broke off: after a reset, a stall, or another day.

use std::io::{self, Read};

use boltworks_model::Ambient;

use crate::{Address, Client, Error, OriginBoundCredential, Request, Response, Retry};

/// However much comes in between, a transfer is not taken up again more often than this.
const MAX_INTERRUPTIONS: u32 = 50;

/// What is there of something already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Have {
    /// The number of bytes.
    pub length: u64,
    /// The entity tag or date they were sent with.
    pub validator: Option<String>,
}

/// What is to be transferred.
#[derive(Debug, Clone)]
pub struct Download<'a> {
    /// From where.
    pub address: &'a Address,
    /// What is there of it.
    pub have: Have,
    /// How large the whole may be, in bytes.
    pub max: u64,
    /// A secret for its own origin.
    pub credential: Option<&'a OriginBoundCredential>,
    /// How failures are met. Attempts count anew whenever something was received.
    pub retry: Retry,
}

/// What a transfer hands over.
#[derive(Debug)]
pub enum Part<'a> {
    /// A body begins. What is there past `offset` is to be thrown away.
    Begin {
        /// Where the next bytes belong: at the end of what is there, or at 0.
        offset: u64,
        /// How large the whole claims to be.
        total: Option<u64>,
        /// What to ask with when it is to go on later.
        validator: Option<&'a str>,
    },
    /// The next bytes.
    Bytes(&'a [u8]),
}

/// Transfers the rest of something and returns the address that it came from in the end.
///
/// Nothing is promised about the bytes: they must be hashed. If they are wrong and
/// [`Have::length`] was not 0, begin again from 0, for the file may have changed on the server.
///
/// # Errors
/// Those of [`Client::get`], once trying again is of no more use, and [`Error::Keep`] if the
/// receiver fails.
pub fn download(
    client: &Client,
    what: &Download<'_>,
    keep: &mut dyn FnMut(Part<'_>) -> io::Result<()>,
    ambient: &Ambient<'_>,
) -> Result<Address, Error> {
    transfer(client, (what, None), keep, ambient).map(|(address, _)| address)
}

/// The same, of something of which all is known already that had this entity tag or date; whether
/// there was anything else to receive. If not, `keep` was handed nothing.
pub fn download_unless(
    client: &Client,
    (what, known): (&Download<'_>, &str),
    keep: &mut dyn FnMut(Part<'_>) -> io::Result<()>,
    ambient: &Ambient<'_>,
) -> Result<bool, Error> {
    transfer(client, (what, Some(known)), keep, ambient).map(|(_, is_news)| is_news)
}

fn transfer(
    client: &Client,
    (what, known): (&Download<'_>, Option<&str>),
    keep: &mut dyn FnMut(Part<'_>) -> io::Result<()>,
    ambient: &Ambient<'_>,
) -> Result<(Address, bool), Error> {
    let mut transfer = Transfer {
        client,
        what,
        known,
        have: what.have.clone(),
        keep,
        ambient,
    };
    let (mut failures, mut interruptions) = (0, 0);
    loop {
        ambient.cancel.check()?;
        let before = transfer.have.length;
        let error = match transfer.go_on() {
            // Only who has received nothing asks whether there is news.
            Ok(address) => return Ok((address, transfer.known.is_none())),
            Err(error) => error,
        };
        interruptions += 1;
        let has_advanced = transfer.have.length > before;
        failures = if has_advanced { 1 } else { failures + 1 };
        if interruptions >= MAX_INTERRUPTIONS {
            return Err(error);
        }
        what.retry.wait(error, failures, ambient)?;
    }
}

struct Transfer<'a> {
    client: &'a Client,
    what: &'a Download<'a>,
    /// With what all is known already; nothing, once something else is being received.
    known: Option<&'a str>,
    have: Have,
    keep: &'a mut dyn FnMut(Part<'_>) -> io::Result<()>,
    ambient: &'a Ambient<'a>,
}

impl Transfer<'_> {
    fn go_on(&mut self) -> Result<Address, Error> {
        let request = Request {
            range_from: Some(self.have.length).filter(|&length| length > 0),
            if_range: self.have.validator.as_deref(),
            unless: self.known,
            accept: None,
            credential: self.what.credential,
            max: self.what.max,
        };
        let response = self.client.get(self.what.address, &request)?;
        let total = match response.status {
            304 if self.known.is_some() => return Ok(response.address),
            416 if response.range.1 == Some(self.have.length) => return Ok(response.address),
            416 => return self.start_anew(&response, "what is there is no part of it"),
            206 if request.range_from.is_some() => {
                if response.range.0 != Some(self.have.length) {
                    return self.start_anew(&response, "it sends another part than was asked for");
                }
                response.range.1
            }
            200 => {
                self.have.length = 0;
                response.length
            }
            _ => {
                return Err(Error::Nonsense {
                    address: response.address.to_string(),
                    reason: "its status does not fit the question",
                });
            }
        };
        if total.is_some_and(|total| total > self.what.max) {
            return Err(self.too_large());
        }
        self.receive(response, total)
    }

    fn receive(&mut self, mut response: Response, total: Option<u64>) -> Result<Address, Error> {
        self.known = None;
        let validator = response.validator.as_deref();
        let offset = self.have.length;
        (self.keep)(Part::Begin {
            offset,
            total,
            validator,
        })
        .map_err(Error::Keep)?;
        self.have.validator = response.validator.take();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            self.ambient.cancel.check()?;
            let count = match response.body.read(&mut buffer) {
                Ok(count) => count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) if source.kind() == io::ErrorKind::FileTooLarge => {
                    return Err(self.too_large());
                }
                Err(source) => return Err(self.broken(source)),
            };
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            if self.have.length + count as u64 > self.what.max {
                return Err(self.too_large());
            }
            (self.keep)(Part::Bytes(bytes)).map_err(Error::Keep)?;
            self.have.length += count as u64;
        }
        if total.is_some_and(|total| self.have.length < total) {
            return Err(self.broken(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        Ok(response.address)
    }

    /// Asks for everything, once: without a range the same answers are errors.
    fn start_anew(&mut self, response: &Response, reason: &'static str) -> Result<Address, Error> {
        tracing::debug!(address = %response.address, reason, "beginning again");
        self.have = Have::default();
        self.go_on()
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Body {
            address: self.what.address.to_string(),
            source,
        }
    }

    fn too_large(&self) -> Error {
        Error::TooLarge {
            address: self.what.address.to_string(),
            max: self.what.max,
        }
    }
}
