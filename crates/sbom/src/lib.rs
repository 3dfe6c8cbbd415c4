//! SPDX and CycloneDX documents
