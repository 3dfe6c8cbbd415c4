//! The HTTP client, credentials, and what the machine's own clients are configured to use.
//!
//! Reading order:
//!
//! 1. [`address`]: [`Address`], an absolute `http` or `https` address; [`Origin`], whom it belongs to.
//! 2. [`credential`]: [`OriginBoundCredential`], a secret that only its origin is ever sent.
//! 3. [`proxy`]: [`Proxies`], which proxy stands before an address.
//! 4. [`client`]: [`Client`], one GET with redirects followed by us and a bounded body.
//! 5. [`exchange`]: HEAD, POST, PATCH and PUT, and answers of every status with their headers.
//! 6. [`retry`]: [`Retry`], waiting and trying again, only where that can help; [`date`]: how long
//!    a server asks to wait.
//! 7. [`download`](mod@download): [`download()`], a transfer that goes on where it broke off.
//! 8. [`machine`]: what apt, pip, netrc and apko on this machine are configured to use, from texts.
//!
//! Nothing here reads a file or the environment, and no address is known beforehand.

pub mod address;
pub mod client;
pub mod credential;
pub mod date;
pub mod download;
pub mod error;
pub mod exchange;
pub mod machine;
pub mod proxy;
pub mod retry;

pub use address::{Address, Origin};
pub use client::{Body, Client, Request, Response, Settings};
pub use credential::{Login, OriginBoundCredential};
pub use download::{Download, Have, Part, download, download_unless};
pub use error::{Error, Transience};
pub use exchange::{Answer, Content, Exchange, Method, Open};
pub use proxy::Proxies;
pub use retry::Retry;
