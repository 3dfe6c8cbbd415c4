//! What was made, judged, released and what failed: one `SQLite` file.
//!
//! Reading order:
//!
//! 1. [`database`]: [`Records`], opening, durability, and the promise to other versions.
//! 2. [`action`]: [`ActionRecord`], what running an action gave, from which materials.
//! 3. [`evidence`]: what is known of an artifact.
//! 4. [`release`]: [`ReleaseRecord`], the moves of channels, and every blob they made public.
//! 5. [`failure`]: [`FailureRecord`], because failures are evidence too.
//! 6. [`references`]: which blobs all of these refer to.
//! 7. [`meta`]: small texts under fixed names.
//!
//! Nothing here is ever deleted, and every list has one order.

pub mod action;
mod column;
pub mod database;
pub mod error;
pub mod evidence;
pub mod failure;
pub mod meta;
pub mod references;
pub mod release;
mod schema;

pub use action::{ActionRecord, Recorded, Results};
pub use database::Records;
pub use error::Error;
pub use failure::FailureRecord;
pub use release::{NewRelease, PublicBlob, ReleaseRecord, ReleasedBlob, Role};
