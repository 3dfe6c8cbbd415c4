//! What apt's refusals mean for the configuration: which of its fields names what is not there.

use boltworks_source::Error as SourceError;
use boltworks_source::debian::Settings;

use crate::Error;

/// The indexes could not be read: perhaps there is no such suite.
pub(crate) fn suite(error: SourceError, settings: &Settings) -> Error {
    if !said(&error).is_some_and(|said| said.contains("does not have a Release file")) {
        return Error::Source(error);
    }
    Error::Unknown {
        field: "debian.suite",
        reason: format!("{} has no suite '{}'", settings.mirror, settings.suite),
        source: error,
    }
}

/// The packages could not be resolved: perhaps some have other names.
pub(crate) fn packages(error: SourceError, settings: &Settings) -> Error {
    let unknown: Vec<String> = said(&error)
        .into_iter()
        .flat_map(str::lines)
        .filter_map(unknown_package)
        .map(|name| format!("'{name}'"))
        .collect();
    if unknown.is_empty() {
        return Error::Source(error);
    }
    Error::Unknown {
        field: "packages",
        reason: format!("Debian {} has no {}", settings.suite, unknown.join(", ")),
        source: error,
    }
}

/// The end of what apt said.
fn said(error: &SourceError) -> Option<&str> {
    match error {
        SourceError::Failed { said, .. } => Some(said),
        _ => None,
    }
}

/// The package that one of apt's complaints is about, if it is that there is no such package.
fn unknown_package(line: &str) -> Option<&str> {
    let line = line.trim().strip_prefix("E: ")?;
    let nowhere = || line.strip_prefix("Unable to locate package ");
    let unavailable = || {
        line.strip_prefix("Package '")?
            .strip_suffix("' has no installation candidate")
    };
    nowhere().or_else(unavailable)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(judge: fn(SourceError, &Settings) -> Error, said: &str) -> String {
        let settings = Settings {
            suite: "trixie".into(),
            mirror: "http://mirror.example/debian".into(),
            keyring: "/keyring".into(),
            architecture: "amd64".into(),
            environment: BTreeMap::new(),
        };
        let error = SourceError::Failed {
            program: "apt-get",
            status: "exit status: 100".into(),
            said: said.into(),
        };
        judge(error, &settings).to_string()
    }

    #[test]
    fn the_field_is_named() {
        let release =
            "\n    E: The repository 'http://m trixie Release' does not have a Release file.";
        insta::assert_snapshot!(check(suite, release), @"find what `stage0.debian.suite` names: http://mirror.example/debian has no suite 'trixie'");
        let names = "\n    E: Unable to locate package makee\n    E: Package 'awk' has no installation candidate";
        insta::assert_snapshot!(check(packages, names), @"find what `stage0.packages` names: Debian trixie has no 'makee', 'awk'");
        let other = "\n    E: Unable to correct problems, you have held broken packages.";
        assert!(check(packages, other).contains("held broken"));
        assert!(check(suite, "\n    E: Temporary failure resolving").contains("Temporary"));
    }
}
