//! apk version 2: packages, the repository index, the installed database.
//!
//! Reading order:
//!
//! 1. [`control`]: [`Control`], what a package says of itself (`.PKGINFO`).
//! 2. [`scripts`]: [`Scripts`], what a package runs when it comes and goes.
//! 3. [`gzip`]: one member at a time, bounded, and the bytes hashed that were used.
//! 4. [`signature`]: who signed a section.
//! 5. [`package`]: [`PackageFile`] reads a package, [`write_package`] writes one.
//! 6. [`index`]: [`Index`] and [`IndexEntry`], what a repository offers.
//! 7. [`columns`]: [`Columns`], an index in a form in which names are looked up.
//! 8. [`reach`](mod@reach): the part of indexes that a choice can depend on.
//! 9. [`installed`]: what a root file system says of the packages in it.
//! 10. [`mod@diff`]: what tells two packages apart.
//!
//! Nothing here fetches, installs or chooses a package. Reading is strict and bounded; writing
//! is deterministic, and [`WRITER_VERSION`] names the bytes it gives.

mod archive;
pub mod columns;
pub mod control;
pub mod diff;
pub mod error;
pub mod gzip;
pub mod index;
pub mod installed;
pub mod package;
pub mod reach;
pub mod scripts;
pub mod signature;
mod text;

pub use columns::{Columns, Damaged};
pub use control::{Control, Provide};
pub use diff::{Difference, diff, diff_controls};
pub use error::{Error, Section};
pub use index::{Index, IndexEntry, Unusable};
pub use package::{
    Limits, OpenOptions, PackageFile, Parts, Program, Scratch, Sections, Unpacked, WriteOptions,
    Written, check_tree, read_programs, write_data, write_package,
};
pub use reach::{Found, Names, Reached, Shelf, Whole, reach};
pub use scripts::{ScriptKind, Scripts};
pub use signature::{Signature, Signed, sign, unsign};

/// Names the bytes that [`write_package`], [`Index::write`] and [`installed`] give for equal
/// input. It goes up whenever they change; a test holds it against golden digests.
pub const WRITER_VERSION: &str = "apk-2";
