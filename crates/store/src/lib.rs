//! Blobs by digest.
//!
//! Reading order:
//!
//! 1. [`store`]: [`Store`], a folder of blobs, and how they are read: never unhashed.
//! 2. [`put`]: how blobs get in: [`BlobDraft`], [`Batch`], durable before acknowledged.
//! 3. [`late`]: [`LateDraft`], a blob whose beginning is known last.
//! 4. [`verify`]: [`Report`], the whole store held against its names; what is damaged can be set
//!    aside.
//! 5. [`error`]: what can go wrong.
//!
//! Nothing here knows what a blob is for, and nothing is ever removed.

pub mod error;
pub mod late;
pub mod put;
pub mod store;
pub mod verify;

pub use error::Error;
pub use late::LateDraft;
pub use put::{Batch, BlobDraft, Stored};
pub use store::{BlobFile, BlobReader, Store, Usage};
pub use verify::{Bad, Report};
