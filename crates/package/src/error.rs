//! What can go wrong between a recipe and its packages.

use std::path::PathBuf;
use std::{fmt, io};

use boltworks_model::{Cancelled, PackageName, Sha256};

use crate::steps::Stopped;

/// A step that failed, with what a person needs to go on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// `build of zlib`, `test of zlib`.
    pub what: String,
    /// The step, and how it ended.
    pub stopped: Stopped,
    /// The last lines that were printed.
    pub tail: Vec<String>,
    /// The whole log in the store.
    pub log: Sha256,
    /// The workspace that was kept.
    pub workspace: PathBuf,
    /// Whether a person can have a shell there: the container of an image may have none.
    pub has_shell: bool,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stopped { step, how, .. } = &self.stopped;
        write!(f, "{} failed at step '{step}': {how}", self.what)
    }
}

/// Why a build or test did not succeed.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "one `Error` per room is the house's convention"
)]
pub enum Error {
    /// A step of the recipe failed.
    #[error("{0}")]
    Step(Box<Failed>),
    /// There is nothing in the environment that a step could be started with.
    #[error("{what} cannot start its step '{step}'")]
    NotStarted {
        /// `build of zlib`, `test of zlib`.
        what: String,
        /// The step, with the names of the pipelines around it.
        step: String,
        /// The program, in the guest.
        program: String,
        /// Where the recipe lists the environment's packages.
        listed: &'static str,
        /// What the sandbox says.
        #[source]
        source: boltworks_sandbox::Error,
    },
    /// `run-as` names nobody.
    #[error(
        "{what} cannot run as '{name}', whom `{listed}.run-as` in the recipe names: no such user is \
         in its guest"
    )]
    NoAccount {
        /// `build of zlib`, `test of zlib`.
        what: String,
        /// Where the recipe lists the accounts.
        listed: &'static str,
        /// Who.
        name: String,
    },
    /// A licence's text is not where the recipe says.
    #[error("{what} left {found} at {path:?}, which a `license-path` in the recipe names")]
    NoLicence {
        /// `build of zlib`.
        what: String,
        /// What is there: `no file`, `a folder, not a file,`.
        found: &'static str,
        /// The path, in the workspace.
        path: String,
        /// Where the recipe names it.
        written: boltworks_recipe::resolved::Written,
    },
    /// The accounts are wrong, or there is no place for them in the guest.
    #[error("{what} cannot have what `{listed}` in the recipe lists")]
    Accounts {
        /// `build of zlib`, `test of zlib`.
        what: String,
        /// Where the recipe lists the accounts.
        listed: &'static str,
        /// Why not.
        #[source]
        source: boltworks_rootfs::Error,
    },
    /// What `paths` of an environment ask for cannot be in the guest.
    #[error("{what} cannot have what `paths` of its environment list")]
    Paths {
        /// `build of zlib`, `test of zlib`.
        what: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A guest's trees could not be read or laid out.
    #[error("lay out the files of a guest")]
    Rootfs(#[from] boltworks_rootfs::Error),
    /// A name that no package made here can have.
    #[error("'{package}' is no name for a package: one {}", PackageName::OWN_RULE)]
    Misnamed {
        /// The name.
        package: String,
    },
    /// The steps left for a package what cannot be read as its files.
    #[error("take what the steps left for the package {package}")]
    Results {
        /// The package's name.
        package: String,
        /// Why not.
        #[source]
        source: boltworks_fsx::Error,
    },
    /// The steps left for a package what no package can hold.
    #[error("write the package {package}")]
    Unpackable {
        /// The package's name.
        package: String,
        /// Why not.
        #[source]
        source: boltworks_apk::Error,
    },
    /// A package that is there cannot be read.
    #[error("read the package {package}")]
    Unreadable {
        /// The package's name.
        package: String,
        /// Why not.
        #[source]
        source: boltworks_apk::Error,
    },
    /// A package is none of those that a recipe makes.
    #[error("the recipe {recipe} makes no package '{package}'")]
    NotMade {
        /// The package's name.
        package: String,
        /// The recipe's own package.
        recipe: String,
    },
    /// Linters found what must not be in a package.
    #[error("{0}")]
    Lint(crate::lint::Refused),
    /// A file cannot have the capabilities that the recipe asks for.
    #[error("package {package}: set the capabilities of '{path}': {why}")]
    Setcap {
        /// The package's name.
        package: String,
        /// The file, as the recipe names it.
        path: String,
        /// Why not.
        why: &'static str,
        /// Where the recipe names it.
        written: boltworks_recipe::resolved::Written,
    },
    /// The recipe leaves an empty package where it should not, or another semantic fault.
    #[error("package {package} {fault}")]
    Package {
        /// The package's name.
        package: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A fetched source is missing from the order.
    #[error("the recipe fetches '{0}', which was not provided")]
    MissingSource(String),
    /// A file beside the recipe is not what it was when the recipe was read.
    #[error(
        "'{file}' beside the recipe was changed while its build was being prepared (run it again)"
    )]
    Edited {
        /// The file, with its recipe.
        file: String,
    },
    /// The sandbox could not start or finish a step.
    #[error("sandbox")]
    Sandbox(#[from] boltworks_sandbox::Error),
    /// A name cannot be a path.
    #[error(transparent)]
    Path(#[from] boltworks_fsx::PathError),
    /// A recipe says that a package provides something that cannot be provided.
    #[error("package {package}")]
    Provide {
        /// The package.
        package: String,
        /// Why not.
        #[source]
        source: boltworks_apk::error::LineError,
    },
    /// A file could not be read or written.
    #[error("file system")]
    Fsx(#[from] boltworks_fsx::Error),
    /// Bytes could not be read or written.
    #[error("read or write")]
    Io(#[from] io::Error),
    /// The package could not be written.
    #[error("package file")]
    Apk(#[from] boltworks_apk::Error),
    /// The store refused.
    #[error("store")]
    Store(#[from] boltworks_store::Error),
    /// The SBOM could not be made.
    #[error("SBOM")]
    Sbom(#[from] boltworks_sbom::Error),
    /// Somebody pressed the button.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Error {
    /// What to do next, where a recipe lacks something that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotStarted {
                program, listed, ..
            } => Some(format!(
                "add a shell to `{listed}` in the recipe: a package that brings {program}, and what \
                 that needs"
            )),
            Self::NoAccount { name, listed, .. } => Some(format!(
                "add '{name}' with a uid to `{listed}.users` in the recipe, or let `run-as` be root \
                 or a number"
            )),
            Self::Accounts { .. } | Self::Paths { .. } => Some("correct the recipe".to_owned()),
            Self::NoLicence { .. } => Some(
                "write where the text lies once all steps are done, from /home/build on, or leave \
                 `license-path` out"
                    .to_owned(),
            ),
            Self::Setcap { .. } => Some(
                "write the path of a file that a step installs, from the package's root on, and once"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// The same, if it is about files, as one about what the steps left for a package.
    pub(crate) fn about_results(self, package: &str) -> Self {
        match self {
            Self::Fsx(source) => Self::Results {
                package: package.to_owned(),
                source,
            },
            other => other,
        }
    }
}
