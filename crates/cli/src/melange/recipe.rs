//! `melange compile`.

use std::process::ExitCode;

use boltworks_model::Architecture;

use super::flag::Words;
use super::{SKIPPED, build, given};
use crate::dialect;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn compile(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let file = given::recipe(words, output)?;
    let arch = match words.text("arch") {
        Some(name) => dialect::architecture(&name)?,
        None => Architecture::X86_64,
    };
    let reading = given::reading(words, &file, output)?;
    let Some(recipe) = build::understood(reading.recipe(&file, arch), arch, output)? else {
        return Ok(ExitCode::from(SKIPPED));
    };
    output.raw(&recipe.compile_json());
    Ok(ExitCode::SUCCESS)
}
