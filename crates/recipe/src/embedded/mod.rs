//! The recipe inside a package, its `.melange.yaml`.
//!
//! | who built the package | what is inside |
//! |---|---|
//! | this program | the canonical document ([`json`](crate::json)), which begins with its form |
//! | melange | the recipe as it compiled it: variables filled in, and beside every `uses` the steps it became |
//!
//! Either says by itself what was run: no library of pipelines changes it. There is one exception.
//! What melange fetches in the guest, this program brings there, because steps have no network: such
//! a `uses` is followed again.

use boltworks_model::Architecture;

use crate::parsed::{self, Step};
use crate::resolved::Recipe;
use crate::{Error, PipelineLibrary, ResolveOptions, parse_recipe, resolve};

/// How the canonical document begins.
const CANONICAL: &str = "{\"form\":";

/// Pipelines whose work is done outside of the guest.
const OUTSIDE: [&str; 2] = ["fetch", "git-checkout"];

/// The recipe inside a package.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The recipe.
    pub recipe: Recipe,
    /// How it was written.
    pub form: Form,
}

/// How a recipe inside a package is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As this program writes it.
    Canonical,
    /// As melange writes it.
    Compiled,
}

/// Reads the recipe inside a package for this architecture. Errors name `file`.
pub fn read(file: &str, text: &str, architecture: Architecture) -> Result<Embedded, Error> {
    if text.starts_with(CANONICAL) {
        return Ok(Embedded {
            recipe: Recipe::from_canonical_json(file, text)?,
            form: Form::Canonical,
        });
    }
    let library = PipelineLibrary::builtin();
    let mut recipe = parse_recipe(file, text)?;
    settle(&mut recipe, &library)?;
    let options = ResolveOptions::new(architecture, &library);
    Ok(Embedded {
        recipe: resolve(&recipe, &options)?,
        form: Form::Compiled,
    })
}

/// Decides of every step with `uses` which of the two is followed: what it uses, or what it became.
fn settle(recipe: &mut parsed::Recipe, library: &PipelineLibrary) -> Result<(), Error> {
    let subpackages = recipe.subpackages.iter_mut();
    let split = subpackages.flat_map(|package| {
        let tests = package.test.iter_mut().flat_map(|test| &mut test.pipeline);
        package.pipeline.iter_mut().chain(tests)
    });
    let tests = recipe.test.iter_mut().flat_map(|test| &mut test.pipeline);
    let mut open: Vec<&mut Step> = recipe
        .pipeline
        .iter_mut()
        .chain(tests)
        .chain(split)
        .collect();
    while let Some(step) = open.pop() {
        settle_one(step, library)?;
        open.extend(&mut step.pipeline);
    }
    Ok(())
}

fn settle_one(step: &mut Step, library: &PipelineLibrary) -> Result<(), Error> {
    let Some(uses) = step.uses.as_deref().filter(|uses| !uses.is_empty()) else {
        return Ok(());
    };
    let is_outside = OUTSIDE.contains(&uses);
    if let (true, Some(file)) = (is_outside, library.get(uses)) {
        // Among what was given stands also what pipelines around it were given.
        let document = file.document()?;
        step.with
            .retain(|input, _| document.step.inputs.contains_key(input));
        step.runs = None;
        step.pipeline.clear();
    } else if step.runs.as_ref().is_some_and(|runs| !runs.is_empty()) || !step.pipeline.is_empty() {
        step.uses = None;
        step.with.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
