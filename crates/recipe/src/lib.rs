//! melange recipes and apko image files: read, understood, nothing carried out.
//!
//! Reading order:
//!
//! 1. [`parsed`]: the files as written, with templates and places ([`parse_recipe`], [`parse_image`]).
//! 2. [`resolved`]: the same as understood: no template, no condition, no `uses` left.
//! 3. [`mod@resolve`]: from the first to the second ([`resolve()`], [`resolve_image`]).
//! 4. [`substitute`]: `${{…}}`, what it may name, and how far it may grow.
//! 5. [`condition`]: the `if` grammar.
//! 6. [`library`]: [`PipelineLibrary`], the pipelines that `uses` can name.
//! 7. [`json`]: what `recipe compile` prints and what an action digest hashes.
//! 8. [`embedded`]: a recipe read back from the package it made.
//! 9. [`bump`]: what a new version changes in a recipe's text.
//! 10. [`patches`]: a recipe's text with other patches.
//! 11. [`mod@format`]: a recipe's text in its usual form.
//! 12. [`mod@lint`]: what is wrong with a recipe's text, rule by rule.
//! 13. [`licences`]: licences written into a recipe's text.
//! 14. [`image_test`]: the tests of an image ([`parse_image_test`]).
//! 15. [`error`]: [`Error`], with file, line, column and what to write instead.
//!
//! Later stages of the factory accept [`resolved`] types only. This crate reads no file and
//! knows no repository: texts come in, values go out.

pub mod bump;
pub mod condition;
pub mod embedded;
pub mod error;
pub mod format;
pub mod image_test;
pub mod json;
pub mod library;
pub mod licences;
pub mod lint;
pub mod parsed;
pub mod patches;
pub mod pattern;
pub mod resolve;
pub mod resolved;
pub mod substitute;
pub mod words;

pub use error::{Error, Problem};
pub use image_test::{ImageTest, parse_image_test};
pub use library::PipelineLibrary;
pub use parsed::{parse_image, parse_recipe};
pub use resolve::{Libc, ResolveOptions, check_image, resolve, resolve_image};
