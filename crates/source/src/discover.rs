//! A source whose digest nobody knows yet: fetched once, and told what it is.
//!
//! For commands that write a digest into a recipe. Whoever runs them vouches for what upstream has
//! at that moment; every later fetch is held against it.

use std::io::{self, Write as _};

use boltworks_crypto::Sha512Hasher;
use boltworks_model::{Ambient, FileAddress, Sha256, Sha512};
use boltworks_net::{Address, Download, Have, OriginBoundCredential, Part, Retry, download};
use boltworks_store::BlobDraft;

use crate::error::Attempts;
use crate::fetcher::MAX_SOURCE;
use crate::job::Job;
use crate::{Error, Fetcher};

/// What upstream has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The blob in the store.
    pub sha256: Sha256,
    /// The same by its other name.
    pub sha512: Sha512,
    /// Its bytes.
    pub size: u64,
    /// Where it came from in the end.
    pub from: String,
}

impl Fetcher<'_> {
    /// Fetches what is at an address now: at upstream, or the first mirror of it that answers. The
    /// factory's map is not asked: its files have digests of their own.
    pub fn discover(&self, uri: &str, ambient: &Ambient<'_>) -> Result<Discovered, Error> {
        if self.offline {
            return Err(Error::Offline {
                uri: uri.to_owned(),
                wanted: "known, since its digest is yet to be found".to_owned(),
            });
        }
        if let Ok(FileAddress::Pypi { project, file }) = FileAddress::parse(uri) {
            let index = self.machine.python_index()?;
            let address = index.locate(self.client, (project, file), None, ambient)?;
            let is_same_origin = address.origin() == index.address().origin();
            let credential = index.credential().filter(|_| is_same_origin);
            return self.receive((&address, credential), ambient);
        }
        let mirrored = self
            .mirrors
            .iter()
            .filter_map(|mirror| mirror.translate(uri));
        let mut tried = Attempts(Vec::new());
        for place in std::iter::once(uri.to_owned()).chain(mirrored) {
            let found = place.parse().map_err(Error::from);
            match found.and_then(|address| self.receive((&address, None), ambient)) {
                Err(error) if error.is_about_this_place() => tried.0.push((place, error)),
                other => return other,
            }
        }
        let uri = uri.to_owned();
        Err(Error::Unavailable { uri, tried })
    }

    fn receive(
        &self,
        (address, credential): (&Address, Option<&OriginBoundCredential>),
        ambient: &Ambient<'_>,
    ) -> Result<Discovered, Error> {
        let mut job = Job::new(&address.to_string(), ambient);
        let what = Download {
            address,
            have: Have {
                length: 0,
                validator: None,
            },
            max: MAX_SOURCE,
            credential,
            retry: Retry::default(),
        };
        let mut arriving = Arriving::new(self)?;
        let from = download(
            self.client,
            &what,
            &mut |part| match part {
                Part::Begin { offset, total, .. } => {
                    job.begin(total);
                    arriving.begin(self, offset)
                }
                Part::Bytes(bytes) => {
                    arriving.add(bytes)?;
                    job.progress(arriving.size);
                    Ok(())
                }
            },
            ambient,
        );
        job.end(
            from.is_ok(),
            if from.is_ok() { "fetched" } else { "failed" },
        );
        arriving.finish(from?.to_string())
    }
}

/// A file of unknown digest on its way into the store.
struct Arriving<'a> {
    draft: BlobDraft<'a>,
    hasher: Sha512Hasher,
    size: u64,
}

impl<'a> Arriving<'a> {
    fn new(fetcher: &Fetcher<'a>) -> Result<Self, Error> {
        Ok(Self {
            draft: fetcher.store.begin()?,
            hasher: Sha512Hasher::new(),
            size: 0,
        })
    }

    /// A server may go on where it broke off, or begin again.
    fn begin(&mut self, fetcher: &Fetcher<'a>, offset: u64) -> io::Result<()> {
        match offset {
            0 => *self = Self::new(fetcher).map_err(io::Error::other)?,
            offset if offset == self.size => {}
            _ => return Err(io::Error::other("the server goes on at another place")),
        }
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.draft.write_all(bytes)
    }

    fn finish(self, from: String) -> Result<Discovered, Error> {
        let stored = self.draft.commit()?;
        Ok(Discovered {
            sha256: stored.digest,
            sha512: self.hasher.finish(),
            size: stored.size,
            from,
        })
    }
}
