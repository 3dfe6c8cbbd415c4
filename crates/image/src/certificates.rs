//! Certificate authorities that the image file adds.
//!
//! Each goes into every bundle that is there, and stands beside them as a file of its own
//! that carries its digest in its name, where `update-ca-certificates` looks for it.

use boltworks_crypto::sha256;
use boltworks_fsx::{Meta, Tree};
use boltworks_recipe::resolved::Certificate;

use crate::Error;
use crate::place::{exists, put_file, read_file};
use crate::skeleton::MTIME;

const FOLDER: &str = "usr/local/share/ca-certificates";
const BUNDLES: [&str; 2] = [
    "etc/ssl/certs/ca-certificates.crt",
    "var/lib/ecs/deps/execute-command/certs/tls-ca-bundle.pem",
];
/// Java keeps its authorities in a format of its own, which is not written here.
const JAVA: &str = "etc/ssl/certs/java/cacerts";

/// Adds the certificates to the tree.
pub fn add(tree: &mut Tree, certificates: &[Certificate]) -> Result<(), Error> {
    if certificates.is_empty() {
        return Ok(());
    }
    if exists(tree, JAVA) {
        let reason = format!("the image has /{JAVA}, and adding to Java's store is not supported");
        return Err(Error::refused("certificates", reason));
    }
    let mut all = String::new();
    for (at, certificate) in certificates.iter().enumerate() {
        let what = || format!("certificates.additional[{at}]");
        let (pem, der) = only_certificate(&certificate.content)
            .ok_or_else(|| Error::refused(what(), "it is not one PEM certificate"))?;
        let name = certificate.name.as_deref().unwrap_or("additional");
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(is_name) {
            return Err(Error::refused(
                what(),
                "its name is not letters, digits and . _ -",
            ));
        }
        let path = format!("{FOLDER}/{name}-{}.crt", sha256(&der));
        put_file(tree, &path, Meta::new(0o644, MTIME), pem.clone())?;
        all.push_str(&pem);
        all.push('\n');
    }
    for bundle in BUNDLES {
        if let Some((mut bytes, meta)) = read_file(tree, bundle)? {
            if bytes.last().is_some_and(|byte| *byte != b'\n') {
                bytes.push(b'\n');
            }
            bytes.extend_from_slice(all.as_bytes());
            put_file(
                tree,
                bundle,
                Meta {
                    mtime: MTIME,
                    ..meta
                },
                bytes,
            )?;
        }
    }
    Ok(())
}

/// The one certificate of a PEM text, written anew without anything around it, and its DER.
fn only_certificate(text: &str) -> Option<(String, Vec<u8>)> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, rest) = rest.split_once(END)?;
    if rest.contains("-----BEGIN") {
        return None;
    }
    let body: String = body.split_ascii_whitespace().collect();
    let der = decode_base64(&body)?;
    // A certificate is one DER sequence, as long as it says (RFC 5280, 4.1).
    if der.first() != Some(&0x30) || der_length(&der)? != der.len() {
        return None;
    }
    let mut pem = format!("{BEGIN}\n");
    let mut line = body.as_str();
    while !line.is_empty() {
        let (head, tail) = line.split_at_checked(64).unwrap_or((line, ""));
        pem.push_str(head);
        pem.push('\n');
        line = tail;
    }
    pem.push_str(END);
    pem.push('\n');
    Some((pem, der))
}

/// The length of a DER value with its head.
fn der_length(der: &[u8]) -> Option<usize> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    if first < 0x80 {
        return Some(usize::from(first) + 2);
    }
    let count = usize::from(first & 0x7f);
    let digits = rest.get(..count).filter(|digits| digits.len() <= 4)?;
    let length = digits
        .iter()
        .fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit));
    length.checked_add(2 + count)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a certificate, but a DER sequence of the right length.
    fn pem() -> String {
        let der: Vec<u8> = [0x30, 0x81, 0x80].into_iter().chain(0..0x80).collect();
        let body = data_encoding::BASE64.encode(&der);
        format!("text before\n-----BEGIN CERTIFICATE-----\r\n{body}\r\n-----END CERTIFICATE-----")
    }

    fn certificate(content: String) -> Certificate {
        Certificate {
            name: Some("corp".into()),
            content,
        }
    }

    #[test]
    fn bundles_grow_and_a_file_stands_beside_them() {
        let mut tree = Tree::new();
        put_file(&mut tree, BUNDLES[0], Meta::new(0o444, 9), "first").unwrap();
        add(&mut tree, &[certificate(pem())]).unwrap();
        let bundle = String::from_utf8(read_file(&tree, BUNDLES[0]).unwrap().unwrap().0).unwrap();
        let (wanted, der) = only_certificate(&pem()).unwrap();
        assert_eq!(bundle, format!("first\n{wanted}\n"));
        let beside = format!("{FOLDER}/corp-{}.crt", sha256(&der));
        assert_eq!(
            read_file(&tree, &beside).unwrap().unwrap().0,
            wanted.as_bytes()
        );
        assert!(!exists(&tree, BUNDLES[1]));
    }

    #[test]
    fn what_is_no_single_certificate_is_refused() {
        for content in [
            String::new(),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".into(),
            pem().replace("CERTIFICATE", "PRIVATE KEY"),
            format!("{}\n{}", pem(), pem()),
            pem().replace("-----END", "AAAA\n-----END"),
        ] {
            assert!(
                add(&mut Tree::new(), &[certificate(content.clone())]).is_err(),
                "{content}"
            );
        }
        let named = Certificate {
            name: Some("../x".into()),
            content: pem(),
        };
        assert!(add(&mut Tree::new(), &[named]).is_err());
    }
}
