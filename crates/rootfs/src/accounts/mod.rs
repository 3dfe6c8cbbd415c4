//! Users and groups: what stands in `/etc/passwd`, `/etc/group` and `/etc/shadow`, in images and in
//! guests alike, and the thin tree that brings it into a guest.
//!
//! Packages may bring these files; what is asked for goes behind their lines. A name that is there
//! already with other numbers is an error; of two that are asked for the first counts.

mod layer;
mod lines;

pub use layer::numbers;
pub use lines::{Fault, GROUP, PASSWD, SHADOW, Table, home, verify_numbers};
