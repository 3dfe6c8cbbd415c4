//! What can be wrong with a key or a signature.

use aws_lc_rs::error::KeyRejected;

/// What can be wrong with a key or a signature. None says anything about the key's content.
#[expect(
    clippy::error_impl_error,
    reason = "every room has one `Error`; callers name it with the room in front"
)]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The textual envelope is broken.
    #[error("read the key's PEM text: {0}")]
    Pem(&'static str),
    /// The envelope holds something that is not an RSA key.
    #[error("use '{label}' as {wanted}")]
    Label {
        /// What the envelope says it holds.
        label: String,
        /// What was needed.
        wanted: &'static str,
    },
    /// The engine refuses the key: wrong structure, size outside 2048 to 8192 bits, or unsound.
    #[error("accept the RSA key")]
    Rejected(#[source] KeyRejected),
    /// The engine could not write the key down.
    #[error("encode the RSA key")]
    Encode,
    /// The engine could not make a key.
    #[error("generate an RSA key")]
    Generate,
    /// Nobody signs with SHA-1 any more; such signatures are only verified.
    #[error("sign with SHA-1: only old signatures are verified with it")]
    LegacyHash,
    /// The engine could not sign.
    #[error("sign with the RSA key")]
    Sign,
    /// The signature is not that key's signature of that message.
    #[error("verify the RSA signature")]
    BadSignature,
}

impl Error {
    /// Whether what was read is no key.
    pub const fn is_no_key(&self) -> bool {
        matches!(self, Self::Pem(_) | Self::Label { .. } | Self::Rejected(_))
    }
}
