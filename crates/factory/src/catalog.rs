//! The recipes and images a factory can make, read and resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_fsx::{FileKind, RelPath, Root};
use boltworks_model::Material;
use boltworks_plan::{Catalog, ImageItem, Pin, RecipeItem};
use boltworks_recipe::resolved::{Recipe, SourceRef};
use boltworks_recipe::{Libc, PipelineLibrary, ResolveOptions, parse_image, parse_recipe};

use crate::equipment::overrides;
use crate::home::TEXT_LIMIT;
use crate::recipes::request;
use crate::{Error, Home};

/// The catalog, and the files behind it.
pub struct Loaded {
    /// What can be made.
    pub catalog: Catalog,
    /// The file of each recipe.
    pub recipes: BTreeMap<String, RecipeSource>,
    /// The file of each image.
    pub images: BTreeMap<String, String>,
}

/// A recipe's file.
#[derive(Debug, Clone)]
pub struct RecipeSource {
    /// Its path in the factory's folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The folder of files beside it, if there is one.
    pub folder: Option<Arc<Root>>,
}

impl Loaded {
    /// Reads every recipe and image that the factory's file names.
    pub fn read(home: &Home) -> Result<Self, Error> {
        let library = pipelines(home)?;
        let mut loaded = Self {
            catalog: Catalog::default(),
            recipes: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        for (path, text) in yaml_files(home, "recipes", &home.config.recipes)? {
            loaded.add_recipe(home, &library, path, text)?;
        }
        for (path, text) in yaml_files(home, "images", &home.config.images)? {
            loaded.add_image(path, &text)?;
        }
        for channel in home.config.channels.values() {
            if !loaded.images.contains_key(&channel.image) {
                return Err(Error::Missing {
                    what: "image",
                    name: channel.image.clone(),
                    known: loaded.images.keys().cloned().collect(),
                });
            }
        }
        Ok(loaded)
    }

    fn add_recipe(
        &mut self,
        home: &Home,
        library: &PipelineLibrary,
        path: String,
        text: String,
    ) -> Result<(), Error> {
        let parsed = parse_recipe(&path, &text)?;
        let options = ResolveOptions {
            libc: Libc::Musl,
            ..ResolveOptions::new(home.architecture(), library)
        };
        let recipe = boltworks_recipe::resolve(&parsed, &options)?;
        let name = recipe.package.name.to_string();
        if let Some(other) = self.recipes.get(&name) {
            return Err(Error::Twice {
                name,
                first: other.path.clone(),
                second: path,
            });
        }
        let folder = local_folder(&home.folder, &RelPath::try_from(path.as_str())?, &name)?;
        let item = recipe_item(home, recipe, folder.as_ref())?;
        let folder = folder.map(Arc::new);
        self.catalog.recipes.insert(name.clone(), item);
        self.recipes
            .insert(name, RecipeSource { path, text, folder });
        Ok(())
    }

    fn add_image(&mut self, path: String, text: &str) -> Result<(), Error> {
        let name = stem(&path).to_owned();
        let image = boltworks_recipe::resolve_image(&parse_image(&path, text)?)?;
        if let Some(first) = self.images.get(&name) {
            return Err(Error::Twice {
                name,
                first: first.clone(),
                second: path,
            });
        }
        self.catalog.images.insert(
            name.clone(),
            ImageItem {
                name: name.clone(),
                image,
            },
        );
        self.images.insert(name, path);
        Ok(())
    }
}

/// A recipe with the digests of what it fetches and of the files beside it.
pub(crate) fn recipe_item(
    home: &Home,
    recipe: Recipe,
    folder: Option<&Root>,
) -> Result<RecipeItem, Error> {
    let asks = !recipe.package.setcap.is_empty()
        || recipe
            .subpackages
            .iter()
            .any(|package| !package.setcap.is_empty());
    if asks {
        return Err(Error::Inconsistent {
            what: format!(
                "recipe {}: setcap is not supported yet, and is not silently left out",
                recipe.package.name
            ),
        });
    }
    let sources = recipe.sources.iter();
    Ok(RecipeItem {
        sources: sources.map(|source| pin(home, &recipe, source)).collect(),
        files: match folder {
            Some(folder) => file_pins(folder, recipe.package.name.as_str())?,
            None => Vec::new(),
        },
        recipe,
    })
}

/// The digest that will be fetched: the recipe's, or that of the file the factory maps it to.
fn pin(home: &Home, recipe: &Recipe, source: &SourceRef) -> Pin {
    let version = recipe.package.version.to_string();
    let replaced = request(recipe, source, &version).ok().and_then(|request| {
        let mut overrides = overrides(home).into_iter();
        overrides
            .find(|map| map.covers(&request))
            .map(|map| map.sha256.prefixed())
    });
    Pin {
        name: source.key.clone(),
        digest: replaced.unwrap_or_else(|| source.key.clone()),
    }
}

fn file_pins(folder: &Root, name: &str) -> Result<Vec<Pin>, Error> {
    let materials = boltworks_package::workspace::local_materials(folder, name)?;
    let pin = |material| match material {
        Material::Source { uri, sha256, .. } => Some(Pin {
            name: uri,
            digest: sha256.prefixed(),
        }),
        _ => None,
    };
    Ok(materials.into_iter().filter_map(pin).collect())
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
    let is_folder = root
        .stat(&folder)?
        .is_some_and(|stat| stat.kind == FileKind::Dir);
    Ok(if is_folder {
        Some(root.dir(&folder)?)
    } else {
        None
    })
}

/// The program's pipelines and the factory's.
pub(crate) fn pipelines(home: &Home) -> Result<PipelineLibrary, Error> {
    let mut library = PipelineLibrary::builtin();
    for folder in &home.config.pipelines {
        let root = open_folder(home, "pipelines", folder)?;
        library = with_pipelines(library, &root, folder)?;
    }
    Ok(library)
}

/// Adds every `.yaml` file beneath a folder; `shown` is the folder's name for messages.
pub(crate) fn with_pipelines(
    mut library: PipelineLibrary,
    root: &Root,
    shown: &str,
) -> Result<PipelineLibrary, Error> {
    let tree = boltworks_package::workspace::local_files(root)?;
    for (path, _) in tree
        .iter()
        .filter(|(path, _)| path.as_bytes().ends_with(b".yaml"))
    {
        let text = root.read_text(path, TEXT_LIMIT)?;
        let path = path.to_string();
        let file = format!("{shown}/{path}");
        library = library.with_file(path.trim_end_matches(".yaml"), &file, &text);
    }
    Ok(library)
}

fn open_folder(home: &Home, what: &'static str, folder: &str) -> Result<Root, Error> {
    home.folder
        .dir(&RelPath::try_from(folder)?)
        .map_err(|source| Error::Folder {
            folder: folder.to_owned(),
            what,
            source,
        })
}

/// Path and text of every `.yaml` file directly in these folders, by name.
fn yaml_files(
    home: &Home,
    what: &'static str,
    folders: &[String],
) -> Result<Vec<(String, String)>, Error> {
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
            let text = root.read_text(&RelPath::try_from(name.as_str())?, TEXT_LIMIT)?;
            files.push((format!("{}/{name}", folder.trim_end_matches('/')), text));
        }
    }
    Ok(files)
}

fn stem(path: &str) -> &str {
    path.rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".yaml")
}
