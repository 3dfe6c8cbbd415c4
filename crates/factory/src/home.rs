//! A factory on disk.
//!
//! ```text
//! boltworks.yaml        what the factory is
//! keys/<factory>.rsa    signs packages and indexes; made on first use, mode 0600
//! .boltworks/           its state
//!   lock                held by whoever changes anything
//!   store/              blobs by SHA-256
//!   records.sqlite      actions, evidence, failures, releases
//!   apt/                Debian's signed lists, and downloads under way
//!   trees/              build environments, one hardlinked tree for each
//!   builds/             workspaces of builds under way, and of failed ones
//!   choices/            what was chosen of which packages, see `choices`
//!   graphs/             what `recipe graph` knows of recipes that it read before
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use boltworks_apk::Index;
use boltworks_crypto::{RsaPrivateKey, RsaPublicKey};
use boltworks_fsx::{Lock, RelPath, Root};
use boltworks_model::{Ambient, Architecture, ChannelName, Event, Evidence, Sha256, Timestamp};
use boltworks_package::lint::Level;
use boltworks_records::{Recorded, Records};
use boltworks_release::ReleasedStore;
use boltworks_store::Store;

use crate::Error;
use crate::choices::Choices;
use crate::files::TEXT_LIMIT;
use crate::keys::Keys;

/// The store's folder in the state.
const STORE: &str = "store";
/// The records' file in the state.
const RECORDS: &str = "records.sqlite";
/// The folder of workspaces in the state.
pub const WORKSPACES: &str = "builds";
/// The time in every output, where the factory's file says none: 2026-01-01T00:00:00Z.
const DEFAULT_EPOCH: Timestamp = Timestamp(1_767_225_600);

/// A factory with nothing of its own.
const MAKESHIFT: &str = "factory: makeshift\nstate: state\nstage0: {}\n";

/// What the factory is told of the machine it runs on.
#[derive(Debug, Clone)]
pub struct Host {
    /// This program: the sandbox's first process is started from it.
    pub exe: PathBuf,
    /// Name and version of this program: `boltworks 0.1.0`.
    pub program: String,
    /// How many builds run at once.
    pub jobs: usize,
    /// The environment, for proxies and package clients.
    pub environment: BTreeMap<String, String>,
    /// Whether nothing may be fetched.
    pub offline: bool,
}

/// An open factory.
pub struct Home {
    /// Its file, read.
    pub config: boltworks_config::Factory,
    /// Its folder.
    pub folder: Root,
    /// Its folder, as a path.
    pub path: PathBuf,
    /// Its state folder, as an absolute path.
    pub state: PathBuf,
    /// Blobs.
    pub store: Store,
    /// The machine.
    pub host: Host,
    /// Folders of sources that were fetched before, as melange keeps them.
    pub caches: Vec<PathBuf>,
    /// Other levels of linters than their own, by name.
    pub lint_levels: BTreeMap<String, Level>,
    /// Whether it is made for a command that runs where no factory is: it has no recipes and no
    /// stage 0, and of what it made before, no other command is told.
    pub is_makeshift: bool,
    source: Source,
    records: Mutex<Records>,
    state_root: Root,
    /// Indexes that this process has read, by the digest of their text.
    indexes: Mutex<BTreeMap<Sha256, Arc<Index>>>,
    /// What the records say of artifacts, as far as it was asked: many images have the same packages.
    evidence: Mutex<BTreeMap<Sha256, Arc<[Evidence]>>>,
    /// What was chosen before.
    pub(crate) choices: Choices,
}

/// The factory's file, as it was read.
struct Source {
    /// Its name, for messages.
    file: String,
    text: String,
}

impl Home {
    /// Opens the factory whose file this is.
    pub fn open(file: &Path, host: Host) -> Result<Self, Error> {
        let (folder, source, config) = read(file)?;
        Self::in_folder(folder, source, config, host)
    }

    /// The state folder of the factory whose file this is. Nothing is made.
    pub fn state_of(file: &Path) -> Result<PathBuf, Error> {
        let (folder, _, config) = read(file)?;
        Ok(folder.path_for_children()?.join(config.state))
    }

    /// A factory for a command that runs where there is none. Its state and its key, which nobody
    /// is shown, lie in `folder`; what is kept there serves every such command.
    pub fn makeshift(folder: &Path, host: Host) -> Result<Self, Error> {
        let source = Source {
            file: "makeshift".to_owned(),
            text: MAKESHIFT.to_owned(),
        };
        let config = boltworks_config::parse(&source.file, &source.text)?;
        let mut home = Self::in_folder(Root::create(folder)?, source, config, host)?;
        home.is_makeshift = true;
        Ok(home)
    }

    fn in_folder(
        folder: Root,
        source: Source,
        config: boltworks_config::Factory,
        host: Host,
    ) -> Result<Self, Error> {
        let path = folder.path_for_children()?;
        let state = path.join(&config.state);
        let state_root = Root::create(&state)?;
        let store = Store::open(&state_root.make_dir(&RelPath::try_from(STORE)?)?)?;
        let records = Mutex::new(Records::open(&state.join(RECORDS))?);
        let choices = Choices::new(&state_root, &host)?;
        Ok(Self {
            config,
            folder,
            path,
            state,
            store,
            host,
            caches: Vec::new(),
            lint_levels: BTreeMap::new(),
            is_makeshift: false,
            source,
            records,
            state_root,
            indexes: Mutex::default(),
            evidence: Mutex::default(),
            choices,
        })
    }

    /// The records, for one caller at a time.
    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn indexes(&self) -> MutexGuard<'_, BTreeMap<Sha256, Arc<Index>>> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that the records say of an artifact, oldest first; asked once, for those who hold the
    /// factory: what this process records is in the answer.
    pub(crate) fn evidence_for(&self, artifact: &Sha256) -> Result<Arc<[Evidence]>, Error> {
        if let Some(known) = self.evidence().get(artifact) {
            return Ok(Arc::clone(known));
        }
        let found: Arc<[Evidence]> = self.records().evidence_for(artifact)?.into();
        self.evidence().insert(*artifact, Arc::clone(&found));
        Ok(found)
    }

    /// The records say more than was asked: of these, or of who knows what where a run differs from
    /// the one before.
    pub(crate) fn forget_evidence(&self, said: &[Evidence], recorded: &Recorded) {
        let mut known = self.evidence();
        if matches!(recorded, Recorded::Differs(_)) {
            known.clear();
        }
        for one in said {
            known.remove(&one.subject.digest);
        }
    }

    fn evidence(&self) -> MutexGuard<'_, BTreeMap<Sha256, Arc<[Evidence]>>> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else changes this factory, and says so if somebody does.
    pub fn lock(&self, ambient: &Ambient<'_>) -> Result<Lock, Error> {
        let waiting = || {
            ambient.sink.event(Event::Warning {
                text: "another run holds this factory: waiting for it",
            });
        };
        Ok(self.state_root.lock(&RelPath::try_from("lock")?, waiting)?)
    }

    /// The error that a channel points at an image that is none of these.
    pub(crate) fn no_image<'a>(
        &self,
        channel: &ChannelName,
        image: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Error {
        let Source { file, text } = &self.source;
        boltworks_config::no_image((file, text), channel, image, known).into()
    }

    pub(crate) fn no_image_to_vary<'a>(
        &self,
        image: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Error {
        let Source { file, text } = &self.source;
        boltworks_config::no_image_to_vary((file, text), image, known).into()
    }

    /// Where a blob lies on disk, for a person to look at.
    pub fn blob_path(&self, digest: &Sha256) -> PathBuf {
        blob_in(&self.state, digest)
    }

    /// A folder of the state, made where it is missing.
    pub fn state_folder(&self, name: &str) -> Result<Root, Error> {
        Ok(self.state_root.make_dir(&RelPath::try_from(name)?)?)
    }

    /// The architecture that is built for.
    pub fn architecture(&self) -> Architecture {
        self.config
            .architectures
            .first()
            .copied()
            .unwrap_or(Architecture::X86_64)
    }

    /// The time in every output.
    pub fn epoch(&self) -> Timestamp {
        self.config.source_date_epoch.unwrap_or(DEFAULT_EPOCH)
    }

    /// The signing key; made if this factory has made nothing yet.
    pub fn keys(&self) -> Result<Keys, Error> {
        let path = self.key_path()?;
        let keys = match self.known_keys()? {
            Some(keys) => keys,
            None => named(self.make_key(&path)?, &path)?,
        };
        let public = public(&path)?;
        if !self.folder.exists(&public)? {
            self.folder
                .write(&public, keys.public_pem.as_bytes(), 0o644)?;
        }
        Ok(keys)
    }

    /// The signing key, if there is one. That it is missing, once packages were made with it, is an
    /// error: users trust that key and no other. So is a public key beside it that is not its own.
    pub fn known_keys(&self) -> Result<Option<Keys>, Error> {
        let path = self.key_path()?;
        if !self.folder.exists(&path)? {
            let is_new = self.records().subjects()?.is_empty();
            let file = path.to_string();
            return is_new.then_some(None).ok_or(Error::KeyGone { file });
        }
        let keys = named(self.read_key(&path)?, &path)?;
        let public_path = public(&path)?;
        if self.folder.exists(&public_path)? {
            let text = self.folder.read_text(&public_path, TEXT_LIMIT)?;
            let beside = RsaPublicKey::from_pem(text.as_bytes())?.to_pem()?;
            if beside != keys.public_pem {
                return Err(Error::asked(
                    format!("{public_path} is the public key of another key than {path}"),
                    format!("put the right one back, or remove {public_path}: it is written anew"),
                ));
            }
        }
        Ok(Some(keys))
    }

    /// Calls the factory by another name: in addresses of packages, not in the name of its key.
    pub fn rename(&mut self, name: &str) {
        let key = format!("keys/{}.rsa", self.config.factory);
        self.config.keys.signing.get_or_insert(key);
        name.clone_into(&mut self.config.factory);
    }

    fn key_path(&self) -> Result<RelPath, Error> {
        let default = format!("keys/{}.rsa", self.config.factory);
        let path = self.config.keys.signing.as_deref().unwrap_or(&default);
        Ok(RelPath::try_from(path)?)
    }

    /// Makes a key, unless another process was faster: then its key is the factory's.
    fn make_key(&self, path: &RelPath) -> Result<RsaPrivateKey, Error> {
        let key = RsaPrivateKey::generate()?;
        if let Some(parent) = path.parent() {
            self.folder.make_dir(&parent)?;
        }
        let mut draft = self.folder.draft(path, 0o600)?;
        draft
            .write_all(key.to_pem()?.expose().as_bytes())
            .map_err(|source| Error::Key { source })?;
        match draft.commit_new() {
            Ok(_) => Ok(key),
            Err(error) if error.io_kind() == Some(io::ErrorKind::AlreadyExists) => {
                self.read_key(path)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read_key(&self, path: &RelPath) -> Result<RsaPrivateKey, Error> {
        let pem = self.folder.read_text(path, TEXT_LIMIT)?;
        Ok(RsaPrivateKey::from_pem(pem.as_bytes())?)
    }
}

/// The log of a step that failed, where it lies on disk.
pub fn log_of(failed: &boltworks_package::Failed) -> Option<PathBuf> {
    let state = failed.workspace.parent()?.parent()?;
    Some(blob_in(state, &failed.log))
}

fn blob_in(state: &Path, digest: &Sha256) -> PathBuf {
    let blobs = state.join(STORE).join("blobs/sha256");
    blobs.join(digest.to_string())
}

/// A key under the name that signatures know it by.
fn named(key: RsaPrivateKey, path: &RelPath) -> Result<Keys, Error> {
    Keys::new(key, &String::from_utf8_lossy(path.file_name()))
}

/// The public key's file.
fn public(path: &RelPath) -> Result<RelPath, Error> {
    Ok(RelPath::new([path.as_bytes(), b".pub"].concat())?)
}

/// What a factory released, for a server: nothing is written, and the state is opened anew at
/// each call.
pub struct ReleasedState {
    state: PathBuf,
}

impl ReleasedState {
    /// Reads where the state of the factory with this file is.
    pub fn new(file: &Path) -> Result<Self, Error> {
        let (folder, _, config) = read(file)?;
        Ok(Self {
            state: folder.path_for_children()?.join(config.state),
        })
    }

    /// Opens it for reading.
    pub fn open(&self) -> Result<ReleasedStore, boltworks_release::Error> {
        let store = Root::open(&self.state.join(STORE)).map_err(boltworks_store::Error::Disk)?;
        ReleasedStore::open(&self.state.join(RECORDS), Store::open_read_only(&store)?)
    }
}

/// A factory's folder and its file.
fn read(file: &Path) -> Result<(Root, Source, boltworks_config::Factory), Error> {
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = Root::open(parent).map_err(|source| no_factory(file, source))?;
    let name = file
        .file_name()
        .unwrap_or(file.as_os_str())
        .as_encoded_bytes();
    let text = folder
        .read_text(&RelPath::new(name)?, TEXT_LIMIT)
        .map_err(|source| no_factory(file, source))?;
    let file = file.to_string_lossy().into_owned();
    let config = boltworks_config::parse(&file, &text)?;
    Ok((folder, Source { file, text }, config))
}

fn no_factory(file: &Path, source: boltworks_fsx::Error) -> Error {
    if source.is_not_found() {
        Error::NoFactory {
            file: file.to_owned(),
        }
    } else {
        source.into()
    }
}
