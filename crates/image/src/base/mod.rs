//! An image that is there already, and that another is laid upon: an OCI layout and the list of the
//! packages in it, apko's `contents.baseimage`.
//!
//! Its layers are the other's first ones, byte for byte. Nothing of it is believed: each blob must be what
//! its name says, each layer what the configuration says it is unpacked, and the list must name the
//! packages that the image's own database names.
//!
//! `layout`: from a folder to the documents and blobs. `ground`: its files as what packages are laid
//! upon. `side`: what lies beside its database. `upon`: what of it is the other's, too. `records`: its packages as apko writes them down once more.

mod ground;
mod layout;
mod records;
mod side;
pub(crate) mod upon;

use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::Control;
use boltworks_apk::installed::{Database, InstalledPackage};
use boltworks_fsx::{Limit, Meta, Root, Tree};
use boltworks_model::Architecture;
use boltworks_oci::{Config, ImageParts};
use boltworks_store::Store;

pub(crate) use self::ground::Ground;
use crate::Error;
use crate::skeleton::MTIME;
use crate::unpacked::unpacked_as_told;

/// No list of packages is larger.
const LIST_LIMIT: Limit = Limit::mib(64);
/// Where a list is looked for in the image itself.
const LISTS: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
/// What a package offers in whose system `/lib` is `/usr/lib`.
const MERGED_LIB: &str = "merged-lib";
/// No more packages are told of where two lists differ.
const MOST_TOLD: usize = 5;

/// An image that another is laid upon, in a store.
#[derive(Debug)]
pub struct Base {
    /// Its documents and layers.
    pub(crate) parts: ImageParts,
    /// Its configuration.
    pub(crate) config: Config,
    /// What its manifest says of it.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Its files as a client finds them.
    pub(crate) tree: Tree,
    /// How many bytes its layers have unpacked.
    pub(crate) unpacked: u64,
    /// Which packages are in it.
    pub(crate) database: Database,
    /// What each of them says of itself, as far as the list has it.
    pub(crate) controls: Vec<Control>,
    /// The list as apko writes it again.
    pub(crate) records: String,
}

impl Base {
    /// Reads the image for an architecture out of a layout into a store. `list` is the text of apk's
    /// database that says what is in it.
    ///
    /// # Errors
    /// Whatever in it is not what it must be.
    pub fn open(
        folder: &Root,
        list: &[u8],
        architecture: Architecture,
        (store, scratch): (&Store, &Root),
    ) -> Result<Self, Error> {
        let database = read_list(list)?;
        let (parts, annotations) = layout::bring(folder, architecture, store)?;
        let config = boltworks_oci::read_config(&parts.config.bytes)?;
        let (mut tree, unpacked) = unpacked_as_told(&parts.layers, store, scratch)?;
        tree.ensure_dirs(&Meta::new(0o755, MTIME));
        verify_list(&tree, &database)?;
        Ok(Self {
            controls: database.packages.iter().map(control).collect(),
            records: records::again(&String::from_utf8_lossy(list))?,
            parts,
            config,
            annotations,
            tree,
            unpacked,
            database,
        })
    }

    /// When its newest package was built, in seconds since 1970.
    pub(crate) fn newest(&self) -> Option<i64> {
        let packages = self.database.packages.iter();
        packages.filter_map(|one| one.entry.build_date).max()
    }

    /// Whether a package says that `/lib` is `/usr/lib` in it.
    pub(crate) fn has_merged_lib(&self) -> bool {
        let mut offered = self.controls.iter().flat_map(|one| &one.provides);
        offered.any(|one| one.to_string() == MERGED_LIB)
    }
}

/// Reads the list of the packages in an image: the text of apk's database.
///
/// # Errors
/// The line that is not understood.
pub fn read_list(list: &[u8]) -> Result<Database, Error> {
    Database::read(list).map_err(Error::List)
}

/// The list must be of this image, as far as the image says which packages it has.
fn verify_list(tree: &Tree, told: &Database) -> Result<(), Error> {
    let Some(own) = own_list(tree)? else {
        return Ok(());
    };
    let own = read_list(&own)?;
    let names = |database: &Database| -> BTreeSet<String> {
        let packages = database.packages.iter();
        let names = packages.map(|one| format!("{}-{}", one.entry.name, one.entry.version));
        names.collect()
    };
    let (own, told) = (names(&own), names(told));
    let some = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> String {
        let only = one.difference(other).take(MOST_TOLD).cloned();
        only.collect::<Vec<_>>().join(", ")
    };
    let (missing, further) = (some(&own, &told), some(&told, &own));
    let what = match (missing.is_empty(), further.is_empty()) {
        (true, true) => return Ok(()),
        (false, _) => format!("it does not name {missing}, which the image has"),
        (true, false) => format!("it names {further}, which the image has not"),
    };
    Err(Error::refused("the list of packages", what))
}

/// What the image's own database says.
fn own_list(tree: &Tree) -> Result<Option<Vec<u8>>, Error> {
    for path in LISTS {
        if let Some(bytes) = side::read(tree, path)? {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// What a list says of a package.
fn control(installed: &InstalledPackage) -> Control {
    let entry = &installed.entry;
    let mut control = Control::new(entry.name.clone(), entry.version.clone(), "");
    control.arch.clone_from(&entry.arch);
    control.installed_size = entry.installed_size;
    control.origin.clone_from(&entry.origin);
    control.description.clone_from(&entry.description);
    control.url.clone_from(&entry.url);
    control.maintainer.clone_from(&entry.maintainer);
    control.build_date = entry.build_date;
    control.depends.clone_from(&entry.depends);
    control.provides.clone_from(&entry.provides);
    control.replaces.clone_from(&installed.replaces);
    control.replaces_priority = installed.replaces_priority;
    if !entry.license.is_empty() {
        control.licenses.push(entry.license.clone());
    }
    control
}
