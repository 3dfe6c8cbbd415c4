//! What was made of what: by it, a second run knows that nothing is to do.

use boltworks_crypto::sha256;
use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::{Sha1, Sha256};
use boltworks_source::Deb;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The layout of the file; another number is not read.
const FORMAT: u32 = 1;
/// No lock is larger.
const MAX_LOCK: Limit = Limit::mib(64);
/// The files in the folder of stage 0.
const LOCK: &str = "lock.json";
const PROGRESS: &str = "progress.json";

/// One package that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of everything that decided its bytes.
    pub inputs: Sha256,
    /// Its file.
    pub sha256: Sha256,
    /// Its name by content.
    pub identity: Sha1,
    /// The file's size in bytes.
    pub size: u64,
    /// The bytes of its files.
    pub installed_size: u64,
    /// The commands in it, as its index entry lists them.
    pub provides: Vec<String>,
}

/// What stage 0 is, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lock {
    /// The layout of this file.
    pub format: u32,
    /// The digest of the configuration it answers.
    pub question: Sha256,
    /// The suite.
    pub suite: String,
    /// The archive it was fetched from.
    pub mirror: String,
    /// Debian's packages, ordered by name.
    pub debs: Vec<Deb>,
    /// The packages made of them and beside them, ordered by name.
    pub made: Vec<Made>,
    /// The signed index.
    pub index: Sha256,
}

impl Lock {
    /// The digest of all of it but the archive's address.
    pub fn digest(&self) -> Result<Sha256, Error> {
        let anywhere = Self {
            mirror: String::new(),
            ..self.clone()
        };
        Ok(sha256(&serde_json::to_vec(&anywhere)?))
    }

    pub(crate) fn new(question: Sha256, suite: String, mirror: String) -> Self {
        Self {
            format: FORMAT,
            question,
            suite,
            mirror,
            debs: Vec::new(),
            made: Vec::new(),
            index: sha256(b""),
        }
    }

    /// Reads the lock in a folder; one that cannot be understood counts as none.
    pub fn load(folder: &Root) -> Result<Option<Self>, Error> {
        Ok(read::<Self>(folder, LOCK)?.filter(|lock| lock.format == FORMAT))
    }

    /// Writes the lock; what was noted on the way to it is not needed any more.
    pub(crate) fn save(&self, folder: &Root) -> Result<(), Error> {
        folder.write(&path(LOCK)?, &serde_json::to_vec_pretty(self)?, 0o644)?;
        let progress = path(PROGRESS)?;
        if folder.exists(&progress)? {
            folder.remove_file(&progress)?;
        }
        Ok(())
    }
}

/// Packages that an interrupted run had made.
pub(crate) fn load_progress(folder: &Root) -> Result<Vec<Made>, Error> {
    Ok(read(folder, PROGRESS)?.unwrap_or_default())
}

/// Notes which packages are made and durable.
pub(crate) fn save_progress(folder: &Root, made: &[Made]) -> Result<(), Error> {
    folder.write(&path(PROGRESS)?, &serde_json::to_vec(made)?, 0o644)?;
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(folder: &Root, name: &str) -> Result<Option<T>, Error> {
    let path = path(name)?;
    if !folder.exists(&path)? {
        return Ok(None);
    }
    match serde_json::from_slice(&folder.read_vec(&path, MAX_LOCK)?) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            tracing::warn!(name, %error, "what stage 0 noted was not understood and is made anew");
            Ok(None)
        }
    }
}

fn path(name: &str) -> Result<RelPath, Error> {
    Ok(RelPath::try_from(name).map_err(boltworks_fsx::Error::from)?)
}
