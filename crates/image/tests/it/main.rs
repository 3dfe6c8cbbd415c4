//! Images of crafted packages: reproducible, accepted by real clients, and what was asked for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod based;
mod clients;
mod files;
mod kit;
mod layered;
mod mountable;
mod refused;
mod replaced;
mod series;
