//! Binary packages: a closure resolved by apt, and its files with the digests of the signed index.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use boltworks_fsx::{Limit, Root};
use boltworks_model::{Ambient, Event, Sha256};
use serde::{Deserialize, Serialize};

use super::apt::{check_name, check_version};
use super::{DebianArchive, deb822, relative};
use crate::Error;

/// What apt prints of a whole closure stays far below this.
const MAX_OUTPUT: Limit = Limit::mib(64);

/// One binary package as the signed index has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deb {
    /// The package.
    pub name: String,
    /// Its version: `1:5.2-2+b5`.
    pub version: String,
    /// Its architecture: `amd64` or `all`.
    pub architecture: String,
    /// The source package it is made from.
    pub source: String,
    /// That package's version.
    pub source_version: String,
    /// The file's digest.
    pub sha256: Sha256,
    /// The file's size in bytes.
    pub size: u64,
    /// The file's path in the archive: `pool/main/…`.
    pub path: String,
    /// What it needs (`Pre-Depends` and `Depends`): for each need the names of which any will do.
    pub depends: Vec<Vec<String>>,
    /// Names that it stands for besides its own.
    pub provides: Vec<String>,
    /// One line on what it is.
    pub summary: String,
}

impl Deb {
    /// The file's name, as `apt-get download` writes it.
    fn file_name(&self) -> String {
        let version = self.version.replace(':', "%3a");
        format!("{}_{version}_{}.deb", self.name, self.architecture)
    }
}

impl DebianArchive {
    /// Resolves packages with everything they need, as if nothing were installed; ordered by name.
    ///
    /// # Errors
    /// [`Error::Failed`] with apt's own words if there is no such closure.
    pub fn resolve(&self, names: &[String], ambient: &Ambient<'_>) -> Result<Vec<Deb>, Error> {
        names.iter().try_for_each(|name| check_name(name))?;
        ambient.cancel.check()?;
        let _one_at_a_time = self.apt.lock().unwrap_or_else(PoisonError::into_inner);
        let uris = self
            .program("apt-get")
            .args([
                "-qq",
                "--print-uris",
                "--assume-yes",
                "--no-install-recommends",
                "install",
                "--",
            ])
            .args(names.iter().cloned())
            .text(MAX_OUTPUT)?;
        let chosen = parse_chosen(&uris)?;
        let exact = chosen
            .iter()
            .map(|(name, version)| format!("{name}={version}"));
        let stanzas = self
            .program("apt-cache")
            .args(["show", "--no-all-versions", "--"])
            .args(exact)
            .text(MAX_OUTPUT)?;
        parse_debs(&stanzas, &chosen)
    }

    /// Fetches packages into a folder of the archive; apt checks each against the signed index,
    /// and keeps and goes on with what is there. The caller checks the digests of what it reads.
    pub fn download(&self, debs: &[Deb], ambient: &Ambient<'_>) -> Result<DebFolder, Error> {
        let folder = self.root.make_dir(&relative("debs")?)?;
        let _one_at_a_time = self.apt.lock().unwrap_or_else(PoisonError::into_inner);
        let total: u64 = debs.iter().map(|deb| deb.size).sum();
        let job = format!(
            "fetch {} packages of Debian {}",
            debs.len(),
            self.settings.suite
        );
        ambient.sink.event(Event::Started {
            job: &job,
            total: Some(total),
        });
        let mut done = 0;
        let mut result = Ok(());
        for part in debs.chunks(32) {
            result = ambient
                .cancel
                .check()
                .map_err(Error::from)
                .and_then(|()| self.fetch(part, &folder));
            if result.is_err() {
                break;
            }
            done += part.iter().map(|deb| deb.size).sum::<u64>();
            ambient.sink.event(Event::Progress { job: &job, done });
        }
        let note = result
            .as_ref()
            .map_or_else(|error| format!("failed: {error}"), |()| "fetched".into());
        ambient.sink.event(Event::Finished {
            job: &job,
            ok: result.is_ok(),
            note: &note,
            took: None,
        });
        result.map(|()| DebFolder(folder))
    }

    fn fetch(&self, debs: &[Deb], folder: &Root) -> Result<(), Error> {
        for deb in debs {
            check_name(&deb.name)?;
            check_version(&deb.version)?;
        }
        self.program("apt-get")
            .args(["-qq", "download", "--"])
            .args(
                debs.iter()
                    .map(|deb| format!("{}={}", deb.name, deb.version)),
            )
            .directory(&folder.path_for_children()?)
            .output(MAX_OUTPUT)
            .map(drop)
    }
}

/// Fetched packages.
#[derive(Debug)]
pub struct DebFolder(Root);

impl DebFolder {
    /// Opens a package's file. Its digest is still to be checked.
    pub fn open(&self, deb: &Deb) -> Result<std::fs::File, Error> {
        Ok(self.0.open_file(&relative(&deb.file_name())?)?)
    }

    /// Removes a package's file.
    pub fn remove(&self, deb: &Deb) -> Result<(), Error> {
        Ok(self.0.remove_file(&relative(&deb.file_name())?)?)
    }

    /// Removes everything that is left in it.
    pub fn clear(self) -> Result<(), Error> {
        for entry in self.0.list()? {
            self.0.remove_tree(
                &boltworks_fsx::RelPath::new(entry.name).map_err(boltworks_fsx::Error::from)?,
            )?;
        }
        Ok(())
    }
}

/// Names and versions out of lines like `'ADDRESS' NAME_VERSION_ARCH.deb SIZE HASH`, which
/// `apt-get --print-uris` says; other lines are passed over.
pub fn parse_chosen(uris: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut chosen = BTreeMap::new();
    for line in uris.lines().filter(|line| line.starts_with('\'')) {
        let file = line.split_whitespace().nth(1).unwrap_or_default();
        let mut parts = file.split('_');
        let (Some(name), Some(version)) = (parts.next(), parts.next()) else {
            return Err(malformed("apt's list of addresses", line));
        };
        let version = version.replace("%3a", ":");
        check_name(name)?;
        check_version(&version)?;
        chosen.insert(name.to_owned(), version);
    }
    Ok(chosen)
}

/// The chosen packages out of what `apt-cache show` says, by name. All must be there.
pub fn parse_debs(stanzas: &str, chosen: &BTreeMap<String, String>) -> Result<Vec<Deb>, Error> {
    let mut debs = BTreeMap::new();
    for stanza in deb822::parse(stanzas) {
        let deb = deb_of(&stanza)?;
        if chosen.get(&deb.name) == Some(&deb.version) {
            debs.entry(deb.name.clone()).or_insert(deb);
        }
    }
    match chosen.keys().find(|name| !debs.contains_key(*name)) {
        Some(name) => Err(malformed(
            "the index of packages",
            &format!("{name} is not in it"),
        )),
        None => Ok(debs.into_values().collect()),
    }
}

fn deb_of(stanza: &deb822::Stanza) -> Result<Deb, Error> {
    let name = stanza.get("Package").unwrap_or_default().to_owned();
    let needed = |field: &str| {
        stanza
            .get(field)
            .ok_or_else(|| malformed("the index of packages", &format!("{name} has no {field}")))
    };
    let broken = |field: &str| {
        malformed(
            "the index of packages",
            &format!("{name}: {field} is malformed"),
        )
    };
    let version = needed("Version")?.to_owned();
    let (source, source_version) = match stanza.get("Source") {
        None => (name.clone(), version.clone()),
        Some(source) => match source.split_once(" (") {
            Some((source, version)) => {
                (source.to_owned(), version.trim_end_matches(')').to_owned())
            }
            None => (source.to_owned(), version.clone()),
        },
    };
    let depends = ["Pre-Depends", "Depends"]
        .iter()
        .filter_map(|field| stanza.get(field))
        .flat_map(|value| value.split(','))
        .map(alternatives)
        .filter(|alternatives| !alternatives.is_empty())
        .collect();
    Ok(Deb {
        architecture: needed("Architecture")?.to_owned(),
        sha256: needed("SHA256")?.parse().map_err(|_| broken("SHA256"))?,
        size: needed("Size")?.parse().map_err(|_| broken("Size"))?,
        path: needed("Filename")?.to_owned(),
        depends,
        provides: stanza
            .get("Provides")
            .into_iter()
            .flat_map(|value| value.split(','))
            .filter_map(bare)
            .collect(),
        summary: stanza
            .get("Description")
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        name,
        version,
        source,
        source_version,
    })
}

fn alternatives(need: &str) -> Vec<String> {
    need.split('|').filter_map(bare).collect()
}

/// The name alone: without architecture, version constraint and restrictions.
fn bare(text: &str) -> Option<String> {
    let name = text.trim().split([' ', '(', '[', '<', ':']).next()?;
    check_name(name).ok().map(|()| name.to_owned())
}

fn malformed(index: &str, reason: &str) -> Error {
    Error::Malformed {
        index: index.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_becomes_a_package() {
        let text = "\
Package: libtool
Source: libtool-src (2.5.4-4)
Version: 2.5.4-4+b1
Architecture: all
Provides: libtool-bin (= 2.5.4), lt
Pre-Depends: awk
Depends: gcc | c-compiler, cpp, libc6-dev | libc-dev, python3:any (>= 3~), file
Filename: pool/main/libt/libtool/libtool_2.5.4-4_all.deb
Size: 539936
SHA256: 60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb
Description: Generic library support script
 more
";
        let chosen = parse_chosen(
            "'http://m/p/libtool_2.5.4-4%2bb1_all.deb' libtool_2.5.4-4+b1_all.deb 539936 MD5Sum:0\n",
        );
        let debs = parse_debs(text, &chosen.unwrap()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&debs).unwrap(), @r#"
        [
          {
            "name": "libtool",
            "version": "2.5.4-4+b1",
            "architecture": "all",
            "source": "libtool-src",
            "source-version": "2.5.4-4",
            "sha256": "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb",
            "size": 539936,
            "path": "pool/main/libt/libtool/libtool_2.5.4-4_all.deb",
            "depends": [
              [
                "awk"
              ],
              [
                "gcc",
                "c-compiler"
              ],
              [
                "cpp"
              ],
              [
                "libc6-dev",
                "libc-dev"
              ],
              [
                "python3"
              ],
              [
                "file"
              ]
            ],
            "provides": [
              "libtool-bin",
              "lt"
            ],
            "summary": "Generic library support script"
          }
        ]
        "#);
    }

    #[test]
    fn epochs_are_decoded() {
        let chosen = parse_chosen("'a' gcc_4%3a14.2.0-1_amd64.deb 1 SHA256:0\n").unwrap();
        assert_eq!(chosen.get("gcc").map(String::as_str), Some("4:14.2.0-1"));
        assert!(parse_chosen("'a' --evil_1_amd64.deb 1 x\n").is_err());
    }
}
