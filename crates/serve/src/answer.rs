//! The look-up for each route, and what comes back.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use boltworks_oci::{Index, media_type};
use boltworks_release::{ApkFile, Error, PublicFile, ReleasedStore, Tag};
use serde_json::json;

use crate::file::{self, FileAnswer, Lasting};
use crate::query;
use crate::refusal::Refusal;
use crate::route::{ApkName, Reference, Repository, Route};

/// So many entries of a list come at once, if the client does not ask for fewer.
const PAGE: u32 = 1000;

/// What a route leads to.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A file.
    File(FileAnswer),
    /// A document made for this request.
    Document(Document),
    /// Nothing.
    Refused(Refusal),
}

/// A document made for this request.
#[derive(Debug)]
pub(crate) struct Document {
    bytes: Bytes,
    media_type: &'static str,
    headers: Vec<(HeaderName, String)>,
}

impl Document {
    pub(crate) fn new(bytes: impl Into<Bytes>, media_type: &'static str) -> Self {
        Self {
            bytes: bytes.into(),
            media_type,
            headers: Vec::new(),
        }
    }
}

/// Looks up what a route leads to. Blocks on the disk.
pub(crate) fn find(released: &ReleasedStore, route: &Route, query: &str) -> Result<Answer, Error> {
    match route {
        // The page needs the request's own address, so it is made elsewhere.
        Route::Page => Ok(Answer::Refused(Refusal::NoSuchPage)),
        Route::Registry => Ok(Answer::Document(Document::new("{}", "application/json"))),
        Route::Catalog => catalog(released, query),
        Route::Tags(repository) => tags(released, repository, query),
        Route::Manifest(repository, reference) => manifest(released, repository, reference),
        Route::Blob(repository, digest) => {
            let found = released.blob(repository.as_str(), digest)?;
            Ok(as_file(found, Refusal::BlobUnknown, |_| {
                "application/octet-stream".to_owned()
            }))
        }
        Route::Referrers(repository, digest) => {
            let mut descriptors = released.referrers(repository.as_str(), digest)?;
            let filter = query::value(query, "artifactType").filter(|filter| !filter.is_empty());
            if let Some(filter) = &filter {
                descriptors.retain(|descriptor| descriptor.artifact_type.as_ref() == Some(filter));
            }
            let bytes = Index::new(descriptors).to_bytes()?;
            let mut document = Document::new(bytes, media_type::INDEX);
            if filter.is_some() {
                let name = HeaderName::from_static("oci-filters-applied");
                document.headers.push((name, "artifactType".to_owned()));
            }
            Ok(Answer::Document(document))
        }
        Route::Apk(repository, architecture, name) => {
            let file = match name {
                ApkName::Index => ApkFile::Index,
                ApkName::Package(name) => ApkFile::Name(name),
                ApkName::Digest(digest) => ApkFile::Digest(digest),
            };
            let found = released.apk_file(repository.as_str(), architecture.apk(), file)?;
            let answer = as_file(found, Refusal::NoSuchFile, |file| file.media_type.clone());
            Ok(lasting(answer, matches!(name, ApkName::Digest(_))))
        }
        Route::Key(name) => {
            let found = released.public_key(name)?;
            let answer = as_file(found, Refusal::NoSuchFile, |file| file.media_type.clone());
            Ok(lasting(answer, false))
        }
    }
}

fn manifest(
    released: &ReleasedStore,
    repository: &Repository,
    reference: &Reference,
) -> Result<Answer, Error> {
    let tag = match reference {
        Reference::Tag(tag) => Tag::Name(tag),
        Reference::Digest(digest) => Tag::Digest(digest),
    };
    let found = released.image_manifest(repository.as_str(), tag)?;
    let answer = as_file(found, Refusal::ManifestUnknown, |file| {
        file.media_type.clone()
    });
    Ok(lasting(answer, matches!(reference, Reference::Digest(_))))
}

fn as_file(
    found: Option<PublicFile>,
    missing: Refusal,
    media_type: impl FnOnce(&PublicFile) -> String,
) -> Answer {
    found.map_or(Answer::Refused(missing), |file| {
        let media_type = media_type(&file);
        Answer::File(FileAnswer {
            file,
            media_type,
            lasting: Lasting::Forever,
        })
    })
}

fn lasting(mut answer: Answer, is_by_digest: bool) -> Answer {
    if let Answer::File(file) = &mut answer
        && !is_by_digest
    {
        file.lasting = Lasting::UntilRelease;
    }
    answer
}

fn catalog(released: &ReleasedStore, query: &str) -> Result<Answer, Error> {
    let Some(page) = Page::parse(query) else {
        return Ok(Answer::Refused(Refusal::PageInvalid));
    };
    let names = released.repositories(&page.after, page.asks())?;
    Ok(page.answer(
        "/v2/_catalog",
        names,
        |names| json!({ "repositories": names }),
    ))
}

fn tags(released: &ReleasedStore, repository: &Repository, query: &str) -> Result<Answer, Error> {
    let Some(page) = Page::parse(query) else {
        return Ok(Answer::Refused(Refusal::PageInvalid));
    };
    let name = repository.as_str();
    let Some(tags) = released.tags(name, &page.after, page.asks())? else {
        return Ok(Answer::Refused(Refusal::NameUnknown));
    };
    let path = format!("/v2/{name}/tags/list");
    Ok(page.answer(&path, tags, |tags| json!({ "name": name, "tags": tags })))
}

/// A stretch of a list (distribution-spec 1.1, "listing tags").
struct Page {
    most: u32,
    after: String,
}

impl Page {
    fn parse(query: &str) -> Option<Self> {
        let most = match query::value(query, "n") {
            None => PAGE,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().unwrap_or(PAGE).min(PAGE)
            }
            Some(_) => return None,
        };
        Some(Self {
            most,
            after: query::value(query, "last").unwrap_or_default(),
        })
    }

    /// One more than is given out, to know whether there is more.
    const fn asks(&self) -> u32 {
        self.most + 1
    }

    fn answer(
        &self,
        path: &str,
        mut entries: Vec<String>,
        shape: impl FnOnce(&[String]) -> serde_json::Value,
    ) -> Answer {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let is_more = entries.len() > most;
        entries.truncate(most);
        let mut document = Document::new(shape(&entries).to_string(), "application/json");
        if let Some(last) = entries.last().filter(|_| is_more) {
            let last = query::encode(last);
            let link = format!("<{path}?n={}&last={last}>; rel=\"next\"", self.most);
            document.headers.push((header::LINK, link));
        }
        Answer::Document(document)
    }
}

impl Answer {
    /// The response to a request with this method and these headers.
    pub(crate) fn respond(self, method: &Method, headers: &HeaderMap) -> Response<Body> {
        let document = match self {
            Self::Refused(refusal) => return refusal.response(),
            Self::File(answer) => return file::respond(&answer, method, headers),
            Self::Document(document) => document,
        };
        let mut response = Response::new(Body::from(document.bytes));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(document.media_type),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        for (name, value) in document.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
