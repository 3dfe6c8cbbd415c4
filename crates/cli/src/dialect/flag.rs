//! Flags as data: what each is called, what it takes, and what becomes of it here. The parser is made
//! from this, and a guide in `docs/` is held against it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, PathBufValueParser, TypedValueParser as _, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

use crate::failure::Failure;
use crate::output::Output;

/// A flag of another program's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    pub name: &'static str,
    pub short: Option<char>,
    pub kind: Kind,
    pub role: Role,
    pub help: &'static str,
}

/// What a flag takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// One text; the default, where it is not empty.
    Text(&'static str),
    /// Several texts, parted by commas or given one by one.
    List,
    /// Nothing, or `=true` or `=false`.
    Switch(bool),
}

/// What becomes of a flag.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// It acts as it does there.
    Acts,
    /// It is taken and changes nothing, because here nothing depends on it. What is said of that to
    /// whoever gives it, where it is not empty.
    Idle(&'static str),
    /// It is not taken: why, and what to do instead.
    Refused(&'static str, &'static str),
}

/// A flag that takes a text.
pub(crate) const fn text(name: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        short: None,
        kind: Kind::Text(""),
        role: Role::Acts,
        help,
    }
}

/// A flag that takes several texts.
pub(crate) const fn list(name: &'static str, help: &'static str) -> Flag {
    Flag {
        kind: Kind::List,
        ..text(name, help)
    }
}

/// A flag that is there or not.
pub(crate) const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag {
        kind: Kind::Switch(false),
        ..text(name, help)
    }
}

impl Flag {
    /// With one letter that stands for it.
    pub(crate) const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// With a value that holds where none is given.
    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.kind = Kind::Text(default);
        self
    }

    /// On, where nothing is said.
    pub(crate) const fn on(mut self) -> Self {
        self.kind = Kind::Switch(true);
        self
    }

    /// Taken, and without effect.
    pub(crate) const fn idle(mut self) -> Self {
        self.role = Role::Idle("");
        self
    }

    /// Taken, without effect, and told so.
    pub(crate) const fn told(mut self, note: &'static str) -> Self {
        self.role = Role::Idle(note);
        self
    }

    /// Not taken.
    pub(crate) const fn refused(mut self, why: &'static str, instead: &'static str) -> Self {
        self.role = Role::Refused(why, instead);
        self
    }

    /// The same for clap.
    pub(crate) fn arg(&self) -> Arg {
        let arg = Arg::new(self.name).long(self.name).help(self.help);
        let arg = match self.short {
            Some(letter) => arg.short(letter),
            None => arg,
        };
        match self.kind {
            Kind::Text(default) => {
                let arg = arg.action(ArgAction::Set).value_parser(texts());
                if default.is_empty() {
                    arg
                } else {
                    arg.default_value(default)
                }
            }
            Kind::List => arg
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(texts()),
            Kind::Switch(default) => arg
                .action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .default_value(if default { "true" } else { "false" })
                .value_parser(switches()),
        }
        .value_name(match self.kind {
            Kind::Text(_) | Kind::List => "VALUE",
            Kind::Switch(_) => "BOOL",
        })
    }
}

/// Values are paths more often than not, and a path need not be UTF-8.
fn texts() -> ValueParser {
    // An empty value is one: `--signing-key=$(KEY)` in a Makefile, with KEY unset.
    ValueParser::os_string()
}

/// Go reads `1`, `t`, `T`, `TRUE`, `true`, `True` and their opposites.
fn switches() -> ValueParser {
    BoolishValueParser::new().into()
}

/// A command line that was read.
pub(crate) struct Words<'a> {
    matches: &'a ArgMatches,
}

/// The name of what is on a command line beside flags.
pub(crate) const OPERANDS: &str = "operands";

impl<'a> Words<'a> {
    pub(crate) const fn new(matches: &'a ArgMatches) -> Self {
        Self { matches }
    }

    /// What is given beside flags.
    pub(crate) fn operands(&self) -> Vec<PathBuf> {
        let found = self.matches.try_get_many::<PathBuf>(OPERANDS);
        found
            .ok()
            .flatten()
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Whether a flag was given, whatever its value.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.matches.try_contains_id(name).unwrap_or(false)
            && self.matches.value_source(name) == Some(ValueSource::CommandLine)
    }

    /// A path; none, where it is empty.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        let found = self.matches.try_get_one::<OsString>(name).ok().flatten();
        found.filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// A text; none, where it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let text = self.path(name)?;
        Some(text.to_string_lossy().into_owned())
    }

    /// Several paths, those that are empty left out.
    pub(crate) fn paths(&self, name: &str) -> Vec<PathBuf> {
        let found = self.matches.try_get_many::<OsString>(name).ok().flatten();
        let found = found.into_iter().flatten();
        found
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
            .collect()
    }

    /// Several texts, those that are empty left out.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let paths = self.paths(name).into_iter();
        paths
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        let found = self.matches.try_get_one::<bool>(name);
        found.ok().flatten().copied().unwrap_or(false)
    }

    /// Refuses what is not taken, and tells what changes nothing.
    pub(crate) fn check(&self, flags: &[Flag], output: &Output) -> Result<(), Failure> {
        for flag in flags.iter().filter(|flag| self.is_said(flag)) {
            match flag.role {
                Role::Acts | Role::Idle("") => {}
                Role::Idle(note) => output.note(&format!("! --{}: {note}", flag.name)),
                Role::Refused(why, instead) => {
                    return Err(Failure::Usage {
                        what: format!("--{} is not taken: {why}", flag.name),
                        help: instead.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether a flag is given, and says something else than its default.
    fn is_said(&self, flag: &Flag) -> bool {
        self.is_given(flag.name)
            && match flag.kind {
                Kind::Text(default) => self.text(flag.name).is_some_and(|text| text != default),
                Kind::List => !self.paths(flag.name).is_empty(),
                Kind::Switch(default) => self.is_on(flag.name) != default,
            }
    }
}

/// What is given beside flags: paths, or words.
pub(crate) fn operands() -> Arg {
    Arg::new(OPERANDS)
        .num_args(0..)
        .value_name("ARGUMENT")
        .value_parser(PathBufValueParser::new().map(|path| path))
}
