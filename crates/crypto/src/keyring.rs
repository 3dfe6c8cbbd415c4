//! Keys under the names that signatures call them by.

use std::collections::BTreeMap;

use crate::{RsaPrivateKey, RsaPublicKey};

/// A private key and the name of its public half.
#[derive(Debug)]
pub struct Signer {
    /// The public key's file name, as signatures carry it: `web.rsa.pub`.
    pub name: String,
    /// The key.
    pub key: RsaPrivateKey,
}

/// The public keys that are trusted, by file name (`web.rsa.pub`).
#[derive(Debug, Clone, Default)]
pub struct Keyring(BTreeMap<String, RsaPublicKey>);

impl Keyring {
    /// A keyring that trusts nobody.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The key of that name.
    pub fn get(&self, name: &str) -> Option<&RsaPublicKey> {
        self.0.get(name)
    }

    /// Trusts a key under a name; the key that had the name before is returned.
    pub fn insert(&mut self, name: impl Into<String>, key: RsaPublicKey) -> Option<RsaPublicKey> {
        self.0.insert(name.into(), key)
    }

    /// The names, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names and keys, in byte order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RsaPublicKey)> {
        self.0.iter().map(|(name, key)| (name.as_str(), key))
    }

    /// Whether it trusts nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
