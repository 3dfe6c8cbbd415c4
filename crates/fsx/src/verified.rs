//! Bytes whose digest was checked, as a type.

use std::io::{self, Read};

use boltworks_crypto::{Sha256Hasher, Sha512Hasher, sha256};
use boltworks_model::{Sha256, Sha512};

use crate::Error;

/// The digests that bytes must have: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
}

impl Expected {
    /// Both digests must match.
    pub const fn both(sha256: Sha256, sha512: Sha512) -> Self {
        Self {
            sha256: Some(sha256),
            sha512: Some(sha512),
        }
    }

    /// The SHA-256, if that is known beforehand.
    pub const fn sha256(&self) -> Option<Sha256> {
        self.sha256
    }

    /// The SHA-512, if that is known beforehand.
    pub const fn sha512(&self) -> Option<Sha512> {
        self.sha512
    }
}

impl From<Sha256> for Expected {
    fn from(digest: Sha256) -> Self {
        Self {
            sha256: Some(digest),
            sha512: None,
        }
    }
}

impl From<Sha512> for Expected {
    fn from(digest: Sha512) -> Self {
        Self {
            sha256: None,
            sha512: Some(digest),
        }
    }
}

/// Bytes have another digest than they should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("verify the content: {expected} was expected, {actual} was found")]
pub struct Mismatch {
    /// The digest that was expected, with its algorithm.
    pub expected: String,
    /// The digest that was found, with its algorithm.
    pub actual: String,
}

/// Something whose bytes were hashed and found to be the expected ones.
#[derive(Debug)]
pub struct Verified<T> {
    value: T,
    digest: Sha256,
}

impl<T> Verified<T> {
    /// The value.
    pub const fn get(&self) -> &T {
        &self.value
    }

    /// The value, without the proof.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The SHA-256 of the bytes.
    pub const fn digest(&self) -> &Sha256 {
        &self.digest
    }

    /// The same proof about another view of the same bytes. The caller vouches that it is one.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Verified<U> {
        Verified {
            value: view(self.value),
            digest: self.digest,
        }
    }
}

/// A reader that hashes what passes; only [`Verifying::finish`] says whether it may be used.
#[derive(Debug)]
pub struct Verifying<R> {
    inner: R,
    expected: Expected,
    sha256: Sha256Hasher,
    sha512: Option<Sha512Hasher>,
}

impl<R: Read> Verifying<R> {
    /// Watches a reader for the expected content.
    pub fn new(inner: R, expected: impl Into<Expected>) -> Self {
        let expected = expected.into();
        let sha512 = expected.sha512.map(|_| Sha512Hasher::new());
        Self {
            inner,
            expected,
            sha256: Sha256Hasher::new(),
            sha512,
        }
    }

    /// Reads to the end and compares. The reader comes back at its end.
    pub fn finish(mut self) -> Result<Verified<R>, Error> {
        io::copy(&mut self, &mut io::sink()).map_err(|source| Error::Stream {
            action: "read what is to be verified",
            source,
        })?;
        let digest = self.sha256.finish();
        if let Some(expected) = self.expected.sha256 {
            check(&expected.prefixed(), &digest.prefixed())?;
        }
        if let (Some(expected), Some(hasher)) = (self.expected.sha512, self.sha512) {
            check(&expected.prefixed(), &hasher.finish().prefixed())?;
        }
        Ok(Verified {
            value: self.inner,
            digest,
        })
    }
}

impl<R: Read> Read for Verifying<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let (seen, _) = buffer.split_at(count.min(buffer.len()));
        self.sha256.update(seen);
        if let Some(hasher) = &mut self.sha512 {
            hasher.update(seen);
        }
        Ok(count)
    }
}

/// Checks bytes at hand.
pub fn verify_bytes(bytes: Vec<u8>, expected: &Sha256) -> Result<Verified<Vec<u8>>, Mismatch> {
    let digest = sha256(&bytes);
    check(&expected.prefixed(), &digest.prefixed())?;
    Ok(Verified {
        value: bytes,
        digest,
    })
}

fn check(expected: &str, actual: &str) -> Result<(), Mismatch> {
    if expected == actual {
        return Ok(());
    }
    Err(Mismatch {
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use boltworks_crypto::sha512;

    use super::*;

    #[test]
    fn only_the_expected_bytes_are_verified() {
        let (good, other) = (sha256(b"good"), sha256(b"other"));
        let long = sha512(b"good");
        let finish = |expected: Expected| Verifying::new(&b"good"[..], expected).finish();
        for expected in [good.into(), long.into(), Expected::both(good, long)] {
            let verified = finish(expected).unwrap();
            assert_eq!(verified.digest(), &good);
        }
        let wrong = [
            other.into(),
            sha512(b"other").into(),
            Expected::both(other, long),
        ];
        for expected in wrong
            .into_iter()
            .chain([Expected::both(good, sha512(b"other"))])
        {
            assert!(matches!(finish(expected), Err(Error::Mismatch(_))));
        }
    }

    #[test]
    fn bytes_at_hand_are_verified_too() {
        let digest = sha256(b"good");
        let verified = verify_bytes(b"good".to_vec(), &digest).unwrap();
        assert_eq!(verified.map(|bytes| bytes.len()).into_inner(), 4);
        let mismatch = verify_bytes(b"bad".to_vec(), &digest).unwrap_err();
        assert_eq!(mismatch.expected, digest.prefixed());
        assert_eq!(mismatch.actual, sha256(b"bad").prefixed());
    }

    #[test]
    fn what_was_not_read_is_hashed_as_well() {
        let mut reader = Verifying::new(&b"good and more"[..], sha256(b"good"));
        reader.read_exact(&mut [0; 4]).unwrap();
        assert!(matches!(reader.finish(), Err(Error::Mismatch(_))));
    }
}
