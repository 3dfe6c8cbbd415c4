//! Where build steps run: a guest without network, host paths, host environment or privilege.
//!
//! Reading order:
//!
//! 1. [`spec`]: what a guest is ([`GuestSpec`], [`Bind`], [`Ids`]), what runs in it ([`StepSpec`], [`Beside`], [`Limits`])
//!    and how it ended ([`Exit`], [`End`]).
//! 2. [`local`]: [`Local`], the guest on this machine: probed once, then run as often as needed.
//! 3. [`mod@helper`]: the guest's first process, which the program's `main` must call before any thread.
//! 4. [`terminal`]: a person at a guest: [`Seat`], their terminal, and [`Rescue`], the shell they
//!    get where a step fails.
//! 5. The rest is private: `launch` starts and hears the first process, `wire` is what they say,
//!    `cgroup` holds limits, `conclusion` is what a report means, `identity` chooses whose processes they are, `host` opens paths of the
//!    host, `refusal` explains what stands in the way, `sys` makes the system calls no safe library
//!    has.
//! 6. [`error`]: [`Error`], why a step could not be run, and [`Refused`], why no guest can be.
//!
//! Isolation is mandatory: what cannot be confined is not run.

mod cgroup;
mod conclusion;
pub mod error;
pub mod helper;
mod host;
mod identity;
mod launch;
pub mod local;
mod refusal;
pub mod spec;
mod sys;
pub mod terminal;
mod wire;

pub use error::{Error, Refused};
pub use helper::{HELPER_WORD, NOT_READY, helper};
pub use local::{DEFAULT_BUILD_UID, Local};
pub use spec::{Beside, Bind, End, Exit, GuestSpec, Ids, Limits, StepSpec, Stream};
pub use terminal::{Rescue, Seat};
