//! A file as an answer: conditions, one range, and streaming with little memory (RFC 9110).

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use boltworks_model::{Sha256, Timestamp};
use boltworks_release::PublicFile;
use hyper::body::{Frame, SizeHint};
use tokio::task::JoinHandle;

/// How much of a file is in memory at a time, for each connection.
const CHUNK: usize = 128 * 1024;

/// How long a name means these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// The name is their digest.
    Forever,
    /// Until the next release: ask again each time.
    UntilRelease,
}

/// A file with what is said of it.
#[derive(Debug)]
pub(crate) struct FileAnswer {
    pub(crate) file: PublicFile,
    pub(crate) media_type: String,
    pub(crate) lasting: Lasting,
}

/// The answer to a request with this method and these headers.
pub(crate) fn respond(answer: &FileAnswer, method: &Method, headers: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    describe(answer, response.headers_mut());
    if is_unchanged(&answer.file, headers) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let size = answer.file.size;
    let range = if *method == Method::GET {
        range(&answer.file, headers)
    } else {
        Range::Whole
    };
    let (offset, end) = match range {
        Range::Whole => (0, size),
        Range::Part { first, last } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            put(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{size}"),
            );
            (first, last + 1)
        }
        Range::Outside => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            put(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{size}"),
            );
            response.headers_mut().remove(header::CONTENT_TYPE);
            put(&mut response, header::CONTENT_LENGTH, "0");
            return response;
        }
    };
    put(
        &mut response,
        header::CONTENT_LENGTH,
        &(end - offset).to_string(),
    );
    if *method == Method::GET {
        let file = Arc::clone(&answer.file.file);
        *response.body_mut() = Body::new(FileBody {
            file,
            offset,
            end,
            reading: None,
        });
    }
    response
}

fn describe(answer: &FileAnswer, headers: &mut HeaderMap) {
    let FileAnswer {
        file,
        media_type,
        lasting,
    } = answer;
    let cache = match lasting {
        Lasting::Forever => "public, max-age=31536000, immutable",
        Lasting::UntilRelease => "no-cache",
    };
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, media_type);
    put(header::ETAG, &etag(&file.digest));
    put(header::CACHE_CONTROL, cache);
    put(header::ACCEPT_RANGES, "bytes");
    if let Some(since) = moment(file.since) {
        put(header::LAST_MODIFIED, &httpdate::fmt_http_date(since));
    }
    put(
        HeaderName::from_static("docker-content-digest"),
        &file.digest.prefixed(),
    );
}

fn put(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn etag(digest: &Sha256) -> String {
    format!("\"{}\"", digest.prefixed())
}

/// A point in time as HTTP dates know it: from 1970 to 9999.
fn moment(at: Timestamp) -> Option<SystemTime> {
    const END: u64 = 253_402_300_800;
    let seconds = u64::try_from(at.0).ok().filter(|&seconds| seconds < END)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Section 13.2.2: `If-None-Match` decides if it is there, else `If-Modified-Since`.
fn is_unchanged(file: &PublicFile, headers: &HeaderMap) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let own = etag(&file.digest);
        return tags
            .filter_map(|value| value.to_str().ok())
            .any(|value| is_listed(value, &own));
    }
    match (
        date(headers, &header::IF_MODIFIED_SINCE),
        moment(file.since),
    ) {
        (Some(asked), Some(since)) => since <= asked,
        _ => false,
    }
}

/// Weak comparison with each tag of a list. Our tags hold no comma.
fn is_listed(list: &str, own: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// Which bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Whole,
    Part { first: u64, last: u64 },
    Outside,
}

/// Section 14.2: a range that is not understood, or several of them, mean the whole file.
fn range(file: &PublicFile, headers: &HeaderMap) -> Range {
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    match asked {
        Some(asked) if is_still_meant(file, headers) => parse_range(asked, file.size),
        _ => Range::Whole,
    }
}

/// `If-Range`: strong comparison of a tag, or the very date.
fn is_still_meant(file: &PublicFile, headers: &HeaderMap) -> bool {
    match headers
        .get(header::IF_RANGE)
        .map(|value| value.to_str().unwrap_or_default())
    {
        None => true,
        Some(text) if text.ends_with('"') => text == etag(&file.digest),
        Some(text) => httpdate::parse_http_date(text).ok() == moment(file.since),
    }
}

fn parse_range(text: &str, size: u64) -> Range {
    let Some(("bytes", spec)) = text
        .split_once('=')
        .map(|(unit, spec)| (unit.trim(), spec.trim()))
    else {
        return Range::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Range::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too large for any file is still a number.
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Some(first), None) if last.is_empty() => (first, size.saturating_sub(1)),
        (None, Some(0)) if first.is_empty() => return Range::Outside,
        (None, Some(count)) if first.is_empty() => {
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        _ => return Range::Whole,
    };
    match range {
        (first, last) if first < size => Range::Part { first, last },
        _ => Range::Outside,
    }
}

/// A stretch of a file, read a chunk at a time where waiting for a disk harms nobody.
struct FileBody {
    file: Arc<File>,
    offset: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.offset >= self.end {
            return Poll::Ready(None);
        }
        let (file, offset) = (Arc::clone(&self.file), self.offset);
        let most = usize::try_from(self.end - offset)
            .unwrap_or(usize::MAX)
            .min(CHUNK);
        let reading = self
            .reading
            .get_or_insert_with(|| tokio::task::spawn_blocking(move || read(&file, offset, most)));
        let chunk = ready!(Pin::new(reading).poll(context))
            .unwrap_or_else(|ended| Err(io::Error::other(ended)));
        self.reading = None;
        Poll::Ready(Some(match chunk {
            Ok(chunk) => {
                self.offset += chunk.len() as u64;
                Ok(Frame::data(chunk))
            }
            Err(reason) => {
                tracing::error!(%reason, offset, "a public file cannot be read to its end");
                self.offset = self.end;
                Err(reason)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.offset >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.offset)
    }
}

fn read(file: &File, offset: u64, most: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; most];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<(u64, u64)>) {
        let range = match expected {
            Some((first, last)) => Range::Part { first, last },
            None => Range::Whole,
        };
        assert_eq!(parse_range(text, 10), range, "{text}");
    }

    #[test]
    fn one_range_is_understood() {
        check("bytes=0-0", Some((0, 0)));
        check("bytes=2-5", Some((2, 5)));
        check("bytes=2-", Some((2, 9)));
        check("bytes=-3", Some((7, 9)));
        check("bytes=-30", Some((0, 9)));
        check("bytes=2-99999999999999999999999", Some((2, 9)));
        check("bytes=9-9", Some((9, 9)));
    }

    #[test]
    fn what_is_no_single_range_means_everything() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=1--2",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn what_is_outside_is_told_so() {
        for text in [
            "bytes=10-",
            "bytes=10-11",
            "bytes=99999999999999999999999-",
            "bytes=-0",
        ] {
            assert_eq!(parse_range(text, 10), Range::Outside, "{text}");
        }
        for text in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(parse_range(text, 0), Range::Outside, "{text}");
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(is_listed("\"a\"", "\"a\"") && is_listed("W/\"a\"", "\"a\""));
        assert!(is_listed("\"b\", \"a\"", "\"a\"") && is_listed("*", "\"a\""));
        assert!(
            !is_listed("\"b\"", "\"a\"") && !is_listed("a", "\"a\"") && !is_listed("", "\"a\"")
        );
    }

    proptest! {
        #[test]
        fn a_part_is_inside(text in "bytes=[0-9]{0,20}-[0-9]{0,20}", size: u64) {
            if let Range::Part { first, last } = parse_range(&text, size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
