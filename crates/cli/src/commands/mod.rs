//! The commands, one module each.

pub(crate) mod apk;
pub(crate) mod build;
pub(crate) mod bump;
mod explain;
mod fmt;
mod generated;
pub(crate) mod given;
mod graph;
pub(crate) mod image;
mod init;
pub(crate) mod licences;
mod lint;
mod plan;
pub(crate) mod publish;
pub(crate) mod rebuild;
mod recipe;
pub(crate) mod scan;
mod serve;
pub(crate) mod session;
mod shell;
mod solve;
mod source;
mod stage0;
mod status;
mod store;
pub(crate) mod test;
mod unread;
mod up;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::apko::APKO;
use crate::arguments::{Arguments, Command, StoreCommand};
use crate::dialect::Dialect;
use crate::failure::Failure;
use crate::melange::MELANGE;
use crate::output::Output;

/// Carries the command out.
pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Init(init) => init::run(init, output),
        Command::Up(up) => up::run(arguments, up, output),
        Command::Plan => plan::run(arguments, output),
        Command::Explain(explain) => explain::run(arguments, explain, output),
        Command::Status => status::run(arguments, output),
        Command::Shell(shell) => shell::run(arguments, shell, output),
        Command::Build(build) => build::run(arguments, build, output),
        Command::Test(test) => test::run(arguments, test, output),
        Command::Recipe(recipe) => recipe::run(arguments, recipe, output),
        Command::Image(image) => image::run(arguments, image, output),
        Command::Apk(apk) => apk::run(arguments, apk, output),
        Command::Solve(solve) => solve::run(arguments, solve, output),
        Command::Source(source) => source::run(arguments, source, output),
        Command::Stage0(stage0) => stage0::run(arguments, stage0, output),
        Command::Serve(serve) => serve::run(arguments, serve, output),
        Command::Store(StoreCommand::Verify { set_aside }) => {
            store::verify(arguments, *set_aside, output)
        }
        Command::Melange { words } => other(arguments, &MELANGE, words),
        Command::Apko { words } => other(arguments, &APKO, words),
        Command::Schema => generated::schema(output),
        Command::Completion { shell } => Ok(generated::completion(*shell, output)),
        Command::Man { folder } => generated::manual(folder, output),
    }
}

/// Carries out another program's command line. That has no flags of ours: none is left out silently.
fn other(
    arguments: &Arguments,
    dialect: &Dialect,
    words: &[OsString],
) -> Result<ExitCode, Failure> {
    let name = dialect.name;
    let ours = [
        (
            arguments.json,
            "--json",
            "its commands print text: without that word, `boltworks build`, `test`, `recipe`, `image` and \
             `apk` print JSON",
        ),
        (
            arguments.factory != Path::new("boltworks.yaml"),
            "--factory",
            "run it in the folder of the factory's file",
        ),
        (
            arguments.offline,
            "--offline",
            "say it of commands of our own: `boltworks --offline build`",
        ),
        (
            arguments.verbose > 0,
            "-v",
            "say --log-level debug behind the command",
        ),
    ];
    match ours.into_iter().find(|(is_given, ..)| *is_given) {
        Some((_, flag, help)) => Err(Failure::Usage {
            what: format!("`boltworks {name}` takes {name}'s flags alone, and {flag} is ours"),
            help: help.to_owned(),
        }),
        None => Ok(dialect.run(words.iter().cloned())),
    }
}
