//! Digests of bytes and of streams (FIPS 180-4).

use std::io;

use aws_lc_rs::digest;
use boltworks_model::{Sha1, Sha256, Sha512};

macro_rules! hasher {
    ($(#[$doc:meta])* $hasher:ident, $function:ident, $digest:ident, $algorithm:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $hasher(digest::Context);

        impl $hasher {
            /// A hasher that has seen nothing.
            pub fn new() -> Self {
                Self(digest::Context::new($algorithm))
            }

            /// Takes more bytes.
            pub fn update(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }

            /// The digest of everything taken.
            pub fn finish(self) -> $digest {
                copied(&self.0.finish(), $digest::new)
            }
        }

        impl Default for $hasher {
            fn default() -> Self {
                Self::new()
            }
        }

        impl io::Write for $hasher {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.update(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl std::fmt::Debug for $hasher {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($hasher))
            }
        }

        #[doc = concat!("The [`", stringify!($digest), "`] of bytes at hand.")]
        pub fn $function(bytes: &[u8]) -> $digest {
            copied(&digest::digest($algorithm, bytes), $digest::new)
        }
    };
}

hasher!(
    /// Computes a [`Sha256`] piece by piece.
    Sha256Hasher, sha256, Sha256, &digest::SHA256
);
hasher!(
    /// Computes a [`Sha512`] piece by piece.
    Sha512Hasher, sha512, Sha512, &digest::SHA512
);
hasher!(
    /// Computes a [`Sha1`] piece by piece: a name in apk and Maven, never a proof.
    Sha1Hasher, sha1, Sha1, &digest::SHA1_FOR_LEGACY_USE_ONLY
);

/// A writer that hashes and counts what passes through it.
#[derive(Debug)]
pub struct Hashing<W> {
    inner: W,
    hasher: Sha256Hasher,
    size: u64,
}

impl<W> Hashing<W> {
    /// In front of that writer.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256Hasher::new(),
            size: 0,
        }
    }

    /// The writer behind.
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The writer, the digest of all that it took, and how many bytes that was.
    pub fn finish(self) -> (W, Sha256, u64) {
        (self.inner, self.hasher.finish(), self.size)
    }
}

impl<W: io::Write> io::Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The engine's digest as ours: the algorithm decides the length, so the copy always fits.
fn copied<const N: usize, T>(digest: &digest::Digest, new: impl Fn([u8; N]) -> T) -> T {
    let mut bytes = [0; N];
    bytes.copy_from_slice(digest.as_ref());
    new(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(
            sha256(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha1(b"abc").to_string(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            sha512(b"abc").to_string(),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
    }

    /// Takes three bytes at a time.
    struct Slow(Vec<u8>);

    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(&bytes[..bytes.len().min(3)])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_passes_is_hashed_once() {
        let mut hashing = Hashing::new(Slow(Vec::new()));
        io::Write::write_all(&mut hashing, b"abcdefgh").unwrap();
        let (slow, digest, size) = hashing.finish();
        assert_eq!((slow.0.as_slice(), size), (&b"abcdefgh"[..], 8));
        assert_eq!(digest, sha256(b"abcdefgh"));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(left: Vec<u8>, right: Vec<u8>) {
            let whole = [left.as_slice(), right.as_slice()].concat();
            let mut hasher = Sha256Hasher::new();
            hasher.update(&left);
            hasher.update(&right);
            prop_assert_eq!(hasher.finish(), sha256(&whole));
            let mut hasher = Sha1Hasher::new();
            hasher.update(&left);
            hasher.update(&right);
            prop_assert_eq!(hasher.finish(), sha1(&whole));
        }
    }
}
