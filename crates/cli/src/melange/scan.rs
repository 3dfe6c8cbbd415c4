//! `melange scan`.

use std::path::PathBuf;
use std::process::ExitCode;

use boltworks_factory::repository::{Given, is_address};
use boltworks_factory::single::scanning::{self, Shelf};
use boltworks_factory::{keys, single};
use boltworks_model::{Architecture, visible_path};

use super::flag::Words;
use super::{SKIPPED, build, given, usage};
use crate::commands::scan::{Shown, show};
use crate::commands::session;
use crate::dialect;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let file = given::recipe(words, output)?;
    let repository = words.path("repository-append").unwrap_or_default();
    if is_address(&repository) {
        return Err(usage(
            format!(
                "packages are not fetched from {}",
                visible_path(&repository)
            ),
            "bring them into a folder, FOLDER/ARCH/NAME-VERSION.apk, and name that",
        ));
    }
    let keyring = words.is_given("keyring-append").then(|| keys_of(words));
    let keyring = keyring.transpose()?;
    let keyring = keyring.as_deref().map(keys::trusted).transpose()?;
    let vendor = words.is_given("namespace").then(|| words.text("namespace"));
    let vendor = vendor.flatten();
    let mut archs = words.texts("arch");
    if archs.is_empty() {
        archs.push(Architecture::X86_64.to_string());
    }
    let mut scanned = Vec::new();
    for name in archs {
        let arch = dialect::architecture(&name)?;
        let reading = given::reading(words, &file, output)?;
        let Some(recipe) = build::understood(reading.recipe_not_to_run(&file, arch), arch, output)?
        else {
            continue;
        };
        let shelf = Shelf {
            folder: &repository.join(arch.apk()),
            keyring: keyring.as_ref(),
            vendor: vendor.as_deref(),
        };
        let mut found = scanning::of_recipe(&recipe, &shelf, &host::temporary())?;
        // melange prints the recipe's own package last.
        found.rotate_left(1);
        scanned.extend(found);
    }
    if scanned.is_empty() {
        return Ok(ExitCode::from(SKIPPED));
    }
    let what = Shown {
        differences: words.is_on("diff"),
        comments: words.is_on("comments"),
    };
    if let Some(only) = words.text("package") {
        scanned.retain(|one| one.said.name.as_str() == only);
        if scanned.is_empty() {
            return Err(usage(
                format!("the recipe makes no package '{only}'"),
                "leave -p out to see all of them",
            ));
        }
    }
    show(&scanned, what, output)
}

/// The keys that are given, with files in the places of those at addresses.
fn keys_of(words: &Words<'_>) -> Result<Vec<PathBuf>, Failure> {
    let keys = words.paths("keyring-append");
    if !keys.iter().any(|key| is_address(key)) {
        return Ok(keys);
    }
    let given = Given {
        keys,
        ..Given::default()
    };
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let given = single::mirrored(&given::home(words)?, given, &[], &ambient)?;
    Ok(given.keys)
}
