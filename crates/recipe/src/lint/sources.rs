//! What a recipe fetches, and what it is known by.

use std::collections::BTreeSet;

use boltworks_model::{AddressError, FileAddress, Remote};

use super::fix::Fix;
use super::{MOST, Part, Spot, Subject, given};
use crate::parsed::{Step, Text};
use crate::resolved::KnownBy;
use crate::substitute::{Piece, pieces};

const FETCH: &str = "fetch";
const CHECKOUT: &str = "git-checkout";

/// Steps that use a pipeline, with the place of that.
fn uses<'a>(subject: &'a Subject<'_>, name: &str) -> Vec<(Part, &'a Step, &'a Text)> {
    let steps = subject.steps().into_iter();
    let steps = steps.filter_map(|(part, step)| Some((part, step, step.uses.as_ref()?)));
    steps.filter(|(_, _, uses)| uses.as_str() == name).collect()
}

/// What is fetched is known by no digest.
pub(super) fn digest(subject: &Subject<'_>) -> Vec<Spot> {
    let is_known = |step: &Step| {
        ["expected-sha256", "expected-sha512"]
            .iter()
            .any(|input| given(&step.with, input).is_some())
    };
    let unknown = uses(subject, FETCH).into_iter();
    let unknown = unknown.filter(|(_, step, _)| !is_known(step));
    unknown
        .map(|(_, _, uses)| subject.spot(uses, "what is fetched has no digest here"))
        .take(MOST)
        .collect()
}

/// What is checked out is known by no commit.
pub(super) fn commit(subject: &Subject<'_>) -> Vec<Spot> {
    let unknown = uses(subject, CHECKOUT).into_iter();
    let unknown = unknown.filter(|(_, step, _)| given(&step.with, "expected-commit").is_none());
    unknown
        .map(|(_, _, uses)| subject.spot(uses, "what is checked out has no commit here"))
        .take(MOST)
        .collect()
}

/// A source that no build can get.
pub(super) fn source(subject: &Subject<'_>) -> Vec<Spot> {
    let commits = commit(subject);
    let is_told = |spot: &Spot| commits.iter().any(|commit| commit.at.line == spot.at.line);
    // Several packages may have it from one step.
    let mut seen = BTreeSet::new();
    let sources = subject.resolved.into_iter().flat_map(|recipe| {
        let tests = recipe.tests().flat_map(|test| &test.sources);
        recipe.sources.iter().chain(tests)
    });
    let wrong = sources.filter_map(|source| {
        let error = match &source.known_by {
            KnownBy::Nothing(unpinned) => Some(unpinned.error()),
            KnownBy::Digest { .. } => {
                let wrong = FileAddress::parse(&source.uri).err();
                wrong.and_then(|AddressError(reason)| source.unfetchable(reason))
            }
            KnownBy::Commit(_) => {
                let wrong = Remote::parse(&source.uri).err();
                wrong.and_then(|AddressError(reason)| source.unfetchable(reason))
            }
        }?;
        Some(subject.spot_at(error.place(), error.message()))
    });
    wrong
        .filter(|spot| !is_told(spot))
        .filter(|Spot { at, what, .. }| seen.insert((at.line, at.column, what.clone())))
        .take(MOST)
        .collect()
}

/// The one source of the package has a tag that stays when the version changes.
pub(super) fn tag(subject: &Subject<'_>) -> Vec<Spot> {
    let all: Vec<_> = uses(subject, CHECKOUT);
    let sources: Vec<_> = all
        .into_iter()
        .filter(|(part, ..)| *part == Part::Build)
        .collect();
    let [(_, step, _)] = sources.as_slice() else {
        return Vec::new();
    };
    let fixed = given(&step.with, "tag").filter(|tag| !tag.contains("${{"));
    // What names the version literally is the rule `version`'s.
    let version = &subject.recipe.package.version;
    let fixed = fixed.filter(|tag| literal(tag, version).is_none());
    let what = |tag: &Text| format!("the tag '{}' does not change with the version", &**tag);
    fixed
        .map(|tag| subject.spot(tag, what(tag)))
        .into_iter()
        .collect()
}

/// An address or a tag has the version in it as it stands now.
pub(super) fn version(subject: &Subject<'_>) -> Vec<Spot> {
    const INPUTS: [(&str, &str); 2] = [(FETCH, "uri"), (CHECKOUT, "tag")];
    let version = &subject.recipe.package.version;
    let mut spots = Vec::new();
    for (pipeline, input) in INPUTS {
        for (_, step, _) in uses(subject, pipeline) {
            let Some(text) = given(&step.with, input).filter(|_| spots.len() < MOST) else {
                continue;
            };
            let Some(better) = literal(text, version) else {
                continue;
            };
            let what = format!("the version {} stands in `{input}`", &**version);
            let spot = subject.spot_of(text, version, what).instead(&better);
            spots.push(spot.fixed_by(Fix::text(text, better)));
        }
    }
    spots
}

/// The text with variables in the place of the version, if the version stands in it.
fn literal(text: &str, version: &str) -> Option<String> {
    // A number alone may be anything.
    if version.contains("${{") || !version.contains('.') {
        return None;
    }
    let mut better = String::new();
    let mut is_found = false;
    for piece in pieces(text) {
        match piece {
            Piece::Literal(part) => is_found |= replaced(part, version, &mut better),
            Piece::Variable { token, .. } | Piece::Malformed(token) => better.push_str(token),
        }
    }
    is_found.then_some(better)
}

/// Appends a text with the version replaced; whether there was any.
fn replaced(mut text: &str, version: &str, better: &mut String) -> bool {
    let mut is_found = false;
    while let Some(at) = text.find(version) {
        let (before, rest) = text.split_at(at);
        let after = rest.get(version.len()..).unwrap_or_default();
        let goes_on = after
            .trim_start_matches('.')
            .starts_with(|c: char| c.is_ascii_digit());
        let began = before.ends_with(|c: char| c.is_ascii_digit() || c == '.');
        better.push_str(before);
        if goes_on || began {
            better.push_str(version);
        } else {
            better.push_str("${{package.version}}");
            is_found = true;
        }
        text = after;
    }
    better.push_str(text);
    is_found
}

/// A source comes over the network as anybody can read it.
pub(super) fn encryption(subject: &Subject<'_>) -> Vec<Spot> {
    const INPUTS: [(&str, &str); 2] = [(FETCH, "uri"), (CHECKOUT, "repository")];
    let mut spots = Vec::new();
    for (pipeline, input) in INPUTS {
        for (_, step, _) in uses(subject, pipeline) {
            let Some(text) = given(&step.with, input).filter(|_| spots.len() < MOST) else {
                continue;
            };
            if let Some(rest) = text.strip_prefix("http://") {
                let spot = subject.spot(text, "it is fetched without encryption");
                spots.push(spot.instead(format!("https://{rest}")));
            } else if text.starts_with("git://") || text.starts_with("ftp://") {
                spots.push(subject.spot(text, "it is fetched without encryption"));
            }
        }
    }
    spots
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn only_the_version_is_the_version() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(literal(text, "1.2.3").as_deref(), expected, "{text}");
        };
        check("x-1.2.3.tar.gz", Some("x-${{package.version}}.tar.gz"));
        check(
            "v1.2.3/x-1.2.3",
            Some("v${{package.version}}/x-${{package.version}}"),
        );
        check("x-11.2.3", None);
        check("x-1.2.34", None);
        check("x-1.2.3.4", None);
        check("4.1.2.3", None);
        check("${{vars.1.2.3}}", None);
        assert_eq!(literal("release-7", "7"), None);
        assert_eq!(literal("1.2", "${{vars.x}}"), None);
    }
}
