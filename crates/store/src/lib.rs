//! Blobs by digest
