//! The `if` grammar.
