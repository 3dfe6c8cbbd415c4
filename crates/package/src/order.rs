//! What to build, and with what.

use std::collections::BTreeMap;
use std::path::Path;

use boltworks_crypto::Signer;
use boltworks_fsx::Ownership;
use boltworks_model::{Material, Sha256, Timestamp};
use boltworks_recipe::resolved::Recipe;
use boltworks_rootfs::{Environments, Locked};
use boltworks_sandbox::{Limits, Local};
use boltworks_store::Store;

use crate::accounts::Change;
use crate::lint::Level;
use crate::local::LocalFiles;
use crate::rescue::Attendant;

/// The recipe's file as written: material and error messages speak of it.
#[derive(Debug, Clone, Copy)]
pub struct RecipeFile<'a> {
    /// Its path, relative to the factory's folder.
    pub path: &'a str,
    /// Its bytes.
    pub text: &'a [u8],
}

/// A fetched source, under the name by which the recipe's steps look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInput {
    /// The file name below the guest's source cache: `sha256:<digest the recipe expects>`.
    pub name: String,
    /// The blob in the store.
    pub digest: Sha256,
    /// Where it came from.
    pub material: Material,
}

/// One build, or one run of a recipe's tests.
pub struct Order<'a> {
    /// What the job is called where it is shown.
    pub job: &'a str,
    /// What to do.
    pub recipe: &'a Recipe,
    /// The file it was read from.
    pub recipe_file: RecipeFile<'a>,
    /// The folder whose regular files are laid into the workspace (`--source-dir`).
    pub local_files: Option<&'a LocalFiles>,
    /// Everything the steps fetch, fetched.
    pub sources: &'a [SourceInput],
    /// The build environment, as chosen.
    pub environment: &'a Locked,
    /// The build environment, as laid out: one folder.
    pub tree: &'a Path,
    /// The time that every file and document of the packages bears.
    pub epoch: Timestamp,
    /// What a step may use.
    pub limits: Limits,
    /// Who gets a shell where a step fails.
    pub attendant: Option<Attendant<'a>>,
    /// Whether what the packages need of libraries is bound to the versions of those that they were
    /// linked with; see [`libraries`](crate::libraries).
    pub binds_libraries: bool,
    /// Other levels of linters than their own, by name.
    pub lint_levels: &'a BTreeMap<String, Level>,
}

impl Shop<'_> {
    /// The host's user that stands for the guest's build user.
    pub(crate) fn build_user(&self) -> Ownership {
        let uid = self.sandbox.build_uid();
        Ownership::All { uid, gid: uid }
    }
}

/// The tools of the trade, the same for every order.
pub struct Shop<'a> {
    /// Where sources come from and packages go to.
    pub store: &'a Store,
    /// Where the trees of guests lie.
    pub environments: &'a Environments,
    /// Where steps run.
    pub sandbox: &'a Local,
    /// How the files of guests are changed.
    pub change: Change,
    /// The folder for workspaces, absolute.
    pub scratch: &'a Path,
    /// Who signs.
    pub signer: &'a Signer,
    /// The factory's name, for package addresses.
    pub vendor: &'a str,
    /// The program and its version, for the build record.
    pub builder: &'a str,
}
