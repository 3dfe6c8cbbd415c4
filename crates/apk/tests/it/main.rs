//! Packages and indexes, whole: written, read, signed, compared, and made by enemies.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod golden;
mod hostile;
mod index;
mod kit;
mod package;
