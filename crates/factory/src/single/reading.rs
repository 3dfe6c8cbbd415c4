//! A recipe's file read for one command: where it is, and what the command line changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use boltworks_fsx::{RelPath, Root};
use boltworks_model::Architecture;
use boltworks_plan::{RecipeItem, Subject};
use boltworks_recipe::resolved::Recipe;
use boltworks_recipe::{Libc, PipelineLibrary, ResolveOptions, parse_recipe, parsed, resolve};
use boltworks_version::apk::Dependency;

use crate::catalog::{self, Folder, Loaded, RecipeSource};
use crate::files::{Place, TEXT_LIMIT, folder as folder_of, is_passing, parent};
use crate::recipes::APART;
use crate::{Error, Home};

/// Where the files beside a recipe are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SourceFolder {
    /// In the folder beside the recipe that is named like the package, if there is one.
    #[default]
    Beside,
    /// In this folder.
    Folder(PathBuf),
    /// There are none.
    Nowhere,
}

/// How a recipe is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Folders of pipelines, which go before the factory's and the program's own.
    pub pipelines: Vec<PathBuf>,
    /// The C library that triplets name.
    pub libc: Libc,
    /// The recipe's options that are switched on.
    pub options: BTreeSet<String>,
    /// Where the files beside it are.
    pub sources: SourceFolder,
    /// Packages in the environment beside those the recipe names.
    pub packages: Vec<Dependency>,
    /// Variables that steps see beside those the recipe sets, which win.
    pub variables: BTreeMap<String, String>,
    /// Values of `vars` beside those the recipe sets, over which they win.
    pub vars: BTreeMap<String, String>,
    /// The commit of the recipe, for packages of which it names none.
    pub commit: Option<String>,
    /// Files and folders that no step is shown, wherever they are: keys, and what a command writes.
    pub withheld: Vec<PathBuf>,
}

impl Default for Reading {
    /// As a factory reads its own recipes.
    fn default() -> Self {
        Self {
            pipelines: Vec::new(),
            libc: Libc::Musl,
            options: BTreeSet::new(),
            sources: SourceFolder::default(),
            packages: Vec::new(),
            variables: BTreeMap::new(),
            vars: BTreeMap::new(),
            commit: None,
            withheld: Vec::new(),
        }
    }
}

impl Reading {
    /// Understands a recipe's file without a factory.
    pub fn recipe(&self, path: &Path, architecture: Architecture) -> Result<Recipe, Error> {
        let text = Place::of(path)?.read_text(TEXT_LIMIT)?;
        let library = self.library(PipelineLibrary::builtin(), path)?;
        self.resolve(path, &text, architecture, &library)
    }

    /// The same, without what pipelines do that are found nowhere: enough for whoever runs no step.
    pub fn recipe_not_to_run(
        &self,
        path: &Path,
        architecture: Architecture,
    ) -> Result<Recipe, Error> {
        let text = Place::of(path)?.read_text(TEXT_LIMIT)?;
        let library = self.library(PipelineLibrary::builtin(), path)?;
        self.resolve(path, &text, architecture, &library.passing_over_unknown())
    }

    /// Reads a recipe's file for a factory.
    pub(super) fn read(
        &self,
        home: &Home,
        path: &Path,
    ) -> Result<(RecipeItem, RecipeSource), Error> {
        let place = Place::of(path)?;
        let text = place.read_text(TEXT_LIMIT)?;
        let library = self.library(catalog::pipelines(home)?, path)?;
        let recipe = self.resolve(path, &text, home.architecture(), &library)?;
        let folder = self.folder(&place, recipe.package.name.as_str())?;
        let source = RecipeSource {
            // Packages tell of their recipe; of where it was on this machine they must not.
            path: place.name().to_string(),
            text,
            folder: folder.map(|folder| self.shown(folder)).transpose()?,
        };
        let item = catalog::recipe_item(home, recipe, source.files());
        Ok((item, source))
    }

    pub(super) fn resolve(
        &self,
        path: &Path,
        text: &str,
        architecture: Architecture,
        library: &PipelineLibrary,
    ) -> Result<Recipe, Error> {
        let parsed = parse_recipe(&path.to_string_lossy(), text)?;
        self.resolve_parsed(parsed, architecture, library)
    }

    /// The same of a recipe that was parsed, and perhaps changed since.
    pub(super) fn resolve_parsed(
        &self,
        mut parsed: parsed::Recipe,
        architecture: Architecture,
        library: &PipelineLibrary,
    ) -> Result<Recipe, Error> {
        self.check_options(&parsed)?;
        let vars = self.vars.iter();
        let vars = vars.map(|(name, value)| (name.clone(), parsed::Text::unplaced(value)));
        parsed.vars.extend(vars);
        let options = ResolveOptions {
            libc: self.libc,
            enabled: self.options.clone(),
            ..ResolveOptions::new(architecture, library)
        };
        let mut recipe = resolve(&parsed, &options)?;
        add_new(&mut recipe.build_packages, &self.packages);
        add_missing(&mut recipe.environment.environment, &self.variables);
        if let Some(commit) = &self.commit {
            let split = recipe.subpackages.iter_mut();
            let commits = split.map(|package| &mut package.commit);
            for of_package in commits.chain([&mut recipe.package.commit]) {
                of_package.get_or_insert_with(|| commit.clone());
            }
        }
        Ok(recipe)
    }

    /// The files beside a recipe that steps are shown.
    pub(super) fn shown(&self, root: Root) -> Result<Folder, Error> {
        let mut withheld = BTreeSet::new();
        for path in &self.withheld {
            // What lies where nothing is found lies in no folder that is shown.
            if let Ok(place) = Place::of(path) {
                withheld.extend(place.stat()?.map(|stat| (stat.dev, stat.inode)));
            }
        }
        Folder::read_some(root, |_, stat| !withheld.contains(&(stat.dev, stat.inode)))
    }

    /// Adds what the command line adds to every test of a recipe.
    pub(super) fn add_to_tests(&self, recipe: &mut Recipe) {
        let split = recipe.subpackages.iter_mut();
        let tests = split.filter_map(|package| package.test.as_mut());
        for test in recipe.test.iter_mut().chain(tests) {
            add_new(&mut test.packages, &self.packages);
            add_missing(&mut test.environment.environment, &self.variables);
        }
    }

    fn check_options(&self, parsed: &parsed::Recipe) -> Result<(), Error> {
        let unknown = self
            .options
            .iter()
            .find(|name| !parsed.options.contains_key(*name));
        let Some(unknown) = unknown else {
            return Ok(());
        };
        let known: Vec<&str> = parsed.options.keys().map(AsRef::as_ref).collect();
        let help = if known.is_empty() {
            "leave --build-option out: the recipe has no `options`".to_owned()
        } else {
            format!("its options are: {}", known.join(", "))
        };
        Err(Error::asked(
            format!("the recipe has no option '{unknown}'"),
            help,
        ))
    }

    /// The pipelines that a recipe can use: `library`, those beside it, and those added.
    pub(super) fn library(
        &self,
        library: PipelineLibrary,
        recipe: &Path,
    ) -> Result<PipelineLibrary, Error> {
        let place = Place::of(recipe)?;
        let mut library = catalog::with_own_pipelines(library, place.folder(), parent(recipe))?;
        // What is added last goes first.
        for folder in self.pipelines.iter().rev() {
            let root = folder_of(folder)?;
            library = catalog::with_pipelines(library, &root, &folder.to_string_lossy())?;
        }
        Ok(library)
    }

    fn folder(&self, place: &Place, package: &str) -> Result<Option<Root>, Error> {
        match &self.sources {
            SourceFolder::Beside if is_passing(place.path()) => Ok(None),
            SourceFolder::Beside => catalog::local_folder(place.folder(), place.name(), package),
            SourceFolder::Folder(path) => Ok(Some(folder_of(path)?)),
            SourceFolder::Nowhere => Ok(None),
        }
    }
}

fn add_new(list: &mut Vec<Dependency>, more: &[Dependency]) {
    for dependency in more {
        if !list.contains(dependency) {
            list.push(dependency.clone());
        }
    }
}

fn add_missing(map: &mut BTreeMap<String, String>, more: &BTreeMap<String, String>) {
    for (name, value) in more {
        map.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// The recipe of the factory whose file this is, if it is one.
pub(super) fn own_recipe(
    home: &Home,
    loaded: &Loaded,
    path: &Path,
) -> Result<Option<String>, Error> {
    let Some(here) = Place::of(path)?.stat()? else {
        return Ok(None);
    };
    for (name, source) in &loaded.recipes {
        let own = home
            .folder
            .stat(&RelPath::try_from(source.path.as_str())?)?;
        if own.is_some_and(|own| (own.dev, own.inode) == (here.dev, here.inode)) {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

/// What a recipe is called in the records when it was not built as the factory would build it.
pub(super) fn apart(package: &str) -> Subject {
    Subject::recipe(format!("{package}{APART}"))
}

/// Variables from a file of `NAME=VALUE` lines; empty lines and those that begin with `#` say
/// nothing. Values are taken as they stand, quotes too.
pub fn variables(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let text = Place::of(path)?.read_text(TEXT_LIMIT)?;
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut variables = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| is_name(name)) else {
            return Err(Error::asked(
                format!(
                    "{}:{}: '{line}' sets no variable",
                    path.display(),
                    number + 1
                ),
                "write NAME=VALUE, without `export` and without spaces around the sign",
            ));
        };
        variables.insert(name.to_owned(), value.to_owned());
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_line_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        let read = |text: &str| {
            Place::of(&path)
                .unwrap()
                .write(text.as_bytes(), 0o644)
                .unwrap();
            variables(&path)
        };
        let set = read("# comment\n\nCFLAGS=-O2 -g\nEMPTY=\nX=a=b\n").unwrap();
        let set: Vec<_> = set
            .iter()
            .map(|(name, value)| format!("{name}:{value}"))
            .collect();
        assert_eq!(set, ["CFLAGS:-O2 -g", "EMPTY:", "X:a=b"]);
        let error = read("A=1\nexport B=2\n").unwrap_err().to_string();
        assert!(
            error.ends_with("env:2: 'export B=2' sets no variable"),
            "{error}"
        );
    }
}
