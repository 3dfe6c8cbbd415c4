//! Sources fetched by content, through a chain of mirrors
