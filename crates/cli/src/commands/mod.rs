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

use std::process::ExitCode;

use crate::arguments::{Arguments, Command, StoreCommand};
use crate::failure::Failure;
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
        Command::Melange { words } => Ok(crate::melange::MELANGE.run(words.iter().cloned())),
        Command::Apko { words } => Ok(crate::apko::APKO.run(words.iter().cloned())),
        Command::Schema => generated::schema(output),
        Command::Completion { shell } => Ok(generated::completion(*shell, output)),
        Command::Man { folder } => generated::manual(folder, output),
    }
}
