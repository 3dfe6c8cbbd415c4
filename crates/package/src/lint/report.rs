//! What linters found, for people and for the record.

use std::fmt;

use boltworks_fsx::RelPath;
use boltworks_model::{is_unseen, visible_line};
use serde_json::{Value, json};

use super::Level;

/// So many paths are told of one finding.
const TOLD: usize = 5;
/// So many paths of one finding are in the document.
const RECORDED: usize = 1000;
/// The version of the document.
const FORMAT: u32 = 1;

/// What the linters found in one package, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The package.
    pub package: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What `checks.disabled` lists and is no linter.
    pub unknown: Vec<String>,
}

/// What one linter found in one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The linter.
    pub linter: &'static str,
    /// What becomes of it.
    pub level: Level,
    /// Whether the recipe says that it only warns.
    pub is_disabled: bool,
    /// What to do about it.
    pub advice: &'static str,
    /// Where, in byte order.
    pub spots: Vec<Spot>,
}

/// One place, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The path; nothing where the package as a whole is meant.
    pub path: Option<RelPath>,
    /// What is wrong there, where the linter's name does not say it.
    pub note: String,
}

impl Report {
    /// Whether something in it stops the build.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    fn errors(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.level == Level::Error)
    }

    /// One line for all warnings, but for those that the recipe asks not to be stopped by.
    pub fn summary(&self) -> Option<String> {
        let findings = self.findings.iter();
        let told = findings.filter(|finding| finding.level == Level::Warn && !finding.is_disabled);
        let names: Vec<&str> = told.map(|finding| finding.linter).collect();
        let unknown = self.unknown.iter();
        let unknown: Vec<String> = unknown
            .map(|name| format!("`checks.disabled` lists '{name}', which is no linter"))
            .collect();
        let warn = (!names.is_empty()).then(|| {
            let names = names.join(", ");
            // Not every build has a factory that explains it, and not every one leaves files.
            format!(
                "linters warn: {names} (of what: `boltworks explain {}` in a factory, or `boltworks \
                 melange lint FILE.apk`)",
                self.package
            )
        });
        let all: Vec<String> = warn.into_iter().chain(unknown).collect();
        (!all.is_empty()).then(|| format!("package {}: {}", self.package, all.join("; ")))
    }

    /// A sentence for each warning.
    pub fn warnings(&self) -> Vec<String> {
        let findings = self.findings.iter();
        let findings = findings.filter(|finding| finding.level == Level::Warn);
        let unknown = self.unknown.iter().map(|name| {
            format!(
                "package {}: `checks.disabled` lists '{name}', which is no linter",
                self.package
            )
        });
        findings
            .map(|finding| self.sentence(finding))
            .chain(unknown)
            .collect()
    }

    fn sentence(&self, finding: &Finding) -> String {
        let mut spots: Vec<String> = finding.spots.iter().take(TOLD).map(Spot::shown).collect();
        if let Some(more) = finding
            .spots
            .len()
            .checked_sub(TOLD)
            .filter(|&more| more > 0)
        {
            spots.push(format!("{more} more"));
        }
        let Finding { linter, advice, .. } = finding;
        let package = &self.package;
        format!(
            "package {package}, linter {linter}: {}; {advice}",
            spots.join(", ")
        )
    }

    fn json(&self) -> Value {
        let findings: Vec<Value> = self.findings.iter().map(Finding::json).collect();
        json!({
            "package": self.package,
            "findings": findings,
            "unknown": self.unknown,
        })
    }
}

impl Finding {
    fn json(&self) -> Value {
        let spots = self.spots.iter().take(RECORDED).map(|spot| {
            json!({
                "path": spot.path.as_ref().map(shown),
                "note": spot.note,
            })
        });
        json!({
            "linter": self.linter,
            "level": self.level.word(),
            "disabled": self.is_disabled,
            "advice": self.advice,
            "count": self.spots.len(),
            "spots": spots.collect::<Vec<_>>(),
        })
    }
}

impl Spot {
    fn shown(&self) -> String {
        match (&self.path, self.note.as_str()) {
            (Some(path), "") => shown(path),
            (Some(path), note) => format!("{} ({})", shown(path), visible_line(note)),
            (None, note) => visible_line(note).into_owned(),
        }
    }
}

/// A path that a terminal can show: as it is, or with everything odd in it escaped.
pub(super) fn shown(path: &RelPath) -> String {
    match path.as_str() {
        Some(text) if !text.contains(|letter| is_unseen(letter) || letter == '\\') => {
            text.to_owned()
        }
        _ => path.as_bytes().escape_ascii().to_string(),
    }
}

/// The reports of a build as one JSON document: the same bytes for the same findings. Of each
/// finding at most a thousand paths are in it, and how many there are.
pub fn document(reports: &[Report]) -> Vec<u8> {
    let packages: Vec<Value> = reports.iter().map(Report::json).collect();
    let mut text = json!({"format": FORMAT, "packages": packages}).to_string();
    text.push('\n');
    text.into_bytes()
}

/// Packages that are not made because of what linters found in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(Vec<Report>);

impl Refused {
    /// The reports with errors, if there are any.
    pub fn from_reports(reports: &[Report]) -> Option<Self> {
        let refused = reports.iter().filter(|report| report.has_errors());
        let refused: Vec<Report> = refused.cloned().collect();
        (!refused.is_empty()).then_some(Self(refused))
    }

    /// The reports: each has an error.
    pub fn reports(&self) -> &[Report] {
        &self.0
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentences = self.0.iter().flat_map(|report| {
            let errors = report.errors();
            errors.map(|finding| report.sentence(finding))
        });
        let sentences: Vec<String> = sentences.collect();
        let all = sentences.join("\n");
        write!(
            f,
            "{all} (what must be so can be listed in the package's `checks.disabled`)"
        )
    }
}
