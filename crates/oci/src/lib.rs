//! OCI image layout, manifest and configuration
