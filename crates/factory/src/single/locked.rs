//! The packages of a lock: neither an index is read for them nor is anything chosen.
//!
//! Each is what the lock says of it, by the digests of its sections, and signed as ever. It is taken from
//! the store if it was judged before, else from where the lock says that it lies; of what lies at an
//! address, from what was fetched before.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_model::{Ambient, Architecture, Sha1};
use boltworks_rootfs::{Locked, LockedPackage};
use boltworks_version::apk::Dependency;

use super::below::Below;
use super::lock::LockedFile;
use super::{Lock, mirrored};
use crate::files::Place;
use crate::repository::{Dock, Judged, is_address};
use crate::{Error, Home};

/// What to do about a package that is another.
const PUT_BACK: &str = "put back the package that the lock was made with, or make the lock anew: \
                        boltworks apko lock IMAGE.yaml";

/// What is made from a lock.
pub(super) struct Order<'a> {
    pub(super) home: Option<&'a Home>,
    pub(super) lock: &'a Lock,
    pub(super) architecture: Architecture,
    pub(super) below: Option<&'a Below<'a>>,
    /// Packages that must be among them.
    pub(super) further: &'a [Dependency],
}

/// The packages of a lock in its order, without those that a base image has.
pub(super) fn taken(
    order: &Order<'_>,
    dock: &Dock<'_>,
    (notes, ambient): (&mut Vec<String>, &Ambient<'_>),
) -> Result<Locked, Error> {
    let below = order.below.map(Below::names).unwrap_or_default();
    let mut judged = dock.judged()?;
    let mut locked = Locked::default();
    let mut open = order.further.to_vec();
    open.retain(|wanted| !order.below.is_some_and(|below| below.has(wanted)));
    for file in order
        .lock
        .packages_for(order.architecture, order.below.is_some())?
    {
        ambient.cancel.check()?;
        if below.contains(file.name.as_str()) {
            notes.push(format!("{} is in the base image already", file.name));
            continue;
        }
        let (package, opened) = take(order, (dock, &mut judged), file, ambient)?;
        let control = opened.control();
        open.retain(|wanted| {
            let is_own = control.name == wanted.name && wanted.matches(Some(&control.version));
            let mut provides = control.provides.iter();
            !is_own
                && !provides
                    .any(|one| one.name == wanted.name && wanted.matches(one.version.as_ref()))
        });
        locked.packages.push(package);
    }
    judged.save()?;
    match open.first() {
        None => Ok(locked),
        Some(wanted) => Err(Error::asked(
            format!("{wanted} is needed and not in the lock"),
            PUT_BACK,
        )),
    }
}

/// One package of a lock, in the store.
fn take(
    order: &Order<'_>,
    (dock, judged): (&Dock<'_>, &mut Judged<'_>),
    file: &LockedFile,
    ambient: &Ambient<'_>,
) -> Result<(LockedPackage, PackageFile), Error> {
    let known = file.identity().and_then(|identity| judged.get(identity));
    if let Some(digest) = known
        && let Ok(blob) = dock.store.open_blob(&digest)
        && let Ok(package) = PackageFile::open(Arc::clone(blob.file()), &OpenOptions::default())
        && verify(file, &package).is_ok()
    {
        return Ok((locked(file, &package, digest), package));
    }
    let path = Path::new(&file.url);
    let bytes = match order.home {
        Some(home) if is_address(path) => {
            let check = |package: &PackageFile| verify(file, package);
            mirrored::of_lock(
                home,
                (&file.url, order.architecture),
                (dock.keyring, &check),
                ambient,
            )?
        }
        None if is_address(path) => {
            return Err(Error::asked(
                format!(
                    "{} lies at an address, and nothing is fetched here",
                    file.url
                ),
                "build it in a factory, or with `boltworks apko build --lockfile`",
            ));
        }
        _ => opened(path)?,
    };
    let kept = dock.keep_if(bytes, &|package| verify(file, package));
    let digest = kept.map_err(|error| error.of_file(path))?;
    let blob = dock.store.open_blob(&digest)?;
    let package = PackageFile::open(Arc::clone(blob.file()), &OpenOptions::default())?;
    judged.insert(package.identity(), digest);
    Ok((locked(file, &package, digest), package))
}

fn opened(path: &Path) -> Result<File, Error> {
    let place = Place::of(path);
    let is_there = |place: &Place| matches!(place.stat(), Ok(Some(_)));
    if !place.as_ref().is_ok_and(is_there) {
        return Err(Error::asked(
            format!("{} is not there, and was not taken before", path.display()),
            PUT_BACK,
        ));
    }
    place?.open()
}

fn locked(
    file: &LockedFile,
    package: &PackageFile,
    sha256: boltworks_model::Sha256,
) -> LockedPackage {
    let control = package.control();
    let folder = file.url.rsplit('/').nth(2).unwrap_or_default();
    LockedPackage {
        name: control.name.clone(),
        version: control.version.clone(),
        sha256,
        identity: package.identity(),
        repository: folder.to_owned(),
    }
}

/// Checks that a package is what the lock says.
fn verify(file: &LockedFile, package: &PackageFile) -> Result<(), Error> {
    let control = package.control();
    let label = format!("{}-{}", file.name, file.version);
    let what = if control.name.as_str() != file.name || control.version.to_string() != file.version
    {
        format!("{label} is {}-{} there", control.name, control.version)
    } else if let Some((said, found)) = file.differs_from(package.identity()) {
        format!("{label} is {found}, and the lock says {said}")
    } else if let Some((said, found)) = file.data_differs(package) {
        format!("the files of {label} are {found}, and the lock says {said}")
    } else if file.identity().is_none() {
        format!("the lock has no checksum of {label}")
    } else {
        return Ok(());
    };
    Err(Error::asked(what, PUT_BACK))
}

impl LockedFile {
    /// The SHA-1 of its control section.
    fn identity(&self) -> Option<Sha1> {
        let old = || {
            let digits = self.control.checksum.strip_prefix("sha1-")?;
            Sha1::parse_q1(&format!("Q1{digits}")).ok()
        };
        Sha1::parse_q1(&self.checksum).ok().or_else(old)
    }

    /// What the lock says of its data section and what it is instead, where these are two.
    fn data_differs(&self, package: &PackageFile) -> Option<(&str, String)> {
        let said = self.data.checksum.as_str();
        let found = package.data_hash().integrity();
        (!said.is_empty() && said != found).then_some((said, found))
    }
}
