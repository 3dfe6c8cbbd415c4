//! Why an artifact was made, and from what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use boltworks_apk::Index;
use boltworks_fsx::Limit;
use boltworks_model::{
    Artifact, ArtifactKind, ChannelName, Evidence, Material, Sha256, visible_line,
};
use boltworks_plan::inputs::told;
use boltworks_records::ActionRecord;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::planning::{LINT_DOCUMENT, is_lost};
use crate::tested::TestRun;
use crate::{Error, Home};

/// The largest signed index that is read back.
const INDEX_LIMIT: Limit = Limit(256 << 20);

/// One artifact with everything the factory knows of it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The artifact.
    pub artifact: Artifact,
    /// The action that gave it.
    pub record: ActionRecord,
    /// Why that action was stale then.
    pub reasons: Vec<String>,
    /// What is said of it.
    pub evidence: Vec<Evidence>,
    /// What linters found in it, as the action's document has it.
    pub lint: Vec<Value>,
    /// Where what the action's steps printed lies on disk.
    pub log: Option<PathBuf>,
    /// Its tests: that of the action, and the last that was run alone.
    pub tests: Vec<TestRun>,
    /// Channels that point at it, or at an index that lists it.
    pub channels: Vec<String>,
    /// Why the last run did not move such a channel to something newer, where it was refused.
    pub held_back: Vec<String>,
    /// Whether the newest good run for its subject gave it.
    pub is_current: bool,
}

impl Home {
    /// Explains the artifacts that a text names: a channel, a recipe or image (`recipe zlib`), a
    /// name, a file name, the beginning of a digest. Of each the newest and what is released, or
    /// `all`; newest first.
    pub fn explain(&self, text: &str, all: bool) -> Result<Vec<Explanation>, Error> {
        let mut found = self.find(text)?;
        if found.is_empty() {
            return Err(self.unexplained(text)?);
        }
        let released = self.released_in()?;
        let mut seen = BTreeSet::new();
        let mut known: Vec<Artifact> = Vec::new();
        found.retain(|(artifact, _)| {
            if known.contains(artifact) {
                return false;
            }
            known.push(artifact.clone());
            let coordinate = &artifact.coordinate;
            let is_newest = seen.insert((coordinate.kind.word(), coordinate.name.clone()));
            all || is_newest || released.contains_key(&artifact.digest)
        });
        found
            .into_iter()
            .map(|(artifact, record)| {
                let channels = released.get(&artifact.digest).cloned();
                self.explain_one(artifact, record, channels.unwrap_or_default())
            })
            .collect()
    }

    fn find(&self, text: &str) -> Result<Vec<(Artifact, ActionRecord)>, Error> {
        let found = self.records().find_artifact(text)?;
        if !found.is_empty() {
            return Ok(found);
        }
        if let Some(digest) = self.channel_digest(text)? {
            return Ok(self.records().find_artifact(&digest.to_string())?);
        }
        let runs = self.records().actions_for(text)?;
        let of_run = |run: ActionRecord| {
            let artifacts = run.artifacts.clone();
            artifacts
                .into_iter()
                .map(move |artifact| (artifact, run.clone()))
        };
        let good = runs.into_iter().rev().filter(|run| run.ok);
        Ok(good.flat_map(of_run).collect())
    }

    /// Why there is nothing to explain: every run failed, or nobody has heard of it.
    fn unexplained(&self, text: &str) -> Result<Error, Error> {
        let subjects = [
            text.to_owned(),
            format!("recipe {text}"),
            format!("image {text}"),
        ];
        let failures = self.records().unresolved_failures()?;
        let failed = failures
            .into_iter()
            .find(|failure| subjects.contains(&failure.subject));
        if let Some(failure) = failed {
            let why = format!("its last run failed, at {}: {}", failure.at, failure.reason);
            let log = failure.log.map(|log| self.blob_path(&log));
            let log = log.map(|log| format!("\nlog: {}", log.display()));
            return Ok(Error::Blocked {
                subject: failure.subject,
                why: why + &log.unwrap_or_default(),
            });
        }
        let refusals = self.refusals()?;
        let refused = refusals
            .iter()
            .find(|(channel, _)| channel.as_str() == text);
        if let Some((channel, why)) = refused {
            return Ok(Error::Refusal {
                channel: channel.clone(),
                why: why.clone(),
            });
        }
        if let Ok(channel) = text.parse::<ChannelName>()
            && self.records().current(&channel)?.is_some()
        {
            return Ok(Error::asked(
                format!("{channel} is a repository, which no action made"),
                "explain one of its packages",
            ));
        }
        Ok(Error::Missing {
            what: "artifact",
            name: text.to_owned(),
            known: self.explainable()?,
        })
    }

    /// The names that can be explained: artifacts, recipes and images, channels.
    fn explainable(&self) -> Result<Vec<String>, Error> {
        let records = self.records();
        let mut names = records.artifact_names()?;
        names.extend(records.subjects()?);
        let channels = records.channels()?;
        // A repository's index is made by no action.
        let images = channels
            .iter()
            .filter(|release| release.artifact.coordinate.kind == ArtifactKind::Image);
        names.extend(images.map(|release| release.channel.to_string()));
        Ok(names)
    }

    /// What is released now, and where: images by their channels, packages by the channels of the
    /// indexes that list them. An index that the store has lost lists nothing.
    fn released_in(&self) -> Result<BTreeMap<Sha256, Vec<String>>, Error> {
        let records = self.records();
        let mut found: BTreeMap<Sha256, Vec<String>> = BTreeMap::new();
        for release in records.channels()? {
            let channel = release.channel.to_string();
            let digest = release.artifact.digest;
            let is_index = release.artifact.coordinate.kind == ArtifactKind::ApkIndex;
            let files = if is_index {
                self.listed_files(&digest)?
            } else {
                Vec::new()
            };
            for file in files {
                let blob = records.released_name(release.channel.repository(), &file)?;
                if let Some(blob) = blob.map(|file| file.blob) {
                    found.entry(blob.digest).or_default().push(channel.clone());
                }
            }
            found.entry(digest).or_default().push(channel);
        }
        Ok(found)
    }

    /// The files that a signed index lists.
    fn listed_files(&self, index: &Sha256) -> Result<Vec<String>, Error> {
        match self
            .store
            .read_bytes(index, INDEX_LIMIT)
            .map_err(Error::from)
        {
            Ok(bytes) => {
                let index = Index::read(&bytes.into_inner(), None)?;
                Ok(index
                    .entries
                    .iter()
                    .map(boltworks_apk::IndexEntry::file_name)
                    .collect())
            }
            Err(error) if is_lost(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Where a channel points, if the text names one.
    fn channel_digest(&self, text: &str) -> Result<Option<Sha256>, Error> {
        let Ok(channel) = text.parse() else {
            return Ok(None);
        };
        let release = self.records().current(&channel)?;
        Ok(release.map(|release| release.artifact.digest))
    }

    fn explain_one(
        &self,
        artifact: Artifact,
        record: ActionRecord,
        channels: Vec<String>,
    ) -> Result<Explanation, Error> {
        let evidence = self.records().evidence_for(&artifact.digest)?;
        let newest = self.records().latest_good_for(&record.subject)?;
        let refusals = self.refusals()?;
        let held_back = refusals
            .iter()
            .filter(|(channel, _)| channels.iter().any(|own| own == channel.as_str()))
            .map(|(channel, why)| {
                let why: Vec<&str> = why.lines().take(2).collect();
                let why = why.join(" ");
                format!("the last run did not move {channel}: {why} (`boltworks status` has more)")
            })
            .collect();
        Ok(Explanation {
            held_back,
            reasons: self.reasons(&record)?,
            lint: self.lint(&artifact, &record)?,
            log: record.log.map(|log| self.blob_path(&log)),
            tests: self.tests(&artifact, &record)?,
            is_current: newest.is_some_and(|newest| newest.artifacts.contains(&artifact)),
            artifact,
            record,
            evidence,
            channels,
        })
    }

    /// What linters found in a package. A document that the store has lost says nothing.
    fn lint(&self, artifact: &Artifact, record: &ActionRecord) -> Result<Vec<Value>, Error> {
        let Some(digest) = record.documents.get(LINT_DOCUMENT) else {
            return Ok(Vec::new());
        };
        let Some(document) = self.json::<Value>(digest)? else {
            return Ok(Vec::new());
        };
        let packages = document["packages"].as_array();
        let is_it = |package: &&Value| package["package"] == artifact.coordinate.name;
        let own = packages.into_iter().flatten().find(is_it);
        let findings = own.and_then(|own| own["findings"].as_array());
        Ok(findings.cloned().unwrap_or_default())
    }

    /// A document; nothing, where the store has lost it.
    pub(crate) fn json<T: DeserializeOwned>(&self, digest: &Sha256) -> Result<Option<T>, Error> {
        let read = self.store.read_bytes(digest, INDEX_LIMIT);
        match read.map_err(Error::from) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes.into_inner())?)),
            Err(error) if is_lost(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What had changed since the good action before.
    fn reasons(&self, record: &ActionRecord) -> Result<Vec<String>, Error> {
        let lost = || vec!["what it was made from is missing from the store".to_owned()];
        let inputs = match self.inputs_of(record) {
            Ok(Some(inputs)) => inputs,
            Ok(None) => return Ok(Vec::new()),
            Err(error) if is_lost(&error) => return Ok(lost()),
            Err(error) => return Err(error),
        };
        let runs = self.records().actions_for(&record.subject)?;
        let earlier = runs
            .iter()
            .take_while(|run| run.id != record.id)
            .filter(|run| run.ok)
            .last();
        let Some(earlier) = earlier else {
            return Ok(vec!["it was never made before".to_owned()]);
        };
        match self.inputs_of(earlier) {
            Ok(Some(earlier)) => Ok(inputs.differences(&earlier)),
            Ok(None) => Ok(Vec::new()),
            Err(error) if is_lost(&error) => Ok(lost()),
            Err(error) => Err(error),
        }
    }
}

impl Explanation {
    /// For people.
    pub fn text(&self) -> String {
        let record = &self.record;
        let artifact = &self.artifact;
        let mut lines = vec![
            artifact.coordinate.to_string(),
            format!(
                "  digest    {} ({} bytes)",
                artifact.digest.prefixed(),
                artifact.size
            ),
        ];
        lines.push(match (self.channels.is_empty(), self.is_current) {
            (false, _) => format!("  released  {}", self.channels.join(", ")),
            (true, true) => format!("  current   the newest of {}, not released", record.subject),
            (true, false) => format!("  old       {} was made anew since", record.subject),
        });
        lines.extend(
            self.held_back
                .iter()
                .map(|why| format!("  but       {why}")),
        );
        lines.push(format!(
            "  made by   {}, action {}",
            record.subject, record.id
        ));
        lines.push(format!("  when      {}", record.finished));
        lines.push(format!("  because   {}", told(&self.reasons)));
        lines.push("  from".to_owned());
        lines.extend(
            record
                .materials
                .iter()
                .map(|material| format!("    {}", describe(material))),
        );
        if stage0_made(record) {
            lines.push(
                "  note      stage 0's compiler puts its own start files and libgcc into programs"
                    .to_owned(),
            );
        }
        lines.push("  judged".to_owned());
        lines.extend(
            self.evidence.iter().map(|statement| {
                format!("    {:<12} {}", statement.kind.word(), statement.verdict)
            }),
        );
        if !self.lint.is_empty() {
            lines.push("  linters".to_owned());
            lines.extend(self.lint.iter().map(finding));
        }
        for test in &self.tests {
            lines.extend(test.lines());
        }
        lines.extend(
            self.log
                .iter()
                .map(|log| format!("  log       {}", log.display())),
        );
        put_together(&lines)
    }

    /// For machines.
    pub fn document(&self) -> Value {
        json!({
            "artifact": self.artifact,
            "channels": self.channels,
            "held-back": self.held_back,
            "current": self.is_current,
            "subject": self.record.subject,
            "action": self.record.id,
            "finished": self.record.finished.to_string(),
            "because": self.reasons,
            "materials": self.record.materials,
            "documents": self.record.documents,
            "log": self.record.log,
            "log-file": self.log.as_deref().map(Path::to_string_lossy),
            "tests": self.tests.iter().map(TestRun::document).collect::<Vec<_>>(),
            "limits": self.record.limits,
            "evidence": self.evidence,
            "lint": self.lint,
        })
    }
}

/// Lines that stay lines, whatever recipe or package their words come from.
fn put_together(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| visible_line(line)).collect();
    lines.join("\n")
}

/// How many paths of a finding are shown to people.
const SHOWN: usize = 5;

/// What one linter found, in a line.
fn finding(finding: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spots = finding["spots"].as_array();
    let spot = |spot: &Value| match (text(&spot["path"]), text(&spot["note"])) {
        (path, note) if note.is_empty() => path,
        (path, note) if path.is_empty() => note,
        (path, note) => format!("{path} ({note})"),
    };
    let mut shown: Vec<String> = spots.into_iter().flatten().take(SHOWN).map(spot).collect();
    let count = finding["count"].as_u64().unwrap_or(0);
    let more = count.saturating_sub(SHOWN as u64);
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    let (linter, level) = (text(&finding["linter"]), text(&finding["level"]));
    let advice = text(&finding["advice"]);
    format!("    {linter:<12} {level}: {}; {advice}", shown.join(", "))
}

fn stage0_made(record: &ActionRecord) -> bool {
    record.materials.iter().any(|material| {
        matches!(material, Material::Package { name, repository, .. }
            if repository == crate::planning::STAGE0 && name.starts_with("gcc"))
    })
}

fn describe(material: &Material) -> String {
    match material {
        Material::Source {
            uri,
            fetched_from,
            kind,
            sha256,
            recipe_digest,
        } => {
            let from = fetched_from.as_ref().filter(|from| *from != uri);
            let from = from
                .map(|from| format!(", fetched from {from}"))
                .unwrap_or_default();
            let known = recipe_digest.as_ref();
            let known = known.map(|digest| format!(", which the recipe knows as {digest}"));
            let known = known.unwrap_or_default();
            format!("source   {uri} sha256:{sha256} ({kind:?}){from}{known}")
        }
        Material::Package {
            name,
            sha256,
            repository,
        } => {
            format!("package  {name} sha256:{sha256} ({repository})")
        }
        Material::Recipe { path, sha256 } => format!("recipe   {path} sha256:{sha256}"),
        Material::Pipeline {
            name,
            sha256,
            builtin,
        } => {
            let whose = if *builtin {
                "built in"
            } else {
                "the factory's"
            };
            format!("pipeline {name} sha256:{sha256} ({whose})")
        }
        Material::Key { uri, sha256, .. } => format!("key      {uri} sha256:{sha256}"),
        Material::Builder { name, sandbox } => format!("builder  {name}, {sandbox}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_words_begin_a_line() {
        let lines = ["  log       a".to_owned(), "b\nerror: \u{202e}c".to_owned()];
        assert_eq!(put_together(&lines), "  log       a\nb\\nerror: \u{fffd}c");
    }
}
