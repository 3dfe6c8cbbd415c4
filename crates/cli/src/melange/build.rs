//! `melange build`.

use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::Error;
use boltworks_factory::files::Place;
use boltworks_factory::single::{self, BuildOrder, Made, Signing, linting};
use boltworks_fsx::Limit;
use boltworks_model::{Architecture, Timestamp};
use boltworks_recipe::resolved::Recipe;

use super::flag::Words;
use super::named::Named;
use super::{SKIPPED, given, lint, usage};
use crate::commands::{build, image, session};
use crate::failure::{Failure, parted};
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let file = given::recipe(words, output)?;
    given::runner(words, output)?;
    given::workspace(words)?;
    let home = given::home(words)?;
    let own = home.architecture();
    if !given::is_wanted(words, own, output)? {
        return Ok(ExitCode::from(SKIPPED));
    }
    let reading = given::reading(words, &file, output)?;
    let Some(recipe) = understood(reading.recipe(&file, own), own, output)? else {
        return Ok(ExitCode::from(SKIPPED));
    };
    let signing = Signing::with(words.path("signing-key"), &home);
    if matches!(signing, Signing::Nobody) {
        output.note("! not signed: no --signing-key is given");
    }
    let machine = session::machine()?;
    let (chair, watcher) = given::attended(words)?;
    let ambient = machine.ambient(watcher.as_ref());
    let named = given::packages(words, &Named::of_build(&file, &recipe), (own, output))?;
    let wanted = (
        format!("recipe {}", recipe.package.name),
        recipe.build_packages.clone(),
    );
    let order = BuildOrder {
        given: single::mirrored(&home, named, &[wanted], &ambient)?,
        file,
        reading,
        signing,
        tests: false,
        apart: true,
        epoch: epoch(words)?,
        out: words.path("out-dir").unwrap_or_else(|| "packages".into()),
        index: words.is_on("generate-index"),
    };
    let attendant = chair.as_ref().map(session::Chair::attendant);
    let made = single::build(&home, &order, attendant, &ambient);
    let made = made.map_err(in_these_words)?;
    drop(watcher);
    output.text(&build::text(&home, &made));
    if words.is_on("persist-lint-results")
        && let Some(document) = linting::recorded(&home, &made.record)?
    {
        let package = &recipe.package;
        let file = format!("lint-{}-{}.json", package.name, package.full_version);
        lint::write(&order.out, &own.apk().parse()?, (&file, &document))?;
    }
    if words.is_on("create-build-log") {
        add_to_log(&recipe, &made)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What helps where packages are missing.
const NO_REPOSITORY: &str =
    "name a repository that has what is missing: -r FOLDER, with FOLDER/ARCH/APKINDEX.tar.gz";

/// What is said of a factory's plan, for whoever has none.
fn in_these_words(error: Error) -> Failure {
    match error {
        Error::Blocked { why, .. } => {
            let why = why.trim_start_matches("world needs ");
            let (why, help) = parted(why);
            let help = help.into_iter().next();
            Failure::Choice {
                why,
                help: help.unwrap_or_else(|| NO_REPOSITORY.to_owned()),
            }
        }
        other => other.into(),
    }
}

/// A recipe, or nothing where it is not meant for this architecture.
pub(super) fn understood(
    read: Result<Recipe, Error>,
    own: Architecture,
    output: &Output,
) -> Result<Option<Recipe>, Failure> {
    match read {
        Err(Error::Recipe(error)) if error.is_other_architecture() => {
            output.note(&format!(
                "! skipped for {own}: the recipe is not meant for it"
            ));
            Ok(None)
        }
        other => Ok(Some(other?)),
    }
}

/// The time in packages: `SOURCE_DATE_EPOCH`, which wins there too, or the flag's.
fn epoch(words: &Words<'_>) -> Result<Option<Timestamp>, Failure> {
    let given = words.text("build-date").map(|text| {
        let time: Option<Timestamp> = text.parse().ok();
        time.filter(|time| time.is_packable()).ok_or_else(|| {
            usage(
                format!("'{text}' is no time that a package can carry"),
                "write it like 2026-11-26T10:25:20Z",
            )
        })
    });
    let given = given.transpose()?;
    Ok(image::source_date_epoch()?.or(given))
}

/// Adds a line for each package: architecture, recipe, package and version, parted by `|`.
fn add_to_log(recipe: &Recipe, made: &Made) -> Result<(), Failure> {
    let place = Place::of(Path::new(given::BUILD_LOG))?;
    let mut text = match place.stat()? {
        Some(_) => place.read_text(Limit::mib(64))?,
        None => String::new(),
    };
    for package in &made.packages {
        let coordinate = &package.artifact.coordinate;
        let arch = coordinate.architecture.apk();
        let (name, version) = (&coordinate.name, &coordinate.version);
        let line = [arch, recipe.package.name.as_str(), name, version].join("|");
        text.push_str(&line);
        text.push('\n');
    }
    place.write(text.as_bytes(), 0o644)?;
    Ok(())
}
