//! What decides an artifact's bytes.

use std::fmt;
use std::sync::Arc;

use boltworks_model::{ActionId, Architecture, Sha256, Timestamp, visible_line};
use serde::{Deserialize, Serialize};

/// What sort of thing an action makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Packages, from a recipe.
    Recipe,
    /// An image, from packages.
    Image,
}

/// What an action makes, by the name users know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The kind.
    pub kind: ActionKind,
    /// The recipe's package name or the image file's name.
    pub name: String,
}

impl Subject {
    /// A recipe.
    pub fn recipe(name: impl Into<String>) -> Self {
        Self {
            kind: ActionKind::Recipe,
            name: name.into(),
        }
    }

    /// An image.
    pub fn image(name: impl Into<String>) -> Self {
        Self {
            kind: ActionKind::Image,
            name: name.into(),
        }
    }
}

impl fmt::Display for Subject {
    /// `recipe zlib`, `image web`: also the form records use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ActionKind::Recipe => "recipe",
            ActionKind::Image => "image",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// One package of a locked environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pick {
    /// Its name.
    pub name: String,
    /// Its full version.
    pub version: String,
    /// The repository it comes from.
    pub repository: String,
    /// The package file.
    pub sha256: Sha256,
}

/// A named digest: a source, or a file beside the recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pin {
    /// The name by which steps find it.
    pub name: String,
    /// Its bytes, or the digest its recipe expects, in the recipe's own notation.
    pub digest: String,
    /// Whether it is a file that may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_executable: bool,
}

impl Pin {
    /// Of a source or a test, which are data.
    pub const fn new(name: String, digest: String) -> Self {
        Self {
            name,
            digest,
            is_executable: false,
        }
    }
}

/// The image that another one stands upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upon {
    /// Its name.
    pub name: String,
    /// What made it.
    pub action: ActionId,
}

/// Everything that decides an artifact's bytes. Its canonical JSON is the action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionInputs {
    /// What is made.
    pub subject: Subject,
    /// For which architecture.
    pub architecture: Architecture,
    /// The resolved recipe or image.
    pub definition: Sha256,
    /// The recipe's tests: they decide no byte, but must be run when they change.
    #[serde(default)]
    pub tests: Vec<Pin>,
    /// The locked environment, or the packages of the image, in install order.
    pub packages: Arc<[Pick]>,
    /// Sources.
    pub sources: Vec<Pin>,
    /// Files beside the recipe.
    pub files: Vec<Pin>,
    /// Versions of the byte writers.
    pub writers: Vec<String>,
    /// The time in every output.
    pub epoch: Timestamp,
    /// The public signing key.
    pub key: Sha256,
    /// The factory's name, which stands in package addresses.
    #[serde(default)]
    pub vendor: String,
    /// The image whose layers an image's first ones are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upon: Option<Upon>,
}

impl ActionInputs {
    /// The bytes whose digest is the action: struct order, no white space.
    pub fn canonical_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What changed from an earlier action for the same subject, in words.
    pub fn differences(&self, earlier: &Self) -> Vec<String> {
        let mut reasons = Vec::new();
        let noun = match self.subject.kind {
            ActionKind::Recipe => "recipe",
            ActionKind::Image => "image file",
        };
        if self.definition != earlier.definition {
            reasons.push(format!("the {noun} changed"));
        }
        if let Some(upon) = self.upon.as_ref()
            && self.upon != earlier.upon
        {
            reasons.push(format!(
                "image {}, which it stands upon, changed",
                upon.name
            ));
        }
        reasons.extend(changed_pins("test of", &self.tests, &earlier.tests));
        reasons.extend(changed_pins("source", &self.sources, &earlier.sources));
        reasons.extend(changed_pins("file", &self.files, &earlier.files));
        reasons.extend(changed_packages(&self.packages, &earlier.packages));
        if self.writers != earlier.writers {
            reasons.extend(changed_writers(&self.writers, &earlier.writers));
        }
        if self.epoch != earlier.epoch {
            reasons.push(format!(
                "source-date-epoch is {} instead of {}",
                self.epoch.0, earlier.epoch.0
            ));
        }
        if self.key != earlier.key {
            reasons.push("the signing key changed".to_owned());
        }
        if self.vendor != earlier.vendor {
            reasons.push(format!(
                "the factory is called '{}' instead of '{}'",
                self.vendor, earlier.vendor
            ));
        }
        if self.architecture != earlier.architecture {
            reasons.push(format!("the architecture is {}", self.architecture));
        }
        reasons
    }
}

/// How many reasons a person is told before they are only counted.
const TOLD: usize = 10;

/// Reasons on a line, for people: of many, the first, and how many more there are.
pub fn told(reasons: &[String]) -> String {
    let more = reasons.len().saturating_sub(TOLD);
    let first: Vec<&str> = reasons.iter().take(TOLD).map(String::as_str).collect();
    // Labels are names that others chose.
    let first = visible_line(&first.join("; ")).into_owned();
    match more {
        0 => first,
        more => format!("{first}; and {} more", thousands(more)),
    }
}

/// `3,390`
fn thousands(number: usize) -> String {
    match number.checked_div(1000) {
        Some(above) if above > 0 => format!("{},{:03}", thousands(above), number % 1000),
        _ => number.to_string(),
    }
}

/// Stands among the writers of what a person finished by hand, before the time.
pub const BY_HAND: &str = "by hand at ";

fn changed_writers(now: &[String], before: &[String]) -> Vec<String> {
    let hand = |writers: &[String]| writers.iter().any(|writer| writer.starts_with(BY_HAND));
    let programs = |writers: &[String]| -> Vec<String> {
        let programs = writers.iter().filter(|name| !name.starts_with(BY_HAND));
        programs.cloned().collect()
    };
    let mut reasons = Vec::new();
    if programs(now) != programs(before) {
        reasons.push("the format of what is written changed".to_owned());
    }
    if hand(before) {
        reasons.push("it was finished by hand".to_owned());
    }
    reasons
}

fn changed_pins(noun: &str, now: &[Pin], before: &[Pin]) -> Vec<String> {
    let mut reasons = Vec::new();
    for pin in now {
        match before.iter().find(|old| old.name == pin.name) {
            Some(old) if old == pin => {}
            Some(_) => reasons.push(format!("{noun} {} changed", pin.name)),
            None => reasons.push(format!("{noun} {} is new", pin.name)),
        }
    }
    let is_gone = |old: &&Pin| !now.iter().any(|pin| pin.name == old.name);
    reasons.extend(
        before
            .iter()
            .filter(is_gone)
            .map(|old| format!("{noun} {} is gone", old.name)),
    );
    reasons
}

/// How many packages a reason names before it only counts.
const NAMED: usize = 5;

fn changed_packages(now: &[Pick], before: &[Pick]) -> Vec<String> {
    let mut reasons = Vec::new();
    for pick in now {
        match before.iter().find(|old| old.name == pick.name) {
            Some(old) if old.sha256 == pick.sha256 => {}
            Some(old) if old.version != pick.version => {
                reasons.push(format!(
                    "package {} is {} instead of {}",
                    pick.name, pick.version, old.version
                ));
            }
            Some(_) => reasons.push(format!(
                "package {}-{} has other bytes",
                pick.name, pick.version
            )),
            None => reasons.push(format!("package {}-{} is new", pick.name, pick.version)),
        }
    }
    let is_gone = |old: &&Pick| !now.iter().any(|pick| pick.name == old.name);
    reasons.extend(
        before
            .iter()
            .filter(is_gone)
            .map(|old| format!("package {} is gone", old.name)),
    );
    let more = reasons.len().saturating_sub(NAMED);
    reasons.truncate(NAMED);
    if more > 0 {
        reasons.push(format!("and {more} more packages changed"));
    }
    if reasons.is_empty() && now.len() == before.len() && now != before {
        reasons.push("the packages come in another order or from another repository".to_owned());
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_reasons_people_are_told_the_first() {
        let reasons = |many: usize| -> Vec<String> { (0..many).map(|n| format!("r{n}")).collect() };
        assert_eq!(told(&reasons(2)), "r0; r1");
        assert!(told(&reasons(TOLD)).ends_with("; r9"));
        assert!(told(&reasons(3400)).ends_with("; r9; and 3,390 more"));
        assert_eq!(thousands(1_002_003), "1,002,003");
    }

    #[test]
    fn what_was_finished_by_hand_is_no_other_format() {
        let writers = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let plain = writers(&["tar 1"]);
        let mended = writers(&["tar 1", "by hand at 2026-01-02T03:04:05Z"]);
        assert_eq!(
            changed_writers(&plain, &mended),
            ["it was finished by hand"]
        );
        assert_eq!(
            changed_writers(&writers(&["tar 2"]), &mended),
            [
                "the format of what is written changed",
                "it was finished by hand"
            ]
        );
        assert_eq!(changed_writers(&mended, &plain), Vec::<String>::new());
    }
}
