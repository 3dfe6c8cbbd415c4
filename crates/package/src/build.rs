//! The whole of it: workspace, steps, linters, analysis, packages, record.

use std::collections::BTreeMap;

use boltworks_apk::IndexEntry;
use boltworks_fsx::Tree;
use boltworks_model::{Ambient, Artifact, Event, Material, Sha256, SourceKind};
use boltworks_recipe::resolved::{Capability, Recipe, Test};
use rayon::prelude::*;

use crate::Error;
use crate::emit::{Parcel, Shipment, emit};
use crate::lint::{self, Refused, Report, lint};
use crate::log::Log;
use crate::order::{Order, Shop};
use crate::setcap;
use crate::steps::{HOME, Runner, Stopped, Used};
use crate::survey::{Family, Survey, survey};
use crate::workspace::{Contents, Workspace, left_out};

/// Files that are not copied, of which each is warned of by name.
const MAX_TOLD: usize = 10;

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
    };
    tell_left_out(order, ambient)?;
    let workspace = Workspace::lay(shop, &format!("build-{}", recipe.package.name), contents)?;
    let job = format!("build {}", recipe.package.name);
    let mut log = Log::new(shop.store, ambient.sink, &job)?;
    let guest = workspace.guest(order.tree);
    let mut runner = Runner {
        what: format!("build of {}", recipe.package.name),
        listed: "environment.contents.packages",
        sandbox: shop.sandbox,
        guest: &guest,
        environment: guest_environment(order),
        limits: order.limits.clone(),
        used: Used::default(),
    };
    let stopped = run_all(recipe, &mut runner, &mut log, ambient)?;
    let (used, what) = (runner.used, runner.what);
    let (log, tail) = log.finish()?;
    if let Some(Stopped { step, how }) = stopped {
        return Err(Error::Step {
            what,
            step,
            how,
            tail,
            log,
        });
    }
    let parcels = parcels(order, &workspace)?;
    let (packages, lint) = pack(order, shop, &parcels, &materials, ambient)?;
    drop(parcels);
    workspace.remove()?;
    Ok(Built {
        packages,
        materials,
        log,
        used,
        lint,
    })
}

/// Warns of what lies beside the recipe and is not copied: whoever put it there expects it to be.
fn tell_left_out(order: &Order<'_>, ambient: &Ambient<'_>) -> Result<(), Error> {
    let Some(local) = order.local_files else {
        return Ok(());
    };
    let left_out = left_out(local.folder)?;
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
    Ok(())
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
    log: &mut Log<'_>,
    ambient: &Ambient<'_>,
) -> Result<Option<Stopped>, Error> {
    if let Some(stopped) = runner.run(&recipe.pipeline, log, ambient)? {
        return Ok(Some(stopped));
    }
    for subpackage in &recipe.subpackages {
        if let Some(mut stopped) = runner.run(&subpackage.pipeline, log, ambient)? {
            stopped.step = format!("{}: {}", subpackage.name, stopped.step);
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
    environment
}

/// The variables every step of any job sees: fixed, whatever the host has.
pub(crate) fn base_environment() -> BTreeMap<String, String> {
    let fixed = [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOME", HOME),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("TMPDIR", "/tmp"),
    ];
    fixed
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// What the steps left for each package, with what the recipe says of it; in the recipe's order.
fn parcels<'a>(order: &Order<'a>, workspace: &Workspace) -> Result<Vec<Parcel<'a>>, Error> {
    let recipe = order.recipe;
    let package = &recipe.package;
    let results = |name: &str, setcap: &[Capability]| {
        let found = workspace.results(name, order.epoch);
        let mut tree = found.map_err(|error| error.about_results(name))?;
        setcap::apply(name, setcap, &mut tree)?;
        Ok::<_, Error>(tree)
    };
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

/// Lints and emits every package of the recipe, in parallel; gives them in order, and what the
/// linters found.
fn pack(
    order: &Order<'_>,
    shop: &Shop<'_>,
    parcels: &[Parcel<'_>],
    materials: &[Material],
    ambient: &Ambient<'_>,
) -> Result<(Vec<BuiltPackage>, Sha256), Error> {
    let recipe = order.recipe;
    let package = &recipe.package;
    let trees: Vec<&Tree> = parcels.iter().map(|parcel| &parcel.tree).collect();
    let family = Family::new(&trees)?;
    let surveys = trees
        .par_iter()
        .map(|tree| survey(tree, &family))
        .collect::<Result<Vec<_>, Error>>()?;
    let reports = lint_all(order, &surveys);
    for text in reports.iter().filter_map(Report::summary) {
        ambient.sink.event(Event::Warning { text: &text });
    }
    if let Some(refused) = Refused::from_reports(&reports) {
        return Err(Error::Lint(refused));
    }
    let embedded_recipe = recipe.canonical_json();
    let shipment = Shipment {
        origin: &package.name,
        version: &package.full_version,
        upstream_version: &package.version.to_string(),
        architecture: recipe.architecture,
        epoch: order.epoch,
        materials,
        embedded_recipe: &embedded_recipe,
        vendor: shop.vendor,
        signer: shop.signer,
        store: shop.store,
    };
    let packages = parcels
        .par_iter()
        .zip(&surveys)
        .map(|(parcel, survey)| emit(&shipment, parcel, survey))
        .collect::<Result<_, Error>>()?;
    let document = shop.store.put_bytes(&lint::document(&reports))?;
    Ok((packages, document.digest))
}

/// Lints every package: each with its own exceptions and its own test.
fn lint_all(order: &Order<'_>, surveys: &[Survey<'_>]) -> Vec<Report> {
    let recipe = order.recipe;
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
                levels: order.lint_levels.clone(),
            };
            lint(&subject, survey)
        })
        .collect()
}

fn pipelines_of(test: &Test) -> Vec<&str> {
    let used = test.pipelines_used.iter();
    used.map(|pipeline| pipeline.name.as_str()).collect()
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
    let local = order.local_files.map_or(&[][..], |local| local.expected);
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
