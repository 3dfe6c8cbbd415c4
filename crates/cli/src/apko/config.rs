//! `apko show-config`.

use std::process::ExitCode;

use super::given;
use crate::dialect::flag::Words;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let configuration = given::configuration(words)?;
    let shown = configuration.image.shown();
    output.raw(&boltworks_recipe::json::to_yaml(&shown));
    Ok(ExitCode::SUCCESS)
}
