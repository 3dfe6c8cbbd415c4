//! A package: three gzip members in a row.
//!
//! | member | archive | end mark | holds |
//! |---|---|---|---|
//! | signature | tar | no | `.SIGN.RSA256.<key>`: signs the control member's compressed bytes |
//! | control | tar | no | `.PKGINFO`, then `.melange.yaml`, scripts (mode `0755`) and the like |
//! | data | tar | yes | the files, each with the PAX record `APK-TOOLS.checksum.SHA1` |
//!
//! The SHA-1 of the control member is the package's identity; `datahash` in `.PKGINFO` is the
//! SHA-256 of the data member. An unsigned package lacks the first member. apk reads the three
//! archives as if they were one, which is why only the last has an end mark, and why an entry
//! of the data section must not look like a control file.
//!
//! 1. [`read`]: [`PackageFile`], opened only if all of this holds.
//! 2. [`data`]: the files, in one pass that decompresses, hashes, checks and keeps them.
//! 3. [`programs`]: what of the control section can be run, as it stands there.
//! 4. [`mod@write`], which has [`write_package`].

pub mod data;
pub mod programs;
pub mod read;
pub mod write;

use boltworks_crypto::Keyring;
use boltworks_fsx::Limit;

pub use data::{FileFacts, Scratch, Unpacked};
pub use programs::{Program, read_programs};
pub use read::{PackageFile, Sections};
pub use write::{Parts, WriteOptions, Written, check_tree, write_data, write_package};

use crate::gzip::{Allowance, RATIO};

/// The PAX record with a file's or a link's SHA-1.
const CHECKSUM: &str = "APK-TOOLS.checksum.SHA1";

/// How much a package may give when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The control section, unpacked: `.PKGINFO`, the recipe, scripts.
    pub control: Limit,
    /// The data section, unpacked.
    pub data: Limit,
    /// How many files, directories and links.
    pub entries: u64,
    /// How many times its compressed size a section may become, once it gave 64 MiB.
    pub ratio: u64,
}

impl Default for Limits {
    /// 16 MiB, 16 GiB, a million, 1100: what deflate reaches is 1032, so that the sizes bound a
    /// package and not how well it was compressed. Nothing larger is written either.
    fn default() -> Self {
        Self {
            control: Limit::mib(16),
            data: Limit::gib(16),
            entries: 1_000_000,
            ratio: RATIO,
        }
    }
}

impl Limits {
    const fn of_control(&self) -> Allowance {
        Allowance {
            size: self.control,
            ratio: self.ratio,
        }
    }

    const fn of_data(&self) -> Allowance {
        Allowance {
            size: self.data,
            ratio: self.ratio,
        }
    }
}

/// How a package is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions<'a> {
    /// The keys that are trusted: the package must be signed by one of them. Without a keyring,
    /// signatures are not judged, and nobody vouches for the package.
    pub keyring: Option<&'a Keyring>,
    /// How much it may give.
    pub limits: Limits,
}
