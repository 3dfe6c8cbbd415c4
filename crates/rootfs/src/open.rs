//! Locked packages opened from the store.

use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile, Scratch, Unpacked};
use boltworks_fsx::Root;
use boltworks_store::Store;
use rayon::prelude::*;

use crate::Error;
use crate::assemble::Member;
use crate::locked::{Locked, LockedPackage};

/// A package that is what was locked, and its files.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The package.
    pub package: PackageFile,
    /// Its files; their contents are in scratch files that are gone when nobody has them open.
    pub files: Unpacked,
}

impl Opened {
    /// The package as [`assemble`](crate::assemble()) takes it.
    pub fn member(&self) -> Member<'_> {
        Member {
            control: self.package.control(),
            tree: &self.files.tree,
        }
    }
}

/// Opens all packages, in their order. Bytes come from the store, which hashed them; a
/// package that says it is another than was locked is an error.
///
/// Contents are unpacked into scratch files on the file system of `scratch`. Packages are
/// opened by the threads of the rayon pool this is called in.
pub fn open_locked(locked: &Locked, store: &Store, scratch: &Root) -> Result<Vec<Opened>, Error> {
    let packages = locked.packages.par_iter();
    // A scratch file serves all packages that one thread opens in a row.
    let opened = packages.map_init(
        || None,
        |spill, package| {
            let spill = match spill {
                Some(spill) => spill,
                None => spill.insert(Scratch::new(scratch).map_err(|source| Error::Package {
                    package: package.label(),
                    source,
                })?),
            };
            let (package, files) = unpack(package, store, spill)?;
            Ok(Opened { package, files })
        },
    );
    opened.collect()
}

/// Opens one package and unpacks its files into a scratch file.
pub(crate) fn unpack(
    locked: &LockedPackage,
    store: &Store,
    scratch: &mut Scratch,
) -> Result<(PackageFile, Unpacked), Error> {
    let blob = store.open_blob(&locked.sha256);
    let blob = blob.map_err(|source| Error::Store {
        package: locked.label(),
        source,
    })?;
    let options = OpenOptions::default();
    let (package, files) = PackageFile::unpack(Arc::clone(blob.file()), &options, scratch)
        .map_err(|source| Error::Package {
            package: locked.label(),
            source,
        })?;
    check(locked, &package)?;
    Ok((package, files))
}

fn check(locked: &LockedPackage, file: &PackageFile) -> Result<(), Error> {
    let control = file.control();
    let is_same = (&control.name, &control.version, file.identity())
        == (&locked.name, &locked.version, locked.identity);
    if is_same {
        return Ok(());
    }
    let (name, version) = (&control.name, &control.version);
    Err(Error::NotTheSame {
        package: format!(
            "{}-{} {}",
            locked.name,
            locked.version,
            locked.identity.to_q1()
        ),
        found: format!("{name}-{version} {}", file.identity().to_q1()),
    })
}
