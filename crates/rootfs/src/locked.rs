//! Packages pinned to bytes.

use boltworks_crypto::Sha256Hasher;
use boltworks_model::{PackageName, Sha1, Sha256};
use boltworks_version::apk::Version;

/// One package pinned to the bytes of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPackage {
    /// Its name.
    pub name: PackageName,
    /// Its full version.
    pub version: Version,
    /// The package file.
    pub sha256: Sha256,
    /// The name the index has for it: SHA-1 of its control section.
    pub identity: Sha1,
    /// The repository it came from.
    pub repository: String,
}

impl LockedPackage {
    /// `zlib-1.3.1-r0`
    pub fn label(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// The packages of an environment or an image, in install order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Locked {
    /// The packages. The order decides who laid a shared directory first.
    pub packages: Vec<LockedPackage>,
}

impl Locked {
    /// Names everything that decides the bytes of the tree: which package files, in which
    /// order. Where a file was fetched from is not part of it.
    pub fn digest(&self) -> Sha256 {
        let mut hasher = Sha256Hasher::new();
        hasher.update(b"boltworks locked packages 1\n");
        for LockedPackage {
            name,
            version,
            sha256,
            ..
        } in &self.packages
        {
            hasher.update(format!("{sha256}  {name}-{version}\n").as_bytes());
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, byte: u8, repository: &str) -> LockedPackage {
        LockedPackage {
            name: name.parse().unwrap(),
            version: "1.0-r0".parse().unwrap(),
            sha256: Sha256::new([byte; 32]),
            identity: Sha1::new([byte; 20]),
            repository: repository.to_owned(),
        }
    }

    #[test]
    fn bytes_and_order_decide_the_digest_and_nothing_else() {
        let digest = |packages: &[LockedPackage]| {
            let packages = packages.to_vec();
            Locked { packages }.digest()
        };
        let (a, b) = (package("a", 1, "os"), package("b", 2, "os"));
        let both = digest(&[a.clone(), b.clone()]);
        assert_eq!(both, digest(&[a.clone(), package("b", 2, "stage0")]));
        assert_ne!(both, digest(&[b.clone(), a.clone()]));
        assert_ne!(both, digest(&[a.clone(), package("b", 3, "os")]));
        assert_ne!(both, digest(&[a]));
    }
}
