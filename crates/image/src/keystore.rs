//! Java's key stores of the form JKS: certificates added to one that is there.
//!
//! The form is that of `sun.security.provider.JavaKeyStore`: a magic number, a version, entries, and a
//! SHA-1 over the password and all of it, which protects against damage only. The password of a
//! store of authorities is `changeit` everywhere. As apko writes them, entries come in the order of
//! their names, which are in small letters.

use std::collections::BTreeMap;

use boltworks_crypto::Sha1Hasher;

const MAGIC: u32 = 0xfeed_feed;
/// Entries of certificates say what sort they are.
const VERSION: u32 = 2;
const PRIVATE_KEY: u32 = 1;
const TRUSTED: u32 = 2;
const PASSWORD: &str = "changeit";
const WHITENER: &[u8] = b"Mighty Aphrodite";
const DIGEST: usize = 20;
/// The beginning of a PKCS#12 store: a DER sequence.
const SEQUENCE: u8 = 0x30;

/// A certificate that is to be trusted.
#[derive(Debug, Clone)]
pub(crate) struct Trusted {
    /// What it is called in the store.
    pub(crate) alias: String,
    /// Its DER.
    pub(crate) der: Vec<u8>,
}

/// A store with certificates added, in the place of those of the same names. `millis` is when they
/// are said to have come, in milliseconds since 1970.
///
/// # Errors
/// Why the store cannot be changed, in words.
pub(crate) fn with(store: &[u8], added: &[Trusted], millis: u64) -> Result<Vec<u8>, &'static str> {
    let mut entries = entries(store)?;
    for Trusted { alias, der } in added {
        let mut entry = Vec::new();
        let alias = alias.to_lowercase();
        put_u32(&mut entry, TRUSTED);
        put_text(&mut entry, &alias).ok_or("a certificate's name is too long for it")?;
        entry.extend_from_slice(&millis.to_be_bytes());
        put_text(&mut entry, "X.509").ok_or("a name is too long for it")?;
        put_u32(&mut entry, length(der)?);
        entry.extend_from_slice(der);
        entries.insert(alias, entry);
    }
    let mut out = Vec::new();
    put_u32(&mut out, MAGIC);
    put_u32(&mut out, VERSION);
    put_u32(
        &mut out,
        u32::try_from(entries.len()).map_err(|_| "it has too many entries")?,
    );
    for entry in entries.values() {
        out.extend_from_slice(entry);
    }
    let digest = digest(&out);
    out.extend_from_slice(&digest);
    Ok(out)
}

/// The entries of a store by their names, in the form of version 2.
fn entries(store: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, &'static str> {
    const SHORT: &str = "it ends too early";
    if store.first() == Some(&SEQUENCE) {
        return Err("it is a PKCS#12 store: only those of the form JKS can be changed");
    }
    let Some((body, sum)) = store.split_last_chunk::<DIGEST>() else {
        return Err(SHORT);
    };
    let mut rest = Rest(body);
    if rest.u32() != Some(MAGIC) {
        return Err("it is no store of the form JKS");
    }
    let version = rest.u32().ok_or(SHORT)?;
    if !(1..=VERSION).contains(&version) {
        return Err("its version is neither 1 nor 2");
    }
    if digest(body) != *sum {
        return Err("it is damaged, or its password is not 'changeit'");
    }
    let mut entries = BTreeMap::new();
    for _ in 0..rest.u32().ok_or(SHORT)? {
        let (alias, entry) = rest.entry(version).ok_or("an entry is damaged")?;
        if entries.insert(alias, entry).is_some() {
            return Err("two of its entries have one name");
        }
    }
    if rest.0.is_empty() {
        Ok(entries)
    } else {
        Err("something is behind its entries")
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        str::from_utf8(self.take(usize::from(len))?).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        self.take(len)
    }

    /// An entry, its name in small letters.
    fn entry(&mut self, version: u32) -> Option<(String, Vec<u8>)> {
        let kind = self.u32()?;
        let alias = self.text()?.to_lowercase();
        let mut out = Vec::new();
        put_u32(&mut out, kind);
        put_text(&mut out, &alias)?;
        out.extend_from_slice(self.take(8)?);
        match kind {
            TRUSTED => self.certificate(version, &mut out)?,
            PRIVATE_KEY => {
                let key = self.bytes()?;
                put_u32(&mut out, length(key).ok()?);
                out.extend_from_slice(key);
                let count = self.u32()?;
                put_u32(&mut out, count);
                for _ in 0..count {
                    self.certificate(version, &mut out)?;
                }
            }
            _ => return None,
        }
        Some((alias, out))
    }

    fn certificate(&mut self, version: u32, out: &mut Vec<u8>) -> Option<()> {
        let kind = if version == 1 { "X.509" } else { self.text()? };
        put_text(out, kind)?;
        let der = self.bytes()?;
        put_u32(out, length(der).ok()?);
        out.extend_from_slice(der);
        Some(())
    }
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) -> Option<()> {
    out.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Some(())
}

fn length(bytes: &[u8]) -> Result<u32, &'static str> {
    u32::try_from(bytes.len()).map_err(|_| "something is too long for it")
}

fn digest(body: &[u8]) -> [u8; DIGEST] {
    let mut hasher = Sha1Hasher::new();
    for unit in PASSWORD.encode_utf16() {
        hasher.update(&unit.to_be_bytes());
    }
    hasher.update(WHITENER);
    hasher.update(body);
    *hasher.finish().as_bytes()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn empty() -> Vec<u8> {
        let mut store = Vec::new();
        for number in [MAGIC, VERSION, 0] {
            put_u32(&mut store, number);
        }
        let digest = digest(&store);
        store.extend_from_slice(&digest);
        store
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "Java's own tool is a program, and works with files"
    )]
    fn keytool(words: &[&str], folder: &std::path::Path) -> String {
        let done = Command::new("keytool")
            .args(words)
            .current_dir(folder)
            .output();
        let done =
            done.expect("keytool is needed: run 'apt-get install -y openjdk-17-jre-headless'");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{words:?}: {text}");
        text
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own files, for a program that works with files"
    )]
    fn keytool_reads_what_is_written_and_the_other_way_round() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let make = "-genkeypair -keystore made -storetype jks -storepass changeit -keypass changeit \
                    -alias Own -keyalg EC -dname CN=Own";
        keytool(&make.split_whitespace().collect::<Vec<_>>(), here);
        let export = "-exportcert -keystore made -storepass changeit -alias own -file own.der";
        keytool(&export.split_whitespace().collect::<Vec<_>>(), here);
        let der = std::fs::read(here.join("own.der")).unwrap();
        let trusted = Trusted {
            alias: "Corp-1".to_owned(),
            der,
        };
        for store in [std::fs::read(here.join("made")).unwrap(), empty()] {
            let store = with(&store, std::slice::from_ref(&trusted), 1000).unwrap();
            std::fs::write(here.join("store"), &store).unwrap();
            let list = "-list -keystore store -storepass changeit -alias corp-1";
            let told = keytool(&list.split_whitespace().collect::<Vec<_>>(), here);
            assert!(told.contains("trustedCertEntry"), "{told}");
            // Once more, and nothing changes.
            assert!(with(&store, std::slice::from_ref(&trusted), 1000).unwrap() == store);
        }
        let list = "-list -keystore made -storepass changeit";
        let told = keytool(&list.split_whitespace().collect::<Vec<_>>(), here);
        assert!(told.contains("PrivateKeyEntry"), "{told}");
    }

    #[test]
    fn what_is_no_store_is_refused() {
        let trusted = Trusted {
            alias: "a".to_owned(),
            der: vec![1, 2, 3],
        };
        let good = with(&empty(), &[trusted], 0).unwrap();
        for end in 0..good.len() {
            assert!(with(&good[..end], &[], 0).is_err(), "{end}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(with(&bad, &[], 0).is_err(), "{at}");
        }
        let refused = with(&[SEQUENCE, 0x80], &[], 0).unwrap_err();
        assert!(refused.contains("PKCS#12"), "{refused}");
    }
}
