//! From a parsed recipe or image to a resolved one.

use std::collections::BTreeSet;

use boltworks_model::Architecture;

use crate::{Error, PipelineLibrary, parsed, resolved};

/// The C library that triplets name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Libc {
    /// `gnu`
    #[default]
    Glibc,
    /// `musl`
    Musl,
}

/// What a recipe is resolved for and with.
#[derive(Debug, Clone)]
pub struct ResolveOptions<'a> {
    /// The architecture packages are built for.
    pub arch: Architecture,
    /// The pipelines `uses` can name.
    pub library: &'a PipelineLibrary,
    /// The C library that `${{host.triplet.gnu}}` names.
    pub libc: Libc,
    /// The recipe's `options` that are switched on.
    pub enabled: BTreeSet<String>,
}

impl<'a> ResolveOptions<'a> {
    /// For this architecture, with these pipelines, and nothing unusual.
    pub const fn new(arch: Architecture, library: &'a PipelineLibrary) -> Self {
        Self { arch, library, libc: Libc::Glibc, enabled: BTreeSet::new() }
    }
}

/// Understands a recipe.
pub fn resolve(
    recipe: &parsed::Recipe,
    options: &ResolveOptions<'_>,
) -> Result<resolved::Recipe, Error> {
    todo!()
}

/// Understands an image.
pub fn resolve_image(image: &parsed::Image) -> Result<resolved::Image, Error> {
    todo!()
}
