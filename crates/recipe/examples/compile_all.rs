//! Reads and resolves every recipe of a folder in one process, and says what came of it in classes; what
//! each is understood as, `boltworks recipe compile FOLDER` prints.
//!
//! ```sh
//! cargo run --release -p boltworks-recipe --example compile_all -- FOLDER [OPTION…]
//! ```
//!
//! | option | meaning |
//! |---|---|
//! | `--pipeline-dir DIR` | pipelines that go before the program's own; may be given again |
//! | `--arch ARCH` | `x86_64` unless given |
//! | `--threads N` | 2 unless given |
//! | `--canonical DIR` | writes `canonical_json` of each recipe, and of its tests |
//! | `--again` | reads each `canonical_json` back: it must be written the same again |
//! | `--list` | names every recipe that was refused, with the reason |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use boltworks_model::Architecture;
use boltworks_recipe::{Error, PipelineLibrary, ResolveOptions, parse_recipe, resolve, resolved};
use rayon::prelude::*;

struct Options {
    folder: PathBuf,
    pipelines: Vec<PathBuf>,
    arch: Architecture,
    threads: usize,
    canonical: Option<PathBuf>,
    again: bool,
    list: bool,
}

/// What came of one recipe.
struct Outcome {
    bytes: usize,
    result: Result<Counts, Error>,
    text_bytes: usize,
}

#[derive(Default)]
struct Counts {
    packages: usize,
    steps: usize,
    checkouts: usize,
    /// What is wrong with sources that are known by nothing.
    unpinned: Vec<String>,
}

#[expect(
    clippy::print_stdout,
    reason = "a program for people: the report is what it is for"
)]
fn main() -> anyhow::Result<()> {
    let options = arguments(std::env::args().skip(1))?;
    let started = now();
    let library = library(&options.pipelines)?;
    let files = yaml_files(&options.folder)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()?;
    let outcomes = pool.install(|| {
        files
            .par_iter()
            .map(|file| one(file, &library, &options))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    println!("{}", report(&outcomes, started.elapsed(), options.list));
    Ok(())
}

fn one(file: &Path, library: &PipelineLibrary, options: &Options) -> anyhow::Result<Outcome> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let text = read(file)?;
    let resolve_options = ResolveOptions::new(options.arch, library);
    let resolved = parse_recipe(&name, &text).and_then(|recipe| resolve(&recipe, &resolve_options));
    let mut text_bytes = 0;
    if let Ok(recipe) = &resolved {
        text_bytes = recipe.compile_json().len();
        if let Some(out) = &options.canonical {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            write(&out.join(format!("{stem}.json")), &canonical(recipe))?;
        }
        if options.again {
            read_back(recipe).with_context(|| name.into_owned())?;
        }
    }
    Ok(Outcome {
        bytes: text.len(),
        result: resolved.map(|recipe| counts(&recipe)),
        text_bytes,
    })
}

/// Reads a recipe back from the document inside its packages.
fn read_back(recipe: &resolved::Recipe) -> anyhow::Result<()> {
    let document = String::from_utf8(recipe.canonical_json())?;
    let back = boltworks_recipe::embedded::read(".melange.yaml", &document, recipe.architecture)?;
    // What cannot be fetched stands in no document: no package was made of it.
    let pinned = recipe.sources.iter().filter(|source| !is_unpinned(source));
    if back.recipe.canonical_json() != document.as_bytes() || !back.recipe.sources.iter().eq(pinned)
    {
        bail!("it is not read back as it was");
    }
    Ok(())
}

/// Whether a source is known by nothing that could be fetched.
fn is_unpinned(source: &resolved::SourceRef) -> bool {
    matches!(source.known_by, resolved::KnownBy::Nothing(_))
}

/// The documents that actions are known by, a line for each.
fn canonical(recipe: &resolved::Recipe) -> Vec<u8> {
    let tests = recipe.tests().map(resolved::Test::canonical_json);
    let documents = std::iter::once(recipe.canonical_json()).chain(tests);
    documents
        .flat_map(|document| document.into_iter().chain(*b"\n"))
        .collect()
}

fn counts(recipe: &resolved::Recipe) -> Counts {
    let steps = |steps: &[resolved::Step]| steps.iter().map(|step| step.scripts().len()).sum();
    let subpackages = recipe.subpackages.iter();
    let inner: usize = subpackages.map(|sub| steps(&sub.pipeline)).sum();
    let main: usize = steps(&recipe.pipeline);
    let unpinned = recipe
        .sources
        .iter()
        .filter_map(|source| match &source.known_by {
            resolved::KnownBy::Nothing(unpinned) => Some(unpinned.error().to_string()),
            _ => None,
        });
    let is_checkout =
        |source: &&resolved::SourceRef| matches!(source.known_by, resolved::KnownBy::Commit(_));
    Counts {
        packages: recipe.package_names().count(),
        steps: main + inner,
        checkouts: recipe.sources.iter().filter(is_checkout).count(),
        unpinned: unpinned.collect(),
    }
}

fn report(outcomes: &[Outcome], took: Duration, list: bool) -> String {
    let mut classes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut resolved, mut other, mut packages, mut steps) = (0, 0, 0, 0);
    let (mut checkouts, mut unpinned) = (0, Vec::new());
    for outcome in outcomes {
        match &outcome.result {
            Ok(counts) => {
                resolved += 1;
                packages += counts.packages;
                steps += counts.steps;
                checkouts += counts.checkouts;
                unpinned.extend(&counts.unpinned);
            }
            Err(error) if error.is_other_architecture() => other += 1,
            Err(error) => classes
                .entry(class(&error.message()))
                .or_default()
                .push(error.to_string()),
        }
    }
    let read: usize = outcomes.iter().map(|outcome| outcome.bytes).sum();
    let written: usize = outcomes.iter().map(|outcome| outcome.text_bytes).sum();
    let total = outcomes.len();
    let refused = total - resolved - other;
    let mut lines = vec![
        format!(
            "{total} recipes ({read} bytes): {resolved} resolved, {other} for other architectures, {refused} refused"
        ),
        format!(
            "{checkouts} commits to check out, {} more that are not known",
            unpinned.len()
        ),
        format!("{packages} packages, {steps} scripts to build them, {written} bytes of JSON"),
        format!("{:.3} s, {} at most", took.as_secs_f64(), most_memory()),
    ];
    lines.extend(unpinned.iter().map(|error| format!("        {error}")));
    let mut classes: Vec<_> = classes.into_iter().collect();
    classes.sort_by_key(|(_, found)| std::cmp::Reverse(found.len()));
    for (class, found) in classes {
        lines.push(format!("{:6}  {class}", found.len()));
        let shown = if list { found.len() } else { 1 };
        let shown = found.iter().take(shown);
        lines.extend(shown.map(|error| format!("        {error}")));
    }
    lines.join("\n")
}

/// A message without what differs from recipe to recipe.
fn class(message: &str) -> String {
    if message.starts_with("unknown pipeline") {
        return message.to_owned();
    }
    let mut parts = message.split('\'');
    let mut class = parts.next().unwrap_or_default().to_owned();
    while parts.next().is_some() {
        class += "'…'";
        class += parts.next().unwrap_or_default();
    }
    class
}

/// The most memory the process ever had, as the kernel says it.
fn most_memory() -> String {
    let status = read(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(
        || "unknown memory".to_owned(),
        |line| line.trim().to_owned(),
    )
}

fn library(folders: &[PathBuf]) -> anyhow::Result<PipelineLibrary> {
    let mut library = PipelineLibrary::builtin();
    for folder in folders.iter().rev() {
        let mut pending = vec![folder.clone()];
        while let Some(inner) = pending.pop() {
            for (path, is_folder) in list(&inner)? {
                if is_folder {
                    pending.push(path);
                } else if path.extension().is_some_and(|end| end == "yaml") {
                    let name = path.strip_prefix(folder)?.with_extension("");
                    let (name, shown) = (name.to_string_lossy(), path.to_string_lossy());
                    library = library.with_file(&name, &shown, &read(&path)?);
                }
            }
        }
    }
    Ok(library)
}

fn yaml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = list(folder)?
        .into_iter()
        .filter(|(path, is_folder)| {
            let is_hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let is_yaml = path.extension().is_some_and(|end| end == "yaml");
            !is_folder && !is_hidden && is_yaml
        })
        .map(|(path, _)| path)
        .collect();
    files.sort();
    Ok(files)
}

fn arguments(mut given: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options {
        folder: PathBuf::new(),
        pipelines: Vec::new(),
        arch: Architecture::X86_64,
        threads: 2,
        canonical: None,
        again: false,
        list: false,
    };
    while let Some(argument) = given.next() {
        let mut value = || {
            let next = given.next();
            next.with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--pipeline-dir" => options.pipelines.push(value()?.into()),
            "--arch" => options.arch = value()?.parse()?,
            "--threads" => options.threads = value()?.parse()?,
            "--canonical" => options.canonical = Some(value()?.into()),
            "--again" => options.again = true,
            "--list" => options.list = true,
            folder if !folder.starts_with('-') && options.folder.as_os_str().is_empty() => {
                options.folder = folder.into();
            }
            other => bail!("'{other}' is not understood"),
        }
    }
    if options.folder.as_os_str().is_empty() {
        bail!("which folder of recipes?");
    }
    if let Some(folder) = &options.canonical {
        make(folder)?;
    }
    Ok(options)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program for developers, outside of the factory: it reads the folder it is told"
)]
mod ambient {
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    use anyhow::Context as _;

    pub(super) fn now() -> Instant {
        Instant::now()
    }

    pub(super) fn read(path: &Path) -> anyhow::Result<String> {
        std::fs::read_to_string(path).with_context(|| path.display().to_string())
    }

    pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        std::fs::write(path, bytes).with_context(|| path.display().to_string())
    }

    pub(super) fn make(path: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(path).with_context(|| path.display().to_string())
    }

    /// What is in a folder, and whether each is a folder itself.
    pub(super) fn list(folder: &Path) -> anyhow::Result<Vec<(PathBuf, bool)>> {
        let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            found.push((entry.path(), entry.file_type()?.is_dir()));
        }
        Ok(found)
    }
}

use ambient::{list, make, now, read, write};
