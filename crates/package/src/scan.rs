//! What packages that are there need and offer, read off their files again.
//!
//! The same analysis as in a build, over the files of finished packages. Of a package that this
//! program built it finds what its `.PKGINFO` says.

use std::collections::BTreeMap;

use boltworks_apk::{Control, PackageFile};
use boltworks_fsx::{RelPath, Root, Tree};
use boltworks_model::Timestamp;
use boltworks_recipe::resolved::Recipe;
use boltworks_version::apk::Version;
use rayon::prelude::*;

use crate::Error;
use crate::emit::{Imprint, Parcel, control};
use crate::libraries::VERSIONED;
use crate::pack::{analyse_all, parcels};
use crate::survey::{Family, survey};

/// Says what each of these packages of a recipe would say of itself, in their order. What is no
/// relation stays: size, time, the digest of the files, a commit that the recipe does not name, and
/// the namespace, unless another is given. Packages of the recipe that are not among these are taken
/// for empty.
///
/// # Errors
///
/// A package that the recipe does not make, and files that cannot be read.
pub fn scan(
    recipe: &Recipe,
    packages: &[&PackageFile],
    vendor: Option<&str>,
    scratch: &Root,
) -> Result<Vec<Control>, Error> {
    for package in packages {
        let name = &package.control().name;
        if !recipe.package_names().any(|own| own == name) {
            return Err(Error::NotMade {
                package: name.to_string(),
                recipe: recipe.package.name.to_string(),
            });
        }
    }
    let of = |name: &str| {
        let mut all = packages.iter();
        all.find(|package| package.control().name.as_str() == name)
    };
    let parcels = parcels(recipe, |name, _| {
        of(name).map_or_else(|| Ok(Tree::default()), |package| files(package, scratch))
    })?;
    let trees: Vec<&Tree> = parcels.iter().map(|parcel| &parcel.tree).collect();
    let family = Family::new(&trees)?;
    let surveys = trees
        .par_iter()
        .map(|tree| survey(tree, &family))
        .collect::<Result<Vec<_>, Error>>()?;
    let libraries = bound(packages);
    let version = &recipe.package.full_version;
    let analyses = analyse_all(version, &parcels, &surveys, libraries.as_ref());
    let mut controls = BTreeMap::new();
    for (parcel, analysis) in parcels.iter().zip(&analyses) {
        if let Some(package) = of(parcel.name.as_str()) {
            let found = package.control();
            let imprint = Imprint {
                origin: &recipe.package.name,
                version,
                architecture: recipe.architecture,
                epoch: Timestamp(found.build_date.unwrap_or(0)),
                vendor: vendor.unwrap_or(&found.maintainer),
            };
            let parcel = Parcel {
                commit: parcel.commit.or(Some(&found.commit)),
                ..parcel.clone()
            };
            let mut control = Control {
                installed_size: found.installed_size,
                datahash: found.datahash,
                ..control(&imprint, &parcel, analysis)?
            };
            if vendor.is_none() {
                control.maintainer.clone_from(&found.maintainer);
            }
            controls.insert(parcel.name.clone(), control);
        }
    }
    let names = packages.iter().map(|package| &package.control().name);
    Ok(names.filter_map(|name| controls.remove(name)).collect())
}

/// The files of a package as its steps left them: the SBOM came later.
fn files(package: &PackageFile, scratch: &Root) -> Result<Tree, Error> {
    let control = package.control();
    let version = control.version.to_string();
    let sbom = boltworks_sbom::package_path(control.name.as_str(), &version);
    let unreadable = |source| Error::Unreadable {
        package: control.name.to_string(),
        source,
    };
    let mut tree = package.tree(scratch).map_err(unreadable)?;
    tree.remove(&RelPath::try_from(sbom.as_str())?);
    Ok(tree)
}

/// The versions of libraries that what packages need is bound to; nothing, where it is not.
fn bound(packages: &[&PackageFile]) -> Option<BTreeMap<String, Version>> {
    let needs = packages
        .iter()
        .flat_map(|package| &package.control().depends);
    let bound: BTreeMap<String, Version> = needs
        .filter_map(|need| {
            let soname = need.name.as_str().strip_prefix(VERSIONED)?;
            let (_, version) = need.constraint.as_ref()?;
            Some((soname.to_owned(), version.clone()))
        })
        .collect();
    (!bound.is_empty()).then_some(bound)
}
