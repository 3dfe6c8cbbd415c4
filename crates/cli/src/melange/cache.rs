//! `melange update-cache`.

use std::process::ExitCode;

use boltworks_factory::single::{self, Reading};
use boltworks_model::visible_path;

use super::flag::Words;
use super::{build, given};
use crate::commands::session;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;
use crate::table::count;

pub(super) fn update(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let file = given::recipe(words, output)?;
    let home = given::home(words)?;
    let reading = Reading::default();
    let own = home.architecture();
    let Some(recipe) = build::understood(reading.recipe_not_to_run(&file, own), own, output)?
    else {
        return Ok(ExitCode::from(super::SKIPPED));
    };
    let folder = words.path("cache-dir").unwrap_or_default();
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let kept = single::keep_sources(&home, &recipe, &host::absolute(&folder), &ambient)?;
    drop(watcher);
    output.text(&format!(
        "{} in {}",
        count(kept, "source"),
        visible_path(&folder)
    ));
    Ok(ExitCode::SUCCESS)
}
