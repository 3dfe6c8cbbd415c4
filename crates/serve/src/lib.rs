//! A read-only OCI registry and apk repository over HTTP, of what was released and nothing else.
//!
//! Reading order:
//!
//! 1. [`options`]: [`Options`] and [`Limits`], what a server is given.
//! 2. [`server`]: [`run`], from listening to the last answered request.
//! 3. [`route`]: a request's path, parsed into types: what is not a name is no route;
//!    [`query`]: percent-encoding and query strings.
//! 4. `answer`: the look-up for each route, and what comes back.
//! 5. [`condition`]: which bytes of a file are wanted; `file`: streaming them with little memory.
//! 6. `page`: the page for people at `/`.
//! 7. [`refusal`]: what a stranger is told; the log has the rest.
//! 8. `shelf`, `connection`, `task`: open records for many threads, connections that
//!    cannot be held open for nothing, tasks that end with the server.
//! 9. [`error`]: why a server does not start.
//!
//! What reads a stranger's bytes is pure and public, so that it can be fuzzed.
//!
//! There is no way from here to the store: what is served comes from
//! [`ReleasedStore`](boltworks_release::ReleasedStore).

mod answer;
pub mod condition;
mod connection;
pub mod error;
mod file;
pub mod options;
mod page;
pub mod query;
pub mod refusal;
pub mod route;
pub mod server;
mod shelf;
mod task;

pub use error::Error;
pub use options::{Limits, Options};
pub use server::{run, until_signal};
