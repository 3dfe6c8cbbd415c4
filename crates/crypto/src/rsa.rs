//! RSA keys and PKCS#1 v1.5 signatures (RFC 8017 section 8.2).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKey};
use aws_lc_rs::signature::{self, KeyPair as _, RsaParameters, UnparsedPublicKey};
use boltworks_model::Secret;

use crate::{Error, pem};

/// The digest inside a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RsaHash {
    /// Only to verify what older apk tools signed.
    Sha1,
    /// The usual one.
    Sha256,
    /// The long one.
    Sha512,
}

/// A private RSA key. Its bytes stay inside the engine, which wipes them.
pub struct RsaPrivateKey(KeyPair);

impl RsaPrivateKey {
    /// Makes a new key of 4096 bits from the operating system's randomness. Takes seconds.
    pub fn generate() -> Result<Self, Error> {
        KeyPair::generate(KeySize::Rsa4096)
            .map(Self)
            .map_err(|_| Error::Generate)
    }

    /// Makes a new key of 2048 bits: for tests, where making a long one takes too long.
    pub fn generate_short() -> Result<Self, Error> {
        KeyPair::generate(KeySize::Rsa2048)
            .map(Self)
            .map_err(|_| Error::Generate)
    }

    /// Reads `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1), both without passphrase.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let (label, der) = pem::decode(pem)?;
        let pair = match label.as_str() {
            "PRIVATE KEY" => KeyPair::from_pkcs8(der.expose()),
            "RSA PRIVATE KEY" => KeyPair::from_der(der.expose()),
            "ENCRYPTED PRIVATE KEY" => return Err(Error::Pem(pem::ENCRYPTED)),
            _ => {
                return Err(Error::Label {
                    label,
                    wanted: "an RSA private key",
                });
            }
        };
        pair.map(Self).map_err(Error::Rejected)
    }

    /// The key as `RSA PRIVATE KEY` (PKCS#1), the form that every tool for apk packages reads.
    pub fn to_pem(&self) -> Result<Secret<String>, Error> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| Error::Encode)?;
        let inner = within_pkcs8(der.as_ref()).ok_or(Error::Encode)?;
        Ok(Secret::new(pem::encode("RSA PRIVATE KEY", inner)))
    }

    /// The public half.
    pub fn public(&self) -> RsaPublicKey {
        RsaPublicKey(self.0.public_key().clone())
    }

    /// Signs a message; the same key and message give the same bytes, as many as the modulus has.
    pub fn sign(&self, hash: RsaHash, message: &[u8]) -> Result<Vec<u8>, Error> {
        let padding = match hash {
            RsaHash::Sha1 => return Err(Error::LegacyHash),
            RsaHash::Sha256 => &signature::RSA_PKCS1_SHA256,
            RsaHash::Sha512 => &signature::RSA_PKCS1_SHA512,
        };
        let mut bytes = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(padding, &SystemRandom::new(), message, &mut bytes)
            .map_err(|_| Error::Sign)?;
        Ok(bytes)
    }
}

/// The RSA key inside a `PrivateKeyInfo` (RFC 5208 section 5).
fn within_pkcs8(der: &[u8]) -> Option<&[u8]> {
    // Version 0, and rsaEncryption without parameters.
    const BEFORE: &[u8] = &[
        0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
        0x01, 0x05, 0x00,
    ];
    let sequence = value(der, 0x30)?;
    value(sequence.strip_prefix(BEFORE)?, 0x04)
}

/// What is inside a DER value with this tag, if nothing comes after it.
fn value(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let count = match first {
        0..=0x7f => return (rest.len() == usize::from(first)).then_some(rest),
        _ => usize::from(first & 0x7f),
    };
    let (bytes, rest) = rest.split_at_checked(count.min(size_of::<usize>()))?;
    let fold = |len, byte: &u8| len << 8 | usize::from(*byte);
    (rest.len() == bytes.iter().fold(0, fold)).then_some(rest)
}

impl std::fmt::Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RsaPrivateKey(redacted)")
    }
}

/// A public RSA key.
#[derive(Debug, Clone)]
pub struct RsaPublicKey(PublicKey);

impl RsaPublicKey {
    /// Reads `PUBLIC KEY` (X.509 SPKI) or `RSA PUBLIC KEY` (PKCS#1).
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let (label, der) = pem::decode(pem)?;
        if !matches!(label.as_str(), "PUBLIC KEY" | "RSA PUBLIC KEY") {
            return Err(Error::Label {
                label,
                wanted: "an RSA public key",
            });
        }
        PublicKey::from_der(der.expose())
            .map(Self)
            .map_err(Error::Rejected)
    }

    /// The key as `PUBLIC KEY` (X.509 SPKI).
    pub fn to_pem(&self) -> Result<String, Error> {
        let der: PublicKeyX509Der<'_> = self.0.as_der().map_err(|_| Error::Encode)?;
        Ok(pem::encode("PUBLIC KEY", der.as_ref()))
    }

    /// Checks that the signature is this key's of this message. Keys below 2048 bits never verify.
    pub fn verify(&self, hash: RsaHash, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let parameters: &'static RsaParameters = match hash {
            RsaHash::Sha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            RsaHash::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            RsaHash::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        };
        UnparsedPublicKey::new(parameters, self.0.as_ref())
            .verify(message, signature)
            .map_err(|_| Error::BadSignature)
    }
}
