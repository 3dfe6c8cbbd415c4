//! Escape-proof directories, bounded reads, durable writes, file tree, deterministic tar.
