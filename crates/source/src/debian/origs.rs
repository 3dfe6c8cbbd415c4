//! Upstream's tarballs, as Debian's source packages carry them.

use std::fs::File;
use std::sync::PoisonError;

use boltworks_fsx::{Expected, Limit, RelPath, Root};
use boltworks_model::{Ambient, Sha256};

use super::apt::{check_name, check_version};
use super::{DebianArchive, deb822, relative};
use crate::Error;

/// What the index says of one source package stays far below this.
const MAX_STANZAS: Limit = Limit::mib(16);

/// An upstream tarball that the signed index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orig {
    /// The source package.
    pub name: String,
    /// The version of it that the index has.
    pub version: String,
    /// The file.
    pub file: String,
    /// Its digest, by the signed index.
    pub sha256: Sha256,
    /// Its size in bytes, by the signed index.
    pub size: u64,
    /// Its address in the archive.
    pub address: String,
}

/// What a tarball is looked for by.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The source package.
    pub name: &'a str,
    /// The version to look at first: a later one of Debian's with the same tarball will do.
    pub version: Option<&'a str>,
    /// The file.
    pub file: &'a str,
    /// Its digest.
    pub expected: Expected,
}

/// A fetched tarball in the archive's folder.
#[derive(Debug)]
pub struct OrigFile {
    file: File,
    folder: RelPath,
    root: Root,
}

impl OrigFile {
    /// The open file, at its beginning.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Removes it.
    pub fn remove(self) -> Result<(), Error> {
        Ok(self.root.remove_tree(&self.folder)?)
    }
}

impl DebianArchive {
    /// Finds a tarball by its name and digest in the signed index.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no version in the suite has this file, [`Error::WrongDigest`] if its
    /// file of that name is another.
    pub fn find_orig(&self, wanted: &Wanted<'_>, ambient: &Ambient<'_>) -> Result<Orig, Error> {
        check_name(wanted.name)?;
        self.ensure_lists(ambient)?;
        match self.search(wanted) {
            Err(Error::NotFound { .. }) if self.refresh_lists(ambient)? => self.search(wanted),
            found => found,
        }
    }

    fn search(&self, wanted: &Wanted<'_>) -> Result<Orig, Error> {
        let Wanted {
            name,
            version,
            file,
            expected,
        } = *wanted;
        let text = {
            let _one_at_a_time = self.apt.lock().unwrap_or_else(PoisonError::into_inner);
            self.program("apt-cache")
                .args(["showsrc", "--only-source", name])
                .text(MAX_STANZAS)?
        };
        let index = format!("the index of Debian {}", self.settings.suite);
        let mut origs = parse_origs(&text, name, file, &index)?;
        // The version that was asked for comes first, then the newest.
        origs.sort_by_key(|orig| Some(orig.version.as_str()) != version);
        let is_it = |orig: &&Orig| expected.sha256().is_none_or(|sha256| sha256 == orig.sha256);
        if let Some(orig) = origs.iter().find(is_it) {
            let address = format!(
                "{}/{}",
                self.settings.mirror.trim_end_matches('/'),
                orig.address
            );
            return Ok(Orig {
                address,
                ..orig.clone()
            });
        }
        match (origs.first(), expected.sha256()) {
            (Some(other), Some(wanted)) => Err(Error::WrongDigest {
                place: format!("{file} of {name} {} in {index}", other.version),
                expected: wanted.prefixed(),
                actual: other.sha256.prefixed(),
            }),
            _ => Err(Error::NotFound {
                what: format!("{file} of the source package {name}"),
                index,
                reason: what_there_is(&text),
            }),
        }
    }

    /// Fetches a tarball through apt, which goes on with what is there of it. The caller checks
    /// its digest.
    pub fn fetch_orig(&self, orig: &Orig, ambient: &Ambient<'_>) -> Result<OrigFile, Error> {
        check_version(&orig.version)?;
        ambient.cancel.check()?;
        let _one_at_a_time = self.apt.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = relative(&format!("origs/{}", orig.sha256))?;
        let root = self.root.make_dir(&folder)?;
        self.program("apt-get")
            .args(["-q", "source", "--download-only", "--tar-only"])
            .arg(format!("{}={}", orig.name, orig.version))
            .directory(&root.path_for_children()?)
            .output(Limit::mib(16))?;
        let name = RelPath::try_from(orig.file.as_str()).map_err(boltworks_fsx::Error::from)?;
        let file = root.open_file(&name)?;
        Ok(OrigFile {
            file,
            folder,
            root: self.root.try_clone()?,
        })
    }
}

/// The entries for one file in the stanzas of a source package, which `apt-cache showsrc` says;
/// `address` is the path in the archive still. `index` is its name for messages.
pub fn parse_origs(text: &str, name: &str, file: &str, index: &str) -> Result<Vec<Orig>, Error> {
    let malformed = |reason: &str| Error::Malformed {
        index: format!("{name} in {index}"),
        reason: reason.to_owned(),
    };
    let mut origs = Vec::new();
    for stanza in deb822::parse(text) {
        if stanza.get("Package").or_else(|| stanza.get("Source")) != Some(name) {
            continue;
        }
        let version = stanza
            .get("Version")
            .ok_or_else(|| malformed("it has no version"))?;
        let sums = stanza
            .get("Checksums-Sha256")
            .ok_or_else(|| malformed("it has no SHA-256"))?;
        let directory = stanza.get("Directory").unwrap_or_default();
        for line in sums.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let (Some(digest), Some(size), Some(entry)) =
                (words.next(), words.next(), words.next())
            else {
                return Err(malformed("a line of checksums has not three words"));
            };
            if entry != file {
                continue;
            }
            origs.push(Orig {
                name: name.to_owned(),
                version: version.to_owned(),
                file: file.to_owned(),
                sha256: digest.parse().map_err(|_| malformed("a SHA-256 is none"))?,
                size: size.parse().map_err(|_| malformed("a size is no number"))?,
                address: format!("{directory}/{entry}"),
            });
        }
    }
    Ok(origs)
}

fn what_there_is(text: &str) -> String {
    let versions: Vec<_> = deb822::parse(text)
        .iter()
        .filter_map(|stanza| stanza.get("Version").map(str::to_owned))
        .collect();
    match versions.as_slice() {
        [] => "it has no such package".to_owned(),
        versions => format!("it has version {}", versions.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Package: zlib
Version: 1:1.3-1
Directory: pool/main/z/zlib
Checksums-Sha256:
 60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb 1325737 zlib_1.3.orig.tar.gz
 8d28d7f2c3b970c3a4bf3776bcbb5adfc923183ce74bc8df1ebaad8c1985bd07 18000 zlib_1.3-1.debian.tar.xz

Package: other
Version: 2
Checksums-Sha256:
 60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb 1 zlib_1.3.orig.tar.gz
";

    #[test]
    fn a_file_is_found_by_its_name() {
        let origs = parse_origs(TEXT, "zlib", "zlib_1.3.orig.tar.gz", "i").unwrap();
        insta::assert_debug_snapshot!(origs.iter().map(|o| (&o.version, o.size, &o.address)).collect::<Vec<_>>(), @r#"
        [
            (
                "1:1.3-1",
                1325737,
                "pool/main/z/zlib/zlib_1.3.orig.tar.gz",
            ),
        ]
        "#);
        assert!(
            parse_origs(TEXT, "zlib", "zlib_1.4.orig.tar.gz", "i")
                .unwrap()
                .is_empty()
        );
        assert!(
            parse_origs(
                &TEXT.replace("60dd", "xxxx"),
                "zlib",
                "zlib_1.3.orig.tar.gz",
                "i"
            )
            .is_err()
        );
        assert_eq!(what_there_is(TEXT), "it has version 1:1.3-1, 2");
    }
}
