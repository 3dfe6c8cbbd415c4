//! `melange lint`, and what linters found as a file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use boltworks_factory::files::Place;
use boltworks_factory::packages;
use boltworks_factory::single::linting;
use boltworks_fsx::{RelPath, Root};
use boltworks_model::visible_path;
use boltworks_package::lint::Refused;

use super::flag::Words;
use super::{given, usage};
use crate::failure::{Failure, exit};
use crate::host;
use crate::output::Output;
use crate::terminal::hung;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let files = words.operands();
    refuse_recipes(&files)?;
    let scratch = host::temporary();
    let reports = linting::files(&files, &given::lint_levels(words)?, &scratch)?;
    for (file, report) in files.iter().zip(&reports) {
        for warning in report.warnings() {
            output.note(&format!("! {warning}"));
        }
        if words.is_on("persist-lint-results") {
            let folder = words.path("out-dir").unwrap_or_default();
            keep(
                file,
                &folder,
                &linting::as_json(std::slice::from_ref(report)),
            )?;
        }
    }
    let refused = Refused::from_reports(&reports);
    if let Some(refused) = &refused {
        output.note(&hung(&format!("error: {refused}")));
    }
    Ok(if refused.is_none() {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

/// It is packages that are linted here; whoever names a recipe means another command.
fn refuse_recipes(files: &[PathBuf]) -> Result<(), Failure> {
    let is_recipe = |file: &&PathBuf| {
        let end = file.extension().unwrap_or_default();
        end == "yaml" || end == "yml"
    };
    let Some(file) = files.iter().find(is_recipe) else {
        return Ok(());
    };
    let word = host::word(file.as_os_str());
    Err(usage(
        format!(
            "{} is a recipe: packages are linted here, `.apk`",
            visible_path(file)
        ),
        format!(
            "of a recipe, `boltworks recipe lint {word}` tells what is wrong; its packages can be linted \
             when they are made"
        ),
    ))
}

fn keep(file: &Path, folder: &Path, document: &[u8]) -> Result<(), Failure> {
    let package = packages::open(file, None)?;
    let control = package.control();
    let name = format!("lint-{}-{}.json", control.name, control.version);
    // What a package says of itself is no path of this machine's.
    let arch = RelPath::try_from(control.arch.as_str()).ok();
    let arch = arch.filter(|arch| arch.parent().is_none());
    let arch = arch.ok_or_else(|| {
        usage(
            format!(
                "{}: its architecture '{}' is no name for a folder",
                visible_path(file),
                control.arch
            ),
            "leave --persist-lint-results out",
        )
    })?;
    write(folder, &arch, (&name, document))
}

/// Writes a document into the folder of an architecture, which is made where it is missing.
pub(super) fn write(
    folder: &Path,
    arch: &RelPath,
    (name, document): (&str, &[u8]),
) -> Result<(), Failure> {
    let folder = folder.join(arch.as_path());
    Root::create(&host::absolute(&folder))?;
    Place::of(&folder.join(name))?.write(document, 0o644)?;
    Ok(())
}
