//! The commit of a recipe laid out for a person to change, and what they committed written back into the
//! recipe as patches.

use std::path::{Path, PathBuf};

use boltworks_fsx::RelPath;
use boltworks_model::{Ambient, Checkout};
use boltworks_recipe::patches::patched;
use boltworks_recipe::resolved::{KnownBy, Recipe, SourceRef, Step};
use boltworks_recipe::{PipelineLibrary, parse_recipe};
use boltworks_source::{Patch, Worktree};

use super::reading::Reading;
use crate::catalog;
use crate::equipment::{Reach, not_fetched, request};
use crate::files::{Place, TEXT_LIMIT, folder as folder_of};
use crate::{Error, Home};

/// Whose commit it is, and where it goes.
#[derive(Debug, Clone)]
pub struct WorktreeOrder {
    /// The recipe's file.
    pub file: PathBuf,
    /// How it is understood.
    pub reading: Reading,
    /// The folder of repositories, absolute: each is in one of its package's name.
    pub output: PathBuf,
    /// The folder of patches, absolute; that beside the recipe unless given.
    pub patches: Option<PathBuf>,
}

/// A repository that was laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaidOut {
    /// Where.
    pub path: PathBuf,
    /// The commit.
    pub commit: String,
    /// How many commits and patches were applied on top.
    pub applied: usize,
}

/// Patches that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub folder: PathBuf,
    /// Their names, in order.
    pub patches: Vec<String>,
}

/// Lays out the first commit that a recipe checks out, with what the recipe applies on top.
///
/// # Errors
/// If the folder is there and not empty; of a patch that cannot be applied, with the repository left as
/// it is for whoever mends it.
pub fn lay_out(
    home: &Home,
    order: &WorktreeOrder,
    ambient: &Ambient<'_>,
) -> Result<LaidOut, Error> {
    let recipe = order.recipe(home)?;
    let (source, checkout, after) = checked_out(&recipe)?;
    let patches = order.patches(&recipe, after)?;
    let reach = Reach::new(home)?;
    let version = recipe.package.version.to_string();
    let request = request(&recipe, source, &version)?;
    let fetched = reach.fetcher(home).fetch(&request, ambient);
    let fetched = fetched.map_err(|error| not_fetched(source, error))?;
    if matches!(
        &fetched.material,
        boltworks_model::Material::Source {
            recipe_digest: Some(_),
            ..
        }
    ) {
        return Err(Error::asked(
            format!(
                "in place of {} an archive is mapped, which has no history",
                source.uri
            ),
            "take the entry out of `sources` in boltworks.yaml for this",
        ));
    }
    let path = order.repository(&recipe);
    let blob = home.store.open_blob(&fetched.digest)?;
    let worktree = Worktree::make(&blob, (&source.uri, checkout), &path)?;
    for patch in &patches {
        ambient.cancel.check()?;
        worktree.apply(patch).map_err(|error| {
            Error::asked(
                format!(
                    "{} cannot be applied: {}",
                    patch.name,
                    boltworks_model::chain(&error)
                ),
                format!(
                    "mend it by hand in {}, with the patches before it applied",
                    path.display()
                ),
            )
        })?;
    }
    Ok(LaidOut {
        path,
        commit: checkout.commit.to_string(),
        applied: checkout.picks.len() + patches.len(),
    })
}

/// Writes what was committed on top as patches, and has the recipe apply those in place of all it
/// applied before. The recipe is replaced at once, or not at all.
pub fn write_back(home: &Home, order: &WorktreeOrder) -> Result<Written, Error> {
    let place = Place::of(&order.file)?;
    let text = place.read_text(TEXT_LIMIT)?;
    let recipe = order.recipe(home)?;
    let (_, checkout, _) = checked_out(&recipe)?;
    let parsed = parse_recipe(&order.file.to_string_lossy(), &text)?;
    // Whether it can be written is known before anything is.
    patched(&parsed, &text, &[])?;
    let folder = order.folder(&recipe);
    let path = order.repository(&recipe);
    folder_of(&path).map_err(|error| match error {
        Error::Asked { what, .. } => Error::asked(what, order.first()),
        other => other,
    })?;
    let worktree = Worktree::open(&path)?;
    let patches = worktree.patches(&checkout.commit, &folder)?;
    let text = patched(&parsed, &text, &patches)?;
    parse_recipe(&order.file.to_string_lossy(), &text)?;
    place.write(
        text.as_bytes(),
        place.stat()?.map_or(0o644, |stat| stat.mode),
    )?;
    Ok(Written { folder, patches })
}

impl WorktreeOrder {
    fn recipe(&self, home: &Home) -> Result<Recipe, Error> {
        let text = Place::of(&self.file)?.read_text(TEXT_LIMIT)?;
        let library: PipelineLibrary = catalog::pipelines(home)?;
        let library = self
            .reading
            .library(library, &self.file)?
            .passing_over_unknown();
        self.reading
            .resolve(&self.file, &text, home.architecture(), &library)
    }

    /// What comes before what was committed can be written back.
    fn first(&self) -> String {
        let (file, output) = (self.file.display(), self.output.display());
        format!("lay it out first: `melange source get {file} -o {output}`, then commit in it")
    }

    fn repository(&self, recipe: &Recipe) -> PathBuf {
        self.output.join(recipe.package.name.as_str())
    }

    fn folder(&self, recipe: &Recipe) -> PathBuf {
        let beside = || {
            let above = self.file.parent().unwrap_or(Path::new("."));
            above.join(recipe.package.name.as_str())
        };
        self.patches.clone().unwrap_or_else(beside)
    }

    /// The patches of the steps after a checkout, in order.
    fn patches(&self, recipe: &Recipe, steps: &[Step]) -> Result<Vec<Patch>, Error> {
        let folder = self.folder(recipe);
        let mut patches = Vec::new();
        for step in steps {
            if !matches!(step.uses.as_deref(), Some("patch" | "git-am")) {
                continue;
            }
            let input = |name: &str| step.with.get(name).map_or("", String::as_str);
            let number = |name: &str, default| match input(name).trim() {
                "" => Ok(default),
                text => text.parse().map_err(|_| {
                    Error::asked(
                        format!("'{text}' is no {name} of the recipe's patches"),
                        format!("write a whole number as `{name}`, 0 or more"),
                    )
                }),
            };
            let (strip, fuzz) = (number("strip-components", 1)?, number("fuzz", 2)?);
            let root = folder_of(&folder).map_err(|error| match error {
                Error::Asked { what, .. } => Error::asked(
                    format!("the folder of the recipe's patches: {what}"),
                    "put the patches there, or name their folder with --source-dir",
                ),
                other => other,
            })?;
            let listed = match input("series").trim() {
                "" => input("patches").to_owned(),
                series => uncommented(&root.read_text(&RelPath::try_from(series)?, TEXT_LIMIT)?),
            };
            for name in listed.split_whitespace() {
                let path = RelPath::try_from(name)?;
                root.open_file(&path)?;
                let file = folder.join(path.as_path());
                patches.push(Patch {
                    file,
                    name: String::from_utf8_lossy(path.file_name()).into_owned(),
                    strip,
                    fuzz,
                });
            }
        }
        Ok(patches)
    }
}

/// The first commit that is checked out, and the steps after it.
fn checked_out(recipe: &Recipe) -> Result<(&SourceRef, &Checkout, &[Step]), Error> {
    let mut steps = recipe.pipeline.as_slice();
    while let Some((step, after)) = steps.split_first() {
        if let Some(source) = &step.checkout {
            match &source.known_by {
                KnownBy::Commit(checkout) => return Ok((source, checkout, after)),
                KnownBy::Nothing(unpinned) => return Err(unpinned.error().into()),
                KnownBy::Digest { .. } => {}
            }
        }
        steps = after;
    }
    Err(Error::asked(
        format!("{} checks no git repository out", recipe.package.name),
        "only recipes with a git-checkout step can be worked on so",
    ))
}

/// The lines of a list of patches without comments.
fn uncommented(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}
