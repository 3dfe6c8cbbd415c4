//! Where an image is assembled: the store, and what there is to choose from.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use boltworks_fsx::{RelPath, Root};
use boltworks_model::{Ambient, Architecture, Sha1, Sha256, Timestamp};
use boltworks_plan::World;
use boltworks_store::Store;
use boltworks_version::apk::Dependency;

use super::{Resolved, last_records};
use crate::catalog::Loaded;
use crate::files;
use crate::keys::Keys;
use crate::planning::{Stage0, files_of};
use crate::repository::{Dock, Repository};
use crate::{Error, Home};

/// Who ships an image that no factory makes.
const NOBODY: &str = "local";

/// What an image is made with.
pub(super) struct Desk {
    /// Where images are.
    pub(super) store: Store,
    /// Where files are meanwhile.
    pub(super) scratch: Root,
    /// The factory's, if it has some.
    pub(super) keys: Option<Keys>,
    /// Who ships what is made at it.
    pub(super) vendor: String,
    /// What the factory calls its packages.
    repository: String,
    /// When the factory says things were made.
    pub(super) epoch: Option<Timestamp>,
    /// The one that is built without being asked for.
    pub(super) architecture: Option<Architecture>,
    /// What a failure is explained with.
    pub(super) stage0: Stage0,
    /// What was chosen for all architectures at once.
    pub(super) resolved: Vec<Resolved>,
    /// The file behind each of the factory's packages.
    files: BTreeMap<Sha1, Sha256>,
    /// The factory's packages.
    indexes: Vec<Arc<boltworks_apk::Index>>,
    _folder: Option<Passing>,
}

impl Desk {
    /// A factory's, with its packages on it.
    pub(super) fn of_factory(home: &Home) -> Result<Self, Error> {
        if home.is_makeshift {
            let scratch = home.state_folder("scratch")?;
            return Ok(Self {
                architecture: Some(home.architecture()),
                ..Self::with(home.store.clone(), scratch)
            });
        }
        let keys = home.known_keys()?;
        let records = last_records(home, &Loaded::read(home)?)?;
        let mut files = BTreeMap::new();
        let mut indexes = Vec::new();
        for record in &records {
            if let Some(index) = home.index_of(record)? {
                files.extend(files_of(&index, &record.artifacts));
                indexes.push(index);
            }
        }
        Ok(Self {
            store: home.store.clone(),
            scratch: home.state_folder("scratch")?,
            vendor: home.config.factory.clone(),
            repository: home.config.repository().to_owned(),
            epoch: Some(home.epoch()),
            architecture: Some(home.architecture()),
            stage0: Stage0::default(),
            resolved: Vec::new(),
            keys,
            files,
            indexes,
            _folder: None,
        })
    }

    /// A store for this once, in a folder that is gone afterwards.
    pub(super) fn apart(above: &Path) -> Result<Self, Error> {
        let passing = Passing::new(above)?;
        let folder = passing.above.make_dir(&passing.name)?;
        let store = Store::open(&folder.make_dir(&RelPath::try_from("store")?)?)?;
        let scratch = folder.make_dir(&RelPath::try_from("scratch")?)?;
        Ok(Self {
            _folder: Some(passing),
            ..Self::with(store, scratch)
        })
    }

    /// Nobody's, with nothing on it.
    fn with(store: Store, scratch: Root) -> Self {
        Self {
            store,
            scratch,
            keys: None,
            vendor: NOBODY.to_owned(),
            repository: String::new(),
            epoch: None,
            architecture: None,
            stage0: Stage0::default(),
            resolved: Vec::new(),
            files: BTreeMap::new(),
            indexes: Vec::new(),
            _folder: None,
        }
    }

    /// Everything the image may be made of, and stage 0.
    pub(super) fn world(
        &self,
        dock: &Dock<'_>,
        repositories: &[Repository],
        wanted: &[Dependency],
        ambient: &Ambient<'_>,
    ) -> Result<World, Error> {
        let others: Vec<_> = self.indexes.iter().map(AsRef::as_ref).collect();
        let brought = dock.bring(repositories, wanted, &others, ambient)?;
        let mut stage0 = self.stage0.clone();
        stage0.give(brought)?;
        let mut world = stage0.world();
        world.files.extend(self.files.clone());
        for index in &self.indexes {
            world.universe.add_repository(&self.repository, index, 0);
        }
        Ok(world)
    }
}

/// A folder that is removed when it is no longer needed.
struct Passing {
    above: Root,
    name: RelPath,
}

impl Passing {
    fn new(above: &Path) -> Result<Self, Error> {
        let name = format!(".boltworks-{}", std::process::id());
        Ok(Self {
            above: files::folder(above)?,
            name: RelPath::try_from(name.as_str())?,
        })
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Err(reason) = self.above.remove_tree(&self.name) {
            tracing::warn!(%reason, "a folder could not be removed");
        }
    }
}
