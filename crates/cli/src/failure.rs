//! Errors at the edge: every kind of error is mapped here, and only here, to an exit code and to
//! advice on what to do next.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use boltworks_factory::Error as FactoryError;
use serde_json::json;

use crate::output::Output;

/// Exit codes, as documented in `docs/commands.md`.
pub(crate) mod exit {
    use std::process::ExitCode;

    /// Something could not be made, or was refused by the gate.
    pub(crate) const FAILED: ExitCode = ExitCode::FAILURE;
}

/// The command line or a file of the user's is wrong.
const USAGE: u8 = 2;
/// The work itself failed: a step, a test, a download.
const WORK: u8 = 1;
/// Something this machine lacks.
const MACHINE: u8 = 3;
/// Stopped on request.
const STOPPED: u8 = 130;

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
    /// The command line says something that cannot be.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do instead.
        help: String,
    },
    /// Something was checked and is bad; the findings are printed already.
    #[error("{0}")]
    Bad(String),
}

impl From<FactoryError> for Failure {
    fn from(error: FactoryError) -> Self {
        Self::Factory(Box::new(error))
    }
}

/// Prints the error and its advice; gives the exit code.
pub(crate) fn report(failure: &Failure, output: &Output) -> ExitCode {
    let help = advice(failure);
    let code = code(failure);
    if output.is_json() {
        output.json(&json!({"error": {"message": whole(failure), "help": help, "exit": code}}));
    } else {
        output.note(&shown(failure));
        for line in help {
            output.note(&format!("help: {line}"));
        }
    }
    ExitCode::from(code)
}

fn whole(failure: &Failure) -> String {
    boltworks_factory::up::chain(failure)
}

/// The error for people: with its place and text where it is about a file of theirs.
fn shown(failure: &Failure) -> String {
    if let Some(place) = place(failure) {
        return snippet(&place);
    }
    let mut text = format!("error: {}", whole(failure));
    if let Failure::Factory(error) = failure {
        if let FactoryError::Package(boltworks_package::Error::Step { tail, .. }) = error.as_ref() {
            for line in tail {
                text.push_str("\n    ");
                text.push_str(line);
            }
        }
    }
    text
}

/// A place in a file of the user's, what is wrong there, and what to write instead.
struct Place {
    message: String,
    at: boltworks_yaml::Place,
    suggestion: Option<String>,
}

fn place(failure: &Failure) -> Option<Place> {
    match failure {
        Failure::Recipe(error) => Some(recipe_place(error)),
        Failure::Factory(error) => match error.as_ref() {
            FactoryError::Recipe(error) => Some(recipe_place(error)),
            FactoryError::Config(error) => Some(Place {
                message: error.message.clone(),
                at: error.place(),
                suggestion: error.suggestion.clone(),
            }),
            _ => None,
        },
        _ => None,
    }
}

fn recipe_place(error: &boltworks_recipe::Error) -> Place {
    Place {
        message: error.message(),
        at: error.place(),
        suggestion: error.suggestion().map(str::to_owned),
    }
}

fn snippet(place: &Place) -> String {
    let at = &place.at;
    let text = at.snippet.as_str();
    let column = usize::try_from(at.column).unwrap_or(1).saturating_sub(1);
    let start = text
        .char_indices()
        .nth(column)
        .map_or(text.len(), |(index, _)| index);
    let rest = text.get(start..).unwrap_or_default();
    let length = rest
        .find([' ', ':', '\n'])
        .unwrap_or(rest.len())
        .max(rest.len().min(1));
    let end = start
        + if rest.is_char_boundary(length) {
            length
        } else {
            rest.len()
        };
    let source = Snippet::source(text)
        .line_start(usize::try_from(at.line).unwrap_or(1))
        .path(at.file.as_str())
        .annotation(AnnotationKind::Primary.span(start..end));
    let mut title = Level::ERROR
        .primary_title(place.message.as_str())
        .element(source);
    if let Some(suggestion) = &place.suggestion {
        title = title.element(Level::HELP.message(format!("did you mean '{suggestion}'?")));
    }
    let report = [title];
    let renderer = if crate::output::is_watched() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&report)
}

fn code(failure: &Failure) -> u8 {
    let Failure::Factory(error) = failure else {
        return match failure {
            Failure::Usage { .. } | Failure::Recipe(_) => USAGE,
            _ => WORK,
        };
    };
    match error.as_ref() {
        FactoryError::NoFactory { .. }
        | FactoryError::Folder { .. }
        | FactoryError::Twice { .. }
        | FactoryError::Missing { .. }
        | FactoryError::Config(_)
        | FactoryError::Recipe(_)
        | FactoryError::Catalog(_) => USAGE,
        FactoryError::Refused(_) => MACHINE,
        FactoryError::Cancelled(_) => STOPPED,
        _ => WORK,
    }
}

/// What to do next.
fn advice(failure: &Failure) -> Vec<String> {
    match failure {
        Failure::Usage { help, .. } => vec![help.clone()],
        Failure::Factory(error) => factory_advice(error),
        _ => Vec::new(),
    }
}

fn factory_advice(error: &FactoryError) -> Vec<String> {
    match error {
        FactoryError::NoFactory { .. } => vec![
            "make one with `boltworks init FOLDER`, or name one with `--factory FILE`".to_owned(),
        ],
        FactoryError::Missing { what, known, .. } => {
            vec![format!("the factory's {what}s are: {}", known.join(", "))]
        }
        FactoryError::Package(boltworks_package::Error::Step { log, .. }) => {
            vec![format!("the whole log is the blob {log} of the store")]
        }
        FactoryError::Refused(refused) => vec![refused.fix.clone()],
        FactoryError::Cancelled(_) => {
            vec!["run the same command again: what was finished is kept".to_owned()]
        }
        error if error.source().is_some_and(is_full_disk) => {
            vec![
                "free some room and run the same command again: what was finished is kept"
                    .to_owned(),
            ]
        }
        _ => Vec::new(),
    }
}

fn is_full_disk(error: &(dyn std::error::Error + 'static)) -> bool {
    boltworks_factory::up::chain(error).contains("No space left on device")
}
