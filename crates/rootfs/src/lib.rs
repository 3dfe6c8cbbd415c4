//! Locked packages to one tree
