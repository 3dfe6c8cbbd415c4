//! From a recipe to packages.
//!
//! Reading order:
//!
//! 1. [`order`]: what to build and with what ([`Order`], [`Shop`]).
//! 2. [`local`]: the files beside the recipe; [`note`]: what compilers write into programs;
//!    [`workspace`]: the folders a build sees, laid out before and read back after.
//! 3. [`steps`]: the recipe's steps, run one by one in the sandbox; `accounts`: who they are there.
//! 4. [`rescue`]: a shell for a person where a step has failed.
//! 5. [`log`]: what the steps print, kept whole and shown by its end.
//! 6. [`survey`](mod@survey): one walk over a package's files, which looks at each once.
//! 7. [`analysis`]: what a package needs and offers, [`libraries`]: in which
//!    versions; [`lint`](mod@lint): what is wrong with it.
//! 8. [`setcap`]: file capabilities that the recipe asks for.
//! 9. [`emit`]: one tree of files to one signed package with its SBOM inside.
//! 10. [`pack`](mod@pack): from 6 to 9 for all packages of a recipe.
//! 11. [`scan`](mod@scan): what packages that are there need and offer, read off their files again.
//! 12. [`build`](mod@build): the whole of it; [`check`](mod@check): a recipe's tests in a clean guest.
//!
//! This crate chooses no packages and knows no repository: the environment arrives laid out, the
//! sources arrive in the store.

pub mod accounts;
pub mod analysis;
pub mod build;
pub mod check;
pub mod emit;
mod error;
pub mod libraries;
pub mod lint;
pub mod local;
pub mod log;
pub mod note;
pub mod order;
pub mod pack;
pub mod rescue;
pub mod scan;
pub mod setcap;
pub mod steps;
pub mod survey;
pub mod workspace;

pub use build::{Built, build};
pub use check::check;
pub use error::{Error, Failed};
pub use order::{Order, RecipeFile, Shop, SourceInput};
pub use pack::BuiltPackage;
pub use scan::scan;

/// The version of everything here that decides a package's bytes beside the recipe: analysis,
/// emission, SBOM. Part of every action's digest.
pub const WRITER_VERSION: &str = "package-8";
