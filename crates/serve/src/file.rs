//! A file as an answer: its headers, and streaming with little memory (RFC 9110).

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use boltworks_release::PublicFile;
use hyper::body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::condition::{Asked, Facts, Wanted};

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
    let facts = Facts {
        digest: answer.file.digest,
        size: answer.file.size,
        since: answer.file.since,
    };
    describe(answer, &facts, response.headers_mut());
    let size = facts.size;
    let (offset, end) = match facts.wanted(&asked(method, headers)) {
        Wanted::Unchanged => {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        Wanted::Whole => (0, size),
        Wanted::Part { first, last } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            put(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {first}-{last}/{size}"),
            );
            (first, last + 1)
        }
        Wanted::Outside => {
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

fn describe(answer: &FileAnswer, facts: &Facts, headers: &mut HeaderMap) {
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
    put(header::ETAG, &facts.etag());
    put(header::CACHE_CONTROL, cache);
    put(header::ACCEPT_RANGES, "bytes");
    if let Some(since) = facts.last_modified() {
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

/// What the headers of a request say; those that are no text say nothing that is understood.
fn asked<'a>(method: &Method, headers: &'a HeaderMap) -> Asked<'a> {
    let text = |value: &'a HeaderValue| value.to_str().unwrap_or_default();
    let one = |name: HeaderName| headers.get(name).map(text);
    let tags = headers.get_all(header::IF_NONE_MATCH).iter();
    Asked {
        if_none_match: tags.map(text).collect(),
        if_modified_since: one(header::IF_MODIFIED_SINCE),
        range: one(header::RANGE).filter(|_| *method == Method::GET),
        if_range: one(header::IF_RANGE),
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
