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
        let Some((algorithm, key)) = parts else {
            return Err(Error::Misplaced { section, path });
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
    let allowance = Allowance {
        size: Limit::mib(300),
        ratio: 1024,
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
    out.write_all(&self::section(&raw, signer, mtime)?)
        .map_err(write)?;
    out.write_all(&raw).map_err(write)?;
    if signed == Signed::Index {
        members.end(section)?;
    } else if !members.has_more(Section::Data)? {
        return Err(Error::Missing(Section::Data));
    }
    io::copy(&mut members.rest(), out).map_err(write)?;
    Ok(signed)
}
