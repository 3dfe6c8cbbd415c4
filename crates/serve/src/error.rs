//! Why a server does not start.

use std::io;

/// Why serving failed. A failed request is never one of these: it is answered and logged.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "every room names its one error so")]
pub enum Error {
    /// The listening socket cannot be used.
    #[error("listen for connections")]
    Listen(#[source] io::Error),
    /// The system gives no threads.
    #[error("start the server's threads")]
    Threads(#[source] io::Error),
    /// The system cannot tell of signals.
    #[error("listen for signals")]
    Signals(#[source] io::Error),
}
