//! Base addresses and logins that clients on this machine are configured to use, read from given
//! texts.
//!
//! No address is built in: what a machine's own clients may reach is their configuration's to
//! say. Whoever calls reads the files.

pub mod apt;
pub mod http_auth;
pub mod netrc;
pub mod pip;
