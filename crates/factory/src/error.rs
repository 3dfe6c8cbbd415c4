//! What can go wrong on the line.

use std::path::PathBuf;

use boltworks_model::{Cancelled, ChannelName, chain, visible_line, visible_path};

use crate::testing::Tested;

/// Why the factory could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "one `Error` per room is the house's convention"
)]
pub enum Error {
    /// There is no factory here.
    #[error("there is no factory file at {}", visible_path(file))]
    NoFactory {
        /// Where it was looked for.
        file: PathBuf,
    },
    /// A folder that the factory's file names is missing.
    #[error("the folder '{folder}', which {what} names, cannot be read")]
    Folder {
        /// The folder.
        folder: String,
        /// The setting: `recipes`.
        what: &'static str,
        /// Why.
        #[source]
        source: boltworks_fsx::Error,
    },
    /// Something is not in the catalog.
    #[error("there is no {what} '{}' in this factory", visible_line(name))]
    Missing {
        /// `recipe`, `image`, `channel`.
        what: &'static str,
        /// Its name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Packages that satisfy a recipe or image cannot be chosen.
    #[error("the packages of {subject} cannot be chosen:\n{why}")]
    Unsolvable {
        /// `recipe zlib`.
        subject: String,
        /// The chain, and what would help.
        why: String,
    },
    /// A recipe or image cannot be made now, or never was.
    #[error("{subject} is not made: {why}")]
    Blocked {
        /// `recipe zlib`.
        subject: String,
        /// Why not, in lines.
        why: String,
    },
    /// A channel that never pointed at anything, because of this.
    #[error("the channel {channel} was not moved by the last run: {why}")]
    Refusal {
        /// The channel.
        channel: ChannelName,
        /// Why not, in lines.
        why: String,
    },
    /// The key that packages were signed with is gone.
    #[error("the signing key {file} is not there, though packages were made with it")]
    KeyGone {
        /// Its file.
        file: String,
    },
    /// Something is wrong with a file that the command line names.
    #[error("{}", visible_path(path))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<Error>,
    },
    /// A package of a repository is another one than the index lists.
    #[error("it is {found}, the index lists {listed}")]
    NotListed {
        /// Name, version and identity of the package.
        found: String,
        /// Those in the index.
        listed: String,
    },
    /// What is asked for cannot be. It often has a name from the command line in it, and is one line.
    #[error("{}", visible_line(what))]
    Asked {
        /// Why not.
        what: String,
        /// What to do instead.
        help: String,
    },
    /// A file on which work depends says something that is not so.
    #[error("{what}")]
    Inconsistent {
        /// What is wrong.
        what: String,
    },
    /// What was made together was not kept, or not made.
    #[error("it was to be made together with others, which failed: {why}")]
    Together {
        /// Why.
        why: String,
    },
    /// `boltworks.yaml` is not understood.
    #[error(transparent)]
    Config(#[from] boltworks_config::Error),
    /// A recipe or image file is not understood.
    #[error(transparent)]
    Recipe(#[from] boltworks_recipe::Error),
    /// A path is not one.
    #[error(transparent)]
    Path(#[from] boltworks_fsx::PathError),
    /// The file system refused.
    #[error(transparent)]
    Fsx(#[from] boltworks_fsx::Error),
    /// The store refused.
    #[error("store")]
    Store(#[from] boltworks_store::Error),
    /// The records refused.
    #[error("records")]
    Records(#[from] boltworks_records::Error),
    /// The signing key could not be kept.
    #[error("write the signing key")]
    Key {
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A key is not one.
    #[error("key")]
    Crypto(#[from] boltworks_crypto::Error),
    /// A source could not be fetched.
    #[error(transparent)]
    Source(#[from] boltworks_source::Error),
    /// Stage 0 could not be made.
    #[error("stage 0")]
    Stage0(#[from] boltworks_stage0::Error),
    /// A package or index is not one.
    #[error(transparent)]
    Apk(#[from] boltworks_apk::Error),
    /// An environment could not be laid out.
    #[error("build environment")]
    Rootfs(#[from] boltworks_rootfs::Error),
    /// Steps cannot be confined here.
    #[error(transparent)]
    Refused(#[from] boltworks_sandbox::Refused),
    /// A build or test failed.
    #[error(transparent)]
    Package(#[from] boltworks_package::Error),
    /// The list of licences is not understood.
    #[error(transparent)]
    Licences(#[from] boltworks_sbom::Error),
    /// Tests of a recipe failed, and others may have passed.
    #[error("{} of {of} tests failed: {}", failed.len(), names(failed))]
    Tests {
        /// Those that failed or could not be run.
        failed: Vec<Tested>,
        /// How many there were.
        of: usize,
    },
    /// An image could not be assembled.
    #[error(transparent)]
    Image(#[from] boltworks_image::Error),
    /// A registry, or the way to it.
    #[error(transparent)]
    Registry(#[from] boltworks_registry::Error),
    /// A channel could not be moved.
    #[error("release")]
    Release(#[from] boltworks_release::Error),
    /// A file of a build environment could not be read.
    #[error("read {path} of a build environment")]
    Environment {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A document could not be written.
    #[error("document")]
    Json(#[from] serde_json::Error),
    /// What must not be possible came about.
    #[error("this program has a fault: {said}")]
    Fault {
        /// Its last words.
        said: String,
    },
    /// Somebody pressed the button.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The packages of tests.
fn names(tests: &[Tested]) -> String {
    let names: Vec<&str> = tests.iter().map(|test| test.package.as_str()).collect();
    names.join(", ")
}

impl Error {
    /// The same, of this file.
    #[must_use]
    pub fn of_file(self, path: &std::path::Path) -> Self {
        Self::File {
            path: path.to_owned(),
            source: Box::new(self),
        }
    }

    /// What is asked for cannot be, and this is what to do instead.
    pub fn asked(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Asked {
            what: what.into(),
            help: help.into(),
        }
    }

    /// What was to be kept together with others, which was not possible.
    pub(crate) fn together(why: &str) -> Self {
        Self::Together {
            why: why.to_owned(),
        }
    }

    /// What is wrong, and on a line of its own what to do next where that is known: for a list of
    /// many, behind which no advice can follow.
    pub fn told(&self) -> String {
        let help = match self.cause() {
            // What is suggested stands in its words.
            Self::Recipe(error) if error.suggestion().is_none() => error.help(),
            Self::Package(error) => error.help(),
            Self::Asked { help, .. } => Some(help.clone()),
            _ => None,
        };
        let help = help.map_or_else(String::new, |help| format!("\nhelp: {help}"));
        chain(self) + &help
    }

    /// What is wrong, whatever file it is about.
    pub fn cause(&self) -> &Self {
        match self {
            Self::File { source, .. } => source.cause(),
            other => other,
        }
    }
}
