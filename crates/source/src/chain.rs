//! Every place where a source may be, in order. Pure.

use boltworks_fsx::Expected;
use boltworks_model::{FileAddress, SourceKind};

use crate::{Error, KnownBy, Mirror, Origin, Override, Request};

/// A place in the chain and what is expected of it.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Where.
    pub(crate) place: Place,
    /// What is expected of it.
    pub(crate) expected: Expected,
    /// What sort of source it would be.
    pub(crate) kind: SourceKind,
    /// The digest that the recipe names, where this place's file has another.
    pub(crate) recipe_digest: Option<String>,
}

/// Where a source may be.
#[derive(Debug)]
pub(crate) enum Place {
    Upstream(String),
    Mirror(String),
    Debian {
        name: String,
        version: Option<String>,
        file: String,
    },
    Pypi {
        project: String,
        file: String,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Upstream(uri) | Self::Mirror(uri) => f.write_str(uri),
            Self::Debian { name, file, .. } => write!(f, "debian:{name}/{file}"),
            Self::Pypi { project, file } => write!(f, "pypi:{project}/{file}"),
        }
    }
}

/// Every place where the bytes may be: upstream, its mirrors, what the factory says of it. All of
/// them have the same bytes: those the recipe expects or, where the factory maps the source to
/// others, those.
pub(crate) fn chain(
    request: &Request<'_>,
    mirrors: &[Mirror],
    overrides: &[Override],
) -> Result<Vec<Candidate>, Error> {
    let own = FileAddress::parse(request.uri);
    let mut chain = match request.known_by {
        KnownBy::File(expected) => upstream((request.uri, own.ok()), expected, mirrors),
        // Of a commit, an entry of the map is the only file there is.
        KnownBy::Checkout(_) => Vec::new(),
    };
    let (wanted, known_as) = match request.known_by {
        KnownBy::File(expected) => (Some(expected), shown(&expected)),
        KnownBy::Checkout(checkout) => (None, format!("git:{}", checkout.commit)),
    };
    for entry in overrides.iter().filter(|entry| entry.covers(request)) {
        let same = wanted.filter(|wanted| wanted.sha256() == Some(entry.sha256));
        chain.push(Candidate {
            place: place_of(entry),
            expected: same.unwrap_or_else(|| entry.sha256.into()),
            kind: entry.kind,
            recipe_digest: same.is_none().then(|| known_as.clone()),
        });
    }
    // A map to other bytes replaces address and digest together: which of two files is built from
    // must not depend on what this machine reaches.
    let replaced = chain
        .iter()
        .find(|candidate| candidate.recipe_digest.is_some());
    if let Some(expected) = replaced.map(|candidate| candidate.expected) {
        chain.retain(|candidate| candidate.expected == expected);
    }
    match own {
        Err(error) if chain.is_empty() => Err(Error::unusable(request.uri, error)),
        _ => Ok(chain),
    }
}

/// Where the recipe says that a file is, and the mirrors of that.
fn upstream(
    (uri, address): (&str, Option<FileAddress<'_>>),
    expected: Expected,
    mirrors: &[Mirror],
) -> Vec<Candidate> {
    let own = |place, kind| Candidate {
        place,
        expected,
        kind,
        recipe_digest: None,
    };
    let first = address.map(|address| match address {
        FileAddress::Web(uri) => own(Place::Upstream(uri.to_owned()), SourceKind::Tarball),
        FileAddress::Pypi { project, file } => {
            let (project, file) = (project.to_owned(), file.to_owned());
            own(Place::Pypi { project, file }, SourceKind::Sdist)
        }
    });
    let mirrored = mirrors.iter().filter_map(|mirror| mirror.translate(uri));
    let mirrored = mirrored.map(|uri| own(Place::Mirror(uri), SourceKind::Tarball));
    first.into_iter().chain(mirrored).collect()
}

fn place_of(entry: &Override) -> Place {
    let file = entry.file.clone();
    match &entry.origin {
        Origin::Debian { name, version } => Place::Debian {
            name: name.clone(),
            version: version.clone(),
            file,
        },
        Origin::Pypi { project } => Place::Pypi {
            project: project.clone(),
            file,
        },
        Origin::Address(uri) => Place::Mirror(uri.clone()),
    }
}

/// The digest as manifests write it; the stronger one where there are two.
pub(crate) fn shown(expected: &Expected) -> String {
    let sha256 = expected.sha256().map(|digest| digest.prefixed());
    sha256
        .or_else(|| expected.sha512().map(|digest| digest.prefixed()))
        .unwrap_or_default()
}
