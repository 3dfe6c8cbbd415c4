//! Hashing, keys and signers.
//!
//! Reading order:
//!
//! 1. [`hash`]: digests of bytes at hand ([`sha256`]) and of streams ([`Sha256Hasher`], [`Hashing`]).
//! 2. [`rsa`]: RSA keys ([`RsaPrivateKey`], [`RsaPublicKey`]) and PKCS#1 v1.5 signatures.
//! 3. [`keyring`]: keys under the names that signatures call them by ([`Signer`], [`Keyring`]).
//!
//! [`Error`] says what can be wrong with a key or a signature. This crate reads no file; all arithmetic is AWS-LC's.

pub mod error;
pub mod hash;
pub mod keyring;
mod pem;
pub mod rsa;

pub use error::Error;
pub use hash::{Hashing, Sha1Hasher, Sha256Hasher, Sha512Hasher, sha1, sha256, sha512};
pub use keyring::{Keyring, Signer};
pub use rsa::{RsaHash, RsaPrivateKey, RsaPublicKey};
