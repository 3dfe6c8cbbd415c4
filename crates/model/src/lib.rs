//! The words of the factory as types.
//!
//! Reading order:
//!
//! 1. [`digest`]: what names bytes ([`Sha256`], [`Sha512`]) and what only labels them ([`Sha1`]).
//! 2. [`name`]: identities that are text ([`PackageName`], [`Architecture`], [`ChannelName`]).
//! 3. [`time`]: [`Timestamp`], seconds since 1970, passed in and never read from a clock here.
//! 4. [`artifact`]: what is made ([`Artifact`]), from what ([`Material`], [`SourceKind`]), by what ([`ActionId`]).
//! 5. [`git`]: what is wanted of a git repository ([`Checkout`]), and its names ([`ObjectId`], [`RefName`]);
//!    [`address`]: where it, or a file, may be.
//! 6. [`verdict`]: [`Verdict`] and [`Evidence`], what a gate weighs.
//! 7. [`secret`]: [`Secret`], a value that cannot be printed, copied or stored.
//! 8. [`cause`]: [`chain`], an error told with its causes.
//! 9. [`mod@visible`]: [`visible()`], texts of others as people may see them.
//! 10. [`ambient`]: [`Ambient`], the clock, the entropy, the listener and the cancel button, as an argument.
//!
//! This crate reads no file, knows no format and starts nothing.

pub mod address;
pub mod ambient;
pub mod artifact;
pub mod cause;
pub mod digest;
pub mod git;
pub mod name;
pub mod secret;
pub mod time;
pub mod verdict;
pub mod visible;

pub use address::{AddressError, FileAddress, Remote};
pub use ambient::{Ambient, Cancel, Cancelled, Clock, Entropy, Event, Sink};
pub use artifact::{ActionId, Artifact, ArtifactKind, Coordinate, Material, SourceKind};
pub use cause::chain;
pub use digest::{ParseDigestError, Sha1, Sha256, Sha512};
pub use git::{Checkout, Depth, ObjectId, ParseObjectIdError, Pick, RefName, RefNameError};
pub use name::{Architecture, ChannelName, NameError, PackageName};
pub use secret::Secret;
pub use time::{ParseTimestampError, Timestamp};
pub use verdict::{Evidence, EvidenceKind, Gaps, Reasons, Verdict};
pub use visible::{is_unseen, visible, visible_line, visible_path, visible_start};
