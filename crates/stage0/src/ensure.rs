//! The whole of stage 0: resolve, fetch, convert, index; or nothing, if nothing changed.
//!
//! What is remembered, and what it depends on:
//!
//! | remembered | depends on |
//! |---|---|
//! | the whole ([`Lock`]) | suite, architecture, names wanted, names provided, signing key, versions of the converter and of the package writer |
//! | one package ([`Made`]) | its `.deb`, what it says of itself, its links, signing key, versions of the converter and of the package writer |
//!
//! A package that was made once is not made again when others join, and not fetched again either.

use std::collections::BTreeMap;

use boltworks_apk::{Index, IndexEntry};
use boltworks_crypto::{Signer, sha256};
use boltworks_fsx::{Limit, Root};
use boltworks_model::{Ambient, Event, Sha1, Sha256};
use boltworks_source::DebianArchive;
use boltworks_source::debian::DebFolder;
use boltworks_store::Store;
use rayon::prelude::*;

use crate::convert::{self, Drafted};
use crate::lock::{Made, load_progress, save_progress};
use crate::plan::{Conversion, ORIGIN, Plan, plan, question};
use crate::{Config, Error, Lock, refused};

/// No index of stage 0 is larger.
const MAX_INDEX: Limit = Limit::mib(64);
/// So many packages become durable together.
const BATCH: usize = 32;

/// What stage 0 is made with.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// Debian's archive.
    pub archive: &'a DebianArchive,
    /// Where packages and index are kept.
    pub store: &'a Store,
    /// Where the lock is kept.
    pub folder: &'a Root,
    /// Who signs.
    pub signer: &'a Signer,
    /// How many packages are converted at once.
    pub workers: usize,
    /// Whether the network is not to be used.
    pub offline: bool,
}

/// A repository of Debian's packages.
#[derive(Debug, Clone)]
pub struct Stage0 {
    /// What it offers.
    pub index: Index,
    /// The file of each package, by its name by content.
    pub files: BTreeMap<Sha1, Sha256>,
    /// What it was made of.
    pub lock: Lock,
    /// How many packages were converted just now; 0 if nothing was to do.
    pub converted: usize,
}

impl Stage0 {
    /// The bytes of all package files.
    pub fn size(&self) -> u64 {
        self.lock.made.iter().map(|made| made.size).sum()
    }

    /// The bytes of all files in all packages.
    pub fn installed_size(&self) -> u64 {
        self.lock.made.iter().map(|made| made.installed_size).sum()
    }
}

/// What was made before, if it still answers the configuration and is whole. Starts no program.
pub fn load(config: &Config, means: &Means<'_>) -> Result<Option<Stage0>, Error> {
    let Some(lock) = Lock::load(means.folder)? else {
        return Ok(None);
    };
    if lock.question != question(config, &means.archive.settings().suite, &key(means.signer)?) {
        return Ok(None);
    }
    if lacking(&lock, means)?.is_some() {
        return Ok(None);
    }
    let bytes = means.store.read_bytes(&lock.index, MAX_INDEX)?.into_inner();
    let index = Index::read(&bytes, None)?;
    Ok(Some(stage0(index, lock, 0)))
}

/// A part of what was made that the store does not have any more.
fn lacking(lock: &Lock, means: &Means<'_>) -> Result<Option<Sha256>, Error> {
    for digest in lock.made.iter().map(|made| made.sha256).chain([lock.index]) {
        if !means.store.has(&digest)? {
            return Ok(Some(digest));
        }
    }
    Ok(None)
}

/// Makes stage 0, or finds that nothing is to do.
///
/// # Errors
/// [`Error::Offline`] if something is to do and the network is not to be used.
pub fn ensure(config: &Config, means: &Means<'_>, ambient: &Ambient<'_>) -> Result<Stage0, Error> {
    if let Some(stage0) = load(config, means)? {
        return Ok(stage0);
    }
    // Said here, where something is done about it, and not at every look.
    if let Some(lock) = Lock::load(means.folder)?
        && let Some(digest) = lacking(&lock, means)?
    {
        tracing::warn!(%digest, "the store lacks a part of stage 0, which is made anew");
    }
    make(config, means, ambient)
}

/// Makes stage 0 from what the archive has now, whatever was made before.
pub fn make(config: &Config, means: &Means<'_>, ambient: &Ambient<'_>) -> Result<Stage0, Error> {
    if means.offline {
        let reason = "it was not made yet with this configuration".to_owned();
        return Err(Error::Offline { reason });
    }
    let settings = means.archive.settings();
    let key = key(means.signer)?;
    let question = question(config, &settings.suite, &key);
    let mut lock = Lock::new(question, settings.suite.clone(), settings.mirror.clone());
    let refreshed = means.archive.refresh_lists(ambient);
    refreshed.map_err(|error| refused::suite(error, settings))?;
    let wanted: Vec<String> = config.wanted().into_iter().collect();
    let resolved = means.archive.resolve(&wanted, ambient);
    lock.debs = resolved.map_err(|error| refused::packages(error, settings))?;
    let plan = plan(config, &lock.debs, &key)?;
    let mut work = Work {
        means,
        ambient,
        known: known(means)?,
        made: Vec::new(),
        entries: Vec::new(),
    };
    let converted = work.convert(&plan)?;
    work.synthesize(&plan)?;
    work.made.sort_by(|left, right| left.name.cmp(&right.name));
    let index = Index::new(format!("{ORIGIN} {}", lock.suite), work.entries);
    lock.index = means
        .store
        .put_bytes(&index.write(means.signer, 0)?)?
        .digest;
    lock.made = work.made;
    lock.save(means.folder)?;
    Ok(stage0(index, lock, converted))
}

fn stage0(index: Index, lock: Lock, converted: usize) -> Stage0 {
    let files = lock
        .made
        .iter()
        .map(|made| (made.identity, made.sha256))
        .collect();
    Stage0 {
        index,
        files,
        lock,
        converted,
    }
}

/// The digest of the public key, which is part of what decides the bytes.
fn key(signer: &Signer) -> Result<Sha256, Error> {
    let public = signer.key.public().to_pem()?;
    Ok(sha256(format!("{}\n{public}", signer.name).as_bytes()))
}

/// Packages that were made before, by what decided their bytes.
fn known(means: &Means<'_>) -> Result<BTreeMap<Sha256, Made>, Error> {
    let before = Lock::load(means.folder)?
        .map(|lock| lock.made)
        .unwrap_or_default();
    let interrupted = load_progress(means.folder)?;
    let mut known = BTreeMap::new();
    for made in before.into_iter().chain(interrupted) {
        if means.store.has(&made.sha256)? {
            known.insert(made.inputs, made);
        }
    }
    Ok(known)
}

struct Work<'a> {
    means: &'a Means<'a>,
    ambient: &'a Ambient<'a>,
    known: BTreeMap<Sha256, Made>,
    made: Vec<Made>,
    entries: Vec<IndexEntry>,
}

impl Work<'_> {
    /// Fetches and converts what was not converted before; how many.
    fn convert(&mut self, plan: &Plan) -> Result<usize, Error> {
        let mut todo = Vec::new();
        for conversion in &plan.conversions {
            match self.known.get(&conversion.inputs).cloned() {
                Some(made) => self.reuse(conversion, made)?,
                None => todo.push(conversion),
            }
        }
        if todo.is_empty() {
            return Ok(0);
        }
        let debs: Vec<_> = todo
            .iter()
            .map(|conversion| conversion.deb.clone())
            .collect();
        let folder = self.means.archive.download(&debs, self.ambient)?;
        // The largest first, so that no thread is left alone with one at the end.
        todo.sort_by_key(|conversion| std::cmp::Reverse(conversion.deb.size));
        let job = "convert packages to stage 0";
        let total = debs.iter().map(|deb| deb.size).sum();
        self.ambient.sink.event(Event::Started {
            job,
            total: Some(total),
        });
        let result = self.convert_all(&todo, &folder, job);
        let note = match &result {
            Ok(()) => format!("{} packages", todo.len()),
            Err(error) => format!("failed: {error}"),
        };
        self.ambient.sink.event(Event::Finished {
            job,
            ok: result.is_ok(),
            note: &note,
            took: None,
        });
        result?;
        folder.clear()?;
        Ok(todo.len())
    }

    fn convert_all(
        &mut self,
        todo: &[&Conversion],
        folder: &DebFolder,
        job: &str,
    ) -> Result<(), Error> {
        let workers = self.means.workers.max(1);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workers)
            .build()
            .map_err(|source| Error::Threads { workers, source })?;
        let (means, ambient) = (self.means, self.ambient);
        let mut done = 0;
        for part in todo.chunks(BATCH) {
            let drafted: Vec<Drafted<'_>> = pool.install(|| {
                part.par_iter()
                    .map(|conversion| {
                        ambient.cancel.check()?;
                        let file = folder.open(&conversion.deb)?;
                        convert::convert(conversion, file, means.store, means.signer)
                    })
                    .collect::<Result<_, Error>>()
            })?;
            let inputs = part.iter().map(|conversion| conversion.inputs);
            self.keep(inputs.zip(drafted).collect())?;
            for conversion in part {
                folder.remove(&conversion.deb)?;
                done += conversion.deb.size;
            }
            self.ambient.sink.event(Event::Progress { job, done });
        }
        Ok(())
    }

    fn synthesize(&mut self, plan: &Plan) -> Result<(), Error> {
        let (store, signer) = (self.means.store, self.means.signer);
        let drafted = plan
            .syntheses
            .iter()
            .map(|synthesis| {
                Ok((
                    synthesis.inputs,
                    convert::synthesize(synthesis, store, signer)?,
                ))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        self.keep(drafted)
    }

    /// Makes drafts durable together, and notes that they are.
    fn keep(&mut self, drafted: Vec<(Sha256, Drafted<'_>)>) -> Result<(), Error> {
        let mut batch = self.means.store.batch();
        for (inputs, Drafted { draft, entry }) in drafted {
            let sha256 = batch.add(draft)?;
            self.made.push(made(&entry, inputs, sha256));
            self.entries.push(entry);
        }
        batch.commit()?;
        save_progress(self.means.folder, &self.made)
    }

    /// Takes over a package that was made before.
    fn reuse(&mut self, conversion: &Conversion, made: Made) -> Result<(), Error> {
        let mut control = conversion.control.clone();
        control.provides = made
            .provides
            .iter()
            .map(|text| text.parse().map_err(|_| noted_wrongly(&made)))
            .collect::<Result<_, _>>()?;
        control.installed_size = made.installed_size;
        self.entries
            .push(IndexEntry::from_control(&control, made.identity, made.size));
        self.made.push(made);
        Ok(())
    }
}

fn noted_wrongly(made: &Made) -> Error {
    Error::Convert {
        name: made.name.clone(),
        reason: "what was noted of it cannot be understood".to_owned(),
    }
}

fn made(entry: &IndexEntry, inputs: Sha256, sha256: Sha256) -> Made {
    Made {
        name: entry.name.to_string(),
        version: entry.version.to_string(),
        inputs,
        sha256,
        identity: entry.identity,
        size: entry.size,
        installed_size: entry.installed_size,
        provides: entry.provides.iter().map(ToString::to_string).collect(),
    }
}
