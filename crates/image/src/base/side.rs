//! What lies beside the database of a base image: scripts, triggers, what was asked for.

use std::collections::BTreeMap;

use boltworks_apk::Scripts;
use boltworks_apk::installed::side::{parse_triggers, parse_world, read_scripts};
use boltworks_apk::installed::{SCRIPTS, TRIGGERS, WORLD};
use boltworks_fsx::{RelPath, Tree};
use boltworks_model::Sha1;
use boltworks_version::apk::Dependency;

use super::{Base, LIST_LIMIT};
use crate::Error;
use crate::place::resolved;

/// What is kept of a base image beside its list of packages.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// What its packages run.
    pub(crate) scripts: BTreeMap<Sha1, Scripts>,
    /// What they watch.
    pub(crate) triggers: Vec<(Sha1, Vec<String>)>,
    /// What was asked for.
    pub(crate) world: Vec<Dependency>,
    /// What a person should know: what is not understood is left out.
    pub(crate) warnings: Vec<String>,
}

impl Base {
    /// What lies beside its database.
    pub(crate) fn beside(&self) -> Result<Beside, Error> {
        let mut beside = Beside::default();
        let mut unread = |what: &str, error: boltworks_apk::Error| {
            beside.warnings.push(format!(
                "'/{what}' of the base image is not understood and left out: {error}"
            ));
        };
        if let Some(bytes) = self.beside_database(SCRIPTS)? {
            match read_scripts(&bytes) {
                Ok(scripts) => beside.scripts = scripts,
                Err(error) => unread(SCRIPTS, error),
            }
        }
        if let Some(bytes) = self.beside_database(TRIGGERS)? {
            match parse_triggers(&String::from_utf8_lossy(&bytes)) {
                Ok(triggers) => beside.triggers = triggers,
                Err(error) => unread(TRIGGERS, error),
            }
        }
        if let Some(bytes) = read(&self.tree, WORLD)? {
            match parse_world(&String::from_utf8_lossy(&bytes)) {
                Ok(world) => beside.world = world,
                Err(error) => unread(WORLD, error),
            }
        }
        Ok(beside)
    }

    /// A file of the database, wherever that is.
    fn beside_database(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let older = path.strip_prefix("usr/").unwrap_or(path);
        match read(&self.tree, path)? {
            None => read(&self.tree, older),
            found => Ok(found),
        }
    }
}

/// The bytes of a file, links followed; nothing where none is.
pub(super) fn read(tree: &Tree, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let real = resolved(tree, &RelPath::try_from(path)?)?;
    let Some(content) = tree.file(&real) else {
        return Ok(None);
    };
    let bytes = content.read_vec(LIST_LIMIT);
    let bytes = bytes.map_err(|source| Error::Content { path: real, source })?;
    Ok(Some(bytes))
}
