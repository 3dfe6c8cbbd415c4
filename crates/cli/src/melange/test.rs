//! `melange test`.

use std::process::ExitCode;

use boltworks_factory::single::{self, CheckOrder, SourceFolder};

use super::flag::Words;
use super::{SKIPPED, build, given};
use crate::commands::{session, test};
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let mut operands = words.operands().into_iter();
    let file = operands.next().unwrap_or_default();
    let package = operands.next();
    given::runner(words, output)?;
    given::workspace(words)?;
    let home = given::home(words)?;
    let own = home.architecture();
    if !given::is_wanted(words, own, output)? {
        return Ok(ExitCode::from(SKIPPED));
    }
    let mut reading = given::reading(words, &file)?;
    if words.path("source-dir").is_none() {
        reading.sources = SourceFolder::Nowhere;
    }
    let Some(recipe) = build::understood(reading.recipe(&file, own), own, output)? else {
        return Ok(ExitCode::from(SKIPPED));
    };
    let split = recipe.subpackages.iter();
    let tests = split.filter_map(|package| package.test.as_ref());
    let environments = recipe
        .test
        .iter()
        .chain(tests)
        .map(|test| &test.environment);
    let order = CheckOrder {
        given: given::packages(words, environments)?,
        file,
        package: package.map(|name| name.to_string_lossy().into_owned()),
        reading,
    };
    let machine = session::machine()?;
    let watcher = session::watcher(words.is_on("debug"));
    let checked = single::check(&home, &order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    output.text(&test::text(&home, &checked));
    let passed = checked.iter().all(|checked| checked.fault.is_none());
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}
