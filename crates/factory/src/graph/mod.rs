//! Who needs whom among the recipes of some folders, and in which order they can be built. No factory
//! is needed, and nothing is made.
//!
//! Reading and understanding is what takes time: `outlines` keeps what came of each text.

mod outlines;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_model::{Architecture, visible_path};
use boltworks_plan::outline::{Makers, Outline, order};
use boltworks_recipe::{Libc, PipelineLibrary, ResolveOptions, parse_recipe, resolve};
use rayon::prelude::*;

use self::outlines::{Entry, Kept, Known};
use crate::Error;
use crate::catalog::{with_own_pipelines, with_pipelines};
use crate::files::{TEXT_LIMIT, folder, no_text};
use crate::texts::{reason, recipes_in};

/// What a graph is made of.
#[derive(Debug, Clone)]
pub struct GraphOrder {
    /// Folders of recipes: every `.yaml` file directly in them.
    pub folders: Vec<PathBuf>,
    /// Folders of pipelines, which go before the program's own.
    pub pipelines: Vec<PathBuf>,
    /// For which architecture recipes are read.
    pub architecture: Architecture,
    /// The folder in which what came of each text is kept for the next time, and this program's
    /// file, whose change forgets it.
    pub memory: Option<Memory>,
}

/// Where what came of each text is kept.
#[derive(Debug, Clone)]
pub struct Memory {
    /// The folder; it is made where it is missing. If it cannot be, nothing is kept.
    pub folder: PathBuf,
    /// This program's file.
    pub program: PathBuf,
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
    /// Files that are not understood, each with its place and why.
    pub unread: Vec<(PathBuf, String)>,
    /// Recipes that are for other architectures.
    pub elsewhere: Vec<PathBuf>,
}

/// One recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The name of its package.
    pub name: Arc<str>,
    /// Its file.
    pub file: PathBuf,
    /// The recipes whose packages its build takes, directly or through other packages; by name.
    pub needs: Vec<Arc<str>>,
    /// Further recipes whose packages its tests take.
    pub tests: Vec<Arc<str>>,
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

/// Reads recipes and puts them in order. Files are read and understood on all processors.
pub fn graph(order: &GraphOrder) -> Result<Graph, Error> {
    let mut library = PipelineLibrary::builtin();
    for path in order.pipelines.iter().rev() {
        library = with_pipelines(library, &folder(path)?, &path.to_string_lossy())?;
    }
    verify_each_once(&order.folders)?;
    let mut libraries = Vec::new();
    for path in &order.folders {
        libraries.push(with_own_pipelines(library.clone(), &folder(path)?, path)?);
    }
    let known = Known::load(order, &libraries);
    let mut read: Vec<Read<'_>> = Vec::new();
    for (path, library) in order.folders.iter().zip(&libraries) {
        let reader = Reader {
            library,
            architecture: order.architecture,
            known: &known,
        };
        read.extend(reader.folder(path)?);
    }
    known.keep(read.iter().filter_map(|(_, read)| read.as_ref().ok()));
    Ok(sorted(&read))
}

/// That no folder is named twice: its recipes would be in each other's way.
fn verify_each_once(folders: &[PathBuf]) -> Result<(), Error> {
    let mut seen = BTreeMap::new();
    for path in folders {
        let stat = folder(path)?.stat_self()?;
        if let Some(first) = seen.insert((stat.dev, stat.inode), path) {
            let (first, path) = (visible_path(first), visible_path(path));
            let what = format!("one folder is named twice, as {first} and as {path}");
            return Err(Error::asked(what, "name each folder once"));
        }
    }
    Ok(())
}

/// A recipe's file, and what came of its text.
type Read<'k> = (PathBuf, Result<Kept<'k>, Error>);

struct Reader<'a> {
    library: &'a PipelineLibrary,
    architecture: Architecture,
    known: &'a Known,
}

impl<'a> Reader<'a> {
    fn folder(&self, path: &Path) -> Result<Vec<Read<'a>>, Error> {
        let (root, names) = recipes_in(path)?;
        let read = names.into_par_iter().map(|name| {
            let file = path.join(name.as_path());
            let text = root.read_text(&name, TEXT_LIMIT);
            let text = text.map_err(|error| no_text(error, &file));
            let kept = text.and_then(|text| self.text(&file, &text));
            (file, kept)
        });
        Ok(read.collect())
    }

    fn text(&self, file: &Path, text: &str) -> Result<Kept<'a>, Error> {
        let digest = self.known.digest(text);
        if let Some(entry) = self.known.get(&digest) {
            return Ok(Kept {
                digest,
                entry: Cow::Borrowed(entry),
            });
        }
        let options = ResolveOptions {
            libc: Libc::Glibc,
            ..ResolveOptions::new(self.architecture, self.library)
        };
        let parsed = parse_recipe(&file.to_string_lossy(), text)?;
        let entry = match resolve(&parsed, &options) {
            Ok(recipe) => outlines::written(&Outline::of(&recipe)),
            Err(error) if error.is_other_architecture() => outlines::ELSEWHERE.to_owned(),
            Err(error) => return Err(error.into()),
        };
        Ok(Kept {
            digest,
            entry: Cow::Owned(entry),
        })
    }
}

/// What was read, in order.
fn sorted<'k>(read: &'k [Read<'_>]) -> Graph {
    let mut graph = Graph::default();
    let mut found: BTreeMap<&str, (Outline<'_>, &PathBuf)> = BTreeMap::new();
    let entry = |(_, read): &'k Read<'_>| {
        let kept = read.as_ref();
        kept.map(|kept| outlines::read(&kept.entry))
    };
    let entries: Vec<_> = read.par_iter().map(entry).collect();
    for ((file, _), entry) in read.iter().zip(entries) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                graph.unread.push((file.clone(), reason(file, error)));
                continue;
            }
        };
        match entry {
            Entry::Elsewhere => graph.elsewhere.push(file.clone()),
            Entry::Here(outline) => {
                let name = outline.name;
                if let Some((_, first)) = found.get(name) {
                    let what = format!("'{name}' is made by {} too", visible_path(first));
                    let error = Error::asked(what, "rename one of the two, or remove it");
                    graph.unread.push((file.clone(), reason(file, &error)));
                    continue;
                }
                found.insert(name, (outline, file));
            }
        }
    }
    let (outlines, files): (Vec<_>, Vec<_>) = found.into_values().unzip();
    graph.put_in_order(&outlines, &files);
    graph
}

impl Graph {
    fn put_in_order(&mut self, outlines: &[Outline<'_>], files: &[&PathBuf]) {
        let makers = Makers::new(outlines, std::iter::empty());
        // First without tests, which are run when the packages are there; then only for them.
        let builds = outlines.iter().map(|outline| outline.build.iter().copied());
        let tests = outlines.iter().map(|outline| outline.tests.iter().copied());
        let (mut builds, mut tests) =
            rayon::join(|| makers.behind(builds), || makers.behind(tests));
        for (place, (builds, tests)) in builds.iter_mut().zip(&mut tests).enumerate() {
            builds.remove(&place);
            tests.remove(&place);
            tests.retain(|other| !builds.contains(other));
        }
        let order = order(&builds);
        let name = |place: &usize| makers.name(*place).to_owned();
        for circle in &order.circles {
            let pairs = circle.iter().zip(circle.iter().skip(1));
            let link = |(from, to): (&usize, &usize)| {
                let build = outlines.get(*from).map(|outline| outline.build.as_slice());
                let build = build.unwrap_or_default().iter().copied();
                Link {
                    recipe: name(from),
                    packages: makers.chain(build, *to).unwrap_or_default(),
                }
            };
            self.circles.push(pairs.map(link).collect());
        }
        let in_circle: BTreeSet<&str> = order
            .circles
            .iter()
            .flatten()
            .map(|place| makers.name(*place))
            .collect();
        self.faults = makers.faults.clone();
        self.faults
            .retain(|name, _| !in_circle.contains(name.as_str()));
        let names: Vec<Arc<str>> = outlines
            .iter()
            .map(|outline| Arc::from(outline.name))
            .collect();
        let of = |needs: &[BTreeSet<usize>], place: usize| {
            let needs = needs.get(place).into_iter().flatten();
            needs
                .filter_map(|place| names.get(*place).cloned())
                .collect()
        };
        let node = |place: usize| Node {
            name: names.get(place).cloned().unwrap_or_default(),
            file: files
                .get(place)
                .map_or_else(PathBuf::new, |file| (*file).clone()),
            needs: of(&builds, place),
            tests: of(&tests, place),
        };
        self.recipes = order.places.into_iter().map(node).collect();
    }
}
