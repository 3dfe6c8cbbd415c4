//! Versions and dependencies of apk packages.
//!
//! 1. [`version`]: [`Version`], its grammar and its order.
//! 2. [`dependency`]: [`Op`], [`Constraint`] and [`Dependency`], what a package asks for.

pub mod dependency;
pub mod version;

pub use dependency::{Constraint, Dependency, DependencyError, Op};
pub use version::{Version, VersionError};
