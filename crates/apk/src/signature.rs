//! Who signed a section: the member of `.SIGN.<algorithm>.<key>` files in front of it.
//!
//! A signature is PKCS#1 v1.5 over the compressed bytes of the next member: a package's control
//! section, which names the digest of the data section, or the whole index. `RSA256` is
//! written; `RSA` (SHA-1, what Alpine signs with), `RSA256` and `RSA512` are verified.

use std::io::{self, Read, Write};

use boltworks_crypto::{Keyring, RsaHash, Signer};
use boltworks_fsx::Limit;

use crate::archive::{self, End, File};
use crate::error::{Error, Section};
use crate::gzip::{self, Allowance, Members};
use crate::text::cut;

/// How the names of signature files begin.
const PREFIX: &str = ".SIGN.";
/// With this the name of the signature's file fits a tar header.
const MAX_KEY_NAME: usize = 80;
/// What the signature member is compressed with; signatures hardly get smaller.
const LEVEL: u32 = 6;

/// One signature as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The digest; none if the algorithm is not one that is verified here.
    pub hash: Option<RsaHash>,
    /// The key's file name.
    pub key: String,
    /// The signature itself.
    pub bytes: Vec<u8>,
}

/// Whether an archive's first entry makes it a signature section.
pub(crate) fn is_signature(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Reads the decompressed signature section.
pub(crate) fn parse(plain: &[u8]) -> Result<Vec<Signature>, Error> {
    let section = Section::Signature;
    let mut signatures = Vec::new();
    for (path, bytes) in archive::read(section, plain, End::Forbidden)? {
        let parts = path
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('.'));
        let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
        let Some((algorithm, key)) = parts.filter(|(_, key)| is_key(key)) else {
            return Err(Error::Misplaced {
                section,
                path: cut(&path),
            });
        };
        let hash = match algorithm {
            "RSA" => Some(RsaHash::Sha1),
            "RSA256" => Some(RsaHash::Sha256),
            "RSA512" => Some(RsaHash::Sha512),
            _ => None,
        };
        signatures.push(Signature {
            hash,
            key: key.to_owned(),
            bytes,
        });
    }
    Ok(signatures)
}

/// Checks the signatures of trusted keys; the names of those keys. At least one must be
/// trusted, and none of a trusted key may be wrong.
pub(crate) fn verify(
    signatures: &[Signature],
    message: &[u8],
    keyring: &Keyring,
) -> Result<Vec<String>, Error> {
    if signatures.is_empty() {
        return Err(Error::Unsigned);
    }
    let mut verified = Vec::new();
    for signature in signatures {
        let (Some(hash), Some(key)) = (signature.hash, keyring.get(&signature.key)) else {
            continue;
        };
        key.verify(hash, message, &signature.bytes)
            .map_err(|source| Error::BadSignature {
                name: signature.key.clone(),
                source,
            })?;
        verified.push(signature.key.clone());
    }
    if verified.is_empty() {
        let names: Vec<_> = signatures
            .iter()
            .map(|signature| signature.key.as_str())
            .collect();
        return Err(Error::Untrusted {
            names: names.join(", "),
        });
    }
    Ok(verified)
}

/// The signature section for a message: one gzip member.
pub(crate) fn section(message: &[u8], signer: &Signer, mtime: i64) -> Result<Vec<u8>, Error> {
    let is_name = signer.name.ends_with(".rsa.pub")
        && signer.name.len() <= MAX_KEY_NAME
        && signer
            .name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if !is_name {
        return Err(Error::KeyName(signer.name.clone()));
    }
    let bytes = signer
        .key
        .sign(RsaHash::Sha256, message)
        .map_err(|source| Error::Sign {
            name: signer.name.clone(),
            source,
        })?;
    let name = format!("{PREFIX}RSA256.{}", signer.name);
    let file = File {
        name: &name,
        content: &bytes,
        mode: 0o644,
    };
    gzip::member(&archive::write([file], mtime, End::Forbidden)?, LEVEL)
}

/// What [`sign`] found to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// A package.
    Package,
    /// An index.
    Index,
}

/// Copies a package or an index to `out`, with one new signature in the place of all it had.
///
/// `mtime` is the time of the signature's entry. Only what is signed is read and judged; a
/// package's data section is copied as it is.
pub fn sign(
    input: impl Read,
    signer: &Signer,
    mtime: i64,
    out: &mut impl Write,
) -> Result<Signed, Error> {
    copy(input, out, |raw| section(raw, signer, mtime))
}

/// Copies a package or an index to `out` without any signature.
pub fn unsign(input: impl Read, out: &mut impl Write) -> Result<Signed, Error> {
    copy(input, out, |_| Ok(Vec::new()))
}

/// Copies a package or an index with another signature section.
fn copy(
    input: impl Read,
    out: &mut impl Write,
    signature: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>,
) -> Result<Signed, Error> {
    let allowance = Allowance {
        size: Limit::mib(300),
        ratio: gzip::RATIO,
    };
    let mut members = Members::new(input);
    let mut section = Section::Control;
    let (mut plain, mut raw) = members.read(section, allowance)?;
    let names = |plain: &[u8], section| -> Result<Vec<String>, Error> {
        let files = archive::read(section, plain, End::Allowed)?;
        Ok(files.into_iter().map(|(name, _)| name).collect())
    };
    let mut found = names(&plain, section)?;
    if found.first().is_some_and(|name| is_signature(name)) {
        (plain, raw) = members.read(section, allowance)?;
        found = names(&plain, section)?;
    }
    let has = |wanted: &str| found.iter().any(|name| name == wanted);
    let signed = if has(".PKGINFO") {
        Signed::Package
    } else if has("APKINDEX") {
        section = Section::Index;
        Signed::Index
    } else {
        return Err(Error::Lacks {
            section,
            path: ".PKGINFO",
        });
    };
    let write = |source| Error::Io {
        action: "write what is signed",
        source,
    };
    out.write_all(&signature(&raw)?).map_err(write)?;
    out.write_all(&raw).map_err(write)?;
    if signed == Signed::Index {
        members.end(section)?;
    } else if !members.has_more(Section::Data)? {
        return Err(Error::Missing(Section::Data));
    }
    io::copy(&mut members.rest(), out).map_err(write)?;
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use boltworks_crypto::RsaPublicKey;
    use data_encoding::BASE64;

    use super::*;

    // Made with `openssl genrsa 2048` and `openssl dgst -sha1|-sha256|-sha512 -sign`, over
    // "control section"; the private key is gone.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlvLkiMxW569dVOT6ujQf\n\
        ZWdYQb6gToNDLcsdnvuVXcRg2ooSGVTzf4gZumMOwg9wcp+LDlImUU85+OqdNTiA\n\
        j2fuSL/yg3yez2qeV9yYAfXk9Bc/jvCQeclH5H5kIRuaFX4dWJQcfXz8u5ANJQgw\n\
        BFd8JFU+89EiqHnG7211IBaTbKoEl2ellXeMk7pEWdXBZUlLRKIycWhHhs7H1NU1\n\
        a65jKEdMCVyvqVDvVeDAv87iWoc4YnlZ8EVu5+vLmnc7pOJzUQ8Fd3h5Kew1Bity\n\
        nb9YvvgreUoOVy4JjfrUlhZjG3+zeQACk1Vfg0ZJrBsFWqUMm+IW/Qx6Pm71WYzT\n\
        OQIDAQAB\n\
        -----END PUBLIC KEY-----\n\
        ";
    const SHA1: &str = "XknFEl60/rxJ7SQ6WT2scerRBleAjcq6oqXNsBtvU6B6PTWnBVVjibUfecKSUPbncOlPCg3g4VPGFFS7hKR2J7WJ\
        x/TD8SD9JgktTUoDWJqP+1O4GKaBmXBg/lQ7T3WfdPfes7EyS85xAMwBUOVnJw9OE1fSUQZ7lImZAZrRyI3mUDjz\
        DXC41ataLAuZ2b7TJcTnRKEFAx6edb4o1UgFKIvkkn8g6iq66t5EXNx6q9Uv5kNw3jq4vx7nlNxjpEl2konAHlAk\
        6JrW2Z1PA7vdAnCGpDZDltz7njOMaW0Q7/YnRvUutgZBCMp4Yrgf6YwOylWxkBQliJtL8Ars35dFhA==";
    const SHA256: &str = "QgfmVJamcg63ncrR4y+I9RVK7069ZxkMpDTesiVmhCPy2I4bgtq6D++jx3OOBWLoDgv8FoGILfWH06SOq59a/sIV\
        S2sxsNswKOpjjrmeOeql8n01vWWhXnd9D70kQtljC5cBWNUpq/QeMraKZoR5aNEzR3Uguvbpp8CSMyPVUpOZXbUO\
        6nPpt9cUZOHvVzL2O+KN1PycmFzAWHnHtGeWFWE/wOA7ImPT5CAQBwBDzRFBVhAIxK8OJRIyDgrP8dHYpgHahE/z\
        /traTcMWga0O3ahHPft1S/OS9tdHpYkpTsiAod8P0JARBqSEEoxvmAyoIND7f4gNYTa/QnJO+0x9hQ==";
    const SHA512: &str = "dcurOWbxHQSICbSAv1VMqeYAf7dYBJF0OBRgAr3LUIF4Y+x55ZvXmM/RqQHumTLWNGa6q91YQ7vRSpy8xUm1bawX\
        ULyJYuKxAMEJSAl6xF4REs9W8lgMQy+T0UY5ieZmxtUPulZMxW9uWrBJ1cVY55zXbID7FON5sNj+GCOzegxwH90m\
        PE+KwCccl5ZtrAzHxSPWP1CYQT6O7kI8xK8OFnf0mhHNR3nihvL7ys5WbiP7efdHC9rNyZOl1zYH0Ji99Mlj5sA6\
        dvNBhB65eemmqqSj9zxeMM4F1S6MzthZxCenUdFOhT7uRk5wAtxthW+jXbZyEC78Whc1yG46kKE5/g==";
    const MESSAGE: &[u8] = b"control section";

    fn keyring() -> Keyring {
        let mut keyring = Keyring::new();
        keyring.insert("a.rsa.pub", RsaPublicKey::from_pem(KEY.as_bytes()).unwrap());
        keyring
    }

    /// A signature section of files with these names and base64 contents.
    fn section(files: &[(&str, &str)]) -> Vec<Signature> {
        let files: Vec<_> = files
            .iter()
            .map(|&(name, text)| (name, BASE64.decode(text.as_bytes()).unwrap()))
            .collect();
        let files = files.iter().map(|(name, content)| File {
            name,
            content,
            mode: 0o644,
        });
        parse(&archive::write(files, 0, End::Forbidden).unwrap()).unwrap()
    }

    #[test]
    fn the_three_algorithms_of_openssl_are_verified() {
        let files = [
            (".SIGN.RSA.a.rsa.pub", SHA1),
            (".SIGN.RSA256.a.rsa.pub", SHA256),
            (".SIGN.RSA512.a.rsa.pub", SHA512),
        ];
        for file in files {
            let signatures = section(&[file]);
            assert_eq!(
                verify(&signatures, MESSAGE, &keyring()).unwrap(),
                ["a.rsa.pub"],
                "{}",
                file.0
            );
            let error = verify(&signatures, b"Control section", &keyring()).unwrap_err();
            assert!(
                matches!(error, Error::BadSignature { .. }),
                "{}: {error}",
                file.0
            );
        }
        assert_eq!(
            verify(&section(&files), MESSAGE, &keyring()).unwrap().len(),
            3
        );
    }

    #[test]
    fn the_name_decides_the_algorithm_and_the_key() {
        let refusal = |files: &[(&str, &str)]| {
            verify(&section(files), MESSAGE, &keyring())
                .unwrap_err()
                .to_string()
        };
        insta::assert_snapshot!(refusal(&[]), @"verify the signature: there is none");
        insta::assert_snapshot!(refusal(&[(".SIGN.RSA.a.rsa.pub", SHA256)]), @"verify the signature by 'a.rsa.pub'");
        insta::assert_snapshot!(refusal(&[(".SIGN.RSA256.b.rsa.pub", SHA256)]), @"verify the signature: it is by b.rsa.pub, which is not trusted");
        insta::assert_snapshot!(refusal(&[(".SIGN.DSA.a.rsa.pub", SHA256), (".SIGN.RSA256.b", SHA256)]), @"verify the signature: it is by a.rsa.pub, b, which is not trusted");
    }

    #[test]
    fn one_trusted_signature_is_enough_but_none_may_be_wrong() {
        let good = (".SIGN.RSA256.a.rsa.pub", SHA256);
        let strange = (".SIGN.RSA256.b.rsa.pub", SHA512);
        let wrong = (".SIGN.RSA512.a.rsa.pub", SHA1);
        assert_eq!(
            verify(&section(&[strange, good]), MESSAGE, &keyring()).unwrap(),
            ["a.rsa.pub"]
        );
        let error = verify(&section(&[good, wrong]), MESSAGE, &keyring()).unwrap_err();
        assert!(matches!(error, Error::BadSignature { .. }), "{error}");
    }

    #[test]
    fn only_signatures_are_in_a_signature_section() {
        let files = [".SIGN.RSA256.a.rsa.pub", ".PKGINFO"];
        let files = files.map(|name| File {
            name,
            content: b"",
            mode: 0o644,
        });
        let error = parse(&archive::write(files, 0, End::Forbidden).unwrap()).unwrap_err();
        insta::assert_snapshot!(error, @"read the signature section: '.PKGINFO' has no place there");
        let file = File {
            name: ".SIGN.RSA256",
            content: b"",
            mode: 0o644,
        };
        let error = parse(&archive::write([file], 0, End::Forbidden).unwrap()).unwrap_err();
        insta::assert_snapshot!(error, @"read the signature section: '.SIGN.RSA256' has no place there");
        let file = File {
            name: ".SIGN.RSA256.a.rsa.pub",
            content: b"",
            mode: 0o644,
        };
        let error = parse(&archive::write([file], 0, End::Allowed).unwrap()).unwrap_err();
        insta::assert_snapshot!(error, @"read the archive of the signature section: it has an end mark, which hides what follows from apk");
    }
}
