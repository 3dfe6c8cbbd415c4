//! Images whose layers are EROFS, as they lie on disk: what is in them, and mounting them.
//!
//! Reading order: `source` (what a person names, down to the files of layers), [`listed`](mod@listed) (all layers
//! as one), [`mounted`] (through the kernel).

pub mod listed;
pub mod mounted;
mod source;

pub use listed::{Line, listed};
pub use mounted::{MountOrder, mount, unmount};
pub use source::Source;
