//! From locked packages and an apko image file to an OCI image.
//!
//! Reading order:
//!
//! 1. [`build`](mod@build): [`ImageRequest`] → [`BuiltImage`]: tree, layer, documents, SBOMs, all in the store.
//!    `laid`: its layers, and those of what it stands upon; `works`: where they are written;
//!    [`memory`]: what the images of one run remember of each other.
//! 2. [`tree`]: the image's files: the packages' own, then what no package brings.
//! 3. [`database`], [`skeleton`], [`accounts`], [`declaration`], [`paths`], [`certificates`],
//!    [`services`]: one piece of that each, plain functions over a [`Tree`](boltworks_fsx::Tree).
//! 4. [`place`]: where a path of the image file really is, links followed.
//! 5. [`layers`]: the tree parted into layers of what changes together; [`layer`]: each as one
//!    deterministic compressed tar, in one pass; [`known`]: layers that were written before;
//!    [`pieces`]: what is remembered of one that was like it; [`upper`]: the layer above those of
//!    another image, which this one stands upon.
//! 6. [`process`]: how a container of the image starts.
//! 7. [`contents`]: what the SBOMs are told of the packages.
//! 8. `loader`: where glibc's loader finds libraries; `keystore`: Java's authorities, `pem`: the others'; [`brought`]:
//!    what of it is as the packages brought it, and so is theirs in the database;
//!    [`warnings`]: what of it a person should look at.
//! 9. `erofs`: instead of 5, one layer that a kernel mounts; [`export`]: a built image as an OCI layout or an archive; [`cpio`]: only its files.
//! 10. [`unpacked`](mod@unpacked): an image's files as a client finds them.
//! 11. [`compatible`]: instead of 2 to 5, files and layers as apko lays them.
//! 12. [`mod@base`]: an image that somebody else made, and that this one is laid upon.
//!
//! Equal packages, image file and time give equal bytes, whatever the machine; the image's
//! name is the digest of its manifest. Nothing is run: scripts are stored, never started.

pub mod accounts;
pub mod base;
pub mod brought;
pub mod build;
pub mod certificates;
pub mod compatible;
pub mod contents;
pub mod cpio;
pub mod database;
pub mod declaration;
mod erofs;
pub mod error;
pub mod export;
mod keystore;
pub mod known;
mod laid;
pub mod layer;
pub mod layers;
mod loader;
pub mod memory;
pub mod paths;
mod pem;
pub mod pieces;
pub mod place;
pub mod process;
pub mod services;
pub mod skeleton;
pub mod tree;
pub mod unpacked;
pub mod upper;
pub mod warnings;
mod works;

pub use base::{Base, read_list};
pub use build::{BuiltImage, ImageRequest, Series, build};
pub use cpio::write_cpio;
pub use error::Error;
pub use export::{Form, export_archive, export_layout, load};
pub use layer::Compression;
pub use memory::Memory;
pub use unpacked::unpacked;

/// Names the bytes this crate writes for equal input: tree, tar, compression. It goes up
/// whenever they change; a test holds it against golden digests.
pub const WRITER_VERSION: &str = "image-5";
