//! The recipes and images a factory can make, read and resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use boltworks_config::Channel;
use boltworks_fsx::{FileKind, RelPath, Root, Stat};
use boltworks_model::PackageName;
use boltworks_package::local::{Beside, LocalFile, LocalFiles};
use boltworks_package::workspace::RESULTS;
use boltworks_plan::{ActionKind, Catalog, ImageItem, Pin, RecipeItem, Subject};
use boltworks_recipe::parsed::{Ground, Included, with_ground};
use boltworks_recipe::resolved::{KnownBy, Recipe, SourceRef};
use boltworks_recipe::{
    ImageTest, Libc, PipelineLibrary, ResolveOptions, parse_image, parse_recipe,
};
use rayon::prelude::*;

use crate::derived::{overlaid, with_packages};
use crate::equipment::overrides;
use crate::equipment::request;
use crate::files::{TEXT_LIMIT, no_text};
use crate::home::WORKSPACES;
use crate::ignored::Ignored;
pub(crate) use crate::pipelines::{pipelines, with_own_pipelines, with_pipelines};
use crate::testing::tests_of;
use crate::{Error, Home};

/// The catalog, and the files behind it.
pub struct Loaded {
    /// What can be made.
    pub catalog: Catalog,
    /// The file of each recipe.
    pub recipes: BTreeMap<String, RecipeSource>,
    /// The file of each image.
    pub images: BTreeMap<String, ImageSource>,
    /// The tests of images.
    pub image_tests: BTreeMap<String, ImageTest>,
}

/// An image's file.
#[derive(Debug, Clone)]
pub struct ImageSource {
    /// Its path in the factory's folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// What it includes, and what that includes.
    pub included: Vec<Included>,
}

/// A recipe's file.
#[derive(Debug, Clone)]
pub struct RecipeSource {
    /// Its path in the factory's folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The folder of files beside it, if there is one.
    pub folder: Option<Folder>,
}

/// The folder beside a recipe, and what was in it when the recipe was read.
#[derive(Debug, Clone)]
pub struct Folder {
    root: Arc<Root>,
    beside: Beside,
}

impl Folder {
    /// Hashes what is in a folder, but for what its `.melangeignore` leaves out.
    pub fn read(root: Root) -> Result<Self, Error> {
        Self::read_some(root, |_, _| true)
    }

    /// The same, of what is `wanted`: the rest is not looked at and not shown to a build.
    pub(crate) fn read_some(
        root: Root,
        mut wanted: impl FnMut(&RelPath, &Stat) -> bool,
    ) -> Result<Self, Error> {
        let ignored = Ignored::read(&root)?;
        let mut is_in_the_way = false;
        let beside = Beside::read(&root, &mut |path, stat| {
            let is_folder = stat.kind == FileKind::Dir;
            is_in_the_way |= !is_folder && path.components().next() == Some(RESULTS.as_bytes());
            (is_folder || !ignored.has(path)) && wanted(path, stat)
        })?;
        if is_in_the_way {
            return Err(Error::asked(
                format!("'{RESULTS}' beside the recipe stands where steps leave packages"),
                "give it another name",
            ));
        }
        let root = Arc::new(root);
        Ok(Self { root, beside })
    }
}

impl RecipeSource {
    /// The files beside the recipe.
    pub fn files(&self) -> &[LocalFile] {
        self.folder
            .as_ref()
            .map_or(&[], |folder| &folder.beside.files)
    }

    /// The same for a build: copied as they are now.
    pub fn take_files(&self, scratch: &Path) -> Result<Option<LocalFiles>, Error> {
        let Some(Folder { root, beside }) = &self.folder else {
            return Ok(None);
        };
        Ok(Some(LocalFiles::take(
            root,
            beside,
            &Root::create(scratch)?,
        )?))
    }
}

impl Loaded {
    /// Reads every recipe and image that the factory's file names. A file that is not understood
    /// keeps no other from being read: it is noted as such.
    pub fn read(home: &Home) -> Result<Self, Error> {
        let library = pipelines(home)?;
        let mut loaded = Self {
            catalog: Catalog::default(),
            recipes: BTreeMap::new(),
            images: BTreeMap::new(),
            image_tests: BTreeMap::new(),
        };
        let mut files = BTreeMap::new();
        for folder in &home.config.recipes {
            let root = open_folder(home, "recipes", folder)?;
            let library = with_own_pipelines(library.clone(), &root, Path::new(folder))?;
            let texts = yaml_files(home, "recipes", std::slice::from_ref(folder))?;
            let read = understood(&texts, |path, text| read_recipe(home, &library, path, text));
            for ((path, text), read) in texts.iter().zip(read) {
                let subject = loaded.add_recipe(path, text.as_ref().ok(), read);
                loaded.take(&mut files, subject, path);
            }
        }
        let images = yaml_files(home, "images", &home.config.images)?;
        let named = images
            .iter()
            .filter(|(path, _)| !path.ends_with(TEST_ENDING));
        let named = named.map(|(path, _)| (stem(path).to_owned(), path.clone()));
        let named: BTreeMap<String, String> = named.collect();
        let (tests, images): (Vec<_>, Vec<_>) = images
            .into_iter()
            .partition(|(path, _)| path.ends_with(TEST_ENDING));
        let read = understood(&images, |path, text| read_image(home, path, text, &named));
        for ((path, _), read) in images.iter().zip(read) {
            let subject = loaded.add_image(path, read);
            loaded.take(&mut files, subject, path);
        }
        for (subject, path) in loaded.add_variants(home)? {
            loaded.take(&mut files, subject, &path);
        }
        for (path, text) in &tests {
            loaded.add_image_test(path, text.as_ref().map(String::as_str));
        }
        for (channel, Channel { image }) in &home.config.channels {
            if !files.contains_key(&Subject::image(image)) {
                let known = loaded.images.keys().map(String::as_str);
                return Err(home.no_image(channel, image, known));
            }
        }
        Ok(loaded)
    }

    /// Two files that make the same leave open which one is meant: neither is made.
    fn take(&mut self, files: &mut BTreeMap<Subject, String>, subject: Subject, path: &str) {
        let Some(first) = files.insert(subject.clone(), path.to_owned()) else {
            return;
        };
        let Subject { kind, name } = &subject;
        match kind {
            ActionKind::Recipe => {
                self.catalog.recipes.remove(name);
                self.recipes.remove(name);
            }
            ActionKind::Image => {
                self.catalog.images.remove(name);
                self.images.remove(name);
            }
        }
        let why = format!(
            "it is made by two files, {first} and {path}: rename one of the two, or remove it"
        );
        self.catalog.unread.insert(subject, why);
    }

    /// Removes what failed builds and tests left, where no recipe here could ever run them again.
    /// What is left of the others stays to be looked at, until the next run of the same.
    pub(crate) fn forget_workspaces(&self, home: &Home) -> Result<(), Error> {
        let names = self.catalog.recipe_names();
        let recipes = self.catalog.recipes.values();
        let tested: BTreeSet<&str> = recipes
            .flat_map(|item| tests_of(&item.recipe))
            .map(|(package, _)| package)
            .collect();
        let builds = home.state_folder(WORKSPACES)?;
        for entry in builds.list()? {
            let name = std::str::from_utf8(&entry.name).unwrap_or_default();
            let build = name.strip_prefix("build-");
            let test = name.strip_prefix("test-");
            if !build.is_some_and(|recipe| names.contains(recipe))
                && !test.is_some_and(|package| tested.contains(package))
            {
                builds.remove_tree(&RelPath::new(entry.name)?)?;
            }
        }
        Ok(())
    }

    /// The error that there is no such recipe or image.
    pub fn missing(&self, kind: ActionKind, name: &str) -> Error {
        let (what, known) = match kind {
            ActionKind::Recipe => ("recipe", self.recipes.keys().cloned().collect()),
            ActionKind::Image => ("image", self.images.keys().cloned().collect()),
        };
        Error::Missing {
            what,
            name: name.to_owned(),
            known,
        }
    }

    fn add_recipe(
        &mut self,
        path: &str,
        text: Option<&String>,
        read: Result<(RecipeItem, RecipeSource), String>,
    ) -> Subject {
        match read {
            Ok((item, source)) => {
                let name = item.recipe.package.name.to_string();
                self.catalog.recipes.insert(name.clone(), item);
                self.recipes.insert(name.clone(), source);
                Subject::recipe(name)
            }
            Err(why) => {
                let name = text.and_then(|text| package_named_in(text));
                let subject = Subject::recipe(name.unwrap_or_else(|| stem(path)));
                self.catalog.unread.insert(subject.clone(), why);
                subject
            }
        }
    }

    fn add_image(&mut self, path: &str, read: Result<(ImageItem, ImageSource), String>) -> Subject {
        let name = stem(path).to_owned();
        let subject = Subject::image(&name);
        match read {
            Ok((item, source)) => {
                self.catalog.images.insert(name.clone(), item);
                self.images.insert(name, source);
            }
            Err(why) => drop(self.catalog.unread.insert(subject.clone(), why)),
        }
        subject
    }
}

/// What each file's text says, or why it is not understood: on all cores.
fn understood<T: Send>(
    texts: &[Read],
    read: impl Fn(&str, &str) -> Result<T, Error> + Sync,
) -> Vec<Result<T, String>> {
    let texts = texts.par_iter().map(|(path, text)| {
        let text = text.as_ref().map_err(Error::told)?;
        read(path, text).map_err(|error| error.told())
    });
    texts.collect()
}

fn read_recipe(
    home: &Home,
    library: &PipelineLibrary,
    path: &str,
    text: &str,
) -> Result<(RecipeItem, RecipeSource), Error> {
    let parsed = parse_recipe(path, text)?;
    let options = ResolveOptions {
        libc: Libc::Musl,
        ..ResolveOptions::new(home.architecture(), library)
    };
    let recipe = boltworks_recipe::resolve(&parsed, &options)?;
    let name = recipe.package.name.as_str();
    let folder = local_folder(&home.folder, &RelPath::try_from(path)?, name)?;
    let source = RecipeSource {
        path: path.to_owned(),
        text: text.to_owned(),
        folder: folder.map(Folder::read).transpose()?,
    };
    let item = recipe_item(home, recipe, source.files());
    Ok((item, source))
}

/// Reads an image file. What it includes lies beneath the factory's folder, and is named from there; what
/// it stands upon is one of `files`, or a variant of one.
fn read_image(
    home: &Home,
    path: &str,
    text: &str,
    files: &BTreeMap<String, String>,
) -> Result<(ImageItem, ImageSource), Error> {
    let mut included = Vec::new();
    let mut upon = None;
    let mut added = Vec::new();
    let mut read = |ground: Ground<'_>| -> Result<Included, Error> {
        let file = match ground {
            Ground::Include(file) => file.to_owned(),
            Ground::Overlay(name, place) => {
                let found = overlaid(home, files, name, place)?;
                upon.get_or_insert(found.name);
                added.extend(found.packages);
                found.file
            }
        };
        let path = RelPath::try_from(file.as_str())?;
        let text = home.folder.read_text(&path, TEXT_LIMIT);
        let text = text.map_err(|error| no_text(error, Path::new(&file)))?;
        let one = Included { file, text };
        included.push(one.clone());
        Ok(one)
    };
    let image = with_ground(parse_image(path, text)?, &mut read)?;
    let source = ImageSource {
        path: path.to_owned(),
        text: text.to_owned(),
        included,
    };
    let mut image = boltworks_recipe::resolve_image(&image)?;
    if let Some(base) = &image.base {
        let what = "a base image is taken with a lock file, and a factory has none";
        let help = "name an image of the factory with `overlay`, or build this one by itself: \
                    boltworks image build --lockfile";
        return Err(base.error(what, help).into());
    }
    image.part_by_origin();
    let item = ImageItem {
        name: stem(path).to_owned(),
        image: with_packages(&image, &added).map_err(|why| Error::asked(why, "correct it"))?,
        upon,
        tests: Vec::new(),
    };
    Ok((item, source))
}

/// The name that a recipe's text gives its package, as far as it can be told from a text that is
/// not understood: the first `name:` beneath `package:`.
fn package_named_in(text: &str) -> Option<&str> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim_end() != "package:");
    lines.next()?;
    let mut block =
        lines.take_while(|line| !line.starts_with(|first: char| first.is_alphanumeric()));
    let value = block.find_map(|line| line.trim_start().strip_prefix("name:"))?;
    let value = value.split(" #").next()?.trim().trim_matches(['"', '\'']);
    value.parse::<PackageName>().ok().map(|_| value)
}

/// A recipe with the digests of what it fetches and of the files beside it.
pub(crate) fn recipe_item(home: &Home, recipe: Recipe, files: &[LocalFile]) -> RecipeItem {
    let sources = recipe.sources.iter();
    RecipeItem {
        sources: sources.map(|source| pin(home, &recipe, source)).collect(),
        files: file_pins(&recipe, files),
        recipe,
    }
}

/// The digest that will be fetched: the recipe's, or that of the file the factory maps it to. Of a
/// commit, all that decides which objects come with it.
fn pin(home: &Home, recipe: &Recipe, source: &SourceRef) -> Pin {
    let version = recipe.package.version.to_string();
    let replaced = request(recipe, source, &version).ok().and_then(|request| {
        let mut overrides = overrides(home).into_iter();
        overrides
            .find(|map| map.covers(&request))
            .map(|map| map.sha256.prefixed())
    });
    let own = match &source.known_by {
        KnownBy::Commit(checkout) => checkout.identity(),
        _ => source.key.clone(),
    };
    Pin::new(source.key.clone(), replaced.unwrap_or(own))
}

/// What an action says of the files beside its recipe.
pub(crate) fn file_pins(recipe: &Recipe, files: &[LocalFile]) -> Vec<Pin> {
    let pin = |file: &LocalFile| Pin {
        name: format!("{}/{}", recipe.package.name, file.path),
        digest: file.sha256.prefixed(),
        is_executable: file.is_executable,
    };
    files.iter().map(pin).collect()
}

/// `recipes/zlib/` beside `recipes/zlib.yaml`, if it is there.
pub(crate) fn local_folder(
    root: &Root,
    file: &RelPath,
    package: &str,
) -> Result<Option<Root>, Error> {
    let folder = match file.parent() {
        Some(parent) => parent.push(package)?,
        None => RelPath::try_from(package)?,
    };
    match root.stat(&folder)?.map(|stat| stat.kind) {
        Some(FileKind::Dir) => Ok(Some(root.dir(&folder)?)),
        Some(FileKind::Symlink) => Err(Error::asked(
            format!("{folder} is a symbolic link, and no files are taken through one"),
            "put the folder itself beside the recipe",
        )),
        _ => Ok(None),
    }
}

pub(crate) fn open_folder(home: &Home, what: &'static str, folder: &str) -> Result<Root, Error> {
    home.folder
        .dir(&RelPath::try_from(folder)?)
        .map_err(|source| Error::Folder {
            folder: folder.to_owned(),
            what,
            source,
        })
}

/// How the names end of files with the tests of images.
pub(crate) const TEST_ENDING: &str = ".test.yaml";

/// A file's path, and its text or why it has none.
type Read = (String, Result<String, Error>);

/// Every `.yaml` file directly in these folders, by name.
fn yaml_files(home: &Home, what: &'static str, folders: &[String]) -> Result<Vec<Read>, Error> {
    let mut files = Vec::new();
    for folder in folders {
        let root = open_folder(home, what, folder)?;
        for entry in root.list()? {
            let Ok(name) = String::from_utf8(entry.name) else {
                continue;
            };
            let is_hidden = name.starts_with('.');
            if is_hidden || name.strip_suffix(".yaml").is_none() {
                continue;
            }
            let text = root.read_text(&RelPath::try_from(name.as_str())?, TEXT_LIMIT);
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            let text = text.map_err(|error| no_text(error, Path::new(&path)));
            files.push((path, text));
        }
    }
    Ok(files)
}

pub(crate) fn stem(path: &str) -> &str {
    path.rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".yaml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_a_text_that_is_not_understood() {
        let named = |text: &str| package_named_in(text).map(str::to_owned);
        let text = "# zlib\npackage:\n  version: 1\n  name: \"zlib\" # a library\n  epoch: ]\n";
        assert_eq!(named(text), Some("zlib".to_owned()));
        assert_eq!(named("package:\n  name: z lib\n"), None);
        assert_eq!(
            named("vars:\n  name: zlib\npackage:\ntest:\n  name: x\n"),
            None
        );
        assert_eq!(named("name: zlib"), None);
    }
}
