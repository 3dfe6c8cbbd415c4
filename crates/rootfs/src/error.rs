//! Why packages cannot become a tree.

use boltworks_fsx::RelPath;

use crate::links::LinkFault;

/// Why an operation of this crate failed.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "every room names its one error so")]
pub enum Error {
    /// A locked package is not what was locked.
    #[error("open the package {package}: the file is {found}")]
    NotTheSame {
        /// Name and version that were locked.
        package: String,
        /// What the file says it is.
        found: String,
    },
    /// The store does not have it, or its bytes are not those that were stored.
    #[error("open the package {package}")]
    Store {
        /// Name and version.
        package: String,
        /// Why.
        #[source]
        source: boltworks_store::Error,
    },
    /// A package cannot be read.
    #[error("open the package {package}")]
    Package {
        /// Name and version.
        package: String,
        /// Why.
        #[source]
        source: boltworks_apk::Error,
    },
    /// Two packages have different things under one name, and none may replace the other's.
    #[error(
        "lay '{path}' of {second}: {first} has it too, with other content; one of them must declare that it replaces the other"
    )]
    Conflict {
        /// Where.
        path: RelPath,
        /// Who laid it first.
        first: String,
        /// Who came with something else.
        second: String,
    },
    /// A path is beneath something that is not a directory, or would turn a directory into
    /// something else.
    #[error("lay '{path}' of {package}: '{other}' of {owner} is {what}")]
    NotADirectory {
        /// Where.
        path: RelPath,
        /// Whose.
        package: String,
        /// What is in the way.
        other: RelPath,
        /// Whose that is.
        owner: String,
        /// `not a directory`, or `a directory`.
        what: &'static str,
    },
    /// A package has something under a name that is not for packages.
    #[error("lay '{path}' of {package}: no package may have that, {why}")]
    Reserved {
        /// Where.
        path: RelPath,
        /// Whose.
        package: String,
        /// What the name means.
        why: &'static str,
    },
    /// A link makes a path lead nowhere.
    #[error("lay '{path}': the link '{link}' of {package} {fault}")]
    Link {
        /// Where.
        path: RelPath,
        /// The link on its way.
        link: RelPath,
        /// Whose the link is.
        package: String,
        /// In what way.
        fault: LinkFault,
    },
    /// A hard link names a file that its package does not have.
    #[error(
        "lay '{path}' of {package}: it is a hard link to '{target}', which is no file of this package"
    )]
    HardLink {
        /// Where.
        path: RelPath,
        /// Whose.
        package: String,
        /// What it names.
        target: RelPath,
    },
    /// A folder of this crate holds something that nobody here put there.
    #[error("use '{path}': its name is not one that is given here")]
    Stray {
        /// What.
        path: RelPath,
    },
    /// A finished tree is gone.
    #[error("open the tree {name}: it was removed just after it was made")]
    Vanished {
        /// Its folder.
        name: String,
    },
    /// Users or groups cannot be added.
    #[error(transparent)]
    Accounts(#[from] crate::accounts::Fault),
    /// A path of a guest leads nowhere.
    #[error("'/{path}': {why}")]
    Unusable {
        /// The path in the guest.
        path: RelPath,
        /// What is wrong there.
        why: &'static str,
    },
    /// A path that this crate makes up is not one.
    #[error("make a path")]
    Path(#[from] boltworks_fsx::PathError),
    /// Reading or laying files failed.
    #[error("{action}")]
    File {
        /// What was tried.
        action: String,
        /// Why not.
        #[source]
        source: boltworks_fsx::Error,
    },
    /// A file's content could not be read.
    #[error("read '{path}'")]
    Content {
        /// Which.
        path: RelPath,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The threads that lay files could not be started.
    #[error("start {count} threads")]
    Threads {
        /// How many.
        count: usize,
        /// Why not.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}
