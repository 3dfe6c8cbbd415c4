//! `melange rebuild`.

use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::files::Place;
use boltworks_factory::repository::{Given, is_address};
use boltworks_factory::single::{self, Signing};
use boltworks_model::visible_path;

use super::flag::Words;
use super::given;
use super::named::Named;
use crate::commands::rebuild::{Told, Wanted, carry_out};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    given::runner(words, output)?;
    let home = given::home(words)?;
    let signing = Signing::with(words.path("signing-key"), &home);
    let wanted = Wanted {
        files: &words.operands(),
        supply: &|inside, ambient| {
            let recipe = inside.recipe();
            let named = given::packages(
                words,
                &Named::of_package(recipe),
                (home.architecture(), output),
            )?;
            let named = those_here(named, words, output)?;
            let subject = format!("the build of {}", recipe.package.name);
            let wants = [(subject, recipe.build_packages.clone())];
            Ok(single::mirrored(&home, named, &wants, ambient)?)
        },
        sources: words
            .path("source-dir")
            .filter(|folder| !given::is_gone(folder, output)),
        signing,
        out: words.path("out-dir"),
        told: Told {
            lines: false,
            differences: words.is_on("diff"),
        },
    };
    carry_out(&home, &wanted, output)
}

/// Leaves out keys that a recipe names and that lie on the machine of whoever built the package. Where
/// its repositories do too, `packages` has told so.
fn those_here(mut named: Given, words: &Words<'_>, output: &Output) -> Result<Given, Failure> {
    let given = words.paths("keyring-append");
    let mut here = Vec::new();
    for key in named.keys {
        if given.contains(&key) || is_here(&key)? {
            here.push(key);
        } else {
            output.note(&format!(
                "! the recipe inside names the key {}, which is not here",
                visible_path(&key)
            ));
        }
    }
    named.keys = here;
    Ok(named)
}

fn is_here(path: &Path) -> Result<bool, Failure> {
    if is_address(path) {
        return Ok(true);
    }
    match Place::of(path) {
        Ok(place) => Ok(place.stat()?.is_some()),
        // Nobody has made the folder that it would lie in.
        Err(boltworks_factory::Error::Asked { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
