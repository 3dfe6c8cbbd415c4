//! The machine code of stage 0: every program, library, object and archive in its packages.
//!
//! Where a package holds one of these, byte for byte, somebody copied it there, on whatever way. It
//! is noted beside stage 0's files, under the digest of the packages it was taken from.

use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_crypto::Sha256Hasher;
use boltworks_fsx::{Content, Kind, Limit, RelPath, Root};
use boltworks_model::Sha256;
use rayon::prelude::*;

use crate::planning::Stage0;
use crate::{Error, Home};

/// How the contents begin that are machine code: ELF, and archives of such.
const MAGICS: &[&[u8]] = &[b"\x7fELF", b"!<arch>\n"];
/// Shorter ones are nobody's: every empty archive is its magic alone.
const SHORTEST: u64 = 64;
const NOTE_LIMIT: Limit = Limit::mib(64);

/// By digest: the package and the path.
pub struct Programs(BTreeMap<Sha256, String>);

impl Programs {
    /// From the note, or from the packages themselves, which takes seconds the first time.
    pub fn of(home: &Home, stage0: &Stage0) -> Result<Self, Error> {
        let mut packages: Vec<(String, Sha256)> = stage0
            .index
            .entries
            .iter()
            .filter_map(|entry| {
                let file = stage0.files.get(&entry.identity)?;
                Some((entry.name.to_string(), *file))
            })
            .collect();
        packages.sort();
        let mut hasher = Sha256Hasher::new();
        for (_, digest) in &packages {
            hasher.update(digest.as_bytes());
        }
        let name = RelPath::try_from(format!("programs-2-{}", hasher.finish()).as_str())?;
        let folder = home.state_folder("stage0")?;
        if folder.exists(&name)?
            && let Some(known) = parse(&folder.read_text(&name, NOTE_LIMIT)?)
        {
            return Ok(known);
        }
        let found = Self::read(home, &packages)?;
        folder.write(&name, found.note().as_bytes(), 0o644)?;
        Ok(found)
    }

    /// Whose these bytes are.
    pub fn get(&self, digest: &Sha256) -> Option<&str> {
        self.0.get(digest).map(String::as_str)
    }

    fn read(home: &Home, packages: &[(String, Sha256)]) -> Result<Self, Error> {
        let scratch = home.state_folder("scratch")?;
        let all: Vec<_> = packages
            .par_iter()
            .map(|(name, digest)| of_package(home, &scratch, name, digest))
            .collect::<Result<_, Error>>()?;
        Ok(Self(all.into_iter().flatten().collect()))
    }

    fn note(&self) -> String {
        let mut text = String::new();
        for (digest, what) in &self.0 {
            text.push_str(&digest.to_string());
            text.push(' ');
            text.push_str(what);
            text.push('\n');
        }
        text
    }
}

fn parse(text: &str) -> Option<Programs> {
    let entry = |line: &str| {
        let (digest, what) = line.split_once(' ')?;
        Some((digest.parse().ok()?, what.to_owned()))
    };
    text.lines().map(entry).collect::<Option<_>>().map(Programs)
}

fn of_package(
    home: &Home,
    scratch: &Root,
    name: &str,
    digest: &Sha256,
) -> Result<Vec<(Sha256, String)>, Error> {
    let blob = home.store.open_blob(digest)?;
    let package = PackageFile::open(Arc::clone(blob.file()), &OpenOptions::default())?;
    let tree = package.tree(scratch)?;
    let mut found = Vec::new();
    for (path, node) in tree.iter() {
        let Kind::File(content) = &node.kind else {
            continue;
        };
        let digest = code_digest(content).map_err(|source| Error::Environment {
            path: path.to_string(),
            source,
        })?;
        // One line for each: no package's paths hold a newline.
        found.extend(digest.map(|digest| (digest, format!("{path} of {name}"))));
    }
    Ok(found)
}

/// The digest of machine code; of nothing else.
fn code_digest(content: &Content) -> std::io::Result<Option<Sha256>> {
    let mut start = [0; 8];
    if content.len() < SHORTEST {
        return Ok(None);
    }
    std::io::Read::read_exact(&mut content.open()?, &mut start)?;
    if !MAGICS.iter().any(|magic| start.starts_with(magic)) {
        return Ok(None);
    }
    content.sha256().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        let digest = |byte| Sha256::new([byte; 32]);
        let programs = Programs(BTreeMap::from([
            (digest(1), "usr/bin/make of make".to_owned()),
            (digest(2), "usr/lib/a b.so of x".to_owned()),
        ]));
        assert_eq!(parse(&programs.note()).unwrap().0, programs.0);
        assert!(parse("nonsense\n").is_none());
    }

    #[test]
    fn only_machine_code_counts() {
        let of = |bytes: &[u8]| code_digest(&Content::Bytes(bytes.into())).unwrap();
        let long = |start: &str| start.bytes().chain([0; 64]).collect::<Vec<u8>>();
        let program = long("\x7fELF");
        assert_eq!(of(&program), Some(boltworks_crypto::sha256(&program)));
        assert!(of(&long("!<arch>\n")).is_some());
        for other in [long("#!/bin/sh\n"), long("!<arch>"), long("ELF")] {
            assert_eq!(of(&other), None);
        }
        for short in ["", "\x7fELF", "!<arch>\n"] {
            assert_eq!(of(short.as_bytes()), None);
        }
    }
}
