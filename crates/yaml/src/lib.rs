//! Strict YAML reading, with spans and with budgets.
//!
//! Reading order:
//!
//! 1. [`read`]: [`parse`], the one way in, and what it refuses.
//! 2. [`error`]: [`Error`] and [`Place`]: file, line, column, the line itself, what to write instead;
//!    `syntax`: what is no YAML.
//! 3. [`spanned`]: [`Spanned`], a value that knows where it stands; [`or_default`] for nulls.
//! 4. [`edit`]: [`replace`](edit::replace), scalars replaced where they stand.
//! 5. [`layout`]: a document's text in the usual form, and not a comment less.
//! 6. [`suggest`]: [`closest`], the "did you mean" of every room that reads users' files.
//!
//! This crate knows no schema: the caller's serde types are the schema. It reads no file.

pub mod edit;
pub mod error;
pub mod layout;
pub mod read;
pub mod spanned;
pub mod suggest;
mod syntax;

pub use error::{Error, Place, did_you_mean};
pub use read::{EMPTY, MAX_BYTES, MAX_DEPTH, parse};
pub use spanned::{Spanned, or_default};
pub use suggest::closest;
