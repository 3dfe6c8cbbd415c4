//! Repositories and keys that a recipe names itself.
//!
//! Recipes are other people's. What one names of this machine counts only beneath its own folder and the
//! folder that the command runs in, where its examples have `./packages` and `local-melange.rsa.pub`;
//! anything else is not even opened. What the command line names is nobody else's business.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use boltworks_factory::files::led_beneath;
use boltworks_factory::repository::{Given, is_address, parted};
use boltworks_factory::{Error, keys};
use boltworks_fsx::Root;
use boltworks_model::{Architecture, visible_path};
use boltworks_recipe::resolved::{Image, Places, Recipe};

use super::usage;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;

/// The environments whose repositories and keys count, and whose they are.
pub(super) struct Named<'a> {
    /// The recipe, as messages call it.
    whose: String,
    /// Its own folder, if it lies in one.
    folder: Option<PathBuf>,
    /// Each with the field that it stands in.
    environments: Vec<(String, &'a Image)>,
}

impl<'a> Named<'a> {
    /// For the build of a recipe.
    pub(super) fn of_build(file: &Path, recipe: &'a Recipe) -> Self {
        Self {
            whose: visible_path(file),
            folder: Some(super::given::parent(file).to_owned()),
            environments: vec![("environment".to_owned(), &recipe.environment)],
        }
    }

    /// For its tests.
    pub(super) fn of_tests(file: &Path, recipe: &'a Recipe) -> Self {
        let own = recipe.test.iter();
        let own = own.map(|test| ("test.environment".to_owned(), &test.environment));
        let split = recipe.subpackages.iter().filter_map(|package| {
            let field = format!("subpackages {}: test.environment", package.name);
            Some((field, &package.test.as_ref()?.environment))
        });
        Self {
            environments: own.chain(split).collect(),
            ..Self::of_build(file, recipe)
        }
    }

    /// For the build of the recipe inside a package: it has no folder.
    pub(super) fn of_package(recipe: &'a Recipe) -> Self {
        let name = recipe.package.name.as_str();
        Self {
            whose: format!("the recipe inside {name}"),
            folder: None,
            ..Self::of_build(Path::new(name), recipe)
        }
    }

    /// Adds them to those of the command line. What lies elsewhere is refused, or, in the recipe inside a
    /// package, which comes from another machine, left out with a note.
    pub(super) fn add_to(
        &self,
        given: &mut Given,
        (architecture, output): (Architecture, &Output),
    ) -> Result<(), Failure> {
        for (field, environment) in &self.environments {
            let named = environment.repositories.iter();
            for repository in named.chain(&environment.build_repositories) {
                let place = parted(Path::new(repository)).1.join(architecture.apk());
                let spot = Spot {
                    field: format!("{field}.contents.repositories"),
                    named: repository,
                    flag: "--repository-append",
                    places: &environment.written,
                };
                if is_given(&given.repositories, repository)
                    || self.is_taken(&spot, &place, output)?
                {
                    let added = add_repository(given, repository);
                    added.map_err(|failure| spot.failed(failure))?;
                }
            }
            for key in &environment.keyring {
                let spot = Spot {
                    field: format!("{field}.contents.keyring"),
                    named: key,
                    flag: "--keyring-append",
                    places: &environment.written,
                };
                if is_given(&given.keys, key) || self.is_taken(&spot, Path::new(key), output)? {
                    add_key(given, key).map_err(|failure| spot.failed(failure))?;
                }
            }
        }
        Ok(())
    }

    fn is_taken(&self, spot: &Spot<'_>, place: &Path, output: &Output) -> Result<bool, Failure> {
        let Spot {
            field, named, flag, ..
        } = spot;
        if is_address(Path::new(named)) || self.is_here(place)? {
            return Ok(true);
        }
        let what = format!(
            "{}: {field} names {named}, which lies outside of the recipe's folder and of this one",
            self.whose
        );
        let word = host::word(OsStr::new(named));
        let help = format!("if it is meant, name it yourself: {flag} {word}");
        if self.folder.is_some() {
            let what = match spot.places.of(named) {
                Some(_) => format!(
                    "{named} lies outside of the recipe's folder and of the one that the command runs in"
                ),
                None => what,
            };
            return Err(spot.failed(usage(what, help)));
        }
        output.note(&format!("! {what}: it is left out"));
        Ok(false)
    }

    /// Whether a path lies, at the end of all links, beneath a folder that counts.
    fn is_here(&self, path: &Path) -> Result<bool, Failure> {
        if path
            .components()
            .any(|part| matches!(part, Component::ParentDir))
        {
            return Ok(false);
        }
        if path.is_relative() {
            return is_beneath(Path::new("."), path);
        }
        for folder in self.folder.as_deref().into_iter().chain([Path::new(".")]) {
            if let Ok(rest) = path.strip_prefix(host::absolute(folder))
                && is_beneath(folder, rest)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where something is named, and the flag that names it on the command line.
struct Spot<'a> {
    field: String,
    named: &'a str,
    flag: &'static str,
    /// Where the recipe's text has it.
    places: &'a Places,
}

impl Spot<'_> {
    /// What is wrong with it, shown where the recipe says it.
    fn failed(&self, failure: Failure) -> Failure {
        match (failure, self.places.of(self.named)) {
            (Failure::Usage { what, help }, Some(place)) => {
                let error = boltworks_yaml::Error::new(place, what).helped(help);
                boltworks_recipe::Error::from(error).into()
            }
            (failure, _) => failure,
        }
    }
}

fn is_given(given: &[PathBuf], named: &str) -> bool {
    given.iter().any(|path| path == Path::new(named))
}

/// Whether a path leads nowhere but beneath a folder. Nothing of it is opened.
fn is_beneath(folder: &Path, path: &Path) -> Result<bool, Failure> {
    let root = Root::open(folder)?;
    Ok(led_beneath(&root, path.as_os_str().as_bytes())?.is_some())
}

/// Adds a repository.
pub(super) fn add_repository(given: &mut Given, named: &str) -> Result<(), Failure> {
    let (_, untagged) = parted(Path::new(named));
    let place = untagged.to_string_lossy();
    let is_http = place.starts_with("http://") || place.starts_with("https://");
    if is_address(&untagged) && !is_http {
        return Err(usage(
            format!("packages are not fetched from {named}"),
            "name a folder, or an address that begins with https:// or http://",
        ));
    }
    if place.starts_with('@') {
        return Err(usage(
            format!("'{named}' is a tag without a repository"),
            "write '@TAG FOLDER' or '@TAG https://…', with one space between",
        ));
    }
    let path = PathBuf::from(named);
    if !given.repositories.contains(&path) {
        given.repositories.push(path);
    }
    Ok(())
}

/// Adds a key: a file, or an address that one can be trusted to come from.
fn add_key(given: &mut Given, named: &str) -> Result<(), Failure> {
    let path = PathBuf::from(named);
    if is_address(&path) {
        let is_here = |key: &PathBuf| !is_address(key) && key.file_name() == path.file_name();
        if given.keys.iter().any(is_here) {
            return Ok(());
        }
        keys::address_of(&path).map_err(|error| match error {
            Error::Asked { what, help } => usage(what, help),
            other => other.into(),
        })?;
    }
    if !given.keys.contains(&path) {
        given.keys.push(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::RelPath;

    use super::*;

    #[test]
    fn links_lead_nowhere_else() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("recipes");
        let root = Root::create(&folder).unwrap();
        let name = |name: &str| RelPath::try_from(name).unwrap();
        root.make_dir(&name("packages/x86_64")).unwrap();
        for (target, link) in [
            ("packages", "same"),
            ("packages/../same/x86_64", "deep"),
            ("..", "up"),
            ("packages/../..", "far"),
            ("/etc", "etc"),
            ("circle", "circle"),
        ] {
            root.symlink(target.as_bytes(), &name(link)).unwrap();
        }
        let check = |path: &str, expected: bool| {
            let is_here = is_beneath(&folder, Path::new(path)).unwrap();
            assert_eq!(is_here, expected, "{path}");
        };
        for path in ["packages", "./same/x86_64", "deep", "not there/at all", ""] {
            check(path, true);
        }
        for path in ["up/x86_64", "far", "etc/shadow", "circle", "deep/../../.."] {
            check(path, false);
        }
        let named = Named {
            whose: "r.yaml".to_owned(),
            folder: Some(folder.clone()),
            environments: Vec::new(),
        };
        assert!(named.is_here(&folder.join("same/x86_64")).unwrap());
        for path in [folder.join("etc/shadow"), folder.join("../recipes/same")] {
            assert!(!named.is_here(&path).unwrap(), "{}", path.display());
        }
        for path in ["/etc/shadow", "../packages"] {
            assert!(!named.is_here(Path::new(path)).unwrap(), "{path}");
        }
    }

    /// It comes from another machine, so what it names there is no error, and is not looked for here.
    #[test]
    fn what_a_recipe_inside_names_elsewhere_is_left_out() {
        let text = "package: { name: a, version: 1, epoch: 0 }\nenvironment:\n  contents:\n    \
            keyring: [/etc/shadow, own.rsa.pub]\n    repositories: [/root, ../os, packages, \
            'https://os.example']\npipeline: [{ runs: it }]\n";
        let library = boltworks_recipe::PipelineLibrary::builtin();
        let options = boltworks_recipe::ResolveOptions::new(Architecture::X86_64, &library);
        let parsed = boltworks_recipe::parse_recipe("a.yaml", text).unwrap();
        let recipe = boltworks_recipe::resolve(&parsed, &options).unwrap();
        let add = |named: &Named<'_>, given: &mut Given| {
            named.add_to(given, (Architecture::X86_64, &Output::new(false)))
        };
        let mut given = Given {
            repositories: vec!["/root".into()],
            ..Given::default()
        };
        add(&Named::of_package(&recipe), &mut given).unwrap();
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(given.keys, paths(&["own.rsa.pub"]));
        let kept = paths(&["/root", "packages", "https://os.example"]);
        assert_eq!(given.repositories, kept);
        let refused = add(&Named::of_build(Path::new("a.yaml"), &recipe), &mut given);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "a.yaml:5:27: ../os lies outside of the recipe's folder and of the one that the command \
             runs in"
        );
    }
}
