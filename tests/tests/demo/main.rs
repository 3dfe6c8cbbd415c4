//! End to end on the demo: a web server from upstream's sources to a page fetched from a container.
//!
//! The demo is made once, from nothing, by the first test that needs it; the others look at it, or
//! work on a copy.

mod inside;
mod made;
mod once;
mod pulled;
mod touch;
mod worlds;
