//! Command lines split into words.
