//! `melange`: the same work under another program's command line.
//!
//! A link named `melange`, or the first word `melange`, leads here. Names, letters and defaults of
//! commands and flags are that program's; the work is that of `boltworks build` and the others.
//! `docs/from-melange.md` says of every command and flag what becomes of it.
//!
//! Reading order: [`commands`] and [`flags`] (what there is, as data), [`flag`] (what a flag can be, and how it is
//! read), [`given`] (from flags to what the factory wants) and [`named`] (what recipes name of this machine), then one module for each sort of command.

mod build;
mod cache;
mod commands;
mod dotenv;
mod files;
mod flag;
mod flags;
mod given;
mod licences;
mod lint;
mod named;
mod other;
mod quantity;
mod query;
mod rebuild;
mod recipe;
mod scan;
mod source;
mod test;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command as Parser};

use self::commands::{COMMANDS, Command};
use self::flag::{Role, Words, operands};
use self::flags::LOG_LEVEL;
use crate::failure::{self, Failure};
use crate::output::{self, Output};

/// The program's name.
const NAME: &str = "melange";

/// Nothing could be made for the architectures that are asked for.
const SKIPPED: u8 = 4;

/// Whether the program was called by this name.
pub(crate) fn is_name(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(NAME))
}

/// Carries out a command line, the program's name left out.
pub(crate) fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let output = Output::new(false);
    let words = std::iter::once(OsString::from(NAME)).chain(words);
    let matches = match parser().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return failure::report_usage(&error, &output),
    };
    match carry_out(&matches, &output) {
        Ok(code) => code,
        Err(failure) => failure::report(&failure, &output),
    }
}

/// The whole command line, made from the table of commands.
pub(crate) fn parser() -> Parser {
    let mut parser = Parser::new(NAME)
        .about("Builds apk packages: the command line of melange, the work of Boltworks")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .arg(LOG_LEVEL.arg().global(true));
    for command in COMMANDS {
        match command.name.split_once(' ') {
            None => parser = parser.subcommand(leaf(command, command.name)),
            Some((above, below)) => {
                if parser.find_subcommand(above).is_none() {
                    parser = parser.subcommand(group(command, above));
                }
                // The flags are the group's.
                let command = Command {
                    flags: &[],
                    ..*command
                };
                let leaf = leaf(&command, below);
                parser = parser.mut_subcommand(above, |group| group.subcommand(leaf));
            }
        }
    }
    parser
}

/// Commands that share their flags, which may stand before the second word or after it.
fn group(command: &Command, name: &'static str) -> Parser {
    let group = Parser::new(name).about("The commits of recipes, to change them");
    let flags = command.flags.iter();
    group
        .args_override_self(true)
        .subcommand_required(true)
        .args(flags.map(|flag| flag.arg().global(true)))
}

fn leaf(command: &Command, name: &'static str) -> Parser {
    let mut parser = Parser::new(name)
        .about(command.help)
        .args_override_self(true)
        .override_usage(format!("{NAME} {} [FLAGS] {}", command.name, command.usage));
    for flag in command.flags {
        parser = parser.arg(flag.arg());
    }
    parser.arg(operands())
}

fn carry_out(matches: &ArgMatches, output: &Output) -> Result<ExitCode, Failure> {
    let mut name = String::new();
    let mut matches = matches;
    while let Some((word, below)) = matches.subcommand() {
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(word);
        matches = below;
    }
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or_else(|| usage("no such command", "see melange help"))?;
    if let Role::Refused(why, instead) = command.role {
        return Err(usage(
            format!("melange {name} is not taken: {why}"),
            instead,
        ));
    }
    let words = Words::new(matches);
    output::start_tracing(given::verbosity(&words)?);
    words.check(command.flags, output)?;
    if words.operands().len() < command.least {
        return Err(usage(
            format!("melange {name} needs more"),
            format!("melange {name} [FLAGS] {}", command.usage),
        ));
    }
    match command.name {
        "build" => build::run(&words, output),
        "test" => test::run(&words, output),
        "compile" => recipe::compile(&words, output),
        "query" => query::run(&words, output),
        "package-version" => query::package_version(&words, output),
        "index" => files::index(&words, output),
        "sign" => files::sign(&words, output),
        "sign-index" => files::sign_index(&words, output),
        "license-check" => licences::run(&words, output),
        "lint" => lint::run(&words, output),
        "rebuild" => rebuild::run(&words, output),
        "scan" => scan::run(&words, output),
        "keygen" => files::keygen(&words, output),
        "update-cache" => cache::update(&words, output),
        "source get" => source::get(&words, output),
        "source pop" => source::pop(&words, output),
        "bump" => other::bump(&words, output),
        "version" => other::version(&words, output),
        _ => other::completion(&words, output),
    }
}

/// A command line that says what cannot be.
fn usage(what: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure::Usage {
        what: what.into(),
        help: help.into(),
    }
}

#[cfg(test)]
mod tests;
