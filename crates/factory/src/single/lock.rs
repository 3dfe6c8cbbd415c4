//! The lock file of an image, version 1 of apko's form: which packages it is made of, by digest.

use std::path::Path;
use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_fsx::Limit;
use boltworks_model::{Ambient, Architecture, Sha1, visible_path};
use boltworks_recipe::resolve_image;
use boltworks_solver::Chosen;
use boltworks_version::apk::Dependency;
use serde::{Deserialize, Serialize};

use super::Configuration;
use super::resolving::{PlaceOf, ResolveOrder, Resolved, resolved};
use crate::files::{Place, TEXT_LIMIT};
use crate::repository::is_address;
use crate::{Error, Home};

/// No lock is larger.
const LOCK_LIMIT: Limit = Limit::mib(64);
/// The version that is read and written.
const VERSION: &str = "v1";

/// A lock file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// `v1`
    pub version: String,
    /// The image file that it was made from; absent in locks of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<LockedConfig>,
    /// What is in it.
    pub contents: LockedContents,
}

/// The image file of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedConfig {
    /// Its path, as it was named.
    #[serde(default)]
    pub name: String,
    /// The digest of it and of what it includes.
    #[serde(default)]
    pub checksum: String,
}

/// What a lock holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedContents {
    /// Keys that repositories are trusted by.
    #[serde(default)]
    pub keyring: Vec<LockedKey>,
    /// Repositories of the build, for each architecture.
    #[serde(default)]
    pub build_repositories: Vec<LockedRepository>,
    /// Repositories of the image.
    #[serde(default)]
    pub runtime_repositories: Vec<LockedRepository>,
    /// Repositories of both.
    #[serde(default)]
    pub repositories: Vec<LockedRepository>,
    /// The packages in install order, one architecture after the other.
    #[serde(default)]
    pub packages: Vec<LockedFile>,
}

/// A key of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedKey {
    /// Its path or its address without the scheme.
    pub name: String,
    /// Its path or address.
    pub url: String,
    /// PEM.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
}

/// A repository of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedRepository {
    /// Its path or its address without the scheme, down to the architecture.
    pub name: String,
    /// Its index.
    pub url: String,
    /// By apk's name.
    pub architecture: String,
}

/// A package of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedFile {
    /// Its name.
    pub name: String,
    /// Its path or address.
    pub url: String,
    /// Its full version.
    pub version: String,
    /// By apk's name.
    pub architecture: String,
    /// The signature section; empty where there is none.
    #[serde(default)]
    pub signature: LockedSection,
    /// The control section, by SHA-1.
    #[serde(default)]
    pub control: LockedSection,
    /// The data section, by SHA-256.
    #[serde(default)]
    pub data: LockedSection,
    /// The SHA-1 of the control section as an index has it. Locks of old have none.
    #[serde(default)]
    pub checksum: String,
}

/// A section of a package's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedSection {
    /// `bytes=FIRST-LAST`
    pub range: String,
    /// `sha1-…` or `sha256-…`, in base64.
    pub checksum: String,
}

impl Lock {
    /// Reads a lock file.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let text = Place::of(file)?.read_text(LOCK_LIMIT)?;
        let wrong = |what: String| {
            let what = format!("{} is no lock file: {what}", visible_path(file));
            Error::asked(what, "make it anew: boltworks apko lock IMAGE.yaml")
        };
        let lock: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if lock.version != VERSION {
            return Err(wrong(format!("its version is '{}'", lock.version)));
        }
        Ok(lock)
    }

    /// As a file has it.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Checks that the lock was made from this image file.
    pub fn verify_made_from(&self, configuration: &Configuration) -> Result<(), Error> {
        match &self.config {
            Some(config) if config.checksum != configuration.checksum => Err(Error::asked(
                format!(
                    "the lock was made from another text of {}",
                    visible_path(&configuration.file)
                ),
                "make it anew: boltworks apko lock IMAGE.yaml",
            )),
            _ => Ok(()),
        }
    }

    /// The packages for an architecture. Upon a base image none need be missing.
    pub(super) fn packages_for(
        &self,
        architecture: Architecture,
        is_upon: bool,
    ) -> Result<Vec<&LockedFile>, Error> {
        let packages: Vec<&LockedFile> = self.of(architecture).collect();
        let mut repositories = self.contents.repositories.iter();
        let mut is_known = || repositories.any(|one| one.architecture == architecture.apk());
        if packages.is_empty() && !(is_upon && is_known()) {
            return Err(Error::asked(
                format!("the lock has no packages for {architecture}"),
                "make it anew, for this architecture too: boltworks apko lock IMAGE.yaml",
            ));
        }
        Ok(packages)
    }

    fn of(&self, architecture: Architecture) -> impl Iterator<Item = &LockedFile> {
        let packages = self.contents.packages.iter();
        packages.filter(move |package| package.is_for(architecture))
    }
}

impl LockedFile {
    /// Whether it is for an architecture. One that is for all is written down for each, from its folder.
    fn is_for(&self, architecture: Architecture) -> bool {
        let arch = architecture.apk();
        let folder = || self.url.rsplit('/').nth(1);
        self.architecture == arch || self.architecture == "noarch" && folder() == Some(arch)
    }

    /// What the lock says of the package's control section and what it is instead, where these are
    /// two. Locks of old say it in one place only.
    pub(super) fn differs_from(&self, identity: Sha1) -> Option<(&str, String)> {
        let said = [
            (&self.checksum, identity.to_q1()),
            (&self.control.checksum, identity.integrity()),
        ];
        let other = said
            .into_iter()
            .find(|(said, found)| !said.is_empty() && *said != found);
        other.map(|(said, found)| (said.as_str(), found))
    }
}

/// A package in one version.
pub(super) fn pinned(name: &str, version: &str) -> Result<Dependency, Error> {
    let text = format!("{name}={version}");
    text.parse().map_err(|_| {
        Error::asked(
            format!("the lock names '{text}', which is no package"),
            "make it anew: boltworks apko lock IMAGE.yaml",
        )
    })
}

/// Makes the lock of an image file. It lists the repositories and keys that the file names; those of the
/// command line are not written down, as apko does.
pub fn lock(home: &Home, order: &ResolveOrder, ambient: &Ambient<'_>) -> Result<Lock, Error> {
    let configuration = &order.configuration;
    let image = resolve_image(&configuration.image)?;
    let mut contents = LockedContents::default();
    let keys = image
        .keyring
        .iter()
        .filter(|key| !is_address(Path::new(key)));
    for name in keys {
        contents.keyring.push(LockedKey {
            content: Place::of(Path::new(name))?.read_text(TEXT_LIMIT)?,
            url: name.clone(),
            name: name.clone(),
        });
    }
    contents.keyring.sort_by(|a, b| a.name.cmp(&b.name));
    for resolved in resolved(home, order, ambient)? {
        let arch = resolved.architecture.apk();
        let packages = resolved.solution.packages.iter();
        for chosen in packages.filter(|one| !resolved.below.contains(one.entry.name.as_str())) {
            contents.packages.push(locked_file(&resolved, chosen)?);
        }
        let of = |named: &String| locked_repository(named, arch);
        let build = image.build_repositories.iter().map(of);
        contents.build_repositories.extend(build);
        let runtime = image.runtime_repositories.iter().map(of);
        contents.runtime_repositories.extend(runtime);
        contents
            .repositories
            .extend(image.repositories.iter().map(of));
    }
    Ok(Lock {
        version: VERSION.to_owned(),
        config: Some(LockedConfig {
            name: configuration.file.to_string_lossy().into_owned(),
            checksum: configuration.checksum.clone(),
        }),
        contents,
    })
}

fn locked_repository(named: &str, arch: &str) -> LockedRepository {
    let address = named.rsplit(' ').next().unwrap_or(named);
    let address = format!("{}/{arch}", address.trim_end_matches('/'));
    let name = address.strip_prefix("https://").unwrap_or(&address);
    LockedRepository {
        name: name.strip_prefix("http://").unwrap_or(name).to_owned(),
        url: format!("{address}/{}", boltworks_apk::index::FILE_NAME),
        architecture: arch.to_owned(),
    }
}

/// What a lock says of a package, read off its file.
fn locked_file(resolved: &Resolved, chosen: &Chosen) -> Result<LockedFile, Error> {
    let entry = &chosen.entry;
    let arch = resolved.architecture.apk();
    let Some(PlaceOf { folder, .. }) = resolved.place(chosen) else {
        return Err(Error::asked(
            format!(
                "{}-{} lies in no repository that is named",
                entry.name, entry.version
            ),
            "a lock says where packages lie: name a repository that has it, with -r FOLDER",
        ));
    };
    let path = folder.join(arch).join(entry.file_name());
    let file = Arc::new(Place::of(&path)?.open()?);
    let package = PackageFile::open(file, &OpenOptions::default());
    let package = package.map_err(|error| Error::from(error).of_file(&path))?;
    if package.identity() != entry.identity {
        return Err(Error::NotListed {
            found: package.identity().to_q1(),
            listed: entry.identity.to_q1(),
        }
        .of_file(&path));
    }
    let sections = package.sections();
    let section = |range: std::ops::Range<u64>, checksum: String| LockedSection {
        range: format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
        checksum,
    };
    Ok(LockedFile {
        name: entry.name.to_string(),
        url: resolved.url(chosen),
        version: entry.version.to_string(),
        architecture: package.control().arch.clone(),
        signature: sections
            .signature
            .map_or_else(LockedSection::default, |digest| {
                section(0..sections.control.start, digest.integrity())
            }),
        control: section(sections.control, entry.identity.integrity()),
        data: section(sections.data, package.data_hash().integrity()),
        checksum: entry.identity.to_q1(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_lock_says_of_a_package_must_be_so() {
        let identity = Sha1::new([7; 20]);
        let said = |checksum: &str, control: &str| LockedFile {
            checksum: checksum.to_owned(),
            control: LockedSection {
                checksum: control.to_owned(),
                ..LockedSection::default()
            },
            ..LockedFile::default()
        };
        let (q1, integrity) = (identity.to_q1(), identity.integrity());
        let other = Sha1::new([8; 20]);
        for good in [said("", ""), said(&q1, ""), said(&q1, &integrity)] {
            assert_eq!(good.differs_from(identity), None);
        }
        // A lock of old has the second alone.
        let old = other.integrity();
        let expected = Some((old.as_str(), integrity));
        assert_eq!(said("", &old).differs_from(identity), expected);
        assert_eq!(said(&q1, &old).differs_from(identity), expected);
        assert!(said(&other.to_q1(), "").differs_from(identity).is_some());
    }
}
