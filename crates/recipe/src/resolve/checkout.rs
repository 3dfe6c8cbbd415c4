//! What a use of the program's own `git-checkout` pipeline asks for.
//!
//! A recipe that names no commit, or what is none, can be read, compiled and drawn as any other: it is
//! whoever wants to build it that is told what is missing, and where.

use std::collections::BTreeMap;
use std::str::FromStr;

use boltworks_model::{Checkout, Depth, Pick};

use super::scope::Scope;
use crate::Problem;
use crate::parsed::{Step, Text};
use crate::resolved::{KnownBy, SourceRef, Unpinned};
use crate::words::join;

/// The pipeline's name.
pub(super) const NAME: &str = "git-checkout";

/// The inputs that the resolver adds: where the blob lies in the guest, and what is applied on top.
const HANDED: [&str; 2] = ["archive", "picks"];

/// Reads the inputs; and gives those that the pipeline gets besides.
pub(super) fn checkout(
    step: &Step,
    uses: &Text,
    inputs: &BTreeMap<String, String>,
    scope: &Scope<'_>,
) -> (SourceRef, [(String, String); 2]) {
    let read = Reader(inputs);
    let uri = read.text("repository").to_owned();
    let handed = |values: [String; 2]| {
        let [archive, picks] = HANDED.map(str::to_owned);
        let [archive_value, picks_value] = values;
        [(archive, archive_value), (picks, picks_value)]
    };
    let written = scope.written(step.with.get("repository").unwrap_or(uses));
    match read.checkout() {
        Ok(checkout) => {
            let picks = checkout.picks.iter().map(|pick| pick.commit.to_string());
            let picks = picks.collect::<Vec<_>>().join(" ");
            let source = SourceRef {
                key: checkout.key(),
                uri,
                known_by: KnownBy::Commit(Box::new(checkout)),
                written,
            };
            let archive = source.guest_path();
            (source, handed([archive, picks]))
        }
        Err((name, problem)) => {
            let place = scope.origin.place(step.with.get(name).unwrap_or(uses));
            let source = SourceRef {
                key: format!("git:{uri}"),
                uri,
                known_by: KnownBy::Nothing(Box::new(Unpinned { place, problem })),
                written,
            };
            (source, handed([String::new(), String::new()]))
        }
    }
}

/// Reads inputs.
struct Reader<'a>(&'a BTreeMap<String, String>);

/// The input that is wrong, and how.
type Wrong = (&'static str, Problem);

impl Reader<'_> {
    fn checkout(&self) -> Result<Checkout, Wrong> {
        let repository = self.text("repository");
        if repository.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(bad("repository", "has white space in it"));
        }
        let (branch, tag) = (self.parsed("branch")?, self.parsed("tag")?);
        if branch.is_some() && tag.is_some() {
            return Err(bad("branch", "is given, and so is tag: which is meant?"));
        }
        let is_tip = self.flag("expected-commit-is-branch-tip")?;
        if is_tip && branch.is_none() {
            let rule = "is true, but there is no branch";
            return Err(bad("expected-commit-is-branch-tip", rule));
        }
        let Some(commit) = self.parsed("expected-commit")? else {
            return Err(("expected-commit", self.unknown(repository)));
        };
        let depth = match self.text("depth") {
            "unset" if branch.is_some() && !is_tip => Depth::All,
            "unset" => Depth::ONE,
            "-1" => Depth::All,
            count => Depth::Last(count.parse().map_err(|_| {
                bad(
                    "depth",
                    "is neither a number of commits nor -1, which is all",
                )
            })?),
        };
        Ok(Checkout {
            commit,
            branch,
            is_tip,
            tag,
            depth,
            submodules: self.flag("recurse-submodules")?,
            picks: self.picks()?,
        })
    }

    /// Each line is `[BRANCH/]COMMIT: REASON`; what stands after `#` is a comment.
    fn picks(&self) -> Result<Vec<Pick>, Wrong> {
        const INPUT: &str = "cherry-picks";
        let text = self.0.get(INPUT).map_or("", String::as_str);
        let lines = text.lines().filter_map(|line| line.split('#').next());
        let pick = |line: &str| {
            let Some((what, reason)) = line.split_once(':') else {
                return Err(bad(INPUT, "has a line that is not BRANCH/COMMIT: REASON"));
            };
            if reason.trim().is_empty() {
                return Err(bad(INPUT, "has a line without a reason after the colon"));
            }
            let what = what.trim();
            let (branch, commit) = what.rsplit_once('/').unwrap_or(("", what));
            let branch = Some(branch).filter(|branch| !branch.is_empty());
            let branch = branch.map(str::parse).transpose();
            Ok(Pick {
                branch: branch.map_err(|error| (INPUT, Problem::from(error)))?,
                commit: commit
                    .parse()
                    .map_err(|error| (INPUT, Problem::ObjectId(error)))?,
            })
        };
        lines
            .filter(|line| !line.trim().is_empty())
            .map(pick)
            .collect()
    }

    /// No commit is named: where to look for it, in words that a shell takes for nothing else.
    fn unknown(&self, repository: &str) -> Problem {
        let mut words = ["git", "ls-remote", "--", repository]
            .map(str::to_owned)
            .to_vec();
        match (self.text("tag"), self.text("branch")) {
            ("", "") => words.push("HEAD".to_owned()),
            ("", branch) => words.push(format!("refs/heads/{branch}")),
            (tag, _) => words.extend(["", "^{}"].map(|end| format!("refs/tags/{tag}{end}"))),
        }
        Problem::NoCommit {
            pipeline: NAME,
            command: join(&words),
        }
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    fn parsed<T: FromStr<Err: Into<Problem>>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Wrong> {
        match self.text(name) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|error: T::Err| (name, error.into())),
        }
    }

    fn flag(&self, name: &'static str) -> Result<bool, Wrong> {
        match self.text(name) {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(bad(name, "is neither true nor false")),
        }
    }
}

fn bad(name: &'static str, rule: impl Into<String>) -> Wrong {
    let problem = Problem::BadInput {
        pipeline: NAME.to_owned(),
        name: name.to_owned(),
        rule: rule.into(),
    };
    (name, problem)
}
