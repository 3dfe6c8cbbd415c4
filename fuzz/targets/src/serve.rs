//! What a stranger sends to the server: paths, query strings, conditions and ranges.

use boltworks_model::{Sha256, Timestamp};
use boltworks_oci::reference::is_tag;
use boltworks_serve::condition::{Asked, Facts, Wanted};
use boltworks_serve::query;
use boltworks_serve::route::{ApkName, Reference, Route};

use crate::{taken, text};

/// On every line a path, and perhaps a query behind `?`.
pub fn served_path(data: &[u8]) {
    for line in text(data).unwrap_or_default().lines() {
        let (path, query) = line.split_once('?').unwrap_or((line, ""));
        check_path(path);
        for name in ["n", "last", "artifactType"] {
            let value = query::value(query, name);
            assert!(value.is_none_or(|value| value.len() <= query.len()));
        }
        let encoded = query::encode(line);
        assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(query::decode(&encoded).as_deref(), Some(line));
    }
}

fn check_path(path: &str) {
    let Ok(route) = Route::parse(path) else {
        return;
    };
    taken();
    let decoded = query::decode(path).expect("a route has a text");
    let again = Route::parse(&query::encode(&decoded));
    assert_eq!(again.as_ref(), Ok(&route), "{path} has another route");
    let is_name = |name: &str| !name.starts_with('.') && !name.contains(['/', '\0', '\n']);
    let repository = match &route {
        Route::Key(name) => {
            assert!(is_name(name));
            return;
        }
        Route::Page | Route::Registry | Route::Catalog => return,
        Route::Manifest(repository, Reference::Tag(tag)) => {
            assert!(is_tag(tag));
            repository
        }
        Route::Apk(repository, _, ApkName::Package(name)) => {
            assert!(is_name(name));
            repository
        }
        Route::Tags(repository)
        | Route::Manifest(repository, _)
        | Route::Blob(repository, _)
        | Route::Referrers(repository, _)
        | Route::Apk(repository, _, _) => repository,
    };
    assert!(
        repository.as_str().split('/').all(is_name),
        "{repository:?}"
    );
}

/// A file's size and time on the first line, and then headers as a client sends them.
pub fn served_range(data: &[u8]) {
    let text = text(data).unwrap_or_default();
    let (first, headers) = text.split_once('\n').unwrap_or((text, ""));
    let (size, since) = first.split_once(' ').unwrap_or((first, ""));
    let facts = Facts {
        digest: Sha256::new([7; 32]),
        size: size.parse().unwrap_or(10),
        since: Timestamp(since.parse().unwrap_or(0)),
    };
    let mut asked = Asked::default();
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        match name {
            "If-None-Match" => asked.if_none_match.push(value),
            "If-Modified-Since" => asked.if_modified_since = Some(value),
            "If-Range" => asked.if_range = Some(value),
            "Range" => asked.range = Some(value),
            _ => {}
        }
    }
    match facts.wanted(&asked) {
        Wanted::Part { first, last } => {
            taken();
            assert!(first <= last && last < facts.size, "{first} to {last}");
            assert!(asked.range.is_some());
        }
        Wanted::Outside => assert!(asked.range.is_some()),
        Wanted::Unchanged => {
            assert!(!asked.if_none_match.is_empty() || asked.if_modified_since.is_some());
        }
        Wanted::Whole => {}
    }
    let own = facts.etag();
    let mut having = asked.clone();
    having.if_none_match.push(&own);
    assert_eq!(facts.wanted(&having), Wanted::Unchanged, "it is there");
    let mut meant = asked.clone();
    meant.if_range = Some(&own);
    asked.if_range = None;
    assert_eq!(facts.wanted(&meant), facts.wanted(&asked), "it is meant");
    asked.range = None;
    let rest = facts.wanted(&asked);
    assert!(matches!(rest, Wanted::Whole | Wanted::Unchanged));
}
