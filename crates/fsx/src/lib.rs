//! Escape-proof directories, bounded reads, durable writes, the file tree, deterministic tar and
//! EROFS, gzip and zstd.
//!
//! Reading order:
//!
//! 1. [`path`]: [`RelPath`], a path that cannot leave the directory it is used in.
//! 2. [`bounded`]: [`Limit`] and [`Bounded`], reads that fail past a limit.
//! 3. [`verified`]: [`Verified`], bytes whose digest was checked, and [`Verifying`], which checks it.
//! 4. [`root`]: [`Root`], an open directory that everything else goes through; [`Draft`] and
//!    [`Durable`], writes that survive a crash whole or not at all; [`Lock`].
//!    [`stream`]: what a person names that is no file.
//! 5. [`tree`]: [`Tree`], files with all their attributes in memory, read from and laid out on disk.
//! 6. [`tar`]: the strict reader and the deterministic writer.
//! 7. [`erofs`]: the kernel's read-only file system as one file, written and read.
//! 8. [`pieces`]: compression on all processors, the same bytes whatever their number, in one
//!    [`gzip`] member or [`zstd`] frames.
//!
//! Nothing here interprets a file's content, except archives and images of files.

pub mod bounded;
pub mod erofs;
pub mod error;
pub mod gzip;
pub mod path;
pub mod pieces;
pub mod root;
pub mod stream;
pub mod tar;
pub mod tree;
pub mod verified;
pub mod zstd;

pub use bounded::{Bounded, Limit, NoText};
pub use error::Error;
pub use path::{PathError, RelPath};
pub use root::{Batch, DirEntry, Draft, Durable, FileKind, Lock, Root, Stat};
pub use tree::{Content, Kind, Meta, Node, Opened, Ownership, ScanOptions, Tree, WriteOptions};
pub use verified::{Expected, Mismatch, Verified, Verifying, verify_bytes};
