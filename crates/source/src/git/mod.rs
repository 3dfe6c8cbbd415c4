//! Commits of git repositories as one blob each: the same bytes for the same wish, whatever git
//! program, server and machine it came through.
//!
//! Reading order:
//!
//! 1. [`tool`]: the git program, with nobody's configuration and no way around us.
//! 2. [`gather`]: a commit brought here, held against its branch or tag, with what is applied on top
//!    and what is within ([`submodules`]).
//! 3. [`object`], [`objects`]: objects, read through git and named anew.
//! 4. [`walk`]: which of them belong to a checkout, and in which order.
//! 5. [`pack`], [`delta`]: written as a pack.
//! 6. [`worktree`]: the other way round, for a person who changes sources.
//!
//! The blob is an archive: `boltworks-git/format`, then a folder `boltworks-git/N` for each
//! repository, the one that is asked for first. It holds `pack`, `object` (the commit, or the tag that
//! names it), `commit` and, where history was cut, `shallow` as git keeps it; of a submodule also
//! `name`, `path`, `url`, and `parent`, the number of the repository it is in. A repository is made of
//! it in the guest, by the pipeline `git-checkout`, and nothing is checked out here.

mod delta;
mod gather;
mod object;
mod objects;
mod pack;
mod submodules;
mod tool;
mod walk;
pub(crate) mod worktree;

use std::io;
use std::sync::Arc;

use boltworks_fsx::tar::{Policy, Writer, read_tree};
use boltworks_fsx::{Content, Error as DiskError, Kind, Limit, Meta, Node, RelPath, Root, Tree};
use boltworks_model::{Ambient, Checkout, Material, Remote, Sha256, SourceKind};
use boltworks_store::{BlobDraft, Stored};

use self::gather::{Gathering, Part};
use self::pack::Pack;
use self::tool::Opening;
use crate::job::Job;
use crate::notes::{Note, Notes};
use crate::partial::Partial;
use crate::{Checked, Error, Fetched, Fetcher, Request};

/// Names the form of the blob.
const FORMAT: &str = "1";
/// What every path in it begins with.
const FOLDER: &str = "boltworks-git";
/// The folder of repositories that are being fetched.
const SCRATCH: &str = "git";
/// No text in a blob is longer.
const MAX_TEXT: Limit = Limit::mib(1);
/// Seconds after which what a killed run left is removed.
const ABANDONED_AFTER: i64 = 7 * 24 * 60 * 60;

/// Where a wish for a commit is fulfilled.
pub(crate) struct Checkouts<'a> {
    pub(crate) fetcher: &'a Fetcher<'a>,
    pub(crate) request: &'a Request<'a>,
    pub(crate) checkout: &'a Checkout,
}

impl Checkouts<'_> {
    /// Gets the blob: from the store, or anew.
    pub(crate) fn fetch(&self, ambient: &Ambient<'_>) -> Result<Fetched, Error> {
        let remote = remote(self.request.uri)?;
        if let Some(kept) = self.kept()? {
            return Ok(kept);
        }
        let cached = self.cached()?;
        if cached.is_none() {
            self.verify_online()?;
        }
        let scratch = Scratch::open(self.fetcher.folder, &self.checkout.key(), ambient)?;
        // Somebody else may have fetched it meanwhile.
        if let Some(kept) = self.kept()? {
            scratch.remove()?;
            return Ok(kept);
        }
        let mut job = Job::new(self.request.uri, ambient);
        job.begin(None);
        let made = self.make_of(cached.as_ref(), &remote, &scratch.folder, &job);
        scratch.remove()?;
        match &made {
            Ok(_) => job.end(true, "fetched"),
            Err(error) => job.end(false, &format!("failed: {error}")),
        }
        let (stored, from) = made?;
        let note = Note {
            fetched_from: from,
            kind: SourceKind::Git,
        };
        let notes = Notes(self.fetcher.folder);
        notes.write(&stored.digest, &note)?;
        notes.checked_out(&self.checkout.identity(), &stored.digest)?;
        Ok(self.fetched((stored.digest, stored.size), Some(note), true))
    }

    /// What the store has, hashed anew.
    pub(crate) fn kept(&self) -> Result<Option<Fetched>, Error> {
        let notes = Notes(self.fetcher.folder);
        let Some(digest) = notes.checkout(&self.checkout.identity()) else {
            return Ok(None);
        };
        if !self.fetcher.store.has(&digest)? {
            return Ok(None);
        }
        let size = self.fetcher.store.open_blob(&digest)?.size();
        let note = notes.read(&digest);
        Ok(Some(self.fetched((digest, size), note, false)))
    }

    /// Hashes what the store has.
    pub(crate) fn verify(&self) -> Result<Checked, Error> {
        let notes = Notes(self.fetcher.folder);
        match notes.checkout(&self.checkout.identity()) {
            Some(digest) if self.fetcher.store.has(&digest)? => {
                Ok(match self.fetcher.store.open_blob(&digest) {
                    Ok(_) => Checked::Good(digest),
                    Err(error) => Checked::Bad(error.to_string()),
                })
            }
            _ => Ok(Checked::Missing),
        }
    }

    fn fetched(&self, (digest, size): (Sha256, u64), note: Option<Note>, is_new: bool) -> Fetched {
        let elsewhere = |from: &String| from != self.request.uri;
        let material = Material::Source {
            uri: format!("git+{}@{}", self.request.uri, self.checkout.commit),
            fetched_from: note.map(|note| note.fetched_from).filter(elsewhere),
            kind: SourceKind::Git,
            sha256: digest,
            recipe_digest: None,
        };
        Fetched {
            digest,
            size,
            material,
            is_new,
        }
    }

    fn verify_online(&self) -> Result<(), Error> {
        if self.fetcher.offline {
            let (uri, wanted) = (self.request.uri.to_owned(), self.checkout.identity());
            return Err(Error::Offline { uri, wanted });
        }
        Ok(())
    }

    /// What a folder of files that were fetched before has under the checkout's name.
    fn cached(&self) -> Result<Option<Tree>, Error> {
        let path = RelPath::try_from(self.checkout.key())?;
        for cache in self.fetcher.caches {
            let file = match cache.open_file(&path) {
                Err(error) if error.is_not_found() => continue,
                file => file?,
            };
            match read_tree(&Arc::new(file), Policy::default()) {
                Ok(tree) => return Ok(Some(tree)),
                Err(error) => {
                    tracing::warn!(%path, %error, "a file of the cache is not what it is called");
                }
            }
        }
        Ok(None)
    }

    /// Makes the blob of what is cached, if that will do, and otherwise of what is at a server.
    fn make_of(
        &self,
        cached: Option<&Tree>,
        remote: &Remote,
        folder: &Root,
        job: &Job<'_>,
    ) -> Result<(Stored, String), Error> {
        if cached.is_some() {
            match self.make(cached, remote, folder, job) {
                Err(error) if !matches!(error, Error::Cancelled(_)) => {
                    let name = self.checkout.key();
                    tracing::warn!(%name, %error, "a file of the cache is not what it is called");
                }
                made => return made,
            }
        }
        self.verify_online()?;
        self.make(None, remote, folder, job)
    }

    /// Brings the repositories and makes the blob of them; where the first came from.
    fn make(
        &self,
        packs: Option<&Tree>,
        remote: &Remote,
        folder: &Root,
        job: &Job<'_>,
    ) -> Result<(Stored, String), Error> {
        let environment = tool::environment(self.fetcher.machine.network_environment());
        let opening = |before| Opening {
            environment: &environment,
            limits: self.fetcher.git,
            before,
            job,
        };
        let gathering = Gathering {
            folder,
            mirrors: &self.fetcher.mirrors,
            packs,
            opening: &opening,
        };
        let parts = gathering.gather(remote, self.checkout)?;
        let from = parts.first().map(|part| part.from.to_string());
        job.step("pack");
        let mut writer = Writer::new(self.fetcher.store.begin()?);
        append(&mut writer, "format", FORMAT)?;
        for (number, part) in parts.iter().enumerate() {
            append_part(&mut writer, number, part)?;
        }
        let stored = writer.finish_with_end()?.commit()?;
        Ok((stored, from.unwrap_or_default()))
    }
}

/// Where a repository is.
fn remote(uri: &str) -> Result<Remote, Error> {
    Remote::parse(uri).map_err(|error| Error::unusable(uri, error))
}

/// Writes a repository.
fn append_part(
    writer: &mut Writer<BlobDraft<'_>>,
    number: usize,
    part: &Part<'_>,
) -> Result<(), Error> {
    let mut put = |name: &str, text: &str| append(writer, &format!("{number}/{name}"), text);
    let ambient = part.git.job.ambient;
    let mut pack = Pack::new(part.git.scratch()?, part.object).map_err(writing)?;
    let (commit, selection) = part.git.objects(|objects| {
        let absent = || Error::NoCommit {
            repository: part.from.to_string(),
            commit: part.object,
        };
        let (tags, commit) = walk::peel(objects, part.object)?.ok_or_else(absent)?;
        let selection = walk::select(objects, &part.roots, ambient)?;
        if let Some(missing) = selection.missing {
            return Err(Error::NoCommit {
                repository: part.from.to_string(),
                commit: missing,
            });
        }
        walk::write(objects, (&tags, &selection), &mut pack, ambient)?;
        Ok((commit, selection))
    })?;
    put("object", &part.object.to_string())?;
    put("commit", &commit.to_string())?;
    if let Some((parent, submodule)) = &part.place {
        put("parent", &parent.to_string())?;
        put("name", &submodule.name)?;
        put("path", &submodule.path)?;
        put("url", submodule.remote.as_str())?;
    }
    if !selection.shallow.is_empty() {
        let lines = selection.shallow.iter().map(ToString::to_string);
        put("shallow", &lines.collect::<Vec<_>>().join("\n"))?;
    }
    let (file, len) = pack.finish().map_err(writing)?;
    let content = Content::Span {
        file: Arc::new(file),
        offset: 0,
        len,
    };
    append_content(writer, &format!("{number}/pack"), content)
}

/// Writes a line of text.
fn append(writer: &mut Writer<BlobDraft<'_>>, name: &str, text: &str) -> Result<(), Error> {
    let bytes: Arc<[u8]> = format!("{text}\n").into_bytes().into();
    append_content(writer, name, Content::Bytes(bytes))
}

fn append_content(
    writer: &mut Writer<BlobDraft<'_>>,
    name: &str,
    content: Content,
) -> Result<(), Error> {
    let node = Node {
        meta: Meta::new(0o644, 0),
        kind: Kind::File(content),
    };
    let path = RelPath::try_from(format!("{FOLDER}/{name}"))?;
    Ok(writer.append(&path, &node, &[])?)
}

/// A file of a blob's part.
fn content<'a>(parts: &'a Tree, number: usize, name: &str) -> Option<&'a Content> {
    let path = RelPath::try_from(format!("{FOLDER}/{number}/{name}")).ok()?;
    parts.file(&path)
}

/// A line of text in a blob's part.
fn text(parts: &Tree, number: usize, name: &str) -> Result<String, Error> {
    let missing = || Error::Malformed {
        index: "the blob of a commit".to_owned(),
        reason: format!("it has no {name}"),
    };
    let content = content(parts, number, name).ok_or_else(missing)?;
    let bytes = content.read_vec(MAX_TEXT).map_err(writing)?;
    let text = String::from_utf8(bytes).map_err(|_| missing())?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// A file of ours could not be written.
fn writing(source: io::Error) -> Error {
    DiskError::Stream {
        action: "write a pack",
        source,
    }
    .into()
}

/// A folder for repositories that nobody else has meanwhile.
struct Scratch {
    above: Root,
    name: RelPath,
    folder: Root,
    lock: Partial,
}

impl Scratch {
    /// Waits for whoever fetches the same, and makes the folder anew.
    fn open(folder: &Root, key: &str, ambient: &Ambient<'_>) -> Result<Self, Error> {
        let now = ambient.clock.now();
        let key = key.replace(':', "-");
        let lock = Partial::open(folder, &key, now)?;
        let above = folder.make_dir(&RelPath::try_from(SCRATCH)?)?;
        for entry in above.list()? {
            let name = RelPath::new(entry.name)?;
            let is_old = |mtime: i64| now.0.saturating_sub(mtime) > ABANDONED_AFTER;
            if above.stat(&name)?.is_some_and(|stat| is_old(stat.mtime)) {
                above.remove_tree(&name)?;
            }
        }
        let name = RelPath::try_from(key)?;
        above.remove_tree(&name)?;
        Ok(Self {
            folder: above.make_dir(&name)?,
            above,
            name,
            lock,
        })
    }

    fn remove(self) -> Result<(), Error> {
        self.above.remove_tree(&self.name)?;
        Ok(self.lock.remove()?)
    }
}
