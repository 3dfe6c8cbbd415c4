//! What is stale and why
