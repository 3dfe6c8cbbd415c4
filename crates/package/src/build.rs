//! The whole of it: workspace, steps, packages, record.

use std::collections::BTreeMap;

use boltworks_model::{Ambient, Event, Material, Sha256, SourceKind};
use boltworks_recipe::resolved::{Recipe, Step};

use crate::accounts::Ground;
use crate::emit::Parcel;
use crate::libraries;
use crate::local::LocalFiles;
use crate::log::Log;
use crate::note::Noted;
use crate::order::{Order, Shop};
use crate::pack::{self, Packing, pack};
use crate::rescue::Kept;
use crate::setcap;
use crate::steps::{Count, Deadline, HOME, Runner, Stopped, Used};
use crate::workspace::{Contents, Workspace};
use crate::{BuiltPackage, Error, Failed};

/// Files that are not copied, of which each is warned of by name.
const MAX_TOLD: usize = 10;

/// What a build gave.
#[derive(Debug, Clone)]
pub struct Built {
    /// The packages: the recipe's own first, then its subpackages in the recipe's order.
    pub packages: Vec<BuiltPackage>,
    /// Everything that went in.
    pub materials: Vec<Material>,
    /// The log in the store.
    pub log: Sha256,
    /// What the steps used.
    pub used: Used,
    /// Whether a person went on in a shell where a step had failed: then nothing says what the
    /// packages are made of.
    pub by_hand: bool,
    /// What the linters found, as JSON in the store.
    pub lint: Sha256,
}

/// Builds all packages of a recipe.
///
/// Nothing is published: the packages are blobs in the store, and the caller records them.
pub fn build(order: &Order<'_>, shop: &Shop<'_>, ambient: &Ambient<'_>) -> Result<Built, Error> {
    let recipe = order.recipe;
    let materials = materials(order, shop);
    let names = package_names(recipe);
    let contents = Contents {
        local_files: order.local_files,
        sources: order.sources,
        packages: &names,
        noted: Some(Noted::of(order)),
    };
    tell_left_out(order, ambient);
    let what = format!("build of {}", recipe.package.name);
    let ground = Ground {
        what: &what,
        listed: "environment.accounts",
        trees: &[order.tree.to_owned()],
    };
    let (trees, ids) = ground.settle(&recipe.environment, shop)?;
    let workspace = Workspace::lay(shop, ("build", recipe.package.name.as_str()), contents)?;
    let mut log = Log::new(shop.store, ambient.sink, order.job)?;
    let guest = workspace.guest(&trees, ids);
    let mut runner = Runner {
        what,
        listed: "environment.contents.packages",
        sandbox: shop.sandbox,
        guest: &guest,
        environment: guest_environment(order),
        limits: order.limits.clone(),
        deadline: deadline(recipe, ambient),
        attendant: order.attendant,
        count: Count::of(pipelines(recipe)),
        by_hand: false,
        used: Used::default(),
    };
    let stopped = run_all(recipe, &mut runner, &mut log, ambient)?;
    let Runner {
        used,
        what,
        by_hand,
        ..
    } = runner;
    let (log, tail) = log.finish()?;
    let log = log.commit()?.digest;
    if let Some(stopped) = stopped {
        let path = workspace.path().to_owned();
        workspace.keep(&Kept::new(&what, &stopped, &guest))?;
        return Err(Error::Step(Box::new(Failed {
            what,
            stopped,
            tail,
            log,
            workspace: path,
            has_shell: true,
        })));
    }
    verify_licences(recipe, &what, &workspace)?;
    let parcels = parcels(order, &workspace)?;
    let libraries = || libraries::of_environment(order.environment, shop.store);
    let libraries = order.binds_libraries.then(libraries).transpose()?;
    let packing = Packing {
        recipe,
        libraries: libraries.as_ref(),
        epoch: order.epoch,
        materials: &materials,
        lint_levels: order.lint_levels,
        vendor: shop.vendor,
        signer: shop.signer,
        store: shop.store,
    };
    let (packages, lint) = pack(&packing, parcels, ambient)?;
    workspace.remove()?;
    Ok(Built {
        packages,
        materials,
        log,
        used,
        by_hand,
        lint,
    })
}

/// When the recipe's steps must have ended. No time at all is no limit.
fn deadline(recipe: &Recipe, ambient: &Ambient<'_>) -> Option<Deadline> {
    let whole = recipe.package.timeout.filter(|whole| !whole.is_zero())?;
    Some(Deadline::from_now(whole, ambient.clock))
}

/// Refuses a licence's text that the steps did not leave where the recipe says.
fn verify_licences(recipe: &Recipe, what: &str, workspace: &Workspace) -> Result<(), Error> {
    for copyright in &recipe.package.copyright {
        if let Some(path) = &copyright.license_path
            && let Some(found) = workspace.instead_of_file(path)?
        {
            return Err(Error::NoLicence {
                what: what.to_owned(),
                found,
                path: path.clone(),
                written: copyright.license_path_written.clone(),
            });
        }
    }
    Ok(())
}

/// Every step of a recipe but those of its tests.
fn pipelines(recipe: &Recipe) -> impl Iterator<Item = &Step> {
    let split = recipe.subpackages.iter();
    let split = split.flat_map(|package| &package.pipeline);
    recipe.pipeline.iter().chain(split)
}

/// Warns of what lies beside the recipe and is not copied: whoever put it there expects it to be.
fn tell_left_out(order: &Order<'_>, ambient: &Ambient<'_>) {
    let left_out = order.local_files.map_or(&[][..], LocalFiles::left_out);
    for (path, what) in left_out.iter().take(MAX_TOLD) {
        let recipe = &order.recipe.package.name;
        let text = format!("{path} beside the recipe {recipe} is {what} and is not copied");
        ambient.sink.event(Event::Warning { text: &text });
    }
    if let Some(more) = left_out
        .len()
        .checked_sub(MAX_TOLD)
        .filter(|more| *more > 0)
    {
        let text = format!("{more} more beside the recipe are not copied");
        ambient.sink.event(Event::Warning { text: &text });
    }
}

fn package_names(recipe: &Recipe) -> Vec<&str> {
    let subpackages = recipe
        .subpackages
        .iter()
        .map(|subpackage| subpackage.name.as_str());
    std::iter::once(recipe.package.name.as_str())
        .chain(subpackages)
        .collect()
}

fn run_all(
    recipe: &Recipe,
    runner: &mut Runner<'_>,
    log: &mut Log<'_, '_>,
    ambient: &Ambient<'_>,
) -> Result<Option<Stopped>, Error> {
    if let Some(stopped) = runner.run("", &recipe.pipeline, log, ambient)? {
        return Ok(Some(stopped));
    }
    for subpackage in &recipe.subpackages {
        let above = format!("{}: ", subpackage.name);
        if let Some(stopped) = runner.run(&above, &subpackage.pipeline, log, ambient)? {
            return Ok(Some(stopped));
        }
    }
    Ok(None)
}

/// The variables every step of a build sees.
fn guest_environment(order: &Order<'_>) -> BTreeMap<String, String> {
    let mut environment = base_environment();
    environment.insert("SOURCE_DATE_EPOCH".into(), order.epoch.0.to_string());
    environment.extend(order.recipe.environment.environment.clone());
    with_path(environment)
}

/// Where programs are looked for in every guest. Only a step says otherwise, as in melange.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin";

/// The variables of steps, where the recipe's own say nothing of where programs are looked for.
pub(crate) fn with_path(mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
    environment.insert("PATH".to_owned(), PATH.to_owned());
    environment
}

/// The variables every step of any job sees: fixed, whatever the host has.
pub(crate) fn base_environment() -> BTreeMap<String, String> {
    let fixed = [
        ("HOME", HOME),
        // Nothing of them outlives the guest.
        ("GOPATH", "/home/build/.cache/go"),
        ("GOMODCACHE", "/var/cache/melange/gomodcache"),
        ("UV_CACHE_DIR", "/var/cache/melange/uv"),
        ("PIP_CACHE_DIR", "/var/cache/melange/pip"),
        ("COMPOSER_CACHE_DIR", "/var/cache/melange/composer"),
        ("npm_config_cache", "/var/cache/melange/npm"),
        // Alone, so that a recipe's own `LANG`, or any `LC_…`, has its effect.
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("TMPDIR", "/tmp"),
    ];
    fixed
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// What the steps left for each package, with what the recipe says of it; in the recipe's order.
fn parcels<'a>(order: &Order<'a>, workspace: &Workspace) -> Result<Vec<Parcel<'a>>, Error> {
    pack::parcels(order.recipe, |name, setcap| {
        let found = workspace.results(name, order.epoch);
        let mut tree = found.map_err(|error| error.about_results(name))?;
        setcap::apply(name, setcap, &mut tree)?;
        Ok(tree)
    })
}

/// Everything that goes into a build, in the order: recipe, pipelines, sources, files beside the
/// recipe, packages of the environment, builder.
fn materials(order: &Order<'_>, shop: &Shop<'_>) -> Vec<Material> {
    let mut materials = vec![Material::Recipe {
        path: order.recipe_file.path.to_owned(),
        sha256: boltworks_crypto::sha256(order.recipe_file.text),
    }];
    materials.extend(
        order
            .recipe
            .pipelines_used
            .iter()
            .map(|used| Material::Pipeline {
                name: used.name.clone(),
                sha256: boltworks_crypto::sha256(used.text.as_bytes()),
                builtin: used.builtin,
            }),
    );
    materials.extend(order.sources.iter().map(|source| source.material.clone()));
    let local = order.local_files.map_or(&[][..], LocalFiles::files);
    materials.extend(local.iter().map(|file| Material::Source {
        uri: format!("{}/{}", order.recipe.package.name, file.path),
        fetched_from: None,
        kind: SourceKind::Local,
        sha256: file.sha256,
        recipe_digest: None,
    }));
    materials.extend(
        order
            .environment
            .packages
            .iter()
            .map(|package| Material::Package {
                name: format!("{}-{}", package.name, package.version),
                sha256: package.sha256,
                repository: package.repository.clone(),
            }),
    );
    materials.push(Material::Builder {
        name: shop.builder.to_owned(),
        sandbox: shop.sandbox.describe(),
    });
    materials
}
