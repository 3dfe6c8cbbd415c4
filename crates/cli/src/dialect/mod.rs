//! Another program's command line: its names, letters and defaults, and work of ours behind them.
//!
//! A dialect is data: a table of [`Command`]s with their [`Flag`]s. The parser is made from it, and a guide
//! in `docs/` is held against it. A link that bears the program's name, or its name as the first word,
//! leads into the dialect.

pub(crate) mod flag;
#[cfg(test)]
pub(crate) mod guide;
pub(crate) mod other;
pub(crate) mod template;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use boltworks_model::Architecture;
use clap::{ArgMatches, Command as Parser};

use self::flag::{Flag, Role, Words, operands};
use crate::failure::{self, Failure};
use crate::output::{self, Output};

/// Another program's command line.
pub(crate) struct Dialect {
    /// The program's name.
    pub name: &'static str,
    pub about: &'static str,
    pub commands: &'static [Command],
    /// What groups of commands are for: the first words of commands with two.
    pub groups: &'static [(&'static str, &'static str)],
    /// Flags that every command takes.
    pub everywhere: &'static [Flag],
    /// Carries out the command of this name.
    pub work: fn(&str, &Words<'_>, &Output) -> Result<ExitCode, Failure>,
}

/// A command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Command {
    /// Its words: `source get`.
    pub name: &'static str,
    pub help: &'static str,
    /// What it takes beside flags, for people.
    pub usage: &'static str,
    /// The fewest of those.
    pub least: usize,
    pub flags: &'static [Flag],
    pub role: Role,
}

/// A command that acts.
pub(crate) const fn command(
    name: &'static str,
    usage: &'static str,
    least: usize,
    flags: &'static [Flag],
    help: &'static str,
) -> Command {
    Command {
        name,
        help,
        usage,
        least,
        flags,
        role: Role::Acts,
    }
}

/// A command that every dialect has.
pub(crate) const VERSION: Command = command(
    "version",
    "",
    0,
    &[flag::switch("json", "Print JSON")],
    "Print the version",
);
/// A command that every dialect has.
pub(crate) const COMPLETION: Command = command(
    "completion",
    "bash|zsh|fish|powershell",
    1,
    &[],
    "Print a completion script",
);

impl Command {
    /// What it needs beside flags when so many words are there.
    fn missing(&self, given: usize) -> String {
        let needed = self.usage.split_whitespace().take(self.least);
        needed.skip(given).collect::<Vec<_>>().join(" and ")
    }

    /// The same, not taken: why, and what to do instead.
    pub(crate) const fn refused(mut self, why: &'static str, instead: &'static str) -> Self {
        self.role = Role::Refused(why, instead);
        self
    }
}

/// The dialect of a program that is called by this name.
pub(crate) fn of(program: &OsStr) -> Option<&'static Dialect> {
    let all: [&Dialect; 2] = [&crate::melange::MELANGE, &crate::apko::APKO];
    all.into_iter().find(|dialect| dialect.is_name(program))
}

impl Dialect {
    /// Whether the program was called by this name.
    pub(crate) fn is_name(&self, program: &OsStr) -> bool {
        Path::new(program).file_name() == Some(OsStr::new(self.name))
    }

    /// Carries out a command line, the program's name left out.
    pub(crate) fn run(&self, words: impl IntoIterator<Item = OsString>) -> ExitCode {
        let output = Output::new(false);
        let words = std::iter::once(OsString::from(self.name)).chain(words);
        let matches = match self.parser().try_get_matches_from(words) {
            Ok(matches) => matches,
            Err(error) => return failure::report_usage(error, &output),
        };
        match self.carry_out(&matches, &output) {
            Ok(code) => code,
            Err(failure) => failure::report(&failure, &output),
        }
    }

    /// The whole command line, made from the table of commands.
    pub(crate) fn parser(&self) -> Parser {
        let everywhere = self.everywhere.iter();
        let mut parser = Parser::new(self.name)
            .about(self.about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .max_term_width(100)
            .args(everywhere.map(|flag| flag.arg().global(true)));
        for command in self.commands {
            match command.name.split_once(' ') {
                None => parser = parser.subcommand(self.leaf(command, command.name)),
                Some((above, below)) => {
                    if parser.find_subcommand(above).is_none() {
                        parser = parser.subcommand(self.group(command, above));
                    }
                    // The flags are the group's.
                    let command = Command {
                        flags: &[],
                        ..*command
                    };
                    let leaf = self.leaf(&command, below);
                    parser = parser.mut_subcommand(above, |group| group.subcommand(leaf));
                }
            }
        }
        parser
    }

    /// Commands that share their flags, which may stand before the second word or after it.
    fn group(&self, command: &Command, name: &'static str) -> Parser {
        let about = self.groups.iter().find(|(group, _)| *group == name);
        let flags = command.flags.iter();
        Parser::new(name)
            .about(about.map_or("", |(_, about)| *about))
            .args_override_self(true)
            .subcommand_required(true)
            .args(flags.map(|flag| flag.arg().global(true)))
    }

    fn leaf(&self, command: &Command, name: &'static str) -> Parser {
        let usage = format!("{} {} [FLAGS] {}", self.name, command.name, command.usage);
        let mut parser = Parser::new(name)
            .about(command.help)
            .args_override_self(true)
            .override_usage(usage);
        for flag in command.flags {
            parser = parser.arg(flag.arg());
        }
        parser.arg(operands())
    }

    pub(crate) fn carry_out(
        &self,
        matches: &ArgMatches,
        output: &Output,
    ) -> Result<ExitCode, Failure> {
        let own = self.name;
        let mut name = String::new();
        let mut matches = matches;
        while let Some((word, below)) = matches.subcommand() {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(word);
            matches = below;
        }
        let command = self.commands.iter().find(|command| command.name == name);
        let command = command.ok_or_else(|| usage("no such command", format!("see {own} help")))?;
        if let Role::Refused(why, instead) = command.role {
            return Err(usage(format!("{own} {name} is not taken: {why}"), instead));
        }
        let words = Words::new(matches);
        output::start_tracing(verbosity(&words)?);
        words.check(self.everywhere, output)?;
        words.check(command.flags, output)?;
        let missing = command.missing(words.operands().len());
        if !missing.is_empty() {
            return Err(usage(
                format!("{own} {name} is not complete: it takes {missing} too"),
                format!("{own} {name} [FLAGS] {}", command.usage),
            ));
        }
        (self.work)(command.name, &words, output)
    }
}

/// A command line that says what cannot be.
pub(crate) fn usage(what: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure::Usage {
        what: what.into(),
        help: help.into(),
    }
}

/// A processor architecture by apk's or OCI's name, or `host`.
pub(crate) fn architecture(name: &str) -> Result<Architecture, Failure> {
    let name = if name == "host" {
        std::env::consts::ARCH
    } else {
        name
    };
    name.parse().map_err(|error: boltworks_model::NameError| {
        usage(
            error.to_string(),
            "name one like x86_64 or aarch64, or say host",
        )
    })
}

/// How much is said: warnings, more with `info`'s neighbours below it.
fn verbosity(words: &Words<'_>) -> Result<u8, Failure> {
    let level = words.text("log-level").unwrap_or_default();
    match level.to_ascii_lowercase().as_str() {
        // What is told of a build at `info` is told by the progress lines.
        "error" | "warn" | "warning" | "info" | "" => Ok(0),
        "debug" => Ok(2),
        _ => Err(usage(
            format!("'{level}' is no log level"),
            "there are debug, info, warn and error",
        )),
    }
}
