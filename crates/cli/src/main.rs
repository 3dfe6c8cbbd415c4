//! The `boltworks` program: reads the command line, opens what it names, and hands over.
//!
//! The first process of every sandbox is this program too; it is recognised by its first argument,
//! before there is any thread. Called by the name of another program, `melange` or `apko`, it takes
//! that one's command line.

mod advice;
mod ambient;
mod apko;
mod arguments;
mod commands;
mod dialect;
mod difference;
mod excerpt;
mod failed;
mod failure;
mod host;
mod melange;
mod output;
mod progress;
mod signals;
mod table;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::output::Output;

fn main() -> ExitCode {
    host::allocate_together();
    let arguments: Vec<_> = host::arguments().collect();
    if arguments
        .get(1)
        .is_some_and(|word| word == boltworks_sandbox::HELPER_WORD)
    {
        return boltworks_sandbox::helper(arguments.into_iter().skip(2));
    }
    if let Some((program, words)) = arguments.split_first()
        && let Some(dialect) = dialect::of(program)
    {
        return output::ended(dialect.run(words.iter().cloned()));
    }
    let wants_json = output::is_json_wanted(&arguments);
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return failure::report_usage(error, &Output::new(wants_json)),
    };
    let output = Output::new(arguments.json);
    output::start_tracing(arguments.verbose);
    output::ended(match commands::run(&arguments, &output) {
        Ok(code) => code,
        Err(error) => failure::report(&error, &output),
    })
}
