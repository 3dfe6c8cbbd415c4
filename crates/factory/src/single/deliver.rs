//! Packages of a recipe written into a folder, and the index there brought up to date.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use boltworks_apk::{IndexEntry, index::FILE_NAME};
use boltworks_crypto::Hashing;
use boltworks_fsx::{Batch, Draft, RelPath, Root};
use boltworks_model::Artifact;
use boltworks_records::ActionRecord;

use super::Bench;
use super::build::{BuildOrder, Delivered, Signing};
use crate::files::Place;
use crate::keys::Keys;
use crate::{Error, packages};

/// A package is copied in parts this large.
const PART: usize = 256 * 1024;

/// Writes an action's packages, and lists them.
pub(super) fn deliver(
    bench: &Bench<'_>,
    record: &ActionRecord,
    keys: &Keys,
    order: &BuildOrder,
) -> Result<(Vec<Delivered>, Option<PathBuf>), Error> {
    let path = order.out.join(bench.home.architecture().apk());
    let folder = Root::create(&path)?;
    let index = bench.home.index_of(record)?.unwrap_or_default();
    let mut entries = index.entries.clone();
    let mut by_file: BTreeMap<String, &mut IndexEntry> = entries
        .iter_mut()
        .map(|entry| (entry.file_name(), entry))
        .collect();
    let mut delivered = Vec::new();
    let mut batch = Batch::new();
    for artifact in &record.artifacts {
        let coordinate = &artifact.coordinate;
        let name = format!("{}-{}.apk", coordinate.name, coordinate.version);
        let blob = bench.home.store.open_blob(&artifact.digest)?.reader();
        let (draft, artifact) = drafted(blob, (&folder, &name), artifact, &order.signing)?;
        batch.add(draft)?;
        let entry = by_file.get_mut(&name);
        let installed_size = entry.map_or(0, |entry| {
            entry.size = artifact.size;
            entry.installed_size
        });
        delivered.push(Delivered {
            artifact,
            installed_size,
            path: path.join(name),
        });
    }
    let file = order.index.then(|| path.join(FILE_NAME));
    if let Some(file) = &file {
        batch.add(list(bench, file, entries, (keys, order))?)?;
    }
    // The index takes its place last.
    batch.commit()?;
    Ok((delivered, file))
}

/// Writes a package, without its signature where nobody signs; what it is then.
pub(super) fn write(
    blob: impl Read,
    place: (&Root, &str),
    artifact: &Artifact,
    signing: &Signing,
) -> Result<Artifact, Error> {
    let (draft, artifact) = drafted(blob, place, artifact, signing)?;
    draft.commit()?;
    Ok(artifact)
}

/// The same, of which nothing is seen before the draft is committed.
fn drafted(
    blob: impl Read,
    (folder, name): (&Root, &str),
    artifact: &Artifact,
    signing: &Signing,
) -> Result<(Draft, Artifact), Error> {
    let mut draft = folder.draft(&RelPath::try_from(name)?, 0o644)?;
    if *signing != Signing::Nobody {
        let mut parts = BufReader::with_capacity(PART, blob);
        io::copy(&mut parts, &mut draft).map_err(unwritten)?;
        return Ok((draft, artifact.clone()));
    }
    let mut hashing = Hashing::new(&mut draft);
    boltworks_apk::unsign(blob, &mut hashing)?;
    let (_, digest, size) = hashing.finish();
    let artifact = Artifact {
        digest,
        size,
        ..artifact.clone()
    };
    Ok((draft, artifact))
}

fn unwritten(source: io::Error) -> Error {
    boltworks_fsx::Error::Stream {
        action: "write what was made",
        source,
    }
    .into()
}

/// The index in a folder with more packages, not yet in its place. The old one must be signed by somebody who is trusted, unless
/// signatures do not count or nobody signs the new one either.
fn list(
    bench: &Bench<'_>,
    file: &Path,
    entries: Vec<IndexEntry>,
    (keys, order): (&Keys, &BuildOrder),
) -> Result<Draft, Error> {
    let place = Place::of(file)?;
    let mut trusted = bench.keyring.clone();
    for (name, key) in keys.keyring.iter() {
        trusted.insert(name, key.clone());
    }
    let is_signed = order.signing != Signing::Nobody;
    let trusted = (is_signed && !bench.ignore_signatures).then_some(&trusted);
    let mut index = packages::existing(&place, trusted)?.unwrap_or_default();
    index.merge(entries);
    let epoch = order.epoch.unwrap_or_else(|| bench.home.epoch());
    let bytes = if is_signed {
        index.write(&keys.signer, epoch.0)?
    } else {
        index.write_unsigned(epoch.0)?
    };
    let mut draft = place.draft(0o644)?;
    draft.write_all(&bytes).map_err(unwritten)?;
    Ok(draft)
}
