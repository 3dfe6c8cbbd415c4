//! Recipes and images as understood: every template filled in, every condition decided, every
//! `uses` replaced by steps, every name and version checked.

pub mod image;
pub mod recipe;
pub mod step;
pub mod update;

pub use image::{
    Accounts, Base, Certificate, EntrypointKind, Format, Group, Image, Layering, PathKind,
    PathMutation, RuntimeKey, User,
};
pub use recipe::{
    BuildOption, Capability, CapabilitySets, Copyright, Cpe, Dependencies, Package, PackageOptions,
    PipelineUse, Recipe, Resources, Scriptlets, Subpackage, Test, Trigger, VarTransform,
};
pub(crate) use recipe::{CAPABILITIES, capability_bit, licenses};
pub use step::{Fetch, KnownBy, Places, SourceRef, Step, Unpinned, Written};
pub use update::{
    GitHubMonitor, OciMonitor, Period, ReleaseMonitor, Schedule, TagFilter, Update,
    VersionDataMonitor, VersionDataSource, VersionTransform,
};

/// Where things are inside a guest. melange's conventions, which recipes rely on.
pub mod guest {
    /// The workspace, and the build user's home.
    pub const WORKSPACE: &str = "/home/build";
    /// Beneath it, a folder for each package's files.
    pub const OUT: &str = "/home/build/melange-out";
    /// Sources by digest, read-only: `sha256:HEX`, `sha512:HEX`.
    pub const SOURCES: &str = "/var/cache/melange";

    /// The folder that becomes a package's files.
    pub fn destdir(package: &str) -> String {
        format!("{OUT}/{package}")
    }
}
