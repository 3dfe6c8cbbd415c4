//! What the SBOMs are told of the packages and the system in an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_apk::Control;
use boltworks_fsx::{Limit, RelPath, Tree};
use boltworks_model::{Sha256, Sha512};
use boltworks_rootfs::{LockedPackage, Opened};
use boltworks_sbom::{ImagePackage, OsFacts, Own};
use boltworks_version::apk::Version;

use crate::Error;
use crate::base::Base;
use crate::declaration::os_release;
use crate::memory::{Document, Memory};
use crate::place::read_file;

/// No package's SBOM is larger.
const SBOM_LIMIT: Limit = Limit(16 << 20);

/// What is known of one package.
#[derive(Debug)]
pub struct PackageContents<'a> {
    /// Absent of a package whose file nobody has.
    digests: Option<(Sha256, Sha512)>,
    control: &'a Control,
    version: String,
    depends_on: Vec<usize>,
    document: Document,
}

impl<'a> PackageContents<'a> {
    /// The packages of an image, in install order; before them those of the image below.
    pub(crate) fn read(
        base: Option<&'a Base>,
        (locked, opened): (&'a [LockedPackage], &'a [Arc<Opened>]),
        memory: &Memory,
    ) -> Result<Vec<Self>, Error> {
        let below = base.map_or(&[][..], |base| &base.controls);
        let own = opened.iter().map(|one| &one.control);
        let controls: Vec<&Control> = below.iter().chain(own).collect();
        let providers = Providers::of(&controls);
        let mut all = Vec::new();
        for control in below {
            let tree = base.map(|base| &base.tree);
            let document = tree.map(|tree| document(tree, control)).transpose()?;
            let document = document.flatten();
            all.push(Self {
                digests: None,
                control,
                version: control.version.to_string(),
                depends_on: providers.of_package(control),
                document: document.map(|bytes| Arc::new(Own::read(&bytes))),
            });
        }
        for (locked, opened) in locked.iter().zip(opened) {
            let control = &opened.control;
            all.push(Self {
                digests: Some((locked.sha256, opened.sha512)),
                control,
                version: control.version.to_string(),
                depends_on: providers.of_package(control),
                document: memory
                    .document(locked.sha256, || document(&opened.files.tree, control))?,
            });
        }
        Ok(all)
    }

    /// The package as the SBOM room takes it.
    pub fn facts(&self) -> ImagePackage<'_> {
        ImagePackage {
            name: self.control.name.as_str(),
            version: &self.version,
            architecture: &self.control.arch,
            description: &self.control.description,
            url: &self.control.url,
            licences: &self.control.licenses,
            maintainer: &self.control.maintainer,
            digests: self.digests,
            depends_on: self.depends_on.clone(),
            document: self.document.as_deref(),
        }
    }
}

/// The SBOM a package carries: under its full version, its version without `-rN`, or its name.
fn document(tree: &Tree, control: &Control) -> Result<Option<Vec<u8>>, Error> {
    let full = control.version.to_string();
    let upstream = full
        .rsplit_once("-r")
        .map_or(full.as_str(), |(upstream, _)| upstream);
    let name = control.name.as_str();
    let candidates = [
        boltworks_sbom::package_path(name, &full),
        boltworks_sbom::package_path(name, upstream),
        format!("var/lib/db/sbom/{name}.spdx.json"),
    ];
    for candidate in candidates {
        let path = RelPath::try_from(candidate.as_str())?;
        if let Some(content) = tree.file(&path) {
            let bytes = content.read_vec(SBOM_LIMIT);
            return bytes
                .map(Some)
                .map_err(|source| Error::Content { path, source });
        }
    }
    Ok(None)
}

/// Who provides what, among the packages of an image.
struct Providers<'a>(BTreeMap<&'a str, Vec<(usize, Option<&'a Version>)>>);

impl<'a> Providers<'a> {
    fn of(controls: &[&'a Control]) -> Self {
        let mut names: BTreeMap<&str, Vec<(usize, Option<&Version>)>> = BTreeMap::new();
        for (at, control) in controls.iter().enumerate() {
            let own = (control.name.as_str(), Some(&control.version));
            let provided = control.provides.iter();
            let provided = provided.map(|one| (one.name.as_str(), one.version.as_ref()));
            for (name, version) in std::iter::once(own).chain(provided) {
                names.entry(name).or_default().push((at, version));
            }
        }
        Self(names)
    }

    /// For each dependency of a package the first package that satisfies it.
    fn of_package(&self, control: &Control) -> Vec<usize> {
        let first = |dependency: &boltworks_version::apk::Dependency| {
            let all = self.0.get(dependency.name.as_str())?;
            let (at, _) = all
                .iter()
                .find(|(_, version)| dependency.matches(*version))?;
            Some(*at)
        };
        let wanted = control
            .depends
            .iter()
            .filter(|dependency| !dependency.conflict);
        let mut found: Vec<usize> = wanted.filter_map(first).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// What the image's `os-release` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    id: String,
    name: String,
    version: String,
}

impl System {
    /// Reads `/etc/os-release` or `/usr/lib/os-release`; `None` where neither is there or it
    /// names nothing.
    pub fn read(tree: &Tree) -> Result<Option<Self>, Error> {
        for path in ["etc/os-release", "usr/lib/os-release"] {
            let Some((bytes, _)) = read_file(tree, path)? else {
                continue;
            };
            let mut fields = os_release(&String::from_utf8_lossy(&bytes));
            let mut take = |key: &str| fields.remove(key).filter(|value| !value.is_empty());
            let (id, name) = (take("ID"), take("PRETTY_NAME").or_else(|| take("NAME")));
            let version = take("VERSION_ID").unwrap_or_default();
            return Ok(id.map(|id| Self {
                name: name.unwrap_or_else(|| id.clone()),
                id,
                version,
            }));
        }
        Ok(None)
    }

    /// The system as the SBOM room takes it.
    pub fn facts(&self) -> OsFacts<'_> {
        OsFacts {
            id: &self.id,
            name: &self.name,
            version: &self.version,
        }
    }
}
