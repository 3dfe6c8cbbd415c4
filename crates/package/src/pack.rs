//! From what the steps left to packages in the store: survey, linters, analysis, emission.

use std::collections::BTreeMap;

use boltworks_apk::{IndexEntry, check_tree};
use boltworks_crypto::Signer;
use boltworks_fsx::{Kind, Node, Tree};
use boltworks_model::{Ambient, Artifact, Event, Material, Sha256, Timestamp};
use boltworks_recipe::resolved::{Capability, Recipe, Test};
use boltworks_store::Store;
use boltworks_version::apk::Version;
use rayon::prelude::*;

use crate::Error;
use crate::analysis::{self, Analysis, analyse};
use crate::emit::{Parcel, Shipment, emit};
use crate::libraries;
use crate::lint::{self, Level, Refused, Report, lint};
use crate::survey::{Family, Survey, survey};

/// So many packages are written before the first of them is closed: each takes two files.
const OPEN: usize = 128;

/// One package in the store.
#[derive(Debug, Clone)]
pub struct BuiltPackage {
    /// What it is called and where its bytes are.
    pub artifact: Artifact,
    /// Its line in an index.
    pub entry: IndexEntry,
    /// Its SBOM, which also lies in the package, in the store.
    pub sbom: Sha256,
    /// How many entries it has.
    pub files: usize,
}

/// What packages are made with, beside their files.
pub struct Packing<'a> {
    /// What the recipe says of them.
    pub recipe: &'a Recipe,
    /// The time that every file and document bears.
    pub epoch: Timestamp,
    /// What went in.
    pub materials: &'a [Material],
    /// Other levels of linters than their own, by name.
    pub lint_levels: &'a BTreeMap<String, Level>,
    /// The libraries of the build environment, by soname, where what the packages need shall be
    /// bound to their versions and to those of the packages' own; see
    /// [`libraries`].
    pub libraries: Option<&'a BTreeMap<String, Version>>,
    /// The factory's name, for package addresses.
    pub vendor: &'a str,
    /// Who signs.
    pub signer: &'a Signer,
    /// Where packages go.
    pub store: &'a Store,
}

/// The packages of a recipe with their files, which `results` gives by name, with the capabilities
/// that the recipe asks for; the recipe's own first, then its subpackages in the recipe's order.
pub fn parcels(
    recipe: &Recipe,
    results: impl Fn(&str, &[Capability]) -> Result<Tree, Error>,
) -> Result<Vec<Parcel<'_>>, Error> {
    let package = &recipe.package;
    let mut parcels = vec![Parcel {
        name: &package.name,
        description: &package.description,
        url: package.url.as_deref(),
        commit: package.commit.as_deref(),
        licenses: &package.licenses,
        dependencies: &package.dependencies,
        options: &package.options,
        scriptlets: &package.scriptlets,
        tree: results(package.name.as_str(), &package.setcap)?,
    }];
    for subpackage in &recipe.subpackages {
        parcels.push(Parcel {
            name: &subpackage.name,
            description: &subpackage.description,
            url: subpackage.url.as_deref(),
            commit: subpackage.commit.as_deref(),
            licenses: &subpackage.licenses,
            dependencies: &subpackage.dependencies,
            options: &subpackage.options,
            scriptlets: &subpackage.scriptlets,
            tree: results(subpackage.name.as_str(), &subpackage.setcap)?,
        });
    }
    Ok(parcels)
}

/// Lints, analyses and writes every package, in parallel; gives them in order, and what the linters
/// found, as JSON in the store.
pub fn pack(
    packing: &Packing<'_>,
    parcels: Vec<Parcel<'_>>,
    ambient: &Ambient<'_>,
) -> Result<(Vec<BuiltPackage>, Sha256), Error> {
    let recipe = packing.recipe;
    let (reports, analyses) = look(packing, &parcels)?;
    let large = parcels.iter().filter_map(too_large_for_apk_2);
    for text in reports.iter().filter_map(Report::summary).chain(large) {
        ambient.sink.event(Event::Warning { text: &text });
    }
    if let Some(refused) = Refused::from_reports(&reports) {
        return Err(Error::Lint(refused));
    }
    let embedded_recipe = recipe.canonical_json();
    let shipment = Shipment {
        origin: &recipe.package.name,
        version: &recipe.package.full_version,
        upstream_version: &recipe.package.version.to_string(),
        architecture: recipe.architecture,
        epoch: packing.epoch,
        materials: packing.materials,
        embedded_recipe: &embedded_recipe,
        recipe_digest: boltworks_crypto::sha256(&embedded_recipe),
        vendor: packing.vendor,
        signer: packing.signer,
        store: packing.store,
    };
    let mut batch = packing.store.batch();
    let mut packages = Vec::new();
    let mut waiting = parcels.into_iter().zip(&analyses);
    loop {
        let some: Vec<_> = waiting.by_ref().take(OPEN).collect();
        if some.is_empty() {
            break;
        }
        let emitted: Vec<_> = some
            .into_par_iter()
            .map(|(parcel, analysis)| emit(&shipment, parcel, analysis))
            .collect::<Result<_, Error>>()?;
        for one in emitted {
            packages.push(one.keep(&mut batch)?);
        }
    }
    let document = batch.put_bytes(&lint::document(&reports))?;
    batch.commit()?;
    Ok((packages, document))
}

/// apk-tools 2 (seen with 2.14.10) counts a file's bytes in 31 bits: it unpacks the file, reports an
/// error, and takes the package for not installed. apk-tools 3 installs it.
fn too_large_for_apk_2(parcel: &Parcel<'_>) -> Option<String> {
    let is_large =
        |node: &Node| matches!(&node.kind, Kind::File(content) if content.len() >= 1 << 31);
    let (path, _) = parcel.tree.iter().find(|(_, node)| is_large(node))?;
    Some(format!(
        "package {}: {path} has 2 GiB or more, and apk-tools 2 cannot install such a file",
        parcel.name
    ))
}

/// What is wrong with each package, and what each needs and offers.
fn look(
    packing: &Packing<'_>,
    parcels: &[Parcel<'_>],
) -> Result<(Vec<Report>, Vec<Analysis>), Error> {
    for parcel in parcels {
        // Before anything of it is read.
        check_tree(&parcel.tree).map_err(|source| Error::Unpackable {
            package: parcel.name.to_string(),
            source,
        })?;
    }
    let trees: Vec<&Tree> = parcels.iter().map(|parcel| &parcel.tree).collect();
    let family = Family::new(&trees)?;
    let surveys = trees
        .par_iter()
        .map(|tree| survey(tree, &family))
        .collect::<Result<Vec<_>, Error>>()?;
    let reports = lint_all(packing, &surveys);
    let version = &packing.recipe.package.full_version;
    let analyses = analyse_all(version, parcels, &surveys, packing.libraries);
    Ok((reports, analyses))
}

/// What each package needs and offers. Where libraries are given, what it needs is bound to their
/// versions.
pub(crate) fn analyse_all(
    version: &Version,
    parcels: &[Parcel<'_>],
    surveys: &[Survey<'_>],
    libraries: Option<&BTreeMap<String, Version>>,
) -> Vec<Analysis> {
    let analyses = bound_to(&BTreeMap::new(), version, parcels, surveys);
    let Some(libraries) = libraries else {
        return analyses;
    };
    // What a package was linked with is what its siblings offer now, whatever was there before.
    let own = analyses.iter().flat_map(|analysis| {
        let provides = analysis.provides.values();
        libraries::of(provides).collect::<Vec<_>>()
    });
    let mut libraries = libraries.clone();
    libraries.extend(own);
    bound_to(&libraries, version, parcels, surveys)
}

fn bound_to(
    libraries: &BTreeMap<String, Version>,
    version: &Version,
    parcels: &[Parcel<'_>],
    surveys: &[Survey<'_>],
) -> Vec<Analysis> {
    let all = parcels.par_iter().zip(surveys);
    all.map(|(parcel, survey)| {
        let subject = analysis::Subject {
            options: *parcel.options,
            declared: &parcel.dependencies.runtime,
            libraries,
            ..analysis::Subject::new(parcel.name, version)
        };
        analyse(&subject, survey)
    })
    .collect()
}

/// Lints every package: each with its own exceptions and its own test.
fn lint_all(packing: &Packing<'_>, surveys: &[Survey<'_>]) -> Vec<Report> {
    let recipe = packing.recipe;
    let package = &recipe.package;
    let main = (&package.name, &package.checks_disabled, &recipe.test);
    let subpackages = recipe.subpackages.iter();
    let subpackages = subpackages.map(|sub| (&sub.name, &sub.checks_disabled, &sub.test));
    let packages: Vec<_> = std::iter::once(main).chain(subpackages).collect();
    packages
        .par_iter()
        .zip(surveys)
        .map(|((name, disabled, test), survey)| {
            let subject = lint::Subject {
                name: name.as_str(),
                disabled,
                tested_with: Some(test.as_ref().map(pipelines_of).unwrap_or_default()),
                levels: packing.lint_levels.clone(),
            };
            lint(&subject, survey)
        })
        .collect()
}

fn pipelines_of(test: &Test) -> Vec<&str> {
    let used = test.pipelines_used.iter();
    used.map(|pipeline| pipeline.name.as_str()).collect()
}
