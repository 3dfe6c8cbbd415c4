//! Why an artifact was made, and from what.

use std::fmt::Write as _;

use boltworks_model::{Artifact, Evidence, Material};
use boltworks_records::ActionRecord;
use serde_json::{Value, json};

use crate::{Error, Home};

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
    /// Channels that point at it.
    pub channels: Vec<String>,
}

impl Home {
    /// Explains the artifacts that a text names: a channel, a name, a file name, the beginning of a
    /// digest. Newest first; of equal bytes the first build.
    pub fn explain(&self, text: &str) -> Result<Vec<Explanation>, Error> {
        let mut found = self.records().find_artifact(text)?;
        if found.is_empty()
            && let Ok(channel) = text.parse()
            && let Some(release) = self.records().current(&channel)?
        {
            found = self
                .records()
                .find_artifact(&release.artifact.digest.to_string())?;
        }
        if found.is_empty() {
            let known = self.records().subjects()?;
            return Err(Error::Missing {
                what: "artifact",
                name: text.to_owned(),
                known,
            });
        }
        let mut explanations: Vec<Explanation> = Vec::new();
        for (artifact, record) in found {
            if explanations.iter().any(|known| known.artifact == artifact) {
                continue;
            }
            explanations.push(self.explain_one(artifact, record)?);
        }
        Ok(explanations)
    }

    fn explain_one(&self, artifact: Artifact, record: ActionRecord) -> Result<Explanation, Error> {
        let evidence = self.records().evidence_for(&artifact.digest)?;
        let channels = self
            .records()
            .channels()?
            .into_iter()
            .filter(|release| release.artifact.digest == artifact.digest)
            .map(|release| release.channel.to_string())
            .collect();
        Ok(Explanation {
            reasons: self.reasons(&record)?,
            artifact,
            record,
            evidence,
            channels,
        })
    }

    /// What had changed since the good action before.
    fn reasons(&self, record: &ActionRecord) -> Result<Vec<String>, Error> {
        let Some(inputs) = self.inputs_of(record)? else {
            return Ok(Vec::new());
        };
        let runs = self.records().actions_for(&record.subject)?;
        let earlier = runs
            .iter()
            .take_while(|run| run.id != record.id)
            .filter(|run| run.ok)
            .last();
        match earlier
            .map(|run| self.inputs_of(run))
            .transpose()?
            .flatten()
        {
            Some(earlier) => Ok(inputs.differences(&earlier)),
            None => Ok(vec!["it was never made before".to_owned()]),
        }
    }
}

impl Explanation {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let record = &self.record;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", self.artifact.coordinate);
        let _ = writeln!(
            text,
            "  digest    {} ({} bytes)",
            self.artifact.digest.prefixed(),
            self.artifact.size
        );
        if !self.channels.is_empty() {
            let _ = writeln!(text, "  released  {}", self.channels.join(", "));
        }
        let _ = writeln!(text, "  made by   {}, action {}", record.subject, record.id);
        let _ = writeln!(text, "  when      {}", record.finished);
        let _ = writeln!(text, "  because   {}", self.reasons.join("; "));
        let _ = writeln!(text, "  from");
        for material in &record.materials {
            let _ = writeln!(text, "    {}", describe(material));
        }
        if stage0_made(record) {
            let _ = writeln!(
                text,
                "  note      stage 0's compiler puts its own start files and libgcc into programs"
            );
        }
        let _ = writeln!(text, "  judged");
        for statement in &self.evidence {
            let _ = writeln!(
                text,
                "    {:<12} {}",
                statement.kind.word(),
                statement.verdict
            );
        }
        text
    }

    /// For machines.
    pub fn document(&self) -> Value {
        json!({
            "artifact": self.artifact,
            "channels": self.channels,
            "subject": self.record.subject,
            "action": self.record.id,
            "finished": self.record.finished.to_string(),
            "because": self.reasons,
            "materials": self.record.materials,
            "documents": self.record.documents,
            "log": self.record.log,
            "limits": self.record.limits,
            "evidence": self.evidence,
        })
    }
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
            let mut text = format!("source   {uri} sha256:{sha256} ({kind:?})");
            if let Some(from) = fetched_from.as_ref().filter(|from| *from != uri) {
                let _ = write!(text, ", fetched from {from}");
            }
            if let Some(digest) = recipe_digest {
                let _ = write!(text, ", which the recipe knows as {digest}");
            }
            text
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
        Material::Builder { name, sandbox } => format!("builder  {name}, {sandbox}"),
    }
}
