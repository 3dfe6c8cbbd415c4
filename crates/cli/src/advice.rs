//! What to do next after each kind of error.

use std::io;

use boltworks_apk::Error as ApkError;
use boltworks_factory::Error as FactoryError;
use boltworks_package::Error as PackageError;
use boltworks_source::Error as SourceError;
use boltworks_stage0::Error as Stage0Error;
use boltworks_store::Error as StoreError;
use boltworks_yaml::closest;

use crate::excerpt::NO_TEXT;
use crate::failed;
use crate::failure::Failure;

/// What to do next. Every failure has at least one line, but for some that show a place in a file
/// of the user's and say there what should stand in it.
pub(crate) fn advice(failure: &Failure) -> Vec<String> {
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
        Failure::Usage { help, .. } | Failure::Choice { help, .. } => one(help),
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
        FactoryError::Tests { .. } => one("correct the recipe, or its tests"),
        FactoryError::Image(_) => one("correct the image file, or the packages it names"),
        FactoryError::Registry(error) => one(error.advice()),
        FactoryError::Inconsistent { .. }
        | FactoryError::Together { .. }
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
        _ => "name another file: this one is no package or index of apk's, or it is damaged, and must be \
              got anew from where it was made"
            .to_owned(),
    }
}

const fn key_advice(error: &boltworks_crypto::Error) -> &'static str {
    if error.is_no_key() {
        "keys are RSA in PEM: FILE.rsa signs, FILE.rsa.pub is trusted; \
         `boltworks apk keygen FILE.rsa` makes both"
    } else {
        AGAIN
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
