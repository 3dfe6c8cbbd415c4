//! The one way in: text to typed value, within budgets.

use serde::de::DeserializeOwned;
use serde_saphyr::{Budget, DuplicateKeyPolicy, Error as Inner, Options};

use crate::suggest::closest;
use crate::{Error, Place};

/// The longest file that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The deepest nesting of lists and mappings.
pub const MAX_DEPTH: usize = 100;

/// Reads one YAML document into `T`. `file` is only for messages.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Error> {
    todo!()
}
