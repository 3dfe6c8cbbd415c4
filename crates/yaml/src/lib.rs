//! Strict YAML reading with spans
