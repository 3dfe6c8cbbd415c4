//! One blob, sent (distribution-spec, pushing blobs).
//!
//! First it is asked for: what is there is not sent. Another repository of the registry may have it
//! (`mount`). A small one goes whole, a large one in pieces (`PATCH`), each of which is told where it
//! begins; after a break the registry is asked how far it came (`Range`), and only the rest is sent. A
//! registry that no longer knows of the upload gets the blob from its beginning.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use boltworks_model::{Ambient, Event};
use boltworks_net::{Address, Answer, Content, Exchange, Method, Open, Transience};
use boltworks_oci::Descriptor;
use boltworks_store::{BlobFile, Store};

use crate::registry::{MAX_ANSWER, with_query};
use crate::{Error, Registry};

/// Blobs up to this size go whole.
const SMALL: u64 = 4 << 20;
/// How large the pieces of others are, unless the registry wants larger ones.
const PIECE: u64 = 16 << 20;
/// The largest pieces that a registry may want.
const MAX_PIECE: u64 = 1 << 30;
/// However much comes in between, an upload is not taken up again more often than this.
const MAX_INTERRUPTIONS: u32 = 50;
/// What a blob is sent as.
const BYTES: &str = "application/octet-stream";

/// How a blob came to be in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was there.
    Not,
    /// It was taken over from another repository.
    Mounted,
    /// It was sent.
    Whole,
}

/// An upload that has begun.
struct Upload {
    /// Where it goes on.
    address: Address,
    /// How many bytes the registry has.
    offset: u64,
    /// How large the next piece is.
    piece: u64,
}

impl Registry<'_> {
    /// Brings a blob of a store into the registry, unless it is there.
    pub(crate) fn push_blob(&self, store: &Store, blob: &Descriptor) -> Result<Sent, Error> {
        let file = store.open_blob(&blob.digest)?;
        if file.size() != blob.size {
            return Err(Error::Unfit {
                digest: blob.digest,
                reason: format!(
                    "it has {} bytes, and its manifest says {}",
                    file.size(),
                    blob.size
                ),
            });
        }
        let digits = blob.digest.to_string();
        let job = format!("push {}", digits.get(..12).unwrap_or(&digits));
        let total = Some(blob.size);
        let sink = self.ambient.sink;
        sink.event(Event::Started { job: &job, total });
        let result = self.bring(&file, &job);
        let note = match &result {
            Ok(Sent::Not) => "was there",
            Ok(Sent::Mounted) => "taken over",
            Ok(Sent::Whole) => "pushed",
            Err(_) => "failed",
        };
        let ok = result.is_ok();
        sink.event(Event::Finished {
            job: &job,
            ok,
            note,
            took: None,
        });
        result
    }

    fn bring(&self, file: &BlobFile, job: &str) -> Result<Sent, Error> {
        let mut upload = match self.begin(file, true)? {
            Begun::There(sent) => return Ok(sent),
            Begun::Upload(upload) => Some(upload),
        };
        let (mut failures, mut interruptions, mut farthest) = (0, 0, 0);
        loop {
            self.ambient.cancel.check()?;
            let mut current = match upload.take() {
                Some(upload) => upload,
                // The answer to the last piece may be all that was lost.
                None => match self.begin(file, false)? {
                    Begun::There(_) => return Ok(Sent::Whole),
                    Begun::Upload(upload) => upload,
                },
            };
            let error = match self.go_on(&mut current, file, job) {
                Ok(()) => return Ok(Sent::Whole),
                Err(error) => error,
            };
            self.ambient.cancel.check()?;
            interruptions += 1;
            failures = if current.offset > farthest {
                1
            } else {
                failures + 1
            };
            farthest = farthest.max(current.offset);
            let may_go_on = interruptions < MAX_INTERRUPTIONS
                && self
                    .retry
                    .pause(error.transience(), failures, &self.ambient)?;
            if !may_go_on {
                return Err(error);
            }
            tracing::debug!(%error, offset = current.offset, "an upload broke off");
            upload = self.resumed(current, file.size());
        }
    }

    /// Asks for the blob; if it is not there, begins an upload.
    fn begin(&self, file: &BlobFile, may_mount: bool) -> Result<Begun, Error> {
        let digest = file.digest().prefixed();
        let what = format!("push the blob {digest} to");
        let head = self.ask(
            &self.at(&format!("blobs/{digest}"))?,
            &Exchange::new(Method::Head, MAX_ANSWER),
        )?;
        match head.status {
            200..=299 => {
                self.verify_said(&what, &head, &file.digest())?;
                if head.length().is_some_and(|length| length != file.size()) {
                    let reason = "it has one of this digest and another size";
                    return Err(self.nonsense(&what, reason));
                }
                return Ok(Begun::There(Sent::Not));
            }
            404 => {}
            _ => return Err(Error::refused(what, &self.name, head)),
        }
        let mut address = self.at("blobs/uploads/")?;
        if let Some(from) = self.mount_from.as_ref().filter(|_| may_mount) {
            address = with_query(&address, &format!("mount={digest}&from={from}"))?;
        }
        let answer = self.ask(&address, &Exchange::new(Method::Post, MAX_ANSWER))?;
        match answer.status {
            201 => {
                self.verify_said(&what, &answer, &file.digest())?;
                Ok(Begun::There(Sent::Mounted))
            }
            202 => {
                let wanted = answer.header("oci-chunk-min-length");
                let wanted = wanted.and_then(|text| text.trim().parse().ok());
                Ok(Begun::Upload(Upload {
                    address: answer.location()?,
                    offset: 0,
                    piece: wanted.unwrap_or(PIECE).clamp(PIECE, MAX_PIECE),
                }))
            }
            _ => Err(Error::refused(what, &self.name, answer)),
        }
    }

    /// Sends what is not there yet, and closes the upload.
    fn go_on(&self, upload: &mut Upload, file: &BlobFile, job: &str) -> Result<(), Error> {
        let whole = file.size();
        if whole <= SMALL && upload.offset == 0 {
            return self.close(upload, file, Some(&|| self.part(file, (0, whole), job)));
        }
        while upload.offset < whole {
            self.ambient.cancel.check()?;
            let end = whole.min(upload.offset + upload.piece);
            let open = || self.part(file, (upload.offset, end), job);
            let content = Content {
                media_type: BYTES,
                length: end - upload.offset,
                range: Some((upload.offset, end - 1)),
                open: &open,
            };
            let patch = Exchange::new(Method::Patch, MAX_ANSWER).with(content);
            let answer = self.ask_once(&upload.address, &patch)?;
            match answer.status {
                202 => {
                    let has = answer.header("range").and_then(|text| parse_range(&text));
                    let has = has.unwrap_or(end);
                    if has > end || has <= upload.offset {
                        return Err(self.nonsense(
                            &push_words(file),
                            format!("it says that it has {has} bytes of the {end} that were sent"),
                        ));
                    }
                    upload.address = answer.location()?;
                    upload.offset = has;
                }
                _ => return Err(self.broke_off(file, answer)),
            }
        }
        self.close(upload, file, None)
    }

    fn close<'f>(
        &self,
        upload: &Upload,
        file: &BlobFile,
        open: Option<&'f Open<'f>>,
    ) -> Result<(), Error> {
        let query = format!("digest={}", file.digest().prefixed());
        let address = with_query(&upload.address, &query)?;
        let mut put = Exchange::new(Method::Put, MAX_ANSWER);
        put.content = open.map(|open| Content {
            media_type: BYTES,
            length: file.size(),
            range: None,
            open,
        });
        let answer = self.ask_once(&address, &put)?;
        match answer.status {
            201 | 204 => self.verify_said(&push_words(file), &answer, &file.digest()),
            _ => Err(self.broke_off(file, answer)),
        }
    }

    /// A registry that has forgotten the upload, or mixed up its pieces, is given one more try.
    fn broke_off(&self, file: &BlobFile, answer: Answer) -> Error {
        let transience = match answer.status {
            400 | 404 | 416 => Transience::Once,
            _ => answer.refused().transience(),
        };
        Error::refused_as(push_words(file), &self.name, answer, transience)
    }

    /// Where an upload goes on after a break; `None` if it must begin anew.
    fn resumed(&self, upload: Upload, whole: u64) -> Option<Upload> {
        if whole <= SMALL {
            return None;
        }
        let question = Exchange::new(Method::Get, MAX_ANSWER);
        let answer = self.ask(&upload.address, &question).ok()?;
        if !(200..=299).contains(&answer.status) {
            return None;
        }
        let offset = parse_range(&answer.header("range")?)?;
        // One byte and none look the same: nobody has sent only one.
        let offset = if offset == 1 { 0 } else { offset };
        let is_possible = offset <= whole;
        let address = match answer.header("location") {
            Some(_) => answer.location().ok()?,
            None => upload.address,
        };
        is_possible.then_some(Upload {
            address,
            offset,
            piece: upload.piece,
        })
    }

    fn part<'f>(
        &'f self,
        file: &BlobFile,
        (offset, end): (u64, u64),
        job: &'f str,
    ) -> Box<dyn Read + 'f> {
        Box::new(Part {
            file: Arc::clone(file.file()),
            offset,
            end,
            job,
            ambient: &self.ambient,
        })
    }
}

/// What came of asking for a blob.
enum Begun {
    There(Sent),
    Upload(Upload),
}

fn push_words(file: &BlobFile) -> String {
    format!("push the blob {} to", file.digest().prefixed())
}

/// `0-1023`, also `bytes=0-1023`: how many bytes that is from the first.
fn parse_range(text: &str) -> Option<u64> {
    let text = text.trim();
    let (first, last) = text
        .strip_prefix("bytes=")
        .unwrap_or(text)
        .split_once('-')?;
    let last: u64 = last.parse().ok()?;
    (first == "0").then_some(last.checked_add(1)?)
}

/// A part of a blob's file; tells how far it was read, and ends when the button is pressed.
struct Part<'a> {
    file: Arc<File>,
    offset: u64,
    end: u64,
    job: &'a str,
    ambient: &'a Ambient<'a>,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ambient.cancel.is_pressed() {
            return Err(io::Error::other("stopped on request"));
        }
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let (part, _) = buffer.split_at_mut(left.min(buffer.len()));
        let count = self.file.read_at(part, self.offset)?;
        self.offset += count as u64;
        let (job, done) = (self.job, self.offset);
        self.ambient.sink.event(Event::Progress { job, done });
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_counted() {
        assert_eq!(parse_range("0-0"), Some(1));
        assert_eq!(parse_range("0-1023"), Some(1024));
        assert_eq!(parse_range("bytes=0-9"), Some(10));
        for strange in ["", "5-9", "0", "0--1", "0-18446744073709551615", "a-b"] {
            assert_eq!(parse_range(strange), None, "{strange}");
        }
    }
}
