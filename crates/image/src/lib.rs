//! From locked packages to an OCI image
