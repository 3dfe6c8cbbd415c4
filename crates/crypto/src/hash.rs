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
