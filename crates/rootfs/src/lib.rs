//! Locked packages to one tree.
//!
//! Reading order:
//!
//! 1. [`locked`]: [`Locked`], packages pinned to bytes, in install order, and their digest.
//! 2. [`open`]: the locked packages opened from the store, their bytes checked.
//! 3. [`frames`]: the same for images, without unpacking what was before.
//! 4. [`assemble()`]: packages merged into one [`Tree`](boltworks_fsx::Tree) in memory, with the
//!    package each path came from ([`Assembly`]); who may lay what where.
//! 5. [`guest`]: what a build guest needs and no package brings.
//! 6. [`environments`]: [`Environments`], one tree on disk for each locked environment, its
//!    files shared between trees.
//! 7. [`layers`]: many environments that differ in a few packages: one tree, and a thin one for each.
//! 8. [`accounts`]: users and groups, in images and guests alike, and the thin tree that brings them
//!    into a guest.
//! 9. [`changed`]: the same for whatever else a recipe changes in its guest.
//!
//! Inside: `links` decides where a path beneath a linked directory really is, `pool` shares
//! files between trees, `stock` remembers what each package became, `listed` writes apk's database of
//! a guest.
//!
//! Nothing here runs anything, chooses a version or fetches.

pub mod accounts;
pub mod assemble;
pub mod changed;
pub mod environments;
pub mod error;
pub mod frames;
pub mod guest;
pub mod layers;
mod links;
mod listed;
pub mod locked;
pub mod open;
mod plain;
mod pool;
mod stock;

pub use assemble::{Assembly, Belongings, Member, assemble};
pub use environments::{Environments, Owner, TreeHandle};
pub use error::Error;
pub use frames::{Frames, Shelf, open_frames};
pub use links::LinkFault;
pub use locked::{Locked, LockedPackage};
pub use open::{Opened, open_locked};
