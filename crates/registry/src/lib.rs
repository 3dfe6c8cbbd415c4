//! A client of OCI registries (distribution-spec 1.1): what is in a store is pushed, and what is in a
//! registry is pulled into a store.
//!
//! Reading order:
//!
//! 1. [`credentials`]: [`Credentials`], whom to log in as, from the texts of docker's, podman's, curl's
//!    and apko's configuration; [`Held`], what a registry is shown.
//! 2. [`challenge`]: what a registry wants to be shown (RFC 9110 section 11).
//! 3. [`registry`](mod@registry): [`Registry`], one repository: questions with the token that fits,
//!    repeated where that can help.
//! 4. `blob`: one blob, sent whole or in pieces, going on where it broke off.
//! 5. `manifest`: manifests and tags; who refers to whom.
//! 6. [`mod@push`] and [`mod@pull`]: an image with everything beneath it.
//!
//! Nothing is named before it is whole: blobs come first, manifests by their digest next, and tags
//! last. Nothing that a registry says of digests is believed: what is sent was hashed when it was
//! read, what is received is hashed before it is kept. No registry is known beforehand.

mod blob;
pub mod challenge;
pub mod credentials;
pub mod error;
mod manifest;
pub mod pull;
pub mod push;
pub mod registry;
mod several;

pub use credentials::{Credentials, Held, with_login};
pub use error::Error;
pub use pull::{Limits, pull};
pub use push::{Pushed, push, push_document};
pub use registry::{Access, Registry};
