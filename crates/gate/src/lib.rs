//! Policies that judge evidence.
//!
//! Reading order:
//!
//! 1. [`policy`]: [`Policy`], the named list of what is required.
//! 2. [`subject`]: [`Subject`], what a candidate for release tells of itself, and [`Origin`].
//! 3. [`judgement`]: [`Judgement`], every finding, and what was *not* judged.
//! 4. [`judge`](mod@judge): [`judge()`](judge::judge), the only maker of [`Cleared`]; else [`Refused`].
//!
//! This crate is pure: the time is an argument, evidence is what it is handed.

pub mod judge;
pub mod judgement;
pub mod policy;
pub mod subject;

pub use judge::{Cleared, Refused, judge};
pub use judgement::{Finding, Judgement, Rule};
pub use policy::Policy;
pub use subject::{Origin, Subject};
