//! The chain: the store, upstream, mirrors, the factory's own map; the first that has the bytes.
//!
//! Whatever place answers, the bytes are hashed before anything else sees them. All places of one
//! source are expected to have the same bytes; one that answers with others is passed over.

use std::fs::File;

use boltworks_fsx::{Error as DiskError, Expected, Limit, Mismatch, RelPath, Root, Verifying};
use boltworks_model::{Ambient, Material, Sha256};
use boltworks_net::{
    Address, Client, Download, Have, OriginBoundCredential, Part, Retry, download,
};
use boltworks_store::Store;

use crate::chain::{Candidate, Place, chain, shown};
use crate::debian::Wanted;
use crate::error::Attempts;
use crate::git::Checkouts;
use crate::job::Job;
use crate::notes::{Note, Notes};
use crate::partial::Partial;
use crate::{
    DebianArchive, Error, Fetched, GitLimits, KnownBy, Machine, Mirror, Override, Request,
};

/// No source is larger.
pub(crate) const MAX_SOURCE: u64 = 8 * 1024 * 1024 * 1024;

/// Fetches sources into a store.
#[derive(Debug)]
pub struct Fetcher<'a> {
    /// Where they are kept.
    pub store: &'a Store,
    /// Where broken-off transfers and notes are kept.
    pub folder: &'a Root,
    /// What talks to servers.
    pub client: &'a Client,
    /// Mirrors of upstream's addresses, in order of preference.
    pub mirrors: Vec<Mirror>,
    /// The factory's own map.
    pub overrides: Vec<Override>,
    /// Debian's archive; or why it cannot be used here, in words.
    pub debian: Result<&'a DebianArchive, String>,
    /// The machine, which knows the index of Python packages; it is asked only when needed.
    pub machine: &'a Machine,
    /// Folders of files that were fetched before, as melange keeps them: each is named by the
    /// digest that recipes expect, `sha256:HEX` or `sha512:HEX`.
    pub caches: &'a [Root],
    /// What fetching from a git repository may take.
    pub git: GitLimits,
    /// Whether the network is not to be used.
    pub offline: bool,
}

/// What became of one source in a check of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It is there, and its bytes have this digest.
    Good(Sha256),
    /// It is not there.
    Missing,
    /// It is there with other bytes, or unreadable.
    Bad(String),
}

impl Fetcher<'_> {
    /// Gets a source: from the store if it is there, otherwise from the first place in the chain
    /// that has it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with every place and its reason; [`Error::Offline`] if the network
    /// is not to be used. Nothing is kept but the beginnings of broken-off transfers.
    pub fn fetch(&self, request: &Request<'_>, ambient: &Ambient<'_>) -> Result<Fetched, Error> {
        if let Some(checkouts) = self.checkouts(request) {
            return checkouts.fetch(ambient);
        }
        let chain = self.chain(request)?;
        for candidate in &chain {
            if let Some(fetched) = self.kept(request, candidate)? {
                return Ok(fetched);
            }
        }
        for candidate in &chain {
            if let Some(fetched) = self.cached(request, candidate)? {
                return Ok(fetched);
            }
        }
        if self.offline {
            let mut wanted: Vec<_> = chain
                .iter()
                .map(|candidate| shown(&candidate.expected))
                .collect();
            wanted.dedup();
            return Err(Error::Offline {
                uri: request.uri.to_owned(),
                wanted: wanted.join(" or "),
            });
        }
        self.try_chain(request, &chain, ambient)
    }

    /// What is known of a source without the network: the blob, if it is in the store.
    pub fn known(&self, request: &Request<'_>) -> Result<Option<Fetched>, Error> {
        if let Some(checkouts) = self.checkouts(request) {
            return checkouts.kept();
        }
        for candidate in &self.chain(request)? {
            if let Some(fetched) = self.kept(request, candidate)? {
                return Ok(Some(fetched));
            }
        }
        Ok(None)
    }

    /// Hashes what the store has of a source.
    pub fn verify(&self, request: &Request<'_>) -> Result<Checked, Error> {
        if let Some(checkouts) = self.checkouts(request) {
            return checkouts.verify();
        }
        for candidate in &self.chain(request)? {
            let Some(digest) = self.digest_of(&candidate.expected) else {
                continue;
            };
            if !self.store.has(&digest)? {
                continue;
            }
            return Ok(match self.open(&digest, &candidate.expected) {
                Ok(_) => Checked::Good(digest),
                Err(error) => Checked::Bad(error.to_string()),
            });
        }
        Ok(Checked::Missing)
    }

    /// A wish for a commit, unless the factory's map has a file instead.
    fn checkouts<'s>(&'s self, request: &'s Request<'s>) -> Option<Checkouts<'s>> {
        let KnownBy::Checkout(checkout) = request.known_by else {
            return None;
        };
        let is_mapped = self.overrides.iter().any(|entry| entry.covers(request));
        (!is_mapped).then_some(Checkouts {
            fetcher: self,
            request,
            checkout,
        })
    }

    fn chain(&self, request: &Request<'_>) -> Result<Vec<Candidate>, Error> {
        chain(request, &self.mirrors, &self.overrides)
    }

    fn try_chain(
        &self,
        request: &Request<'_>,
        chain: &[Candidate],
        ambient: &Ambient<'_>,
    ) -> Result<Fetched, Error> {
        let mut tried = Attempts(Vec::new());
        for (index, candidate) in chain.iter().enumerate() {
            let is_last = index + 1 == chain.len();
            let mut job = Job::new(&candidate.place.to_string(), ambient);
            match self.try_one(request, candidate, is_last, &mut job) {
                Ok(fetched) => {
                    job.end(true, "fetched");
                    return Ok(fetched);
                }
                Err(error) => {
                    job.end(false, &format!("failed: {error}"));
                    if !error.is_about_this_place() {
                        return Err(error);
                    }
                    tracing::info!(place = %candidate.place, %error, "not here");
                    tried.0.push((candidate.place.to_string(), error));
                }
            }
        }
        match <[_; 1]>::try_from(tried.0) {
            Ok([(_, error @ Error::WrongDigest { .. })]) => Err(error),
            Ok([only]) => Err(unavailable(request, vec![only])),
            Err(several) => Err(unavailable(request, several)),
        }
    }

    fn try_one(
        &self,
        request: &Request<'_>,
        candidate: &Candidate,
        is_last: bool,
        job: &mut Job<'_>,
    ) -> Result<Fetched, Error> {
        let retry = if is_last {
            Retry::default()
        } else {
            Retry::IMPATIENT
        };
        let (digest, size, from) = match &candidate.place {
            Place::Upstream(uri) | Place::Mirror(uri) => {
                self.transfer((&uri.parse()?, None), candidate, retry, job)?
            }
            Place::Pypi { project, file } => {
                let index = self.machine.python_index()?;
                let wanted = candidate.expected.sha256();
                let what = (project.as_str(), file.as_str());
                let address = index.locate(self.client, what, wanted.as_ref(), job.ambient)?;
                let is_same_origin = address.origin() == index.address().origin();
                let credential = index.credential().filter(|_| is_same_origin);
                self.transfer((&address, credential), candidate, retry, job)?
            }
            Place::Debian {
                name,
                version,
                file,
            } => {
                let archive = self
                    .debian
                    .as_ref()
                    .map_err(|why| Error::ArchiveUnusable(why.clone()))?;
                job.begin(None);
                let wanted = Wanted {
                    name,
                    version: version.as_deref(),
                    file,
                    expected: candidate.expected,
                };
                let orig = archive.find_orig(&wanted, job.ambient)?;
                let bytes = archive.fetch_orig(&orig, job.ambient)?;
                let kept = self.keep(bytes.file(), &candidate.expected, &orig.address);
                bytes.remove()?;
                let (digest, size) = kept?;
                (digest, size, orig.address)
            }
        };
        let note = Note {
            fetched_from: from,
            kind: candidate.kind,
        };
        Notes(self.folder).write(&digest, &note)?;
        if let Some(sha512) = candidate.expected.sha512() {
            Notes(self.folder).name(&sha512, &digest)?;
        }
        Ok(fetched(
            request,
            candidate,
            (digest, size),
            Some(note),
            true,
        ))
    }

    /// Receives a file, going on with what is there of it.
    fn transfer(
        &self,
        (address, credential): (&Address, Option<&OriginBoundCredential>),
        candidate: &Candidate,
        retry: Retry,
        job: &mut Job<'_>,
    ) -> Result<(Sha256, u64, String), Error> {
        let broken = |source| Error::Partial {
            place: address.to_string(),
            source,
        };
        let ambient = job.ambient;
        let mut partial =
            Partial::open(self.folder, &key(&candidate.expected), ambient.clock.now())?;
        loop {
            let length = partial.len().map_err(broken)?;
            let have = Have {
                length,
                validator: None,
            };
            let what = Download {
                address,
                have,
                max: MAX_SOURCE,
                credential,
                retry,
            };
            let mut done = length;
            let from = download(
                self.client,
                &what,
                &mut |part| match part {
                    Part::Begin { offset, total, .. } => {
                        job.begin(total);
                        done = offset;
                        partial.cut(offset)
                    }
                    Part::Bytes(bytes) => {
                        done += bytes.len() as u64;
                        job.progress(done);
                        partial.add(bytes)
                    }
                },
                ambient,
            )?;
            let kept = partial.rewind().map_err(broken)?;
            match self.keep(kept, &candidate.expected, &from.to_string()) {
                // The beginning may be of another version of the file: once more, from nothing.
                Err(Error::WrongDigest { .. }) if length > 0 => partial.cut(0).map_err(broken)?,
                Err(error @ Error::WrongDigest { .. }) => {
                    partial.remove()?;
                    return Err(error);
                }
                Err(error) => return Err(error),
                Ok((digest, size)) => {
                    partial.remove()?;
                    return Ok((digest, size, from.to_string()));
                }
            }
        }
    }

    /// Puts a file into the store if it is the expected one.
    fn keep(&self, file: &File, expected: &Expected, place: &str) -> Result<(Sha256, u64), Error> {
        let wrong = |mismatch: Mismatch| Error::WrongDigest {
            place: place.to_owned(),
            expected: mismatch.expected,
            actual: mismatch.actual,
        };
        match Verifying::new(file, *expected).finish() {
            Err(DiskError::Mismatch(mismatch)) => return Err(wrong(mismatch)),
            other => other.map(drop)?,
        }
        let mut again = file;
        std::io::Seek::rewind(&mut again).map_err(|source| Error::Partial {
            place: place.to_owned(),
            source,
        })?;
        let stored = self
            .store
            .put_expected(again, expected, Limit(MAX_SOURCE))?;
        Ok((*stored.digest(), stored.get().size))
    }

    /// What the store has of a candidate, hashed anew.
    fn kept(&self, request: &Request<'_>, candidate: &Candidate) -> Result<Option<Fetched>, Error> {
        let Some(digest) = self.digest_of(&candidate.expected) else {
            return Ok(None);
        };
        if !self.store.has(&digest)? {
            return Ok(None);
        }
        let size = self.open(&digest, &candidate.expected)?;
        let note = Notes(self.folder).read(&digest);
        Ok(Some(fetched(
            request,
            candidate,
            (digest, size),
            note,
            false,
        )))
    }

    /// The file of a candidate in a cache, if there is one with the expected bytes.
    fn cached(
        &self,
        request: &Request<'_>,
        candidate: &Candidate,
    ) -> Result<Option<Fetched>, Error> {
        let expected = &candidate.expected;
        let name = shown(expected);
        let path = RelPath::try_from(name.as_str()).map_err(DiskError::from)?;
        for cache in self.caches {
            let file = match cache.open_file(&path) {
                Err(error) if error.is_not_found() => continue,
                file => file?,
            };
            match self.keep(&file, expected, &name) {
                Ok((digest, size)) => {
                    if let Some(sha512) = expected.sha512() {
                        Notes(self.folder).name(&sha512, &digest)?;
                    }
                    return Ok(Some(fetched(
                        request,
                        candidate,
                        (digest, size),
                        None,
                        true,
                    )));
                }
                Err(error @ Error::WrongDigest { .. }) => {
                    tracing::warn!(%name, %error, "a file of the cache is not what it is called");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn digest_of(&self, expected: &Expected) -> Option<Sha256> {
        let named = || {
            expected
                .sha512()
                .and_then(|sha512| Notes(self.folder).named(&sha512))
        };
        expected.sha256().or_else(named)
    }

    /// Opens a blob, checked against everything that is expected; its size.
    fn open(&self, digest: &Sha256, expected: &Expected) -> Result<u64, Error> {
        let blob = self.store.open_blob(digest)?;
        if expected.sha512().is_some() {
            Verifying::new(blob.reader(), *expected).finish()?;
        }
        Ok(blob.size())
    }
}

fn fetched(
    request: &Request<'_>,
    candidate: &Candidate,
    (digest, size): (Sha256, u64),
    note: Option<Note>,
    is_new: bool,
) -> Fetched {
    let kind = note.as_ref().map_or(candidate.kind, |note| note.kind);
    let elsewhere = |from: &String| from != request.uri;
    let material = Material::Source {
        uri: request.uri.to_owned(),
        fetched_from: note.map(|note| note.fetched_from).filter(elsewhere),
        kind,
        sha256: digest,
        recipe_digest: candidate.recipe_digest.clone(),
    };
    Fetched {
        digest,
        size,
        material,
        is_new,
    }
}

fn unavailable(request: &Request<'_>, tried: Vec<(String, Error)>) -> Error {
    Error::Unavailable {
        uri: request.uri.to_owned(),
        tried: Attempts(tried),
    }
}

/// What a broken-off transfer is kept under.
fn key(expected: &Expected) -> String {
    shown(expected).replace(':', "-")
}
