//! Policies that judge evidence
