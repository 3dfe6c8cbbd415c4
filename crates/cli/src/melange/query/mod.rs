//! `melange query` and `package-version`: a template of Go's filled in from a recipe.
//!
//! [`data`] and [`update`] are what a template can ask of a recipe.

mod data;
mod update;

use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::files::Place;
use boltworks_fsx::Limit;

use super::flag::Words;
use super::usage;
use crate::dialect::template::fill;
use crate::failure::Failure;
use crate::output::Output;

/// No recipe is larger.
const TEXT_LIMIT: Limit = Limit::mib(4);
/// What `package-version` fills in.
const VERSION: &str = "{{.Package.Name}}-{{.Package.Version}}-r{{.Package.Epoch}}";

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [file, template, ..] = operands.as_slice() else {
        return Err(usage(
            "no template is given",
            "melange query RECIPE TEMPLATE",
        ));
    };
    print(file, &template.to_string_lossy(), output)
}

pub(super) fn package_version(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let file = words.operands().into_iter().next().unwrap_or_default();
    print(&file, VERSION, output)
}

fn print(file: &Path, template: &str, output: &Output) -> Result<ExitCode, Failure> {
    let text = Place::of(file)?.read_text(TEXT_LIMIT)?;
    let recipe = boltworks_recipe::parse_recipe(&file.to_string_lossy(), &text)?;
    let filled = fill(template, &data::recipe(recipe)?);
    output.raw(&filled.map_err(|what| {
        usage(
            format!("the template cannot be filled in: {what}"),
            "docs/from-melange.md lists what templates can say",
        )
    })?);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
