//! The OCI image format: what a registry keeps and a client pulls.
//!
//! Reading order:
//!
//! 1. [`media_type`]: what a blob says it is.
//! 2. [`descriptor`]: [`Descriptor`], a blob named by type, digest and size; [`Platform`].
//! 3. [`config`]: [`Config`], how a container of the image starts.
//! 4. [`manifest`]: [`Manifest`] and [`Index`], read strictly.
//! 5. [`parts`]: [`ImageParts`], the documents of one image, made from its layers.
//! 6. [`layout`]: those parts as the files of an OCI layout or of a docker archive.
//! 7. [`mod@reference`]: [`Reference`], `registry/repository:tag@digest`.
//!
//! Pure: no file, no network, no clock, and no hash function but the one handed in. What is
//! written is compact JSON in the order of the specification's fields, maps sorted, so equal
//! values are equal bytes. The types are ours and not oci-spec's, whose maps are unordered,
//! which takes any digest algorithm and brings 36 packages; it is the tests' second opinion.

pub mod config;
pub mod descriptor;
pub mod error;
mod json;
pub mod layout;
pub mod manifest;
pub mod media_type;
pub mod parts;
pub mod reference;

pub use config::{Config, History, Process};
pub use descriptor::{Descriptor, Platform};
pub use error::Error;
pub use layout::{Body, LayoutFile};
pub use manifest::{Index, Manifest, read_config, read_index, read_manifest};
pub use parts::{Document, ImageParts, ImagePlan, Layer, common_index};
pub use reference::Reference;

/// Names the bytes this crate writes; part of every image's action digest.
pub const WRITER_VERSION: &str = "oci-1";

/// How this crate has bytes hashed: it owns no hash function.
pub type Hash = fn(&[u8]) -> boltworks_model::Sha256;
