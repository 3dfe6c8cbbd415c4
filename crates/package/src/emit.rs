//! One tree of files to one signed package, with its SBOM inside.

use std::io::Write as _;

use boltworks_apk::{
    Control, IndexEntry, Parts, Provide, ScriptKind, Scripts, WriteOptions, write_data,
};
use boltworks_crypto::Signer;
use boltworks_fsx::{Meta, Node, RelPath, Tree};
use boltworks_model::{
    Architecture, Artifact, ArtifactKind, Coordinate, Material, PackageName, Sha256, SourceKind,
    Timestamp,
};
use boltworks_recipe::resolved::{Dependencies, PackageOptions, Scriptlets};
use boltworks_sbom::{PackageFacts, SourceFact};
use boltworks_store::{Batch, BlobDraft, Store};
use boltworks_version::apk::{Dependency, Version};

use crate::analysis::Analysis;
use crate::{BuiltPackage, Error};

/// Compression of packages: zlib level, part of the bytes' contract. Of the gigabyte that
/// `bench/emission` makes, level 6 makes 350.6 MB in 15.5 s of a core, level 5 makes 352.9 MB in 11.6 s.
pub const LEVEL: u32 = 5;

/// The namespace of a factory that has none: nobody maintains its packages.
const NOBODY: &str = "unknown";

/// A package that is about to be written: what the recipe says of it and the files it holds.
#[derive(Clone)]
pub struct Parcel<'a> {
    /// Its name.
    pub name: &'a PackageName,
    /// Its description.
    pub description: &'a str,
    /// Its home page.
    pub url: Option<&'a str>,
    /// The recipe's commit.
    pub commit: Option<&'a str>,
    /// The licences, in the recipe's order.
    pub licenses: &'a [String],
    /// What the recipe says of its relations.
    pub dependencies: &'a Dependencies,
    /// What the analysis must leave out.
    pub options: &'a PackageOptions,
    /// Scripts of its life cycle.
    pub scriptlets: &'a Scriptlets,
    /// Its files.
    pub tree: Tree,
}

/// What all packages of one recipe share.
pub struct Shipment<'a> {
    /// The recipe's package name.
    pub origin: &'a PackageName,
    /// The full version.
    pub version: &'a Version,
    /// Upstream's version, without `-rN`.
    pub upstream_version: &'a str,
    /// The architecture.
    pub architecture: Architecture,
    /// The time of files, SBOM and build.
    pub epoch: Timestamp,
    /// What went in.
    pub materials: &'a [Material],
    /// The resolved recipe, embedded as `.melange.yaml`.
    pub embedded_recipe: &'a [u8],
    /// Its digest: of two thousand packages it is the same.
    pub recipe_digest: Sha256,
    /// The factory's name, for package addresses.
    pub vendor: &'a str,
    /// Who signs.
    pub signer: &'a Signer,
    /// Where packages go.
    pub store: &'a Store,
}

/// A package and its SBOM, written and not yet in the store.
pub struct Emitted<'a> {
    package: BlobDraft<'a>,
    sbom: BlobDraft<'a>,
    coordinate: Coordinate,
    entry: IndexEntry,
    files: usize,
}

impl<'a> Emitted<'a> {
    /// Puts both among what becomes durable together.
    pub fn keep(self, batch: &mut Batch<'a>) -> Result<BuiltPackage, Error> {
        Ok(BuiltPackage {
            sbom: batch.add(self.sbom)?,
            artifact: Artifact {
                digest: batch.add(self.package)?,
                size: self.entry.size,
                coordinate: self.coordinate,
            },
            entry: self.entry,
            files: self.files,
        })
    }
}

/// Describes and writes one package, of which the analysis says this.
pub fn emit<'a>(
    shipment: &Shipment<'a>,
    mut parcel: Parcel<'_>,
    analysis: &Analysis,
) -> Result<Emitted<'a>, Error> {
    let imprint = Imprint {
        origin: shipment.origin,
        version: shipment.version,
        architecture: shipment.architecture,
        epoch: shipment.epoch,
        vendor: shipment.vendor,
    };
    let control = control(&imprint, &parcel, analysis)?;
    // Not a copy of it: there may be a hundred thousand files.
    let mut tree = std::mem::take(&mut parcel.tree);
    let sbom = add_sbom(shipment, &parcel, &mut tree)?;
    tree.ensure_dirs(&Meta::new(0o755, shipment.epoch.0));

    let parts = Parts {
        control: &control,
        scripts: &scripts(parcel.scriptlets),
        embedded: &[(".melange.yaml", shipment.embedded_recipe)],
        tree: &tree,
    };
    let options = WriteOptions {
        level: LEVEL,
        ..WriteOptions::new(shipment.epoch.0)
    };
    let mut package = shipment.store.begin_late();
    let (head, written) =
        write_data(&mut package, &parts, shipment.signer, &options).map_err(|source| {
            Error::Unpackable {
                package: parcel.name.to_string(),
                source,
            }
        })?;
    Ok(Emitted {
        package: package.begin_with(&head)?,
        sbom,
        coordinate: Coordinate {
            kind: ArtifactKind::Apk,
            name: parcel.name.to_string(),
            version: shipment.version.to_string(),
            architecture: shipment.architecture,
        },
        entry: IndexEntry::new(&control, &written),
        files: tree.len(),
    })
}

/// What the `.PKGINFO` of all packages of one recipe shares.
pub(crate) struct Imprint<'a> {
    /// The recipe's package name.
    pub(crate) origin: &'a PackageName,
    /// The full version.
    pub(crate) version: &'a Version,
    /// The architecture.
    pub(crate) architecture: Architecture,
    /// The time of the build.
    pub(crate) epoch: Timestamp,
    /// The factory's name.
    pub(crate) vendor: &'a str,
}

/// What a package says of itself, but for what is counted and hashed when it is written.
pub(crate) fn control(
    imprint: &Imprint<'_>,
    parcel: &Parcel<'_>,
    analysis: &Analysis,
) -> Result<Control, Error> {
    let said = parcel.dependencies;
    let mut provides = said
        .provides
        .iter()
        .map(Provide::try_from)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| Error::Provide {
            package: parcel.name.to_string(),
            source,
        })?;
    provides.extend(analysis.provides.values().cloned());
    let depends = depends(said, analysis, &provides);
    as_texts(&mut provides);
    let arch = imprint.architecture.apk();
    Ok(Control {
        origin: imprint.origin.to_string(),
        description: parcel.description.to_owned(),
        url: parcel.url.unwrap_or_default().to_owned(),
        commit: parcel.commit.unwrap_or_default().to_owned(),
        maintainer: Some(imprint.vendor)
            .filter(|vendor| *vendor != NOBODY)
            .unwrap_or_default()
            .to_owned(),
        build_date: Some(imprint.epoch.0).filter(|epoch| *epoch != 0),
        licenses: parcel.licenses.to_vec(),
        depends,
        provides,
        replaces: said.replaces.clone(),
        vendored: analysis.vendored.values().cloned().collect(),
        provider_priority: said.provider_priority,
        replaces_priority: said.replaces_priority,
        triggers: parcel
            .scriptlets
            .trigger
            .as_ref()
            .map(|trigger| trigger.paths.clone())
            .unwrap_or_default(),
        ..Control::new(parcel.name.clone(), imprint.version.clone(), arch)
    })
}

/// What the recipe says and what the files say, without what the package itself offers.
fn depends(said: &Dependencies, analysis: &Analysis, provides: &[Provide]) -> Vec<Dependency> {
    let is_own = |dependency: &Dependency| provides.iter().any(|own| own.name == dependency.name);
    // What the recipe asks for in a version, or not to be there, is meant so.
    let is_meant = |said: &Dependency| said.conflict || said.constraint.is_some();
    let found = analysis.depends.iter().filter(|need| !is_own(need));
    let said = said.runtime.iter();
    let said = said.filter(|said| is_meant(said) || !is_own(said));
    let mut depends: Vec<Dependency> = said.chain(found).cloned().collect();
    as_texts(&mut depends);
    depends
}

/// In the order of their texts, as melange has them, each once.
fn as_texts<T: ToString + PartialEq>(relations: &mut Vec<T>) {
    relations.sort_by_cached_key(ToString::to_string);
    relations.dedup();
}

/// Puts the package's SBOM where image builders look for it; gives its blob in the store.
fn add_sbom<'a>(
    shipment: &Shipment<'a>,
    parcel: &Parcel<'_>,
    tree: &mut Tree,
) -> Result<BlobDraft<'a>, Error> {
    let version = shipment.version.to_string();
    let facts = PackageFacts {
        name: parcel.name.as_str(),
        version: &version,
        architecture: shipment.architecture.apk(),
        vendor: shipment.vendor,
        description: parcel.description,
        url: parcel.url.unwrap_or_default(),
        licences: parcel.licenses,
        copyright: &[],
        sources: &source_facts(
            shipment.materials,
            shipment.origin.as_str(),
            shipment.upstream_version,
        ),
        recipe: Some(shipment.recipe_digest),
        created: shipment.epoch,
    };
    let (document, _) = boltworks_sbom::spdx_for_package(&facts, boltworks_crypto::sha256)?;
    let bytes = document.to_json()?;
    let path = boltworks_sbom::package_path(parcel.name.as_str(), &version);
    let path = RelPath::try_from(path.as_str())?;
    let mut draft = shipment.store.begin()?;
    draft.write_all(&bytes)?;
    let node = Node::file(Meta::new(0o644, shipment.epoch.0), bytes);
    tree.insert(path, node)
        .map_err(|error| Error::from(error).about_results(parcel.name.as_str()))?;
    Ok(draft)
}

/// The sources among the materials. Only what the recipe says of them enters the package: from
/// which mirror they came is in the build record.
fn source_facts<'a>(
    materials: &'a [Material],
    name: &'a str,
    version: &'a str,
) -> Vec<SourceFact<'a>> {
    materials
        .iter()
        .filter_map(|material| match material {
            Material::Source {
                uri, kind, sha256, ..
            } => {
                // From which archive upstream's own file came differs from machine to machine; a
                // repacked file is another file, and is named as such.
                let kind = match kind {
                    SourceKind::DebianOrig => SourceKind::Tarball,
                    kind => *kind,
                };
                Some(SourceFact {
                    uri,
                    kind,
                    sha256: *sha256,
                    name,
                    version,
                })
            }
            _ => None,
        })
        .collect()
}

fn scripts(scriptlets: &Scriptlets) -> Scripts {
    let named = [
        (ScriptKind::PreInstall, &scriptlets.pre_install),
        (ScriptKind::PostInstall, &scriptlets.post_install),
        (ScriptKind::PreDeinstall, &scriptlets.pre_deinstall),
        (ScriptKind::PostDeinstall, &scriptlets.post_deinstall),
        (ScriptKind::PreUpgrade, &scriptlets.pre_upgrade),
        (ScriptKind::PostUpgrade, &scriptlets.post_upgrade),
    ];
    let mut scripts = Scripts::default();
    for (kind, text) in named {
        if let Some(text) = text {
            scripts.insert(kind, text.as_bytes().to_vec());
        }
    }
    if let Some(trigger) = &scriptlets.trigger {
        scripts.insert(ScriptKind::Trigger, trigger.script.as_bytes().to_vec());
    }
    scripts
}
