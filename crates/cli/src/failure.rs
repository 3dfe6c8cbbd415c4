//! Errors at the edge: every kind of error is mapped here, and only here, to an exit code; [`advice`]
//! says what to do next.

use std::io;
use std::process::ExitCode;

use boltworks_factory::testing::Tested;
use boltworks_factory::{Error as FactoryError, attempt};
use boltworks_model::{is_unseen, visible_line};
use boltworks_package::{Error as PackageError, Failed};
use boltworks_source::Error as SourceError;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use serde_json::{Value, json};

use crate::advice::advice;
use crate::commands::test;
use crate::excerpt::{Place, excerpt};
use crate::output::Output;
use crate::terminal::hung;
use crate::{failed, host, signals};

/// Exit codes, as documented in `docs/commands.md`.
pub(crate) mod exit {
    use std::process::ExitCode;

    /// Something could not be made, or was refused by the gate.
    pub(crate) const FAILED: ExitCode = ExitCode::FAILURE;
}

/// The command line or a file of the user's is wrong.
pub(crate) const USAGE: u8 = 2;
/// The work itself failed: a step, a test, a download.
const WORK: u8 = 1;
/// Something this machine lacks.
const MACHINE: u8 = 3;
/// Stopped on request.
const STOPPED: u8 = 130;

/// How a line of advice begins.
const HELP: &str = "help: ";
/// What is said of a command that was stopped.
const STOPPED_WORDS: &str = "stopped on request";
/// What is kept of it.
const KEPT: &str = "run the same command again: what was finished is kept";

/// Whatever a command can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The factory.
    #[error(transparent)]
    Factory(Box<FactoryError>),
    /// A recipe or image.
    #[error(transparent)]
    Recipe(#[from] boltworks_recipe::Error),
    /// A package, index or key file.
    #[error(transparent)]
    Apk(#[from] boltworks_apk::Error),
    /// A key.
    #[error(transparent)]
    Crypto(#[from] boltworks_crypto::Error),
    /// The server.
    #[error(transparent)]
    Serve(#[from] boltworks_serve::Error),
    /// What is released.
    #[error(transparent)]
    Release(#[from] boltworks_release::Error),
    /// A file.
    #[error(transparent)]
    Fsx(#[from] boltworks_fsx::Error),
    /// A path.
    #[error(transparent)]
    Path(#[from] boltworks_fsx::PathError),
    /// Reading or writing.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A document.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The packages of a build cannot be chosen.
    #[error("the build's packages cannot be chosen:\n{why}")]
    Choice {
        /// Why not, over several lines.
        why: String,
        /// What to do instead.
        help: String,
    },
    /// The command line says something that cannot be, in one line.
    #[error("{}", visible_line(what))]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do instead.
        help: String,
    },
}

impl From<FactoryError> for Failure {
    fn from(error: FactoryError) -> Self {
        Self::Factory(Box::new(error))
    }
}

/// Prints the error and its advice; gives the exit code.
pub(crate) fn report(failure: &Failure, output: &Output) -> ExitCode {
    let code = code(failure);
    if code == STOPPED && !output.is_json() {
        output.note(&format!("{STOPPED_WORDS}: {KEPT}"));
        return ExitCode::from(code);
    }
    if output.is_json() {
        output.json(&document(failure));
    } else {
        tell(failure, output);
    }
    ExitCode::from(code)
}

/// The error for machines.
pub(crate) fn document(failure: &Failure) -> Value {
    let code = code(failure);
    let (message, mut all) = parted(&whole(failure));
    all.extend(help(failure));
    json!({"error": {
        "message": if code == STOPPED { STOPPED_WORDS.to_owned() } else { message },
        "help": all,
        "tail": step(failure).map_or(&[][..], |step| &step.tail),
        "step": step(failure).map(failed::document),
        "tests": tests(failure).iter().map(test::document).collect::<Vec<_>>(),
        "exit": code,
    }})
}

/// Prints the error and its advice for people, where others may follow.
pub(crate) fn tell(failure: &Failure, output: &Output) {
    match Place::of(failure) {
        Some(place) => output.coloured_note(&excerpt(&place)),
        None => output.note(&plain(failure)),
    }
    // An excerpt has its help within.
    for line in help(failure).filter(|_| Place::of(failure).is_none()) {
        output.note(&format!("{HELP}{}", visible_line(&line)));
    }
}

/// What to do next, in commands that can be pasted as they stand.
fn help(failure: &Failure) -> impl Iterator<Item = String> {
    let ours = match host::other_name() {
        Some(program) => format!("`{program} "),
        None => "`boltworks ".to_owned(),
    };
    let advice = if code(failure) == STOPPED {
        vec![KEPT.to_owned()]
    } else {
        advice(failure)
    };
    advice
        .into_iter()
        .map(move |line| line.replace("`boltworks ", &ours))
}

/// Prints why the command line cannot be read, or the help that it asks for.
pub(crate) fn report_usage(error: clap::Error, output: &Output) -> ExitCode {
    let error = visible_usage(error);
    let code = u8::try_from(error.exit_code()).unwrap_or(USAGE);
    if !output.is_json() || !error.use_stderr() {
        // A reader that has gone away is no error.
        drop(error.print());
        return ExitCode::from(code);
    }
    let (message, help) = usage_words(&error.to_string(), error.kind());
    output.json(&json!({"error": {
        "message": message, "help": help, "tail": [], "step": null, "tests": [], "exit": code,
    }}));
    ExitCode::from(code)
}

/// The same with every word of the command line on one line.
fn visible_usage(mut error: clap::Error) -> clap::Error {
    let words = |text: &str| visible_line(text).into_owned();
    let visible = |value: &ContextValue| match value {
        ContextValue::String(text) => Some(ContextValue::String(words(text))),
        ContextValue::Strings(all) => {
            let all = all.iter().map(|text| words(text));
            Some(ContextValue::Strings(all.collect()))
        }
        // Colours are lost where the words would change.
        ContextValue::StyledStrs(all) if all.iter().any(is_odd) => {
            let all = all.iter().map(|text| words(&text.to_string()).into());
            Some(ContextValue::StyledStrs(all.collect()))
        }
        _ => None,
    };
    // An empty word is told as a missing one.
    if error.get(ContextKind::InvalidValue) == Some(&ContextValue::String(String::new()))
        && host::arguments().any(|word| word.is_empty())
    {
        let empty = ContextValue::String("(an empty word)".to_owned());
        error.insert(ContextKind::InvalidValue, empty);
    }
    let context = error.context();
    let context = context.filter_map(|(kind, value)| Some((kind, visible(value)?)));
    for (kind, value) in context.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
    error
}

fn is_odd(text: &StyledStr) -> bool {
    text.to_string().contains(is_unseen)
}

/// The message and the advice in clap's text: the first paragraph, and all others.
fn usage_words(text: &str, kind: clap::error::ErrorKind) -> (String, Vec<String>) {
    if kind == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return (
            "the command is not complete".to_owned(),
            vec!["say --help instead of --json to see what it takes".to_owned()],
        );
    }
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| line.strip_prefix("tip: ").unwrap_or(line).to_owned())
            .collect()
    };
    (lines(message).join(" "), lines(rest))
}

/// A message without the advice that stands in it, each on a line of its own as the solver writes it; and
/// that advice.
pub(crate) fn parted(text: &str) -> (String, Vec<String>) {
    let is_advice = |line: &&str| line.starts_with(HELP);
    let (advice, message): (Vec<&str>, Vec<&str>) = text.lines().partition(is_advice);
    let advice = advice
        .into_iter()
        .filter_map(|line| line.strip_prefix(HELP));
    (message.join("\n"), advice.map(str::to_owned).collect())
}

fn whole(failure: &Failure) -> String {
    boltworks_model::chain(failure)
}

/// The error for people, where it is about no place in a file of theirs. What others wrote begins no
/// line at the margin, where our own words do.
fn plain(failure: &Failure) -> String {
    let (message, advice) = parted(&whole(failure));
    let mut text = hung(&format!("error: {message}"));
    let tests = tests(failure);
    let step = step(failure).filter(|_| tests.is_empty());
    let lines = step.map(|step| failed::lines(step, "  ", hung));
    let lines = lines.unwrap_or_default().into_iter();
    for line in lines.chain(tests.iter().flat_map(|test| test::told(test, "  ", hung))) {
        text.push('\n');
        text.push_str(&line);
    }
    for line in advice {
        text.extend(["\n", HELP, line.as_str()]);
    }
    text
}

/// The tests that failed, where it were some of several.
fn tests(failure: &Failure) -> &[Tested] {
    match failure {
        Failure::Factory(error) => attempt::tests(error),
        _ => &[],
    }
}

/// The step that failed, where it was one; of several the first.
fn step(failure: &Failure) -> Option<&Failed> {
    match failure {
        Failure::Factory(error) => attempt::step(error),
        _ => None,
    }
}

/// Whether a file of the user's is too large to be what it should be, or no text.
fn is_wrong_file(error: &boltworks_fsx::Error) -> bool {
    error.no_text().is_some() || error.io_kind() == Some(io::ErrorKind::FileTooLarge)
}

fn code(failure: &Failure) -> u8 {
    if signals::have_stopped_it() {
        return STOPPED;
    }
    let Failure::Factory(error) = failure else {
        return match failure {
            Failure::Usage { .. } | Failure::Choice { .. } | Failure::Recipe(_) => USAGE,
            Failure::Fsx(error) if is_wrong_file(error) => USAGE,
            Failure::Crypto(error) if error.is_no_key() => USAGE,
            _ => WORK,
        };
    };
    match error.cause() {
        FactoryError::NoFactory { .. }
        | FactoryError::Folder { .. }
        | FactoryError::Missing { .. }
        | FactoryError::Asked { .. }
        | FactoryError::Config(_)
        | FactoryError::Recipe(_)
        | FactoryError::KeyGone { .. } => USAGE,
        FactoryError::Fsx(error) if is_wrong_file(error) => USAGE,
        FactoryError::Crypto(error) if error.is_no_key() => USAGE,
        FactoryError::Refused(_)
        | FactoryError::Source(SourceError::Missing { .. } | SourceError::NoKeyring { .. }) => {
            MACHINE
        }
        FactoryError::Cancelled(_)
        | FactoryError::Source(SourceError::Cancelled(_))
        | FactoryError::Package(PackageError::Cancelled(_))
        | FactoryError::Image(boltworks_image::Error::Cancelled(_)) => STOPPED,
        FactoryError::Registry(error) if error.is_cancelled() => STOPPED,
        _ => WORK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_our_own_words_begins_a_line() {
        let help = String::new;
        let why = "error: forged\nhelp: add a".to_owned();
        let choice = Failure::Choice { why, help: help() };
        let shown = "error: the build's packages cannot be chosen:\n    error: forged\nhelp: add a";
        assert_eq!(plain(&choice), shown);
        let what = "'a\nerror: forged' is no package".to_owned();
        let usage = Failure::Usage { what, help: help() };
        assert_eq!(plain(&usage), "error: 'a\\nerror: forged' is no package");
    }

    #[test]
    fn advice_within_a_message_is_advice() {
        let (message, help) = parted("no choice:\nworld needs a\nhelp: add a\nand b\nhelp: add b");
        assert_eq!(message, "no choice:\nworld needs a\nand b");
        assert_eq!(help, ["add a", "add b"]);
    }
}
