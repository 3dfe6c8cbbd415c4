//! Errors at the edge: every kind of error is mapped here, and only here, to an exit code and to
//! advice on what to do next.

use std::io;
use std::process::ExitCode;

use boltworks_apk::Error as ApkError;
use boltworks_factory::{Error as FactoryError, attempt};
use boltworks_package::{Error as PackageError, Failed};
use boltworks_source::Error as SourceError;
use boltworks_stage0::Error as Stage0Error;
use boltworks_store::Error as StoreError;
use boltworks_yaml::closest;
use serde_json::{Value, json};

use crate::excerpt::{NO_TEXT, Place, excerpt};
use crate::output::Output;
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
    let help: Vec<_> = help(failure).collect();
    json!({"error": {
        "message": if code == STOPPED { STOPPED_WORDS.to_owned() } else { whole(failure) },
        "help": help,
        "tail": step(failure).map_or(&[][..], |step| &step.tail),
        "step": step(failure).map(failed::document),
        "exit": code,
    }})
}

/// Prints the error and its advice for people, where others may follow.
pub(crate) fn tell(failure: &Failure, output: &Output) {
    output.note(&shown(failure));
    // An excerpt has its help within.
    for line in help(failure).filter(|_| Place::of(failure).is_none()) {
        output.note(&format!("help: {line}"));
    }
}

/// What to do next, in commands that can be pasted as they stand.
fn help(failure: &Failure) -> impl Iterator<Item = String> {
    let ours = match host::other_name() {
        Some(program) => format!("`{program} "),
        None => "`boltworks ".to_owned(),
    };
    let advice = advice(failure).into_iter();
    advice.map(move |line| line.replace("`boltworks ", &ours))
}

/// Prints why the command line cannot be read, or the help that it asks for.
pub(crate) fn report_usage(error: &clap::Error, output: &Output) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(USAGE);
    if !output.is_json() || !error.use_stderr() {
        // A reader that has gone away is no error.
        drop(error.print());
        return ExitCode::from(code);
    }
    let (message, help) = usage_words(&error.to_string(), error.kind());
    output.json(&json!({"error": {
        "message": message, "help": help, "tail": [], "step": null, "exit": code,
    }}));
    ExitCode::from(code)
}

/// The message and the advice in clap's text: the first paragraph, and all others.
fn usage_words(text: &str, kind: clap::error::ErrorKind) -> (String, Vec<String>) {
    if kind == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return (
            "the command is not complete".to_owned(),
            one("say --help instead of --json to see what it takes"),
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

fn whole(failure: &Failure) -> String {
    boltworks_model::chain(failure)
}

/// The error for people: with its place and text where it is about a file of theirs.
fn shown(failure: &Failure) -> String {
    if let Some(place) = Place::of(failure) {
        return excerpt(&place);
    }
    let mut text = format!("error: {}", whole(failure));
    for line in step(failure).map(failed::lines).unwrap_or_default() {
        text.push_str("\n  ");
        text.push_str(&line);
    }
    text
}

/// The step that failed, where it was one.
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
            Failure::Usage { .. } | Failure::Recipe(_) => USAGE,
            Failure::Fsx(error) if is_wrong_file(error) => USAGE,
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

/// What to do next. Every failure has at least one line, but for some that show a place in a file
/// of the user's and say there what should stand in it.
fn advice(failure: &Failure) -> Vec<String> {
    if code(failure) == STOPPED {
        return one(KEPT);
    }
    // The kernel's words, and SQLite's.
    let whole = boltworks_model::chain(failure);
    if ["No space left on device", "the disk is full"]
        .iter()
        .any(|words| whole.contains(words))
    {
        return one("free some room and run the same command again: what was finished is kept");
    }
    if whole.contains("readonly database") {
        return one(READ_ONLY);
    }
    match failure {
        Failure::Usage { help, .. } => one(help),
        Failure::Factory(error) => factory_advice(error.cause()),
        Failure::Recipe(error) => error.help().into_iter().collect(),
        Failure::Apk(error) => one(apk_advice(error)),
        Failure::Crypto(error) => one(key_advice(error)),
        Failure::Fsx(error) => one(file_advice(error)),
        Failure::Serve(_) => one("choose another address with `--listen`, or stop who has it"),
        Failure::Release(_) => one(STATE),
        Failure::Path(_) | Failure::Io(_) | Failure::Json(_) => one(AGAIN),
    }
}

/// Where the factory's own state is in doubt.
const STATE: &str =
    "`boltworks store verify` checks the state; `boltworks up` makes what is missing";
/// Where a blob is damaged.
const SET_ASIDE: &str = "`boltworks store verify --set-aside` moves damaged blobs out of the way; \
    then `boltworks up` makes them anew";
/// Where the factory's state may be looked at and not written.
const READ_ONLY: &str = "make the state folder writable for this user, or name another one as \
    `state` in boltworks.yaml: commands on a factory write there";
/// What is said of a command that was stopped.
const STOPPED_WORDS: &str = "stopped on request";
/// What is kept of it.
const KEPT: &str = "run the same command again: what was finished is kept";
/// So many names are listed where one is not known.
const LISTED: usize = 20;
/// Where nothing better is known.
const AGAIN: &str = "run it again with -v: it says more of what led to this";

fn one(line: impl Into<String>) -> Vec<String> {
    vec![line.into()]
}

fn factory_advice(error: &FactoryError) -> Vec<String> {
    match error {
        FactoryError::NoFactory { .. } => {
            one("make one with `boltworks init FOLDER`, or name one with `--factory FILE`")
        }
        FactoryError::Asked { help, .. } => one(help),
        FactoryError::Missing { what, known, .. } if known.is_empty() => one(format!(
            "there is no {what} at all: `boltworks up` makes what the factory describes"
        )),
        FactoryError::Missing { what, name, known } => {
            let near = closest(name, known.iter().map(String::as_str));
            let near = near.map(|near| format!("did you mean '{near}'?"));
            let all = match known.len().checked_sub(LISTED).filter(|more| *more > 0) {
                None => format!("the {what}s there are: {}", known.join(", ")),
                // Nobody reads thousands of names to find one.
                Some(_) if near.is_some() => String::new(),
                Some(more) => {
                    let some: Vec<&str> = known.iter().take(LISTED).map(String::as_str).collect();
                    format!("the {what}s there are: {} and {more} more", some.join(", "))
                }
            };
            let all = Some(all).filter(|all| !all.is_empty());
            near.into_iter().chain(all).collect()
        }
        FactoryError::Folder { .. } => {
            one("make the folder, or correct its name in boltworks.yaml")
        }
        FactoryError::NotListed { .. } => one("make the index anew with `boltworks apk index`"),
        FactoryError::KeyGone { file } => one(format!(
            "put it back, or remove {file}.pub and make a new one with `boltworks apk keygen {file}`: then everything is made anew",
        )),
        // The solver's words, and those of a recipe's file, bring their own advice.
        FactoryError::Unsolvable { why, .. } | FactoryError::Blocked { why, .. }
            if why.contains("help: ") =>
        {
            Vec::new()
        }
        FactoryError::Unsolvable { .. }
        | FactoryError::Blocked { .. }
        | FactoryError::Refusal { .. } => {
            one("`boltworks plan` says of every recipe whether it can be made")
        }
        FactoryError::Config(error) => error.advice().into_iter().collect(),
        FactoryError::Recipe(error) => error.help().into_iter().collect(),
        FactoryError::Refused(refused) => one(&refused.fix),
        FactoryError::Source(error) | FactoryError::Stage0(Stage0Error::Source(error)) => {
            one(source_advice(error))
        }
        FactoryError::Store(StoreError::Damaged { .. })
        | FactoryError::Stage0(Stage0Error::Store(StoreError::Damaged { .. })) => one(SET_ASIDE),
        FactoryError::Stage0(Stage0Error::Offline { .. }) => {
            one("run it once without --offline: that makes stage 0, which stays")
        }
        FactoryError::Stage0(Stage0Error::Config { field, .. }) => {
            one(format!("correct `stage0.{field}` in boltworks.yaml"))
        }
        FactoryError::Stage0(Stage0Error::Unknown { field, .. }) => one(format!(
            "correct `stage0.{field}` in boltworks.yaml: it takes Debian's own names"
        )),
        FactoryError::Apk(error) => one(apk_advice(error)),
        FactoryError::Crypto(error) => one(key_advice(error)),
        FactoryError::Fsx(error) => one(file_advice(error)),
        FactoryError::Package(PackageError::Step(failed)) => one(failed::advice(failed)),
        FactoryError::Package(error) => one(error.help().unwrap_or_else(|| package_advice(error))),
        FactoryError::Image(_) => one("correct the image file, or the packages it names"),
        FactoryError::Registry(error) => one(error.advice()),
        FactoryError::Inconsistent { .. }
        | FactoryError::Store(_)
        | FactoryError::Stage0(Stage0Error::Store(_))
        | FactoryError::Records(_)
        | FactoryError::Rootfs(_)
        | FactoryError::Release(_) => one(STATE),
        _ => one(AGAIN),
    }
}

fn package_advice(error: &PackageError) -> String {
    match error {
        PackageError::Package { .. }
        | PackageError::Misnamed { .. }
        | PackageError::Provide { .. }
        | PackageError::Setcap { .. }
        | PackageError::Lint(_) => "correct the recipe".to_owned(),
        PackageError::Results { package, .. } => format!(
            "correct the recipe: its steps must leave melange-out/{package} a folder that can be \
             read, with files, folders, links and pipes in it and nothing else"
        ),
        PackageError::Unpackable {
            package,
            source: ApkError::Entry { path, .. },
        } => format!("correct the recipe: its steps must leave no such '{path}' for {package}"),
        PackageError::Unpackable {
            package,
            source:
                ApkError::Value { .. }
                | ApkError::Line { .. }
                | ApkError::TooMany { .. }
                | ApkError::TooMuch { .. },
        } => format!("correct what the recipe says of {package} and leaves for it"),
        _ => AGAIN.to_owned(),
    }
}

fn source_advice(error: &SourceError) -> &'static str {
    match error {
        SourceError::Offline { .. } => "run it without --offline once, to bring the source here",
        SourceError::Failed {
            program: "apt-get", ..
        } => {
            "check the network and its proxy, and `stage0.debian` in boltworks.yaml: it is apt that \
             could not get what it was asked for"
        }
        SourceError::Unavailable { .. }
        | SourceError::Net(_)
        | SourceError::Silent { .. }
        | SourceError::Failed { program: "git", .. } => {
            "check the network and its proxy, or say under `mirrors` or `sources` in boltworks.yaml \
             where else it is"
        }
        SourceError::WrongDigest { .. } => {
            "ask upstream which bytes are right; only then change the digest in the recipe"
        }
        SourceError::OtherCommit { .. } => {
            "ask upstream which commit is right; only then change expected-commit in the recipe"
        }
        SourceError::OtherBranch { .. } | SourceError::NoCommit { .. } => {
            "correct branch, tag and expected-commit in the recipe: `git ls-remote ADDRESS` lists them"
        }
        SourceError::BadObject { .. }
        | SourceError::Submodule { .. }
        | SourceError::TooLarge { .. } => {
            "name another commit, or under `sources` in boltworks.yaml an archive in its place"
        }
        SourceError::Occupied { .. } => {
            "name another folder with --output, or take away what is there"
        }
        SourceError::Unfinished { .. } => "commit what is changed with git, and run it again",
        SourceError::Unusable { .. } => "correct the address in the recipe",
        SourceError::Missing { .. }
        | SourceError::NoArchive
        | SourceError::ArchiveUnusable(_)
        | SourceError::NoKeyring { .. }
        | SourceError::Unspeakable { .. }
        | SourceError::NoPythonIndex => "do what is said in brackets, then run it again",
        _ => AGAIN,
    }
}

fn apk_advice(error: &ApkError) -> String {
    match error {
        ApkError::Unsigned => {
            "sign it with `boltworks apk sign -k KEY FILE`, or take it as it is with --ignore-signatures"
                .to_owned()
        }
        ApkError::Untrusted { names } => {
            format!("if you trust it, give its public key: -k FOLDER/{names}")
        }
        ApkError::BadSignature { name, .. } => {
            format!("get the file anew, and the key {name} from whoever signed it")
        }
        ApkError::KeyName(name) => {
            format!("give the private key a name that ends in .rsa, instead of '{name}' without .pub")
        }
        ApkError::File(error) => file_advice(error).to_owned(),
        ApkError::Io { .. } => AGAIN.to_owned(),
        _ => "get the file anew from where it was made: what is here is damaged or no such file"
            .to_owned(),
    }
}

const fn key_advice(error: &boltworks_crypto::Error) -> &'static str {
    match error {
        boltworks_crypto::Error::Pem(_)
        | boltworks_crypto::Error::Label { .. }
        | boltworks_crypto::Error::Rejected(_) => {
            "keys are RSA in PEM: FILE.rsa signs, FILE.rsa.pub is trusted; \
             `boltworks apk keygen FILE.rsa` makes both"
        }
        _ => AGAIN,
    }
}

/// What the system answers when a socket is opened as a file (`ENXIO`).
const NO_SUCH_DEVICE: i32 = 6;
/// Where something is that is no file.
const ODD_FILE: &str =
    "put a file there, or take it away: pipes, sockets, devices and folders are no files to read";

fn file_advice(error: &boltworks_fsx::Error) -> &'static str {
    if let boltworks_fsx::Error::Io { source, .. } = error
        && source.to_string().contains("symbolic link is in the way")
    {
        return "put the file itself there: symbolic links are not followed in a factory";
    }
    if let boltworks_fsx::Error::Io { source, .. } = error
        && source.raw_os_error() == Some(NO_SUCH_DEVICE)
    {
        return ODD_FILE;
    }
    match error.io_kind() {
        Some(io::ErrorKind::InvalidData) => NO_TEXT,
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory) => ODD_FILE,
        Some(io::ErrorKind::NotADirectory) => {
            "a folder must be there and something else is: move it away, or name another folder in \
             boltworks.yaml"
        }
        Some(io::ErrorKind::NotFound) => "check the name, and the folder you are in",
        Some(io::ErrorKind::PermissionDenied) => {
            "check whose the file and its folder are, and what they may be used for"
        }
        Some(io::ErrorKind::ReadOnlyFilesystem) => "choose a place that can be written to",
        Some(io::ErrorKind::FileTooLarge) => {
            "check that it is the file you mean: if it is a recipe, make several of it"
        }
        _ => AGAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_some_are_listed() {
        let advice = |name: &str, count: usize| {
            let known = (0..count)
                .map(|number| format!("package-{number}"))
                .collect();
            factory_advice(&FactoryError::Missing {
                what: "artifact",
                name: name.to_owned(),
                known,
            })
        };
        assert_eq!(advice("package1", 1000), ["did you mean 'package-1'?"]);
        let [some] = advice("nope", 1000).try_into().unwrap();
        assert!(some.ends_with("package-19 and 980 more"), "{some}");
        let [all] = advice("nope", 20).try_into().unwrap();
        assert!(all.ends_with("package-18, package-19"), "{all}");
    }
}
