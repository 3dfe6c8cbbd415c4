//! What a stranger is told when there is no answer: little. The log has the rest.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No route leads there.
    NoSuchPage,
    /// A repository's name breaks the rules.
    NameInvalid,
    /// There is no such repository.
    NameUnknown,
    /// A digest breaks the rules.
    DigestInvalid,
    /// There is no such manifest.
    ManifestUnknown,
    /// There is no such blob.
    BlobUnknown,
    /// There is no such file of an apk repository, or key.
    NoSuchFile,
    /// A page size is no number.
    PageInvalid,
    /// Something else than reading was asked for.
    ReadOnly,
    /// Nothing can be read at this moment.
    Unavailable,
    /// Something is broken here; the number leads to the log.
    Broken(u64),
}

impl Refusal {
    /// Status, code of the distribution specification (1.1, "error codes"), and message.
    fn parts(self) -> (StatusCode, &'static str, String) {
        let text = |text: &str| text.to_owned();
        match self {
            Self::NoSuchPage => (
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                text("there is nothing here"),
            ),
            Self::NameInvalid => (
                StatusCode::BAD_REQUEST,
                "NAME_INVALID",
                text("invalid repository name"),
            ),
            Self::NameUnknown => (
                StatusCode::NOT_FOUND,
                "NAME_UNKNOWN",
                text("repository name not known"),
            ),
            Self::DigestInvalid => (
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                text("a digest is sha256: and 64 lower-case hexadecimal digits"),
            ),
            Self::ManifestUnknown => (
                StatusCode::NOT_FOUND,
                "MANIFEST_UNKNOWN",
                text("manifest unknown"),
            ),
            Self::BlobUnknown => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN", text("blob unknown")),
            Self::NoSuchFile => (
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                text("there is no such file"),
            ),
            Self::PageInvalid => (
                StatusCode::BAD_REQUEST,
                "PAGINATION_NUMBER_INVALID",
                text("n must be a number"),
            ),
            Self::ReadOnly => (
                StatusCode::METHOD_NOT_ALLOWED,
                "UNSUPPORTED",
                text("this server is for reading"),
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                text("nothing can be read at this moment"),
            ),
            Self::Broken(number) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "UNKNOWN",
                format!("internal error, number {number} in the log"),
            ),
        }
    }

    /// The response, in the format of the distribution specification.
    pub(crate) fn response(self) -> Response<Body> {
        let (status, code, message) = self.parts();
        let body = json!({ "errors": [{ "code": code, "message": message }] }).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::ReadOnly => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            Self::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}
