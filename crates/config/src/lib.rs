//! `boltworks.yaml`: what a factory is.
//!
//! Reading order:
//!
//! 1. [`factory`]: the file as types, with every default; [`parse`] reads it strictly.
//! 2. [`quantity`]: sizes and times as people write them (`4GiB`, `2h`).
//! 3. `state`: whether the state has a folder of its own.
//! 4. `variants`: what they add to the channels; `compression`: how layers are compressed.
//! 5. [`schema`]: the same types as a JSON schema, for editors.

mod compression;
pub mod factory;
pub mod quantity;
mod state;
mod variants;

pub use boltworks_yaml::Error;
pub use compression::Compression;
pub use factory::{
    Channel, Debian, Factory, Keys, Limits, Mirror, Policy, Repository, SourceMap, Stage0,
    no_image, no_image_to_vary, parse, schema,
};
pub use quantity::{Bytes, Span};
pub use variants::Variant;
