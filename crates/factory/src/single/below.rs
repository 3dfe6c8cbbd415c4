//! The base image that an image file is laid upon: an OCI layout, and for each architecture the list of the
//! packages in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use boltworks_apk::Index;
use boltworks_apk::installed::Database;
use boltworks_fsx::{Limit, Root};
use boltworks_image::{Base, read_list};
use boltworks_model::{Architecture, chain, visible_path};
use boltworks_recipe::resolved::{self, Image};
use boltworks_store::Store;
use boltworks_version::apk::Dependency;

use super::Configuration;
use super::lock::pinned;
use crate::Error;
use crate::files::{Place, folder};

/// What a choice of packages calls it.
pub(super) const NAME: &str = "the base image";
/// The file of a list, in the folder of its architecture.
const LIST: &str = "APKINDEX";
/// No list is larger.
const LIST_LIMIT: Limit = Limit::mib(64);

/// A base image for one architecture.
pub(super) struct Below<'i> {
    written: &'i resolved::Base,
    /// The layout.
    image: PathBuf,
    /// The folder of the lists.
    pub(super) lists: PathBuf,
    list: Vec<u8>,
    database: Database,
}

impl<'i> Below<'i> {
    /// The base image of a file, if it names one. Nothing but its list is read.
    ///
    /// # Errors
    /// At the place where it is named.
    pub(super) fn of(
        configuration: &Configuration,
        image: &'i Image,
        architecture: Architecture,
    ) -> Result<Option<Self>, Error> {
        let (Some(written), Some(base)) = (&image.base, &configuration.base) else {
            return Ok(None);
        };
        let (image, lists) = base.clone();
        let file = lists.join(architecture.apk()).join(LIST);
        let list = Place::of(&file).and_then(|place| place.read_vec(LIST_LIMIT));
        let list = list.map_err(|error| {
            written.error(
                format!("the list of its packages cannot be read: {}", chain(&error)),
                format!(
                    "put apk's database of the base image there: its usr/lib/apk/db/installed as {}",
                    visible_path(&file)
                ),
            )
        })?;
        let database = read_list(&list).map_err(|error| {
            let what = format!("{}: {}", visible_path(&file), chain(&error));
            written.error(what, "it is the text of apk's database of the base image")
        })?;
        Ok(Some(Self {
            written,
            image,
            lists,
            list,
            database,
        }))
    }

    /// Its packages as a repository has them.
    pub(super) fn index(&self) -> Arc<Index> {
        let packages = self.database.packages.iter();
        let entries = packages.map(|one| one.entry.clone());
        Arc::new(Index::new("", entries.collect()))
    }

    /// Its packages, each in its version, as what is asked for.
    pub(super) fn wanted(&self) -> Result<Vec<Dependency>, Error> {
        let packages = self.database.packages.iter().map(|one| &one.entry);
        packages
            .map(|entry| pinned(entry.name.as_str(), &entry.version.to_string()))
            .collect()
    }

    /// The names of its packages.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        let packages = self.database.packages.iter();
        packages.map(|one| one.entry.name.as_str()).collect()
    }

    /// Whether a package of it is what is asked for.
    pub(super) fn has(&self, wanted: &Dependency) -> bool {
        let packages = self.database.packages.iter().map(|one| &one.entry);
        let mut packages = packages.map(|entry| (&entry.name, &entry.version, &entry.provides));
        packages.any(|(name, version, provides)| {
            let own = *name == wanted.name && wanted.matches(Some(version));
            let mut provides = provides.iter();
            own || provides
                .any(|one| one.name == wanted.name && wanted.matches(one.version.as_ref()))
        })
    }

    /// Reads it into a store.
    pub(super) fn open(
        &self,
        architecture: Architecture,
        place: (&Store, &Root),
    ) -> Result<Base, Error> {
        let what = |error: &dyn std::error::Error| {
            format!(
                "{} cannot be built upon: {}",
                visible_path(&self.image),
                chain(error)
            )
        };
        let help =
            "it is the folder of an OCI layout, and the list of what is in it must be its own";
        let layout = folder(&self.image);
        let layout = layout.map_err(|error| self.written.error(what(&error), help))?;
        let base = Base::open(&layout, &self.list, architecture, place);
        base.map_err(|error| self.written.error(what(&error), help).into())
    }
}

/// That a file with a base image cannot be built so.
pub(super) fn needs_lock(written: &resolved::Base) -> Error {
    let help = "make a lock and build with it: boltworks apko lock IMAGE.yaml, then --lockfile";
    let what = "an image upon a base image is made from a lock file";
    written.error(what, help).into()
}
