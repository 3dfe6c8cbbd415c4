//! Debian's binary packages as a stage-0 repository
