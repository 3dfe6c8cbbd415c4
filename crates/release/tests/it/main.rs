//! Candidates, publishing, and the view of what was released, on a small real factory.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod fixture;
mod images;
mod repositories;

use std::os::unix::fs::FileExt;

use boltworks_release::{PublicFile, ReleasedStore};

use crate::fixture::Factory;

/// The bytes of a public file.
fn bytes(file: &PublicFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.size).unwrap()];
    file.file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// What clients of a factory may read.
fn released(factory: &Factory) -> ReleasedStore {
    ReleasedStore::open(
        &factory.folder.path().join("records.db"),
        factory.store.clone(),
    )
    .unwrap()
}
