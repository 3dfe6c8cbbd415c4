//! Folders of pipelines: the factory's, those beside recipes, and those of a command line.
//!
//! Links are followed within their folder. Whatever else is called like a pipeline, a link that leads out
//! of it or a pipe, is known by name, so that who uses it reads why it is not taken.

use std::path::Path;
use std::sync::Arc;

use boltworks_fsx::tree::{Kind, ScanOptions, Tree};
use boltworks_fsx::{FileKind, RelPath, Root};
use boltworks_recipe::PipelineLibrary;

use crate::catalog::open_folder;
use crate::files::{TEXT_LIMIT, led_beneath, no_text};
use crate::{Error, Home};

/// The folder of pipelines beside recipes.
const PIPELINES: &str = "pipelines";
/// Why links are not taken.
const LEADS_OUT: &str = "is a link that leads out of its folder";
const LEADS_NOWHERE: &str = "is a link that leads to no file";
/// Why nothing is taken from a folder that is a link.
const FOLDER_LEADS_OUT: &str =
    "beside the recipe, which may have it, is a link that leads to no folder beneath the recipe's";
/// Why other things are not.
const NO_FILE: &str = "is no regular file";

/// The program's own pipelines, and those that the factory's file names on top.
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
    library: PipelineLibrary,
    root: &Root,
    shown: &str,
) -> Result<PipelineLibrary, Error> {
    added(library, (root, shown), PipelineLibrary::with_file)
}

/// Adds those of the folder `pipelines` beside recipes, if it is there; `shown` is the recipes' folder
/// for messages. They go before the program's own, and after all that are given.
pub(crate) fn with_own_pipelines(
    library: PipelineLibrary,
    recipes: &Root,
    shown: &Path,
) -> Result<PipelineLibrary, Error> {
    let folder = match own_folder(recipes)? {
        Own::None => return Ok(library),
        Own::LeadsOut => {
            return Ok(library.with_refused("", PIPELINES, FOLDER_LEADS_OUT));
        }
        Own::Folder(folder) => folder,
    };
    let shown = shown.join(PIPELINES);
    let shown = shown.strip_prefix(".").unwrap_or(&shown).to_string_lossy();
    added(
        library,
        (&folder, &*shown),
        PipelineLibrary::with_recipes_own,
    )
}

/// The folder `pipelines` beside recipes.
enum Own {
    /// Nothing is called so that could be it.
    None,
    /// A link that leads to no folder beneath the recipes'.
    LeadsOut,
    Folder(Root),
}

/// A link to a folder beneath the recipes' is that folder; where another link leads is not looked at.
fn own_folder(recipes: &Root) -> Result<Own, Error> {
    let folder = RelPath::try_from(PIPELINES)?;
    match recipes.stat(&folder)?.map(|stat| stat.kind) {
        Some(FileKind::Dir) => Ok(Own::Folder(recipes.dir(&folder)?)),
        Some(FileKind::Symlink) => {
            let led = led_beneath(recipes, folder.as_bytes())?;
            let Some(led) = led.and_then(|led| RelPath::new(led).ok()) else {
                return Ok(Own::LeadsOut);
            };
            match recipes.stat(&led)?.map(|stat| stat.kind) {
                Some(FileKind::Dir) => Ok(Own::Folder(recipes.dir(&led)?)),
                _ => Ok(Own::LeadsOut),
            }
        }
        _ => Ok(Own::None),
    }
}

fn added(
    mut library: PipelineLibrary,
    (root, shown): (&Root, &str),
    add: impl Fn(PipelineLibrary, &str, &str, &str) -> PipelineLibrary,
) -> Result<PipelineLibrary, Error> {
    let options = ScanOptions {
        skip_xattrs: true,
        ..ScanOptions::default()
    };
    let tree = Tree::read_from(&Arc::new(root.try_clone()?), options)?;
    // The file of each, by the name it has here.
    let mut files: Vec<(String, RelPath)> = Vec::new();
    for (path, node) in tree.iter() {
        let Some(text) = path.as_str() else {
            continue;
        };
        let name = PipelineLibrary::name_of(text);
        match (&node.kind, name) {
            (Kind::Dir, _) | (_, None) if !matches!(node.kind, Kind::Symlink(_)) => {}
            (Kind::Symlink(_), _) => match led(root, &tree, path)? {
                Ok(led) => files.extend(behind(&tree, &led, text)),
                Err(rule) => {
                    let file = format!("{shown}/{text}");
                    library = library.with_refused(name.unwrap_or(text), &file, rule);
                }
            },
            (kind, _) if is_file(kind) => files.push((text.to_owned(), path.clone())),
            (_, name) => {
                let file = format!("{shown}/{text}");
                library = library.with_refused(name.unwrap_or(text), &file, NO_FILE);
            }
        }
    }
    for (called, path) in &files {
        let Some(name) = PipelineLibrary::name_of(called) else {
            continue;
        };
        let file = format!("{shown}/{called}");
        let text = root.read_text(path, TEXT_LIMIT);
        let text = text.map_err(|error| no_text(error, Path::new(&file)))?;
        library = add(library, name, &file, &text);
    }
    Ok(library)
}

const fn is_file(kind: &Kind) -> bool {
    matches!(kind, Kind::File(_) | Kind::Hardlink(_))
}

/// Where a link leads within the folder, or why it is not taken.
fn led(root: &Root, tree: &Tree, link: &RelPath) -> Result<Result<RelPath, &'static str>, Error> {
    let Some(led) = led_beneath(root, link.as_bytes())? else {
        return Ok(Err(LEADS_OUT));
    };
    let led = RelPath::new(led).ok();
    let led = led.filter(|led| tree.get(led).is_some());
    Ok(led.ok_or(LEADS_NOWHERE))
}

/// The files behind a link, each by its name at the link: one, or those of a folder. Links in there are
/// not followed again.
fn behind(tree: &Tree, led: &RelPath, link: &str) -> Vec<(String, RelPath)> {
    let itself = tree.get(led).map(|node| (led, node));
    let files = itself.into_iter().chain(tree.beneath(led));
    let files = files.filter(|(_, node)| is_file(&node.kind));
    let called = |path: &RelPath| {
        let rest = path.as_str()?.strip_prefix(led.as_str()?)?;
        Some((format!("{link}{rest}"), path.clone()))
    };
    files.filter_map(|(path, _)| called(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_within_their_folder() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("pipelines");
        let root = Root::create(&folder).unwrap();
        let name = |name: &str| RelPath::try_from(name).unwrap();
        root.make_dir(&name("deep")).unwrap();
        for file in ["own.yaml", "deep/a.yaml"] {
            root.write(&name(file), file.as_bytes(), 0o644).unwrap();
        }
        for (target, link) in [
            ("own.yaml", "same.yaml"),
            ("deep/../own.yaml", "deep/up.yaml.yaml"),
            ("deep", "also"),
            ("../secret.yaml", "out.yaml"),
            ("/etc", "far"),
            ("nothing.yaml", "gone.yaml"),
            ("own.yaml", "strip"),
        ] {
            root.symlink(target.as_bytes(), &name(link)).unwrap();
        }
        let library = with_pipelines(PipelineLibrary::builtin(), &root, "p").unwrap();
        let added: Vec<_> = library.added().collect();
        let (own, deep) = ("own.yaml", "deep/a.yaml");
        assert_eq!(
            added,
            [
                ("also/a", deep),
                ("deep/a", deep),
                ("own", own),
                ("same", own)
            ]
        );
        for (pipeline, what) in [
            ("out", format!("p/out.yaml {LEADS_OUT}")),
            ("far/a", format!("p/far {LEADS_OUT}")),
            ("./far/a", format!("p/far {LEADS_OUT}")),
            ("gone", format!("p/gone.yaml {LEADS_NOWHERE}")),
            ("../own", "leads out of the folders".to_owned()),
        ] {
            let error = uses(pipeline, &library);
            assert!(error.contains(&what), "{error}");
        }
    }

    #[test]
    fn a_folder_of_pipelines_may_be_a_link_within_the_recipes() {
        let around = tempfile::tempdir().unwrap();
        let name = |name: &str| RelPath::try_from(name).unwrap();
        let all = Root::create(around.path()).unwrap();
        for folder in ["recipes", "recipes/deep", "secret"] {
            all.make_dir(&name(folder)).unwrap();
        }
        for file in ["recipes/deep/a.yaml", "secret/s.yaml"] {
            all.write(&name(file), b"pipeline: [{runs: x}]", 0o644)
                .unwrap();
        }
        let recipes = all.dir(&name("recipes")).unwrap();
        let link = name("pipelines");
        let read = |target: &str| {
            recipes.remove_file(&link).unwrap();
            recipes.symlink(target.as_bytes(), &link).unwrap();
            with_own_pipelines(PipelineLibrary::builtin(), &recipes, Path::new("r")).unwrap()
        };
        recipes.symlink(b"x", &link).unwrap();
        let added: Vec<String> = read("./deep/../deep")
            .added()
            .map(|(name, _)| name.to_owned())
            .collect();
        assert_eq!(added, ["a"]);
        for target in ["../secret", "/etc", "nowhere", "deep/a.yaml"] {
            let error = uses("s", &read(target));
            assert!(error.contains(FOLDER_LEADS_OUT), "{error}");
        }
    }

    fn uses(pipeline: &str, library: &PipelineLibrary) -> String {
        let text = format!(
            "package: {{name: a, version: 1, epoch: 0}}\npipeline: [{{uses: {pipeline}}}]\n"
        );
        let parsed = boltworks_recipe::parse_recipe("a.yaml", &text).unwrap();
        let architecture = boltworks_model::Architecture::X86_64;
        let options = boltworks_recipe::ResolveOptions::new(architecture, library);
        boltworks_recipe::resolve(&parsed, &options)
            .unwrap_err()
            .to_string()
    }
}
