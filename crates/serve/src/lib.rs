//! Read-only OCI and apk repositories over HTTP
