//! The `boltworks` program: one module per command.

fn main() {}
