//! What decides layers as apko lays them, gathered from the command line, the image file and the choice
//! of packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boltworks_image::compatible::Compatible;
use boltworks_model::{Architecture, Timestamp};
use boltworks_plan::World;
use boltworks_recipe::json::Surroundings;
use boltworks_recipe::resolved::{EntrypointKind, Image};
use boltworks_rootfs::Locked;
use boltworks_solver::{Options, Solution, solve_like_apko};
use boltworks_version::apk::Dependency;

use super::image::ImageOrder;
use crate::Error;
use crate::files::{Place, TEXT_LIMIT};
use crate::planning::STAGE0;

/// The package that runs services.
const SERVICES: &str = "s6";

/// What a command line says of layers as apko lays them.
#[derive(Debug, Clone, Default)]
pub struct Laying {
    /// Repositories of build and image, as they were named.
    pub repositories: Vec<PathBuf>,
    /// Repositories of the build alone.
    pub build_repositories: Vec<PathBuf>,
    /// Keys that repositories are trusted by.
    pub keys: Vec<PathBuf>,
    /// The time that was asked for.
    pub time: Option<Timestamp>,
    /// Whether the environment asked for it: else certificates are as new as the newest package.
    pub is_exact: bool,
}

/// What else the image needs because it runs services.
pub(super) fn further(image: &Image) -> Option<Dependency> {
    let is_bundle = image.entrypoint_kind == EntrypointKind::ServiceBundle;
    is_bundle.then(|| SERVICES.parse().ok()).flatten()
}

/// The packages in apko's order of installation, where layers are laid as apko lays them: that of its
/// choice from exactly these.
pub(super) fn in_order(
    solution: Solution,
    order: &ImageOrder,
    world: &World,
    (wanted, architecture): (&[Dependency], Architecture),
) -> Solution {
    if order.laying.is_none() {
        return solution;
    }
    let options = Options::new(architecture).without(STAGE0);
    let again = solve_like_apko(&world.universe, wanted, &options, &[]);
    again.map_or(solution, |again| again.solution)
}

/// Everything the image room needs to lay layers as apko does, if it is to. `keys` are the files of the
/// keys, in their order; of the packages those that the image is made of come first, then those that are
/// below.
pub(super) fn compatible(
    order: &ImageOrder,
    (image, architecture): (&Image, Architecture),
    (chosen, below): (&Locked, &[Dependency]),
    keys: &[PathBuf],
) -> Result<Option<Compatible>, Error> {
    let Some(laying) = &order.laying else {
        return Ok(None);
    };
    let mut packages: Vec<String> = chosen
        .packages
        .iter()
        .map(|one| format!("{}={}", one.name, one.version))
        .collect();
    if order.lock.is_none() {
        packages.sort();
    }
    let texts = |paths: &[PathBuf]| -> Vec<String> {
        let texts = paths.iter().map(|path| path.to_string_lossy().into_owned());
        texts.collect()
    };
    let build = Surroundings {
        architecture,
        packages: &packages,
        repositories: &texts(&laying.repositories),
        build_repositories: &texts(&laying.build_repositories),
        keyring: &texts(&laying.keys),
        annotations: &order.annotations,
    };
    let further = further(image).map(|_| SERVICES.to_owned());
    let asked = order.packages.iter().map(ToString::to_string);
    let world: BTreeSet<String> = packages
        .iter()
        .cloned()
        .chain(asked)
        .chain(further)
        .chain(below.iter().map(ToString::to_string))
        .collect();
    let named = image.repositories.iter().chain(&image.runtime_repositories);
    let named = named.map(|text| text.trim_end_matches('/').to_owned());
    let repositories: BTreeSet<String> = named
        .chain(texts(&laying.repositories))
        .map(|text| without_password(&text))
        .collect();
    Ok(Some(Compatible {
        configuration: order.configuration.image.written(&build),
        world: world.into_iter().collect(),
        repositories: repositories.into_iter().collect(),
        keys: read_keys(laying, image, keys)?,
        time: laying.time.map_or(0, |time| time.0),
        is_earliest: !laying.is_exact,
    }))
}

/// The keys under the names of their files.
fn read_keys(
    laying: &Laying,
    image: &Image,
    files: &[PathBuf],
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let named = laying.keys.iter().map(PathBuf::as_path);
    let named = named.chain(image.keyring.iter().map(Path::new));
    let mut keys = Vec::new();
    for (named, file) in named.zip(files) {
        let name = named.file_name().unwrap_or(named.as_os_str());
        let text = Place::of(file)?.read_text(TEXT_LIMIT)?;
        keys.push((name.to_string_lossy().into_owned(), text.into_bytes()));
    }
    Ok(keys)
}

/// An address without what only its owner is to know.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => format!("{scheme}://{host}{path}"),
        _ => address.to_owned(),
    }
}
