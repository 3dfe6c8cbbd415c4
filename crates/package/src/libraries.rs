//! In which versions there are the libraries that programs are linked with.
//!
//! A package offers `so-ver:libz.so.1=1.3.1-r0` for each of its libraries. What was linked with it
//! can be bound to that version or a later one, as melange does where
//! `MELANGE_VERSIONED_SHLIB_DEPENDS` is set. A library that nobody offers so is not bound: nobody
//! could fulfil the need.

use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_apk::{PackageFile, Provide};
use boltworks_fsx::Content;
use boltworks_rootfs::Locked;
use boltworks_store::Store;
use boltworks_version::apk::Version;

use crate::Error;

/// How names of libraries with the version of their package begin.
pub const VERSIONED: &str = "so-ver:";

/// The libraries of a build environment, by soname.
pub fn of_environment(locked: &Locked, store: &Store) -> Result<BTreeMap<String, Version>, Error> {
    let mut libraries = BTreeMap::new();
    for package in &locked.packages {
        let blob = store.open_blob(&package.sha256)?;
        let content = Content::Span {
            file: Arc::clone(blob.file()),
            offset: 0,
            len: blob.size(),
        };
        libraries.extend(of(&PackageFile::read_control(&content)?.provides));
    }
    Ok(libraries)
}

/// The libraries among what a package offers.
pub(crate) fn of<'a>(
    provides: impl IntoIterator<Item = &'a Provide>,
) -> impl Iterator<Item = (String, Version)> {
    provides.into_iter().filter_map(|provide| {
        let soname = provide.name.as_str().strip_prefix(VERSIONED)?;
        Some((soname.to_owned(), provide.version.clone()?))
    })
}
