//! Why an OCI document or a reference is refused.

/// Why an OCI document or a reference is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    clippy::error_impl_error,
    reason = "the one error of this room, named as every room names its own"
)]
pub enum Error {
    /// More bytes than any honest document has.
    #[error("{what} has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// `manifest`, `index`, `configuration`.
        what: &'static str,
        /// Its bytes.
        size: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Not the JSON it should be.
    #[error("{what} is not valid")]
    Json {
        /// Which document.
        what: &'static str,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Valid JSON that says something it must not.
    #[error("{what}: {rule}")]
    Rule {
        /// Which document.
        what: &'static str,
        /// What is wrong.
        rule: String,
    },
    /// A text that is no image reference.
    #[error("'{text}' is not an image reference: {rule}")]
    Reference {
        /// The text, cut to 300 characters.
        text: String,
        /// The rule it breaks.
        rule: &'static str,
    },
}

impl Error {
    pub(crate) fn rule(what: &'static str, rule: impl Into<String>) -> Self {
        Self::Rule {
            what,
            rule: rule.into(),
        }
    }
}
