//! Channels moved to what the gate cleared, and what clients may read since.
//!
//! Reading order:
//!
//! 1. [`candidate`]: [`Candidate`], everything a release would make public, read from the bytes;
//!    [`Standing`], what a channel points at already.
//! 2. [`image`] and [`repository`]: how a candidate is made from an image, and from a signed index.
//! 3. [`publish`](mod@publish): [`publish()`], the only way to move a channel; it takes a
//!    [`Cleared`](boltworks_gate::Cleared) candidate.
//! 4. [`released`]: [`ReleasedStore`], a view that answers only for what was released.
//! 5. [`error`]: what can go wrong.

pub mod candidate;
pub mod error;
pub mod image;
pub mod publish;
pub mod released;
pub mod repository;

pub use candidate::{Attachment, Candidate, Inside, Standing};
pub use error::Error;
pub use image::ImageRequest;
pub use publish::{Move, Outcome, Release, publish, publish_all};
pub use released::{ApkFile, PublicFile, PublicKey, ReleasedStore, Tag};
pub use repository::RepositoryRequest;
