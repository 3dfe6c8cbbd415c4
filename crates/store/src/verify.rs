//! The whole store held against its names.

use boltworks_fsx::{FileKind, RelPath};
use boltworks_model::{Cancelled, Sha256, chain};

use crate::store::{hash, name, parse_name};
use crate::{Error, Store};

/// Where damaged blobs go, beside the folder of the good ones.
const ASIDE: &str = "damaged";

/// A blob that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// The blob.
    pub digest: Sha256,
    /// Why: its bytes are others, or cannot be read.
    pub problem: String,
}

/// What a check of every blob found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many blobs were hashed.
    pub checked: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// Blobs that cannot be used, ordered by digest.
    pub bad: Vec<Bad>,
    /// Names that are no blob's, in byte order. Drafts of running processes are among them.
    pub stray: Vec<String>,
}

impl Report {
    /// Whether every blob is good.
    pub fn is_good(&self) -> bool {
        self.bad.is_empty()
    }
}

impl Store {
    /// Hashes every blob, whatever this process remembers. After each one `on_each` hears its
    /// digest and size, and may stop the work.
    pub fn verify(
        &self,
        on_each: &mut dyn FnMut(&Sha256, u64) -> Result<(), Cancelled>,
    ) -> Result<Report, Error> {
        let mut report = Report::default();
        for entry in self.blobs.list().map_err(Error::Disk)? {
            let digest = parse_name(&entry.name).filter(|_| entry.kind == FileKind::File);
            let Some(digest) = digest else {
                report
                    .stray
                    .push(String::from_utf8_lossy(&entry.name).into_owned());
                continue;
            };
            let size = match self.check(&digest) {
                Ok(size) => size,
                Err(problem) => {
                    report.bad.push(Bad { digest, problem });
                    0
                }
            };
            report.checked += 1;
            report.bytes += size;
            on_each(&digest, size)?;
        }
        Ok(report)
    }

    /// Moves a blob that cannot be used to `damaged/<hex>`, so that the store no longer has it and
    /// its bytes can be stored anew. A good one stays: false.
    pub fn set_aside(&self, digest: &Sha256) -> Result<bool, Error> {
        if self.check(digest).is_ok() {
            return Ok(false);
        }
        let aside = RelPath::new(ASIDE).unwrap_or_else(|_| unreachable!("the constant is a path"));
        let aside = self.folder.make_dir(&aside).map_err(Error::writing)?;
        let file = name(digest);
        self.blobs
            .rename(&file, &aside, &file)
            .map_err(Error::writing)?;
        aside.sync().map_err(Error::writing)?;
        self.blobs.sync().map_err(Error::writing)?;
        Ok(true)
    }

    /// The size of a good blob, or what is wrong with it.
    fn check(&self, digest: &Sha256) -> Result<u64, String> {
        let file = self.open_file(digest).map_err(|error| chain(&error))?;
        let found = hash(&file).map_err(|error| chain(&error))?;
        if found != *digest {
            return Err(format!("its bytes have the digest {}", found.prefixed()));
        }
        file.metadata()
            .map(|metadata| metadata.len())
            .map_err(|reason| reason.to_string())
    }
}
