//! What can be wrong with a recipe or an image, and where; `help`: what to write instead.

mod help;

use std::fmt;

use boltworks_model::{
    Architecture, NameError, ParseObjectIdError, RefNameError, visible_line, visible_start,
};
use boltworks_version::apk::{DependencyError, VersionError};
use boltworks_yaml::{Place, did_you_mean};

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
    #[error("{at}: {}{}{}", one_line(problem), used(user.as_deref()), Hint(problem.suggestion()))]
    At {
        /// Where.
        at: Place,
        /// The step of the recipe that uses the pipeline in which that is.
        user: Option<Box<Place>>,
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
            user: None,
            problem: Box::new(problem),
        }
    }

    /// The same, where it is in the file of a pipeline that is used at a place.
    pub(crate) fn used_at(mut self, place: Place) -> Self {
        match &mut self {
            Self::At { at, user, .. } if at.file != place.file => *user = Some(Box::new(place)),
            Self::Yaml(error) if error.file != place.file => error.message += &used(Some(&place)),
            _ => {}
        }
        self
    }

    /// The same with what to do next, where a value breaks a rule.
    pub(crate) fn helped(mut self, advice: &'static str) -> Self {
        if let Self::At { problem, .. } = &mut self
            && let Problem::BadValue { help, .. } = &mut **problem
        {
            *help = advice;
        }
        self
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
            Self::Yaml(error) => visible_line(&error.message).into_owned(),
            Self::At { problem, user, .. } => one_line(problem) + &used(user.as_deref()),
        }
    }

    /// What to write instead.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::Yaml(error) => error.suggestion.as_deref(),
            Self::At { problem, .. } => problem.suggestion(),
        }
    }

    /// What to do next, a line; where something is [suggested](Self::suggestion), that.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Yaml(error) => error.advice(),
            Self::At { problem, .. } => problem
                .suggestion()
                .map(did_you_mean)
                .or_else(|| Some(visible_line(&problem.help()).into_owned())),
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
    visible_line(&text).into_owned()
}

/// Which step of a recipe it is about, if that is elsewhere.
fn used(user: Option<&Place>) -> String {
    user.map_or_else(String::new, |user| format!(" (used at {user})"))
}

struct Hint<'a>(Option<&'a str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(suggestion) => write!(f, "; {}", did_you_mean(suggestion)),
            None => Ok(()),
        }
    }
}

/// The advice, where there is nothing better to suggest.
const fn unless(is_suggested: bool, advice: &'static str) -> &'static str {
    if is_suggested { "" } else { advice }
}

/// Names the character that is wrong.
fn odd_character(text: &str, odd: Option<&char>) -> String {
    match odd {
        Some(odd) if text.starts_with(*odd) => format!(": it begins with '{odd}'"),
        Some(odd) => format!(": '{odd}' stands in it"),
        None => String::new(),
    }
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
    /// `uses` names what is there and is not taken.
    #[error("the pipeline '{name}' is not taken: {path} {rule}")]
    RefusedPipeline {
        /// What it names.
        name: String,
        /// The file or folder.
        path: String,
        /// What is wrong with it.
        rule: &'static str,
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
    /// A repository is to be checked out, and no commit of it is named.
    #[error("the pipeline '{pipeline}' needs the input 'expected-commit'")]
    NoCommit {
        /// The pipeline.
        pipeline: &'static str,
        /// The command that tells the commit.
        command: String,
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
    /// Longer than Linux hands to a program in one piece.
    #[error("{what} has {size} bytes, and a program can be handed {limit}")]
    TooLong {
        /// What.
        what: String,
        /// How long it is, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The name of a file that is called after a package is too long.
    #[error(
        "the package's name and version make a file name of {size} bytes, and {limit} are the most \
         (`NAME-VERSION.spdx.json`)"
    )]
    LongFileName {
        /// Its length, in bytes.
        size: usize,
        /// The limit, in bytes.
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
    /// No source can be fetched from such an address.
    #[error("nothing here can fetch '{uri}': {reason}")]
    Unfetchable {
        /// The address, cut to 160 characters.
        uri: String,
        /// What stands in the way.
        reason: &'static str,
    },
    /// Other than so many steps run as a pipeline asserts.
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
        /// What to do next.
        help: &'static str,
    },
    /// No name for a package made here.
    #[error("'{text}' is no name for a package{}", odd_character(text, odd.as_ref()))]
    BadPackageName {
        /// The name, cut to 160 characters.
        text: String,
        /// The first character that no such name has there.
        odd: Option<char>,
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

/// The rule that a value breaks, and what to do next: no error is without.
pub(crate) type Rule = [&'static str; 2];

impl Problem {
    /// What to do about a document that is not as this program writes it.
    pub(crate) const ANOTHER_PROGRAM: &'static str =
        "make the package again from its recipe: this document was written by another program";

    /// A value that breaks a rule.
    pub(crate) fn value(what: &'static str, text: &str, [rule, help]: Rule) -> Self {
        Self::BadValue {
            what,
            text: visible_start(text, 160),
            rule,
            help,
        }
    }

    /// A text that is no name for a package made here.
    pub(crate) fn package_name(text: &str) -> Self {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || "+_.-".contains(*c);
        let first = text.chars().next().filter(|c| !c.is_ascii_alphanumeric());
        Self::BadPackageName {
            text: visible_start(text, 160),
            odd: first.or_else(|| text.chars().find(|c| !is_plain(c))),
        }
    }
}
