//! How image layers are compressed.

use schemars::JsonSchema;
use serde::Deserialize;

/// How image layers are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// With gzip, as every client reads it.
    #[default]
    Gzip,
    /// With Zstandard: smaller and quicker; some older clients do not read it.
    Zstd,
}
