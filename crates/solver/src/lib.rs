//! Choice of packages
