//! Certificate authorities that the image file adds.
//!
//! Each goes into every bundle that is there and into Java's store. Those that the file holds itself
//! stand beside them too, as files that carry their digests in their names, where
//! `update-ca-certificates` looks for them; those of packages that provide what
//! `certificates.providers` names stand there already. Beside each bundle and store is its digest, as
//! `sha256sum -c` reads it, so that who looks later can tell whether it is as it was made.

use std::sync::Arc;

use boltworks_crypto::sha256;
use boltworks_fsx::{Meta, Tree};
use boltworks_recipe::resolved::{Certificate, Image};
use boltworks_rootfs::Opened;

use crate::keystore::{self, Trusted};
use crate::place::{exists, put_file, read_file};
use crate::skeleton::MTIME;
use crate::{Error, pem};

pub(crate) const FOLDER: &str = "usr/local/share/ca-certificates";
pub(crate) const BUNDLES: [&str; 3] = [
    "etc/ssl/certs/ca-certificates.crt",
    "var/lib/ecs/deps/execute-command/certs/tls-ca-bundle.pem",
    "kaniko/ssl/certs/ca-certificates.crt",
];
/// Java keeps its authorities in a form of its own.
pub(crate) const JAVA: &str = "etc/ssl/certs/java/cacerts";
/// Why a name is refused.
pub(crate) const NAME_REASON: &str = "its name is not letters, digits and . _ -";

/// A certificate that is trusted.
struct Authority {
    pem: String,
    java: Trusted,
}

/// Adds the certificates to the tree, and the digests.
pub fn add(tree: &mut Tree, image: &Image, packages: &[Arc<Opened>]) -> Result<(), Error> {
    let mut all = own(tree, &image.certificates)?;
    all.extend(provided(tree, &image.certificate_providers, packages)?);
    if !all.is_empty() {
        into_bundles(tree, &all)?;
        into_java(tree, all)?;
    }
    for path in BUNDLES.into_iter().chain([JAVA]) {
        if !exists(tree, path) {
            continue;
        }
        if let (Some((bytes, _)), Some((folder, name))) =
            (read_file(tree, path)?, path.rsplit_once('/'))
        {
            let line = format!("{}  {name}\n", sha256(&bytes));
            let beside = format!("{folder}/.{name}.sha256");
            put_file(tree, &beside, Meta::new(0o444, MTIME), line)?;
        }
    }
    Ok(())
}

/// Those of the image file; each becomes a file.
fn own(tree: &mut Tree, certificates: &[Certificate]) -> Result<Vec<Authority>, Error> {
    let mut all = Vec::new();
    for (at, certificate) in certificates.iter().enumerate() {
        let what = || format!("certificates.additional[{at}]");
        let (pem, der) = only(&certificate.content)
            .ok_or_else(|| Error::refused(what(), "it is not one PEM certificate"))?;
        let name = certificate.name.as_deref().unwrap_or("additional");
        if name.starts_with('.') || !is_name(name) {
            return Err(Error::refused(what(), NAME_REASON));
        }
        let alias = format!("{name}-{}", sha256(&der));
        let path = format!("{FOLDER}/{alias}.crt");
        put_file(tree, &path, Meta::new(0o644, MTIME), pem.clone())?;
        all.push(Authority {
            pem,
            java: Trusted { alias, der },
        });
    }
    Ok(all)
}

/// The files with certificates of packages that provide one of these names, in their order.
pub(crate) fn provided_files<'p>(
    providers: &[String],
    packages: &'p [Arc<Opened>],
) -> Vec<&'p str> {
    let is_asked = |package: &&Arc<Opened>| {
        let provides = &package.control.provides;
        provides
            .iter()
            .any(|one| providers.iter().any(|name| one.name.as_str() == name))
    };
    let mut files = Vec::new();
    for package in packages.iter().filter(is_asked) {
        let own = package.files.tree.iter().filter(|(_, node)| !node.is_dir());
        files.extend(own.filter_map(|(path, _)| path.as_str()));
    }
    files.retain(|path| {
        let name = path
            .strip_prefix(FOLDER)
            .and_then(|rest| rest.strip_prefix('/'));
        let form = name.and_then(|name| name.rsplit_once('.'));
        matches!(form, Some((_, "crt" | "pem")))
    });
    files.sort_unstable();
    files.dedup();
    files
}

/// Those of packages that provide one of these names, in the order of their files.
fn provided(
    tree: &Tree,
    providers: &[String],
    packages: &[Arc<Opened>],
) -> Result<Vec<Authority>, Error> {
    let mut all = Vec::new();
    for path in provided_files(providers, packages) {
        let text = read_file(tree, path)?.and_then(|(bytes, _)| String::from_utf8(bytes).ok());
        // One that is none is the package's own matter.
        if let Some((pem, der)) = text.and_then(|text| only(&text)) {
            let alias = format!("pkg-{}", sha256(&der));
            let java = Trusted { alias, der };
            all.push(Authority { pem, java });
        }
    }
    Ok(all)
}

fn into_bundles(tree: &mut Tree, all: &[Authority]) -> Result<(), Error> {
    for bundle in BUNDLES {
        if let Some((mut bytes, meta)) = read_file(tree, bundle)? {
            if bytes.last().is_some_and(|byte| *byte != b'\n') {
                bytes.push(b'\n');
            }
            for one in all {
                bytes.extend_from_slice(one.pem.as_bytes());
                bytes.push(b'\n');
            }
            let meta = Meta {
                mtime: MTIME,
                ..meta
            };
            put_file(tree, bundle, meta, bytes)?;
        }
    }
    Ok(())
}

fn into_java(tree: &mut Tree, all: Vec<Authority>) -> Result<(), Error> {
    let Some((bytes, meta)) = read_file(tree, JAVA)? else {
        return Ok(());
    };
    let added: Vec<Trusted> = all.into_iter().map(|one| one.java).collect();
    let millis = MTIME.unsigned_abs() * 1000;
    let bytes = keystore::with(&bytes, &added, millis).map_err(|reason| {
        let reason = format!("they cannot be added to /{JAVA}: {reason}");
        Error::refused("certificates", reason)
    })?;
    let meta = Meta {
        mtime: MTIME,
        ..meta
    };
    put_file(tree, JAVA, meta, bytes)
}

/// The one certificate of a PEM text, written anew without anything around it, and its DER.
pub(crate) fn only(text: &str) -> Option<(String, Vec<u8>)> {
    pem::only(text, "CERTIFICATE")
}

/// The files' names and the names in Java's store begin with such a name.
pub(crate) fn is_name(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.chars().all(is_good)
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
        let authorities = own(&mut tree, &[certificate(pem())]).unwrap();
        into_bundles(&mut tree, &authorities).unwrap();
        let bundle = String::from_utf8(read_file(&tree, BUNDLES[0]).unwrap().unwrap().0).unwrap();
        let (wanted, der) = only(&pem()).unwrap();
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
                own(&mut Tree::new(), &[certificate(content.clone())]).is_err(),
                "{content}"
            );
        }
        let named = Certificate {
            name: Some("../x".into()),
            content: pem(),
        };
        assert!(own(&mut Tree::new(), &[named]).is_err());
    }
}
