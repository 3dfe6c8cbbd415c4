//! An image, or an index of images, with everything beneath it: from a registry into a store.

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use boltworks_model::{Event, Sha256};
use boltworks_net::{Download, Error as NetError, Exchange, Have, Method, Part, download};
use boltworks_oci::{Descriptor, Platform, Reference, read_index, read_manifest};
use boltworks_store::{BlobDraft, Store};

use crate::manifest::Document;
use crate::registry::MAX_ANSWER;
use crate::{Error, Registry, several};

/// How much is pulled.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The only platform that is wanted of an index; all of them otherwise.
    pub platform: Option<Platform>,
    /// The largest image, in bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            platform: None,
            bytes: 64 << 30,
        }
    }
}

/// Pulls what a name with a digest or a tag points at; the descriptor of that. What the store has is
/// not asked for. Manifests are kept last: what is in the store is whole.
///
/// # Errors
/// [`Error::Missing`] if it is not there, [`Error::Lied`] if bytes have another digest than their name,
/// [`Error::TooLarge`] past the limit; then those of the way.
pub fn pull(
    registry: &Registry<'_>,
    store: &Store,
    name: &Reference,
    limits: &Limits,
) -> Result<Descriptor, Error> {
    let asked = match name.digest() {
        Some(digest) => digest.prefixed(),
        None => name.tag().unwrap_or("latest").to_owned(),
    };
    let root = get(registry, &asked, name.digest())?;
    let mut documents = vec![root.clone()];
    if root.is_index() {
        let children = read_index(&root.bytes)?.manifests;
        let wanted = children.into_iter().filter(|child| {
            let platform = child.platform.as_ref();
            let is_other = |wanted: &Platform| !platform.is_some_and(|one| one.is_like(wanted));
            !limits.platform.as_ref().is_some_and(is_other)
        });
        for child in wanted {
            let digest = child.digest;
            documents.push(get(registry, &digest.prefixed(), Some(&digest))?);
        }
        if documents.len() == 1 {
            return Err(Error::Missing {
                name: format!("{}: an image for this platform", registry.name),
                words: String::new(),
            });
        }
    }
    let mut seen = BTreeSet::new();
    let mut blobs = Vec::new();
    for document in documents.iter().filter(|document| !document.is_index()) {
        let manifest = read_manifest(&document.bytes)?;
        let new = manifest.blobs().filter(|blob| seen.insert(blob.digest));
        blobs.extend(new.cloned());
    }
    let size = blobs
        .iter()
        .fold(0_u64, |sum, blob| sum.saturating_add(blob.size));
    if size > limits.bytes {
        return Err(Error::TooLarge {
            name: format!("{}@{asked}", registry.name),
            size,
            limit: limits.bytes,
        });
    }
    several::each(&blobs, |blob| registry.pull_blob(store, blob))?;
    for document in documents.iter().rev() {
        store.put_bytes(&document.bytes)?;
    }
    Ok(root.descriptor)
}

fn get(registry: &Registry<'_>, name: &str, digest: Option<&Sha256>) -> Result<Document, Error> {
    registry
        .get_manifest(name, digest)?
        .ok_or_else(|| Error::Missing {
            name: match digest {
                Some(_) => format!("{}@{name}", registry.name),
                None => format!("{}:{name}", registry.name),
            },
            words: String::new(),
        })
}

impl Registry<'_> {
    /// Brings a blob into a store, unless it is there.
    fn pull_blob(&self, store: &Store, blob: &Descriptor) -> Result<(), Error> {
        match store.open_blob(&blob.digest) {
            Ok(file) if file.size() == blob.size => return Ok(()),
            Ok(_) => {
                let reason = "a manifest says another size of it than it has".to_owned();
                let digest = blob.digest;
                return Err(Error::Unfit { digest, reason });
            }
            Err(
                boltworks_store::Error::Missing { .. } | boltworks_store::Error::Damaged { .. },
            ) => {}
            Err(error) => return Err(error.into()),
        }
        let digits = blob.digest.to_string();
        let job = format!("pull {}", digits.get(..12).unwrap_or(&digits));
        let total = Some(blob.size);
        self.ambient.sink.event(Event::Started { job: &job, total });
        let result = self.receive(store, blob, &job);
        let note = if result.is_ok() { "pulled" } else { "failed" };
        self.ambient.sink.event(Event::Finished {
            job: &job,
            ok: result.is_ok(),
            note,
            took: None,
        });
        result
    }

    fn receive(&self, store: &Store, blob: &Descriptor, job: &str) -> Result<(), Error> {
        let address = self.at(&format!("blobs/{}", blob.digest.prefixed()))?;
        let mut draft = store.begin()?;
        let mut done = 0;
        let mut may_log_in = true;
        loop {
            let (_, credential) = self.shown();
            let what = Download {
                address: &address,
                have: Have {
                    length: done,
                    validator: None,
                },
                max: blob.size,
                credential: credential.as_deref(),
                retry: self.retry,
            };
            let mut keep = |part: Part<'_>| -> io::Result<()> {
                match part {
                    Part::Begin { offset: 0, .. } if done > 0 => {
                        draft = fresh(store)?;
                        done = 0;
                    }
                    Part::Begin { .. } => {}
                    Part::Bytes(bytes) => {
                        draft.write_all(bytes)?;
                        done += bytes.len() as u64;
                        self.ambient.sink.event(Event::Progress { job, done });
                    }
                }
                Ok(())
            };
            match download(self.client, &what, &mut keep, &self.ambient) {
                Ok(_) => break,
                // A token that is too old: any question gets a new one.
                Err(NetError::Status { status: 401, .. }) if may_log_in => {
                    may_log_in = false;
                    self.ask(&address, &Exchange::new(Method::Head, MAX_ANSWER))?;
                }
                Err(NetError::Status { status: 404, .. }) => {
                    return Err(Error::Missing {
                        name: format!("the blob {} of {}", blob.digest.prefixed(), self.name),
                        words: String::new(),
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
        draft.commit_as(&blob.digest)?;
        Ok(())
    }
}

fn fresh(store: &Store) -> io::Result<BlobDraft<'_>> {
    store.begin().map_err(io::Error::other)
}
