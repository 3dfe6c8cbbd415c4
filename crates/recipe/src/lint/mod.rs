//! What is wrong with a recipe's text, as far as it can be seen without building it.
//!
//! An ordered list of plain functions ([`RULES`]) looks at the recipe as it was written and as it
//! is understood. Each rule has a name, a level, and what to do about what it finds. What some
//! rules find can be put right without a change of meaning: [`fix`].
//!
//! That a recipe is understood at all is the rule [`UNDERSTOOD`]: reading and resolving say it.

pub mod fix;
mod language;
mod list;
mod package;
mod sources;
mod steps;
mod update;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use boltworks_yaml::Place;

pub use self::list::RULES;
use crate::parsed::{Image, Recipe, Step, Text};
use crate::{Error, PipelineLibrary, resolved};

/// So many places a rule tells of in one recipe, at most: a hostile one may have very many.
pub const MOST: usize = 100;

/// The rule that a file is a recipe, and can be understood.
pub const UNDERSTOOD: &str = "understood";

/// What becomes of what a rule finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is told.
    Warning,
    /// It is told, and the command fails.
    Error,
}

impl Level {
    /// The word in documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One rule.
pub struct Rule {
    /// Its name, for `--skip-rule`.
    pub name: &'static str,
    /// What becomes of what it finds.
    pub level: Level,
    /// What to do about it, where a finding does not say it.
    pub advice: &'static str,
    /// The rule itself.
    pub check: fn(&Subject<'_>) -> Vec<Spot>,
}

/// A recipe, and what rules may ask of the world beside it.
pub struct Subject<'a> {
    /// As it was written.
    pub recipe: &'a Recipe,
    /// As it is understood, where it is.
    pub resolved: Option<&'a resolved::Recipe>,
    /// The pipelines `uses` can name.
    pub library: &'a PipelineLibrary,
    /// What this room does not know.
    pub known: &'a Known,
}

/// What this room does not know, and rules need.
#[derive(Debug, Clone)]
pub struct Known {
    /// The linters that `checks.disabled` can name.
    pub linters: BTreeSet<&'static str>,
    /// What is wrong with a licence's text, if anything is.
    pub licence: fn(&str) -> Option<String>,
}

/// One place, and what is wrong there.
#[derive(Debug, Clone)]
pub struct Spot {
    /// Where.
    pub at: Place,
    /// What is wrong.
    pub what: String,
    /// What to write instead, where that is known.
    pub instead: Option<String>,
    /// How it is put right without a change of meaning, where that can be.
    pub fix: Option<fix::Fix>,
}

/// What a rule found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// What becomes of it.
    pub level: Level,
    /// What to do about it.
    pub advice: Cow<'static, str>,
    /// Where, and what is wrong.
    pub spot: Spot,
}

impl Finding {
    /// That a recipe is not understood.
    pub fn not_understood(error: &Error) -> Self {
        Self {
            rule: UNDERSTOOD,
            level: Level::Error,
            advice: match error.suggestion() {
                Some(_) => Cow::default(),
                None => error.help().map(Cow::from).unwrap_or_default(),
            },
            spot: Spot {
                at: error.place(),
                what: error.message(),
                instead: error.suggestion().map(str::to_owned),
                fix: None,
            },
        }
    }
}

/// What is wrong with a recipe, by place. Rules named in `skipped` are not asked.
///
/// `error` is why the recipe is not understood, if it is not: it is told unless a rule tells of an
/// error at the same line.
pub fn lint(
    subject: &Subject<'_>,
    error: Option<&Error>,
    skipped: &BTreeSet<String>,
) -> Vec<Finding> {
    let asked = RULES.iter().filter(|rule| !skipped.contains(rule.name));
    let mut findings: Vec<Finding> = asked.flat_map(|rule| found(rule, subject)).collect();
    if let Some(error) = error {
        let whole = Finding::not_understood(error);
        let at = &whole.spot.at;
        let is_told = findings.iter().any(|finding| {
            let there = &finding.spot.at;
            finding.level == Level::Error && (&there.file, there.line) == (&at.file, at.line)
        });
        if !is_told && !skipped.contains(UNDERSTOOD) {
            findings.push(whole);
        }
    }
    findings.sort_by_key(|finding| (finding.spot.at.line, finding.spot.at.column));
    findings
}

fn found<'a>(rule: &'a Rule, subject: &Subject<'_>) -> impl Iterator<Item = Finding> + use<'a> {
    let spots = (rule.check)(subject).into_iter();
    spots.take(MOST).map(|spot| Finding {
        rule: rule.name,
        level: rule.level,
        advice: Cow::from(rule.advice),
        spot,
    })
}

/// What a step is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Build,
    Test,
}

impl Subject<'_> {
    /// A place in the recipe, and what is wrong there.
    fn spot(&self, at: &Text, what: impl Into<String>) -> Spot {
        self.spot_at(self.recipe.origin.place(at), what)
    }

    /// The place of a part of a text.
    fn spot_of(&self, text: &Text, part: &str, what: impl Into<String>) -> Spot {
        self.spot_at(self.recipe.origin.place_of(text, part), what)
    }

    #[expect(clippy::unused_self, reason = "as its sisters")]
    fn spot_at(&self, at: Place, what: impl Into<String>) -> Spot {
        Spot {
            at,
            what: what.into(),
            instead: None,
            fix: None,
        }
    }

    /// Every step of the recipe, those within others too, in the order of the file.
    fn steps(&self) -> Vec<(Part, &Step)> {
        let recipe = self.recipe;
        let mut all = Vec::new();
        gather(&recipe.pipeline, Part::Build, &mut all);
        for package in &recipe.subpackages {
            gather(&package.pipeline, Part::Build, &mut all);
            if let Some(test) = &package.test {
                gather(&test.pipeline, Part::Test, &mut all);
            }
        }
        if let Some(test) = &recipe.test {
            gather(&test.pipeline, Part::Test, &mut all);
        }
        all
    }

    /// The environments of the build and of all tests.
    fn environments(&self) -> Vec<&Image> {
        let recipe = self.recipe;
        std::iter::once(&recipe.environment)
            .chain(recipe.tests().map(|test| &test.environment))
            .collect()
    }
}

fn gather<'a>(steps: &'a [Step], part: Part, all: &mut Vec<(Part, &'a Step)>) {
    for step in steps {
        all.push((part, step));
        gather(&step.pipeline, part, all);
    }
}

/// An input of a step that is not empty.
fn given<'a>(with: &'a BTreeMap<String, Text>, name: &str) -> Option<&'a Text> {
    with.get(name).filter(|value| !value.trim().is_empty())
}

impl Spot {
    /// The same with what to write instead.
    fn instead(mut self, text: impl Into<String>) -> Self {
        self.instead = Some(text.into());
        self
    }

    /// The same with how it is put right.
    fn fixed_by(mut self, fix: fix::Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

#[cfg(test)]
mod tests;
