//! The kit of the end-to-end tests: real programs on real factories, nothing pretended.
//!
//! Reading order:
//!
//! 1. [`program`]: the binary under test, found or built; the repository's own files.
//! 2. [`command`]: running a program with a time limit, keeping all it says.
//! 3. [`tools`]: programs the tests need, and what installs them.
//! 4. [`folder`]: where tests work, and what they clean away.
//! 5. [`factory`]: a factory in a folder, driven through the program.
//! 6. [`small`]: a factory that is made in a second, from a tiny stage 0.
//! 7. [`server`]: `boltworks serve` on a port of its own.
//! 8. [`registry`]: Debian's docker-registry on a port of its own.
//! 9. [`layout`]: what a pulled image is, read by `tar` and `sha256sum`.
//! 10. [`trace`]: what `strace` saw, parsed.
//!
//! Variables for a person who runs them:
//!
//! | variable | what it does |
//! |---|---|
//! | `BOLTWORKS_PROGRAM` | the program to test, instead of the one beside the tests |
//! | `BOLTWORKS_KEEP` | folders of tests stay, to be looked at |
//! | `BOLTWORKS_CRASH_EVERY` | kills at every k-th position instead of a few; 1 is all of them, for hours |

pub mod command;
pub mod factory;
pub mod folder;
pub mod layout;
pub mod program;
pub mod registry;
pub mod server;
pub mod small;
pub mod tools;
pub mod trace;

pub use command::{Command, Output, Running};
pub use factory::{Factory, Report};
pub use folder::Folder;
pub use registry::Registry;
pub use server::Server;
