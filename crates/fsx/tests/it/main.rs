//! The room against real directories, and its tar against other programs' archives.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests prepare hostile directories and look at results without the room's own means"
)]

mod arbitrary;
mod erofs;
mod root;
mod tar_foreign;
mod tar_hostile;
mod tar_round_trip;
mod tree;

use std::sync::Arc;

use boltworks_fsx::{RelPath, Root};

/// A directory of a test's own, gone at its end.
struct Folder {
    disk: tempfile::TempDir,
    root: Arc<Root>,
}

fn folder() -> Folder {
    let disk = tempfile::tempdir().unwrap();
    let root = Root::open(disk.path()).unwrap().into();
    Folder { disk, root }
}

fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}
