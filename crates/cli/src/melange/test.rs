//! `melange test`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use boltworks_factory::Error;
use boltworks_factory::single::{self, CheckOrder, Reading, SourceFolder, Subjects};
use boltworks_recipe::resolved::Recipe;
use boltworks_version::apk::Dependency;

use super::flag::Words;
use super::named::Named;
use super::{SKIPPED, build, given, usage};
use crate::commands::{session, test};
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let mut operands = words.operands().into_iter();
    let file = operands.next().unwrap_or_default();
    let instead = operands.next().map(|name| {
        let name = name.to_string_lossy().into_owned();
        name.parse().map_err(|_| {
            let help = "name one that the main test is to have in place of the recipe's own";
            usage(format!("'{name}' is no package"), help)
        })
    });
    let subjects = Subjects::Any(instead.transpose()?);
    given::runner(words, output)?;
    given::workspace(words)?;
    let home = given::home(words)?;
    let own = home.architecture();
    if !given::is_wanted(words, own, output)? {
        return Ok(ExitCode::from(SKIPPED));
    }
    let mut reading = given::reading(words, &file, output)?;
    if words.path("source-dir").is_none() {
        reading.sources = SourceFolder::Nowhere;
    }
    let Some(mut recipe) = build::understood(reading.recipe(&file, own), own, output)? else {
        return Ok(ExitCode::from(SKIPPED));
    };
    let named = given::packages(words, &Named::of_tests(&file, &recipe), (own, output))?;
    let machine = session::machine()?;
    let (chair, watcher) = given::attended(words)?;
    let ambient = machine.ambient(watcher.as_ref());
    subjects.apply_to(&mut recipe);
    let mut wants = wants(&recipe, &reading);
    let mut unsolvable = BTreeMap::new();
    let given = loop {
        match single::mirrored(&home, named.clone(), &wants, &ambient) {
            // The others are run all the same; who runs them tells of this one.
            Err(Error::Unsolvable { subject, why }) => {
                wants.retain(|(other, _)| *other != subject);
                let package = subject.strip_prefix(SUBJECT).unwrap_or(&subject).to_owned();
                unsolvable.insert(package, why);
            }
            given => break given?,
        }
    };
    let order = CheckOrder {
        given,
        unsolvable,
        file,
        subjects,
        reading,
    };
    let attendant = chair.as_ref().map(session::Chair::attendant);
    let checked = single::check(&home, &order, attendant, &ambient)?;
    drop(watcher);
    output.text(&test::text(&home, &checked));
    Ok(if test::has_passed(&checked) {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

/// What a test is called where its packages are chosen.
const SUBJECT: &str = "the test of ";

/// What each test asks for.
fn wants(recipe: &Recipe, reading: &Reading) -> Vec<(String, Vec<Dependency>)> {
    let own = std::iter::once((&recipe.package.name, &recipe.test));
    let split = recipe.subpackages.iter();
    let all = own.chain(split.map(|package| (&package.name, &package.test)));
    let tests = all.filter_map(|(name, test)| Some((name, test.as_ref()?)));
    tests
        .filter(|(_, test)| !test.pipeline.is_empty())
        .map(|(name, test)| {
            let packages = test.packages.iter().chain(&reading.packages);
            (format!("{SUBJECT}{name}"), packages.cloned().collect())
        })
        .collect()
}
