//! Why a step could not be run, and why no guest can be.

use std::io;
use std::path::PathBuf;

/// Why a step could not be run. A step that ran and failed is an [`crate::Exit`], not an error.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "every room names its one error so")]
pub enum Error {
    /// The description of the guest or step makes no sense.
    #[error("describe the guest: {what}: '{text}'")]
    Invalid {
        /// The rule that is broken.
        what: &'static str,
        /// The offending text, cut to 160 characters.
        text: String,
    },
    /// A folder or file of the description cannot be used.
    #[error("use {path} for a guest: {what}")]
    Path {
        /// The folder or file.
        path: PathBuf,
        /// What was tried or is wrong.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A writable folder belongs to somebody else than the build user.
    #[error(
        "let the guest write to {path}: it belongs to uid {owner}, but steps run as uid {needed}"
    )]
    Owner {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it must be.
        needed: u32,
    },
    /// The guest could not be built. Nothing of the step has run.
    #[error("set up the guest: {step}")]
    Setup {
        /// What was being done.
        step: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The step's program could not be started.
    #[error("start '{program}' in the guest")]
    Start {
        /// The first word of the command.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The first process ended without a report.
    #[error("hear from the guest's first process: it ended with {status}")]
    Lost {
        /// How it ended.
        status: String,
    },
    /// Talking to the first process, or starting it, failed.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody asked for the end.
    #[error(transparent)]
    Cancelled(#[from] boltworks_model::Cancelled),
}

/// Why no guest can be made on this machine, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("confine build steps on this machine: {reason}; to fix it: {fix}")]
pub struct Refused {
    /// What is missing.
    pub reason: String,
    /// What the user can do.
    pub fix: String,
}
