//! Which licence a text is, and whether a recipe says so.
//!
//! A text is held against those of SPDX's list by the pairs of words that they share (Sørensen–Dice,
//! as askalono does): 1 is the same text but for spaces, signs and copyright lines. What is alike by
//! [`SURE`] or more is taken to be that licence.
//!
//! Some licences have one text: that of `GPL-2.0-only` and of `GPL-2.0-or-later` is the same, and only
//! the sources say which it is, in `SPDX-License-Identifier` lines.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use spdx::detection::{LicenseEntry, Store, TextData};
use spdx::{Expression, LicenseReq};

use crate::Error;
use crate::licence::MODE;

/// What is alike by this much is that licence.
pub const SURE: f32 = 0.9;
/// What is alike by this much is that licence and nothing else.
const WHOLE: f32 = 0.98;
/// No text is longer: bytes.
pub const LONGEST: usize = 256 << 10;
/// So many licences are looked for in one text.
const MOST: usize = 8;
/// What precedes a licence in a source file.
const TAG: &str = "SPDX-License-Identifier:";
/// So many of those lines of a file count.
const MOST_TAGS: usize = 16;

/// The licences of SPDX's list, with their texts.
pub struct Detector(Store);

/// A licence that a text is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Its identifier.
    pub licence: String,
    /// Other licences with the same text.
    pub others: Vec<String>,
    /// How much the text is like its text: 0 to 1.
    pub confidence: f32,
}

/// What a text is.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// These licences, one after the other.
    Known(Vec<Match>),
    /// None; this one is the nearest.
    Unknown(Option<Match>),
}

impl Detector {
    /// Reads the list that is built in: some tenths of a second.
    pub fn load() -> Result<Self, Error> {
        let store = Store::load_inline();
        store.map(Self).map_err(|error| Error::List {
            reason: error.to_string(),
        })
    }

    /// Looks what a text is. Of a longer one the beginning counts.
    pub fn look(&self, text: &str) -> Look {
        let end = text.floor_char_boundary(LONGEST);
        let mut text = TextData::new(text.get(..end).unwrap_or_default());
        let Some((best, mut like)) = self.nearest(&text) else {
            return Look::Unknown(None);
        };
        if best.confidence >= WHOLE {
            return Look::Known(vec![best]);
        }
        let mut found: Vec<Match> = Vec::new();
        // Several in a row, or one with a preface: what is found is taken out, and the rest looked at.
        while found.len() < MOST {
            let (part, score) = text.optimize_bounds(like);
            let Some((nearest, _)) = self.nearest(&part) else {
                break;
            };
            if score < SURE {
                break;
            }
            let is_new = !found.iter().any(|one| one.licence == nearest.licence);
            if is_new {
                found.push(nearest);
            }
            text = part.white_out();
            match self.nearest(&text) {
                Some((_, next)) => like = next,
                None => break,
            }
        }
        if !found.is_empty() {
            Look::Known(found)
        } else if best.confidence >= SURE {
            Look::Known(vec![best])
        } else {
            Look::Unknown(Some(best))
        }
    }

    /// The licence that a text is most like; of several the first by name.
    fn nearest(&self, text: &TextData) -> Option<(Match, &TextData)> {
        let all = self.0.iter().map(|(name, entry)| {
            let (score, like) = alike(entry, text);
            (name, entry, score, like)
        });
        let best = all.max_by(|left, right| match left.2.total_cmp(&right.2) {
            Ordering::Equal => right.0.cmp(left.0),
            unequal => unequal,
        });
        let (name, entry, score, like) = best.filter(|best| best.2 > 0.0)?;
        let mut names: BTreeSet<String> = entry.aliases.iter().chain([name]).cloned().collect();
        let versions = names.iter().flat_map(|name| versions(name));
        names.extend(versions.collect::<Vec<_>>());
        let licence = preferred(&names)?.clone();
        names.remove(&licence);
        names.retain(|name| !is_deprecated(name));
        let found = Match {
            licence,
            others: names.into_iter().collect(),
            confidence: score.clamp(0.0, 1.0),
        };
        Some((found, like))
    }
}

/// How much a text is like a licence in any of its forms.
fn alike<'s>(entry: &'s LicenseEntry, text: &TextData) -> (f32, &'s TextData) {
    let others = entry.alternates.iter().chain(&entry.headers);
    let mut best = (entry.original.match_score(text), &entry.original);
    for other in others {
        let score = other.match_score(text);
        if score > best.0 {
            best = (score, other);
        }
    }
    best
}

/// Whether SPDX has a better name for it.
fn is_deprecated(name: &str) -> bool {
    spdx::license_id(name).is_none_or(spdx::LicenseId::is_deprecated)
}

/// The names of one version of a GNU licence: alone, and with those that come after it. Their texts
/// differ in nothing.
fn versions(name: &str) -> Vec<String> {
    let mut base = name;
    for ending in ["+", "-only", "-or-later"] {
        base = base.strip_suffix(ending).unwrap_or(base);
    }
    let names = ["-only", "-or-later"].map(|ending| format!("{base}{ending}"));
    let are_known = names.iter().all(|name| spdx::license_id(name).is_some());
    if are_known {
        names.to_vec()
    } else {
        Vec::new()
    }
}

/// The name that is written where nothing else is known: one that is not deprecated, and claims the
/// least.
fn preferred(names: &BTreeSet<String>) -> Option<&String> {
    let rank = |name: &&String| {
        let claims_more = name.ends_with("-or-later");
        (
            is_deprecated(name),
            claims_more,
            name.len(),
            (*name).clone(),
        )
    };
    names.iter().min_by_key(rank)
}

/// The licences that a source file names in `SPDX-License-Identifier` lines, as expressions.
pub fn tags(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.split_once(TAG));
    // Those that name nothing count too: each is tried word by word.
    lines
        .take(MOST_TAGS)
        .filter_map(|(_, rest)| expression(rest))
        .collect()
}

/// The longest beginning of a line that is an expression: comments end in all sorts of ways.
fn expression(line: &str) -> Option<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || " .+-()".contains(c);
    let end = line.find(|c: char| !is_part(c)).unwrap_or(line.len());
    let line = line.get(..end.min(512))?.trim();
    let words: Vec<&str> = line.split(' ').collect();
    (1..=words.len()).rev().find_map(|count| {
        let text = words.get(..count)?.join(" ");
        canonical(&text).map(|(text, _)| text)
    })
}

fn canonical(text: &str) -> Option<(String, Expression)> {
    Expression::parse_mode(text, MODE).ok()?;
    let canonical = Expression::canonicalize(text).ok()?;
    let text = canonical.unwrap_or_else(|| text.to_owned());
    let parsed = Expression::parse_mode(&text, MODE).ok()?;
    Some((text, parsed))
}

/// The licences that a recipe declares.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    named: BTreeSet<String>,
}

impl Declared {
    /// Reads the licence lines of a recipe. A line that is no expression declares itself.
    pub fn read<S: AsRef<str>>(lines: &[S]) -> Self {
        let mut named = BTreeSet::new();
        for line in lines {
            match canonical(line.as_ref().trim()) {
                Some((_, parsed)) => {
                    for one in parsed.requirements() {
                        named.insert(one.req.to_string());
                        named.insert(one.req.license.to_string());
                    }
                }
                None => {
                    named.insert(line.as_ref().trim().to_owned());
                }
            }
        }
        Self { named }
    }

    /// Whether a licence that was found in a text is declared, under any name of that text.
    pub fn covers(&self, found: &Match) -> bool {
        let mut names = found.others.iter().chain([&found.licence]);
        names.any(|name| {
            self.named.contains(name)
                || canonical(name).is_some_and(|(name, _)| self.named.contains(&name))
        })
    }

    /// Whether an expression of [`tags`] is declared: all of it, of alternatives one.
    pub fn covers_tag(&self, expression: &str) -> bool {
        let is_named = |wanted: &LicenseReq| {
            self.named.contains(&wanted.to_string())
                || self.named.contains(&wanted.license.to_string())
        };
        canonical(expression).is_some_and(|(_, parsed)| parsed.evaluate(is_named))
    }

    /// The licences that are declared, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
