//! Locked packages opened from the store.

use std::sync::Arc;

use boltworks_apk::{Control, OpenOptions, PackageFile, Scratch, Scripts, Unpacked};
use boltworks_crypto::Sha512Hasher;
use boltworks_fsx::Root;
use boltworks_model::{Sha1, Sha512};
use boltworks_store::Store;
use rayon::prelude::*;

use crate::Error;
use crate::assemble::Member;
use crate::locked::{Locked, LockedPackage};

/// A package that is what was locked, and its files.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What it says of itself.
    pub control: Control,
    /// Its name by content.
    pub identity: Sha1,
    /// The bytes of the whole package.
    pub size: u64,
    /// A second digest of the whole package, for those who ask for one.
    pub sha512: Sha512,
    /// What it runs when it comes and goes.
    pub scripts: Scripts,
    /// Its files; their contents are in files that are gone when nobody has them open, or laid out
    /// for good.
    pub files: Unpacked,
}

impl Opened {
    /// A package that was unpacked. Its bytes are read once more: they were just read.
    pub(crate) fn new(
        locked: &LockedPackage,
        store: &Store,
        (package, files): (&PackageFile, Unpacked),
    ) -> Result<Self, Error> {
        let failed = |source| Error::Store {
            package: locked.label(),
            source,
        };
        let mut sha512 = Sha512Hasher::new();
        let mut reader = store.open_blob(&locked.sha256).map_err(failed)?.reader();
        std::io::copy(&mut reader, &mut sha512).map_err(|source| Error::File {
            action: format!("hash {}", locked.label()),
            source: boltworks_fsx::Error::Stream {
                action: "read a package",
                source,
            },
        })?;
        Ok(Self {
            control: package.control().clone(),
            identity: package.identity(),
            size: package.size(),
            sha512: sha512.finish(),
            scripts: package.scripts().clone(),
            files,
        })
    }

    /// The package as [`assemble`](crate::assemble()) takes it.
    pub fn member(&self) -> Member<'_> {
        Member {
            control: &self.control,
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
            let spill = scratch_for(spill, scratch, package)?;
            let (file, files) = unpack(package, store, spill)?;
            Opened::new(package, store, (&file, files))
        },
    );
    opened.collect()
}

/// The scratch file of a thread, made when the first package needs it.
pub(crate) fn scratch_for<'a>(
    scratch: &'a mut Option<Scratch>,
    folder: &Root,
    package: &LockedPackage,
) -> Result<&'a mut Scratch, Error> {
    match scratch {
        Some(scratch) => Ok(scratch),
        None => Ok(
            scratch.insert(Scratch::new(folder).map_err(|source| Error::Package {
                package: package.label(),
                source,
            })?),
        ),
    }
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
