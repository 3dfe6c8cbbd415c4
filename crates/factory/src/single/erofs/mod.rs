//! Images whose layers are EROFS, as they lie on disk: what is in them, and mounting them.
//!
//! Reading order: `source` (what a person names, down to the files of layers), [`listed`](mod@listed) (all layers
//! as one), `ways` (how one layer is mounted), [`mounted`] (an image).

pub mod listed;
pub mod mounted;
mod source;
mod ways;

pub use listed::{Line, listed};
pub use mounted::{MountOrder, mount, unmount};
pub use source::Source;
pub use ways::Way;
