//! Why an artifact was made, and from what.

use boltworks_model::{Artifact, Evidence, Material, Sha256};
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
            && let Some(digest) = self.channel_digest(text)?
        {
            found = self.records().find_artifact(&digest.to_string())?;
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

    /// Where a channel points, if the text names one.
    fn channel_digest(&self, text: &str) -> Result<Option<Sha256>, Error> {
        let Ok(channel) = text.parse() else {
            return Ok(None);
        };
        let release = self.records().current(&channel)?;
        Ok(release.map(|release| release.artifact.digest))
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
        if !self.channels.is_empty() {
            lines.push(format!("  released  {}", self.channels.join(", ")));
        }
        lines.push(format!(
            "  made by   {}, action {}",
            record.subject, record.id
        ));
        lines.push(format!("  when      {}", record.finished));
        lines.push(format!("  because   {}", self.reasons.join("; ")));
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
        lines.join("\n")
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
        Material::Builder { name, sandbox } => format!("builder  {name}, {sandbox}"),
    }
}
