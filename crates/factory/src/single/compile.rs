//! Many recipes as they are understood: files, and folders of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;

use boltworks_fsx::Root;
use boltworks_model::Architecture;
use boltworks_recipe::PipelineLibrary;
use rayon::prelude::*;

use super::reading::Reading;
use crate::Error;
use crate::files::{Place, TEXT_LIMIT, no_text, parent};
use crate::texts::{is_folder, recipes_in};

/// So many recipes are read side by side, while those before them are printed.
const ROUND: usize = 256;

/// Which recipes, and how they are understood.
#[derive(Debug)]
pub struct CompileOrder {
    /// Recipes, and folders of recipes.
    pub paths: Vec<PathBuf>,
    /// How they are understood.
    pub reading: Reading,
    /// For which architecture.
    pub architecture: Architecture,
}

/// A recipe's file.
struct File {
    path: PathBuf,
    /// The folder that it was found in; absent where it was named itself.
    found_in: Option<usize>,
}

/// Gives each recipe as one line of JSON, or why there is none: in the order of the paths, of a folder in
/// that of its names. Two rounds are kept at a time.
pub fn compile(
    order: &CompileOrder,
    each: &mut dyn FnMut(&Path, Result<String, Error>),
) -> Result<(), Error> {
    let (folders, files) = found(&order.paths)?;
    let libraries = libraries(order, &files)?;
    let line = |file: &File| {
        let library = libraries.get(parent(&file.path));
        let library = library.ok_or_else(|| Error::Inconsistent {
            what: format!("{} lies in no folder", file.path.display()),
        })?;
        let root = file.found_in.and_then(|folder| folders.get(folder));
        let text = match (root, file.path.file_name()) {
            (Some(root), Some(name)) => {
                let name = boltworks_fsx::RelPath::new(name.as_encoded_bytes())?;
                let text = root.read_text(&name, TEXT_LIMIT);
                text.map_err(|error| no_text(error, &file.path))?
            }
            _ => Place::of(&file.path)?.read_text(TEXT_LIMIT)?,
        };
        let recipe = &file.path;
        let recipe = order
            .reading
            .resolve(recipe, &text, order.architecture, library)?;
        Ok(recipe.compile_json())
    };
    let mut rounds = files.chunks(ROUND);
    let compile = &|round: &[File]| round.par_iter().map(line).collect::<Vec<_>>();
    let mut ready = rounds.next().map(|round| (round, compile(round)));
    while let Some((round, lines)) = ready {
        ready = thread::scope(|scope| {
            let next = rounds.next();
            let next = next.map(|round| (round, scope.spawn(move || compile(round))));
            for (file, line) in round.iter().zip(lines) {
                each(&file.path, line);
            }
            next.map(|(round, lines)| match lines.join() {
                Ok(lines) => (round, lines),
                Err(panic) => std::panic::resume_unwind(panic),
            })
        });
    }
    Ok(())
}

/// The folders that are named, open, and all files.
fn found(paths: &[PathBuf]) -> Result<(Vec<Root>, Vec<File>), Error> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for path in paths {
        if !is_folder(path)? {
            files.push(File {
                path: path.clone(),
                found_in: None,
            });
            continue;
        }
        let (root, names) = recipes_in(path)?;
        let number = folders.len();
        files.extend(names.into_iter().map(|name| File {
            path: path.join(name.as_path()),
            found_in: Some(number),
        }));
        folders.push(root);
    }
    Ok((folders, files))
}

/// The pipelines that recipes of each folder can use.
fn libraries(
    order: &CompileOrder,
    files: &[File],
) -> Result<BTreeMap<PathBuf, PipelineLibrary>, Error> {
    let mut libraries = BTreeMap::new();
    for file in files {
        let folder = parent(&file.path);
        if !libraries.contains_key(folder) {
            let library = order
                .reading
                .library(PipelineLibrary::builtin(), &file.path)?;
            libraries.insert(folder.to_owned(), library);
        }
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_in_order_whatever_becomes_of_others() {
        let around = tempfile::tempdir().unwrap();
        let path = |name: &str| around.path().join(name);
        let root = Root::open(around.path()).unwrap();
        let write = |name: &str, text: &str| {
            let name = boltworks_fsx::RelPath::try_from(name).unwrap();
            if let Some(parent) = name.parent() {
                root.make_dir(&parent).unwrap();
            }
            root.write(&name, text.as_bytes(), 0o644).unwrap();
        };
        let text = |name: &str| {
            format!(
                "package: {{ name: {name}, version: 1, epoch: 0 }}\npipeline: [{{ uses: own }}]\n"
            )
        };
        for number in 0..ROUND + 3 {
            let name = format!("r{number:04}");
            write(&format!("all/{name}.yaml"), &text(&name));
        }
        write("all/pipelines/own.yaml", "pipeline: [{ runs: own }]\n");
        write("all/r0001.yaml", "package: ]\n");
        write("all/.hidden.yaml", "");
        write("alone.yaml", &text("alone"));
        write("last.yaml", &text("last").replace("uses: own", "runs: it"));
        let order = CompileOrder {
            paths: ["all", "alone.yaml", "last.yaml"].map(path).into(),
            reading: Reading::default(),
            architecture: Architecture::X86_64,
        };
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let mut take = |path: &Path, line: Result<String, Error>| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            match line {
                Ok(line) => {
                    assert!(line.contains(&format!("\"{name}\"")), "{line}");
                    assert_eq!(line.trim_end().lines().count(), 1);
                    good.push(name);
                }
                Err(error) => bad.push((name, error)),
            }
        };
        compile(&order, &mut take).unwrap();
        assert_eq!(good.len(), ROUND + 3);
        let (last, folder) = good.split_last().unwrap();
        assert!(folder.is_sorted());
        assert_eq!(last, "last");
        let bad: Vec<&str> = bad.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(bad, ["r0001", "alone"]);
    }
}
