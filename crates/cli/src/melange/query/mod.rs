//! `melange query` and `package-version`: a template of Go's filled in from a recipe.
//!
//! Reading order: [`data`] (what a template can ask of a recipe), [`lexer`] and [`template`] (the
//! template as a tree), [`run`](mod@run) (the tree carried out), [`functions`].

mod data;
mod functions;
mod lexer;
mod run;
mod template;

use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::files::Place;
use boltworks_fsx::Limit;

use self::data::Data;
use super::flag::Words;
use super::usage;
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

/// A template filled in; the error says in words why it cannot be.
fn fill(text: &str, data: &Data) -> Result<String, String> {
    run::run(&template::parse(text)?, data)
}

#[cfg(test)]
mod tests;
