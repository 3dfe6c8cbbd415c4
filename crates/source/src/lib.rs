//! Upstream's sources, fetched by content through a chain of mirrors.
//!
//! Reading order:
//!
//! 1. [`request`]: [`Request`], what is wanted; [`Override`] and [`Mirror`], where else it may be;
//!    [`Fetched`], what was found.
//! 2. [`fetcher`]: [`Fetcher`], the chain: store, upstream, mirrors, the factory's own map.
//! 3. `git`: commits of git repositories, through the git program; [`Worktree`], one of them laid out
//!    for a person.
//! 4. [`discover`]: a source whose digest nobody knows yet.
//! 5. [`pypi`]: [`PythonIndex`], source distributions at the index pip is configured for.
//! 6. [`debian`]: [`DebianArchive`], upstream's tarballs and binary packages through apt, which
//!    checks the archive's signatures.
//! 7. [`machine`]: [`Machine`], what this machine's own clients are configured to use; `helper`:
//!    the programs that know docker's logins.
//! 8. [`archive`]: what is in a source, without unpacking it.
//! 9. [`program`]: [`Program`], the one place that starts programs here.
//!
//! This crate knows no address.

pub mod archive;
mod chain;
pub mod debian;
pub mod discover;
pub mod error;
pub mod fetcher;
mod git;
mod helper;
mod job;
pub mod machine;
mod notes;
mod partial;
pub mod program;
pub mod pypi;
pub mod request;

pub use boltworks_fsx::Expected;
pub use debian::{Deb, DebianArchive};
pub use discover::Discovered;
pub use error::Error;
pub use fetcher::{Checked, Fetcher};
pub use git::worktree::{Patch, Worktree};
pub use machine::Machine;
pub use program::Program;
pub use pypi::PythonIndex;
pub use request::{Fetched, GitLimits, KnownBy, Mirror, Origin, Override, Request};
