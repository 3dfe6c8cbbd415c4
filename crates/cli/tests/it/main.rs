//! The program from outside: what needs no network and no sandbox.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start the program and look at its files as users do"
)]

mod apk;
mod apko;
mod factory;
mod generated;
mod image;
mod kit;
mod melange;
mod pushing;
mod recipe;
#[path = "../../../registry/tests/it/server.rs"]
mod server;
mod solve;
