//! apk version 2 packages, versions, index and installed database
