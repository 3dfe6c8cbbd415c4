//! What can go wrong while sources are fetched.

use std::io;

use boltworks_model::{AddressError, Cancelled, ObjectId, RefName};

/// Why a source is not in the store.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "one `Error` per room is the house's convention"
)]
pub enum Error {
    /// It is nowhere to be had.
    #[error("fetch {uri}:{}", tried.told(uri))]
    Unavailable {
        /// The recipe's address.
        uri: String,
        /// What was tried, and how it ended.
        tried: Attempts,
    },
    /// Bytes are not the expected ones; they were not kept.
    #[error("verify {place}: {expected} was expected, {actual} was found, nothing was kept")]
    WrongDigest {
        /// Where they came from.
        place: String,
        /// The digest that was expected, with its algorithm.
        expected: String,
        /// The digest that was found.
        actual: String,
    },
    /// It is not in the store, and the network is not to be used.
    #[error("find {uri} offline: no blob of the store is {wanted}")]
    Offline {
        /// The recipe's address.
        uri: String,
        /// The digests any of which would do.
        wanted: String,
    },
    /// Nothing here can fetch from such an address.
    #[error("fetch {uri}: {reason}")]
    Unusable {
        /// The recipe's address.
        uri: String,
        /// What stands in the way, and what to write instead.
        reason: &'static str,
    },
    /// The network.
    #[error(transparent)]
    Net(#[from] boltworks_net::Error),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] boltworks_fsx::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] boltworks_store::Error),
    /// A file of a broken-off transfer cannot be used.
    #[error("keep a part of {place}")]
    Partial {
        /// What of.
        place: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program is not installed.
    #[error("start {program}: it is not installed (install the package {package})")]
    Missing {
        /// The program.
        program: &'static str,
        /// What it is in.
        package: &'static str,
    },
    /// A program could not be started, or talked with.
    #[error("run {program}")]
    Program {
        /// The program.
        program: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("run {program}: it ended with {status}{said}")]
    Failed {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of what it said, on lines of its own.
        said: String,
    },
    /// The machine's apt does not use Debian's archive.
    #[error(
        "find Debian's archive: the apt configuration of this machine does not use it \
         (set `stage0.debian.mirror` in boltworks.yaml to the address of a mirror)"
    )]
    NoArchive,
    /// Debian's archive cannot be used here, for this reason.
    #[error("{0}")]
    ArchiveUnusable(String),
    /// The keyring that Debian's signatures are checked with is not there.
    #[error(
        "find Debian's keyring at '{path}' (install the package debian-archive-keyring, or set \
         `stage0.debian.keyring` in boltworks.yaml)"
    )]
    NoKeyring {
        /// Where it was looked for.
        path: String,
    },
    /// No index of Python packages is configured, and there is no pip to ask.
    #[error(
        "find the index of Python packages: pip is neither configured nor installed \
         (install the package python3-pip, or set the environment variable PIP_INDEX_URL)"
    )]
    NoPythonIndex,
    /// An index lacks something.
    #[error("find {what} in {index}: {reason}")]
    NotFound {
        /// What was looked for.
        what: String,
        /// Where.
        index: String,
        /// What was found instead.
        reason: String,
    },
    /// An index, or what a program printed of it, cannot be understood.
    #[error("read {index}: {reason}")]
    Malformed {
        /// Which.
        index: String,
        /// What is wrong.
        reason: String,
    },
    /// A value cannot be handed to apt.
    #[error("hand {what} '{value}' to apt: {reason}")]
    Unspeakable {
        /// What it is.
        what: &'static str,
        /// The value.
        value: String,
        /// Why not.
        reason: &'static str,
    },
    /// A branch or tag names another commit than the recipe.
    #[error(
        "check {what} of {repository}: it is the commit {found}, the recipe expects {expected}"
    )]
    OtherCommit {
        /// `the tag v1`, `the end of the branch main`.
        what: String,
        /// The repository.
        repository: String,
        /// What the recipe says.
        expected: ObjectId,
        /// What is there.
        found: ObjectId,
    },
    /// The commit is not on the branch.
    #[error("check the branch {branch} of {repository}: the commit {commit} is not on it")]
    OtherBranch {
        /// The branch.
        branch: RefName,
        /// The repository.
        repository: String,
        /// The commit.
        commit: ObjectId,
    },
    /// A repository has no such commit.
    #[error("find the commit {commit} in {repository}: it is on none of its branches and tags")]
    NoCommit {
        /// The repository.
        repository: String,
        /// The commit.
        commit: ObjectId,
    },
    /// An object of a repository cannot be used.
    #[error("take the {kind} {id}: {reason}")]
    BadObject {
        /// What it is.
        kind: String,
        /// Its name.
        id: ObjectId,
        /// Why not.
        reason: &'static str,
    },
    /// A submodule cannot be used.
    #[error("take the submodule '{path}': {reason}")]
    Submodule {
        /// Where it would be.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// A server sends more than is kept.
    #[error("fetch no more than {limit} bytes: the server sends more")]
    TooLarge {
        /// The most, in bytes.
        limit: u64,
    },
    /// A server stopped talking.
    #[error("wait for the server: it said nothing for {seconds} seconds")]
    Silent {
        /// How long.
        seconds: u64,
    },
    /// A folder that should be empty is not.
    #[error("put a repository into {}: there is something in it", path.display())]
    Occupied {
        /// The folder.
        path: std::path::PathBuf,
    },
    /// What somebody changed in a repository is not ready to become patches.
    #[error("write patches of {}: {reason}", path.display())]
    Unfinished {
        /// The repository.
        path: std::path::PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// A path is not one.
    #[error(transparent)]
    Path(#[from] boltworks_fsx::PathError),
    /// Somebody pressed the button.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Error {
    /// That nothing can be fetched from an address.
    pub(crate) fn unusable(uri: &str, AddressError(reason): AddressError) -> Self {
        let uri = without_user(uri).chars().take(240).collect();
        Self::Unusable { uri, reason }
    }

    /// Whether another place may do where this one did not.
    pub(crate) fn is_about_this_place(&self) -> bool {
        match self {
            Self::Net(error) => error.is_about_this_server(),
            Self::WrongDigest { .. }
            | Self::Missing { .. }
            | Self::Failed { .. }
            | Self::NoArchive
            | Self::ArchiveUnusable(_)
            | Self::NoKeyring { .. }
            | Self::NoPythonIndex
            | Self::NotFound { .. }
            | Self::Malformed { .. }
            | Self::Unspeakable { .. }
            | Self::OtherCommit { .. }
            | Self::OtherBranch { .. }
            | Self::NoCommit { .. }
            | Self::Silent { .. } => true,
            _ => false,
        }
    }
}

/// Places that were tried, with the reason why each failed.
#[derive(Debug)]
pub struct Attempts(pub Vec<(String, Error)>);

impl Attempts {
    /// A line for each, or the rest of this one where nothing but `uri` itself was tried.
    fn told(&self, uri: &str) -> String {
        let reason = |place: &str, error: &Error| {
            let reason = boltworks_model::chain(error);
            let named = ["get", "receive", "fetch"].map(|verb| format!("{verb} {place}: "));
            let rest = named.iter().find_map(|named| reason.strip_prefix(named));
            rest.map_or_else(|| reason.clone(), str::to_owned)
        };
        match self.0.as_slice() {
            [(place, error)] if place == uri => format!(" {}", reason(place, error)),
            several => {
                let line = |(place, error): &(String, Error)| {
                    format!("\n  {}: {}", without_user(place), reason(place, error))
                };
                several.iter().map(line).collect()
            }
        }
    }
}

/// An address without what stands before `@` in front of its host: that may be a password.
pub(crate) fn without_user(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.get(..end).and_then(|host| host.rfind('@')) {
        Some(at) if !scheme.is_empty() => {
            format!("{scheme}://…{}", rest.get(at..).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}
