//! `melange`: the same work under another program's command line.
//!
//! A link named `melange`, or the first word `melange`, leads here. Names, letters and defaults of
//! commands and flags are that program's; the work is that of `boltworks build` and the others.
//! `docs/from-melange.md` says of every command and flag what becomes of it.
//!
//! Reading order: [`commands`] and [`flags`] (what there is, as data), [`given`] (from flags to what the factory wants) and [`named`] (what recipes name of this machine), then one module for each sort of command.

mod build;
mod bump;
mod cache;
mod commands;
mod dotenv;
mod files;
mod flags;
mod given;
mod licences;
mod lint;
mod named;
mod quantity;
mod query;
mod rebuild;
mod recipe;
mod scan;
mod source;
mod test;

use std::process::ExitCode;

use self::commands::COMMANDS;
use self::flag::Words;
use self::flags::LOG_LEVEL;
use crate::dialect::{Dialect, flag, other, usage};
use crate::failure::Failure;
use crate::output::Output;

/// Nothing could be made for the architectures that are asked for.
const SKIPPED: u8 = 4;

/// Its command line.
pub(crate) const MELANGE: Dialect = Dialect {
    name: "melange",
    about: "Builds apk packages: the command line of melange, the work of Boltworks",
    commands: COMMANDS,
    groups: &[("source", "The commits of recipes, to change them")],
    everywhere: &[LOG_LEVEL],
    work,
};

fn work(command: &str, words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        "build" => build::run(words, output),
        "test" => test::run(words, output),
        "compile" => recipe::compile(words, output),
        "query" => query::run(words, output),
        "package-version" => query::package_version(words, output),
        "index" => files::index(words, output),
        "sign" => files::sign(words, output),
        "sign-index" => files::sign_index(words, output),
        "license-check" => licences::run(words, output),
        "lint" => lint::run(words, output),
        "rebuild" => rebuild::run(words, output),
        "scan" => scan::run(words, output),
        "keygen" => files::keygen(words, output),
        "update-cache" => cache::update(words, output),
        "source get" => source::get(words, output),
        "source pop" => source::pop(words, output),
        "bump" => bump::run(words, output),
        "version" => other::version(&MELANGE, words, output),
        _ => other::completion(&MELANGE, words, output),
    }
}

#[cfg(test)]
mod tests;
