//! Debian's archive through apt: its signed indexes say which bytes are right, and apt checks the
//! signatures.
//!
//! apt runs with a configuration of its own: nothing of the machine's packages, lists or sources
//! is used or changed, any suite can be read, and no rights are needed.

mod apt;
mod binaries;
pub mod deb822;
mod origs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use boltworks_fsx::{RelPath, Root};
use boltworks_model::{Ambient, Event};

pub use binaries::{Deb, DebFolder, parse_chosen, parse_debs};
pub use origs::{Orig, OrigFile, Wanted, parse_origs};

use crate::Error;

/// Where the package debian-archive-keyring puts its keyring.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Lists older than this are refreshed before something is looked for in vain.
const STALE_AFTER: i64 = 60 * 60;

/// Which archive, and how it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The suite: `trixie`.
    pub suite: String,
    /// The base address, in any form apt knows.
    pub mirror: String,
    /// The keyring.
    pub keyring: PathBuf,
    /// The architecture by Debian's name: `amd64`.
    pub architecture: String,
    /// Variables that apt should see: the proxies.
    pub environment: BTreeMap<String, String>,
}

/// Debian's archive, read by a private apt. Cheap until it is used; usable from several threads,
/// of which one at a time runs apt.
#[derive(Debug)]
pub struct DebianArchive {
    root: Root,
    /// The folder's path, for apt.
    path: PathBuf,
    settings: Settings,
    apt: Mutex<()>,
}

impl DebianArchive {
    /// An archive whose lists and files are kept in a folder.
    ///
    /// # Errors
    /// [`Error::NoKeyring`], and [`Error::Unspeakable`] for values that apt's files cannot hold.
    pub fn new(root: Root, settings: Settings) -> Result<Self, Error> {
        let path = root.path_for_children()?;
        apt::check_settings(&settings, &path)?;
        if !is_file(&settings.keyring) {
            return Err(Error::NoKeyring {
                path: settings.keyring.display().to_string(),
            });
        }
        Ok(Self {
            root,
            path,
            settings,
            apt: Mutex::new(()),
        })
    }

    /// What it was made with.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The folder its files are kept in.
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// Fetches the signed indexes, if there are none from this archive.
    pub fn ensure_lists(&self, ambient: &Ambient<'_>) -> Result<(), Error> {
        if self.lists_age(ambient)?.is_none() {
            self.update(ambient)?;
        }
        Ok(())
    }

    /// Fetches the signed indexes anew if they are older than an hour; whether they were.
    pub fn refresh_lists(&self, ambient: &Ambient<'_>) -> Result<bool, Error> {
        let is_stale = self.lists_age(ambient)?.is_none_or(|age| age > STALE_AFTER);
        if is_stale {
            self.update(ambient)?;
        }
        Ok(is_stale)
    }

    /// Fetches the signed indexes; apt checks the signature of each.
    pub fn update(&self, ambient: &Ambient<'_>) -> Result<(), Error> {
        ambient.cancel.check()?;
        let _one_at_a_time = self.apt.lock().unwrap_or_else(PoisonError::into_inner);
        let job = format!("read the index of Debian {}", self.settings.suite);
        ambient.sink.event(Event::Started {
            job: &job,
            total: None,
        });
        let result = self.configure().and_then(|()| self.run_update());
        let note = match &result {
            Ok(()) => "read".to_owned(),
            Err(error) => format!("failed: {error}"),
        };
        ambient.sink.event(Event::Finished {
            job: &job,
            ok: result.is_ok(),
            note: &note,
            took: None,
        });
        result?;
        let stamp = format!("{} {}", ambient.clock.now().0, self.fingerprint());
        self.root
            .write(&relative("updated")?, stamp.as_bytes(), 0o644)?;
        Ok(())
    }

    /// Seconds since the indexes of this very archive were fetched; `None` if they were not.
    fn lists_age(&self, ambient: &Ambient<'_>) -> Result<Option<i64>, Error> {
        let path = relative("updated")?;
        if !self.root.exists(&path)? {
            return Ok(None);
        }
        let text = self.root.read_text(&path, boltworks_fsx::Limit::kib(64))?;
        let stamp = text
            .split_once(' ')
            .filter(|(_, archive)| *archive == self.fingerprint());
        let at: Option<i64> = stamp.and_then(|(seconds, _)| seconds.parse().ok());
        Ok(at.map(|at| ambient.clock.now().0.saturating_sub(at).max(0)))
    }

    /// What the lists depend on, on one line.
    fn fingerprint(&self) -> String {
        let Settings {
            suite,
            mirror,
            keyring,
            architecture,
            ..
        } = &self.settings;
        format!("{suite} {architecture} {mirror} {}", keyring.display())
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.path).join(name)
    }
}

/// Whether a path that a person gave is a file.
fn is_file(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return false;
    };
    Root::open(folder).is_ok_and(|folder| folder.open_in_root(name.as_encoded_bytes()).is_ok())
}

fn relative(path: &str) -> Result<RelPath, Error> {
    RelPath::try_from(path).map_err(|error| Error::Disk(error.into()))
}
