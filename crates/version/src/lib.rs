//! Version order and constraints of every ecosystem.
//!
//! 1. [`apk`]: versions, operators and dependencies as apk-tools understands them.

pub mod apk;
