//! Advisory locks between processes.

use std::fs::File;

/// An exclusive lock (`flock`), held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}
