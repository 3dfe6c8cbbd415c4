//! What can be wrong with a recipe or an image, where, and what to write instead.

use std::fmt;

use boltworks_model::{Architecture, NameError, ParseObjectIdError, RefNameError};
use boltworks_version::apk::{DependencyError, VersionError};
use boltworks_yaml::Place;

/// Why a recipe or an image could not be read or understood.
///
/// Shown as `file:line:column: …; did you mean 'x'?`.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "the one error of this room, named as every room names its own"
)]
pub enum Error {
    /// The file is no YAML, or not of the schema.
    #[error(transparent)]
    Yaml(#[from] boltworks_yaml::Error),
    /// The file is well-formed, but means nothing we can do.
    #[error("{at}: {}{}", one_line(problem), Hint(problem.suggestion()))]
    At {
        /// Where.
        at: Place,
        /// What.
        #[source]
        problem: Box<Problem>,
    },
}

impl Error {
    /// A problem at a place.
    pub fn at(at: Place, problem: Problem) -> Self {
        Self::At {
            at,
            problem: Box::new(problem),
        }
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        match self {
            Self::Yaml(error) => error.place(),
            Self::At { at, .. } => at.clone(),
        }
    }

    /// What is wrong, without place and suggestion.
    pub fn message(&self) -> String {
        match self {
            Self::Yaml(error) => error.message.clone(),
            Self::At { problem, .. } => one_line(problem),
        }
    }

    /// What to write instead.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::Yaml(error) => error.suggestion.as_deref(),
            Self::At { problem, .. } => problem.suggestion(),
        }
    }

    /// Whether the recipe is merely not meant for the architecture asked for.
    pub fn is_other_architecture(&self) -> bool {
        matches!(self, Self::At { problem, .. }
            if matches!(**problem, Problem::OtherArchitecture { .. }))
    }
}

/// What is wrong, on one line whatever text it repeats.
fn one_line(problem: &Problem) -> String {
    let text = problem.to_string();
    text.replace(char::is_control, " ")
}

struct Hint<'a>(Option<&'a str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(suggestion) => write!(f, "; did you mean '{suggestion}'?"),
            None => Ok(()),
        }
    }
}

/// The advice, where there is nothing better to suggest.
const fn unless(is_suggested: bool, advice: &'static str) -> &'static str {
    if is_suggested { "" } else { advice }
}

/// Where a variable of that name would be defined.
fn definition(name: &str) -> &'static str {
    match name.split_once('.').map_or("", |(kind, _)| kind) {
        "vars" => ": define it under `vars`",
        "inputs" => ": list it under the pipeline's `inputs`",
        "range" => ": only a subpackage with `range` has it",
        _ => "",
    }
}

/// What is wrong with a well-formed file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// `${{…}}` names nothing.
    #[error("unknown variable '{name}'{}", unless(suggestion.is_some(), definition(name)))]
    UnknownVariable {
        /// What it names.
        name: String,
        /// The nearest variable there is.
        suggestion: Option<String>,
    },
    /// `uses` names nothing.
    #[error(
        "unknown pipeline '{name}'{}",
        unless(suggestion.is_some(), ": no folder of pipelines has a file of that name")
    )]
    UnknownPipeline {
        /// What it names.
        name: String,
        /// The nearest pipeline there is.
        suggestion: Option<String>,
    },
    /// `with` gives an input that the pipeline does not take.
    #[error("the pipeline '{pipeline}' has no input '{name}'")]
    UnknownInput {
        /// The pipeline.
        pipeline: String,
        /// What is given.
        name: String,
        /// The nearest input there is.
        suggestion: Option<String>,
    },
    /// A word is none of those known.
    #[error("unknown {what} '{text}': known are {known}")]
    UnknownWord {
        /// What it should be.
        what: &'static str,
        /// The word.
        text: String,
        /// Those known.
        known: String,
        /// The nearest.
        suggestion: Option<String>,
    },
    /// An input that must be given is not.
    #[error("the pipeline '{pipeline}' needs the input '{name}'")]
    MissingInput {
        /// The pipeline.
        pipeline: String,
        /// The input.
        name: String,
    },
    /// An input is not what the pipeline takes.
    #[error("the input '{name}' of the pipeline '{pipeline}' {rule}")]
    BadInput {
        /// The pipeline.
        pipeline: String,
        /// The input.
        name: String,
        /// The rule it breaks.
        rule: String,
    },
    /// A pipeline uses itself, perhaps through others.
    #[error("the pipelines use each other in a circle: {chain}")]
    PipelineCycle {
        /// `a → b → a`
        chain: String,
    },
    /// A variable is defined by itself, perhaps through others.
    #[error("the variables define each other in a circle: {chain}")]
    VariableCycle {
        /// `a → b → a`
        chain: String,
    },
    /// `${{` without an end, or with something else than a name in it.
    #[error("'{text}' is no variable: write ${{{{name}}}}")]
    BadVariable {
        /// What stands there.
        text: String,
    },
    /// The text of an `if` is not of its grammar.
    #[error("the condition is not understood at character {at}: {expected} expected")]
    BadCondition {
        /// The character, from 1.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The document inside a package is none that this program writes.
    #[error("the recipe inside the package is not understood: {reason}")]
    BadDocument {
        /// Why.
        reason: String,
    },
    /// Too much, by one of our limits.
    #[error("{what}: the limit is {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A text that is to be changed in the file, and cannot be.
    #[error("'{old}' cannot be changed here: {reason}")]
    Unchangeable {
        /// What stands there.
        old: String,
        /// Why not.
        reason: &'static str,
    },
    /// Part of the format, but not of this program yet.
    #[error("{what} is not supported yet")]
    NotSupported {
        /// What.
        what: String,
    },
    /// `target-architecture` does not name the architecture asked for.
    #[error("the recipe is for {known}, not for {asked}")]
    OtherArchitecture {
        /// What was asked for.
        asked: Architecture,
        /// What the recipe names.
        known: String,
    },
    /// Fewer steps run than a pipeline asserts.
    #[error("{run} of the pipeline's steps run, but it requires {required}")]
    RequiredSteps {
        /// How many run.
        run: usize,
        /// How many must.
        required: u32,
    },
    /// A name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A commit's name is not one.
    #[error(transparent)]
    ObjectId(#[from] ParseObjectIdError),
    /// A branch's or tag's name is not one.
    #[error(transparent)]
    RefName(#[from] RefNameError),
    /// A version is not one.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A dependency is not one.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// A value breaks a rule.
    #[error("{what} '{text}' {rule}")]
    BadValue {
        /// What it is.
        what: &'static str,
        /// The value, cut to 160 characters.
        text: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The text of a pattern is not of its language.
    #[error("the pattern is not understood at character {at}: {rule}")]
    BadPattern {
        /// The character, from 1.
        at: usize,
        /// What is wrong there.
        rule: &'static str,
    },
    /// `range` names no data.
    #[error(
        "there is no data '{name}'{}",
        unless(suggestion.is_some(), ": list it under `data`")
    )]
    UnknownData {
        /// What it names.
        name: String,
        /// The nearest data there is.
        suggestion: Option<String>,
    },
    /// A package is made twice.
    #[error("the package '{name}' is made twice: each needs a name of its own")]
    TwicePackage {
        /// Its name.
        name: String,
    },
}

impl Problem {
    /// A value that breaks a rule.
    pub(crate) fn value(what: &'static str, text: &str, rule: &'static str) -> Self {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        Self::BadValue {
            what,
            text: text.chars().take(160).map(plain).collect(),
            rule,
        }
    }

    /// What to write instead.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::UnknownVariable { suggestion, .. }
            | Self::UnknownData { suggestion, .. }
            | Self::UnknownPipeline { suggestion, .. }
            | Self::UnknownInput { suggestion, .. }
            | Self::UnknownWord { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }
}
