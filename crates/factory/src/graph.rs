//! Who needs whom among the recipes of some folders, and in which order they can be built. No factory
//! is needed, and nothing is made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use boltworks_model::Architecture;
use boltworks_plan::{Catalog, Layout, RecipeItem, Subject};
use boltworks_recipe::resolved::{Recipe, Test};
use boltworks_recipe::{Libc, PipelineLibrary, ResolveOptions, parse_recipe, resolve};
use rayon::prelude::*;

use crate::Error;
use crate::catalog::{with_own_pipelines, with_pipelines};
use crate::files::TEXT_LIMIT;
use crate::files::folder;
use crate::texts::{reason, recipe_names};

/// What a graph is made of.
#[derive(Debug, Clone)]
pub struct GraphOrder {
    /// Folders of recipes: every `.yaml` file directly in them.
    pub folders: Vec<PathBuf>,
    /// Folders of pipelines, which go before the program's own.
    pub pipelines: Vec<PathBuf>,
    /// For which architecture recipes are read.
    pub architecture: Architecture,
}

/// Recipes in an order in which they can be built.
#[derive(Debug, Default)]
pub struct Graph {
    /// Each after those it needs; ties by name.
    pub recipes: Vec<Node>,
    /// Recipes that need one another: each needs the next through these packages, the last one the
    /// first. In the order above a circle is broken at its first recipe.
    pub circles: Vec<Vec<Link>>,
    /// What else is wrong with a recipe: another one makes the same package.
    pub faults: BTreeMap<String, String>,
    /// Files that are not understood.
    pub unread: Vec<(PathBuf, Error)>,
    /// Recipes that are for other architectures.
    pub elsewhere: Vec<PathBuf>,
}

/// One recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The name of its package.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// The recipes whose packages its build takes, directly or through other packages.
    pub needs: BTreeSet<String>,
    /// Further recipes whose packages its tests take.
    pub tests: BTreeSet<String>,
}

/// How a recipe of a circle comes to need the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The recipe.
    pub recipe: String,
    /// A package of its environment, the package that needs, and so on to one that the next recipe
    /// makes.
    pub packages: Vec<String>,
}

/// A recipe without its steps, or why there is none.
type Read = (PathBuf, Result<Recipe, Error>);

/// Reads recipes and puts them in order. Files are read and understood on all processors.
pub fn graph(order: &GraphOrder) -> Result<Graph, Error> {
    let mut library = PipelineLibrary::builtin();
    for path in order.pipelines.iter().rev() {
        library = with_pipelines(library, &folder(path)?, &path.to_string_lossy())?;
    }
    let mut read: Vec<Read> = Vec::new();
    for path in &order.folders {
        read.extend(read_folder(path, &library, order.architecture)?);
    }
    let mut graph = Graph::default();
    let mut catalog = Catalog::default();
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (file, recipe) in read {
        match recipe {
            Ok(recipe) => {
                let name = recipe.package.name.to_string();
                if let Some(first) = files.get(&name) {
                    let what = format!("'{name}' is made by {} too", first.display());
                    let error = Error::asked(what, "rename one of the two, or remove it");
                    graph.unread.push((file, error));
                    continue;
                }
                files.insert(name.clone(), file);
                let item = RecipeItem {
                    recipe,
                    sources: Vec::new(),
                    files: Vec::new(),
                };
                catalog.recipes.insert(name, item);
            }
            Err(Error::Recipe(error)) if error.is_other_architecture() => {
                graph.elsewhere.push(file);
            }
            Err(error) => graph.unread.push((file, error)),
        }
    }
    graph.put_in_order(catalog, &files);
    Ok(graph)
}

fn read_folder(
    path: &Path,
    library: &PipelineLibrary,
    architecture: Architecture,
) -> Result<Vec<Read>, Error> {
    let root = folder(path)?;
    let names = recipe_names(root.list()?)?;
    let library = with_own_pipelines(library.clone(), &root)?;
    let read = names.into_par_iter().map(|name| {
        let file = path.join(name.as_path());
        let recipe = root
            .read_text(&name, TEXT_LIMIT)
            .map_err(Error::from)
            .and_then(|text| understood(&file, &text, &library, architecture));
        (file, recipe)
    });
    Ok(read.collect())
}

fn understood(
    file: &Path,
    text: &str,
    library: &PipelineLibrary,
    architecture: Architecture,
) -> Result<Recipe, Error> {
    let options = ResolveOptions {
        libc: Libc::Glibc,
        ..ResolveOptions::new(architecture, library)
    };
    let parsed = parse_recipe(&file.to_string_lossy(), text)?;
    let mut recipe = resolve(&parsed, &options)?;
    // Of thousands of recipes the steps are what takes the room.
    recipe.pipeline.clear();
    for package in &mut recipe.subpackages {
        package.pipeline.clear();
    }
    for test in tests(&mut recipe) {
        test.pipeline.clear();
    }
    Ok(recipe)
}

fn tests(recipe: &mut Recipe) -> impl Iterator<Item = &mut Test> {
    let split = recipe.subpackages.iter_mut();
    let split = split.filter_map(|package| package.test.as_mut());
    recipe.test.iter_mut().chain(split)
}

impl Graph {
    fn put_in_order(&mut self, mut catalog: Catalog, files: &BTreeMap<String, PathBuf>) {
        // First without tests, which are run when the packages are there; then only for them.
        let mut wanted = BTreeMap::new();
        for (name, item) in &mut catalog.recipes {
            let all = tests(&mut item.recipe).map(|test| std::mem::take(&mut test.packages));
            wanted.insert(name.clone(), all.collect::<Vec<_>>());
        }
        let builds = catalog.layout();
        self.circles = links(&catalog, &builds.circles);
        let in_circle: BTreeSet<&String> = builds.circles.iter().flatten().collect();
        self.faults = builds.faults.clone();
        self.faults.retain(|name, _| !in_circle.contains(name));
        for (name, item) in &mut catalog.recipes {
            item.recipe.build_packages.clear();
            let packages = wanted.remove(name).unwrap_or_default();
            for (test, packages) in tests(&mut item.recipe).zip(packages) {
                test.packages = packages;
            }
        }
        let tested = catalog.layout();
        let needs = |layout: &Layout, name: &String| {
            let needs = layout.needs.get(&Subject::recipe(name.clone()));
            needs.cloned().unwrap_or_default()
        };
        self.recipes = builds
            .order
            .iter()
            .map(|name| {
                let needs_first = needs(&builds, name);
                let mut tests = needs(&tested, name);
                tests.retain(|other| !needs_first.contains(other));
                Node {
                    name: name.clone(),
                    file: files.get(name).cloned().unwrap_or_default(),
                    needs: needs_first,
                    tests,
                }
            })
            .collect();
    }

    /// Each file that is not understood, with its place and why.
    pub fn reasons(&self) -> impl Iterator<Item = String> {
        self.unread.iter().map(|(file, error)| reason(file, error))
    }
}

/// How each recipe of each circle comes to need the next.
fn links(catalog: &Catalog, circles: &[Vec<String>]) -> Vec<Vec<Link>> {
    let pairs = |circle: &'_ [String]| -> Vec<(String, String)> {
        let pairs = circle.iter().zip(circle.iter().skip(1));
        pairs.map(|(from, to)| (from.clone(), to.clone())).collect()
    };
    let pairs: Vec<Vec<(String, String)>> = circles.iter().map(|circle| pairs(circle)).collect();
    let all: Vec<(&str, &str)> = pairs
        .iter()
        .flatten()
        .map(|(from, to)| (from.as_str(), to.as_str()))
        .collect();
    let mut chains = catalog.chains(&all).into_iter();
    let mut link = |(recipe, _): (String, String)| Link {
        recipe,
        packages: chains.next().unwrap_or_default(),
    };
    pairs
        .into_iter()
        .map(|circle| circle.into_iter().map(&mut link).collect())
        .collect()
}
