//! Steps, and the pipeline files that `uses` names.

use std::collections::BTreeMap;

use boltworks_yaml::{Spanned, or_default};
use serde::Deserialize;

use super::{Test, Text};

/// One step, or a pipeline of steps.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// Only when this holds.
    #[serde(default, rename = "if")]
    pub condition: Option<Text>,
    /// For people.
    #[serde(default)]
    pub name: Option<Text>,
    /// For people, in more words. melange takes it in pipeline files only.
    #[serde(default)]
    pub description: Option<Text>,
    /// A named pipeline to run.
    #[serde(default)]
    pub uses: Option<Text>,
    /// Its inputs.
    #[serde(default, deserialize_with = "or_default")]
    pub with: BTreeMap<String, Text>,
    /// A script for `/bin/sh`.
    #[serde(default)]
    pub runs: Option<Text>,
    /// Steps that share this one's folder and environment.
    #[serde(default, deserialize_with = "or_default")]
    pub pipeline: Vec<Self>,
    /// The inputs a pipeline file takes.
    #[serde(default, deserialize_with = "or_default")]
    pub inputs: BTreeMap<String, Input>,
    /// What must be in the guest.
    #[serde(default, deserialize_with = "or_default")]
    pub needs: Needs,
    /// For programs.
    #[serde(default)]
    pub label: Option<Text>,
    /// What must have happened.
    #[serde(default, deserialize_with = "or_default")]
    pub assertions: Assertions,
    /// The folder, beneath the workspace unless absolute.
    #[serde(default)]
    pub working_directory: Option<Text>,
    /// Environment variables.
    #[serde(default, deserialize_with = "or_default")]
    pub environment: BTreeMap<String, Text>,
}

/// A file that `uses` can name: a step with inputs, and words for people.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PipelineFile {
    /// What it does, in a few words.
    #[serde(default)]
    pub name: Option<Text>,
    /// What it does, in more words.
    #[serde(default)]
    pub description: Option<Text>,
    /// Only when this holds.
    #[serde(default, rename = "if")]
    pub condition: Option<Text>,
    /// The inputs it takes.
    #[serde(default, deserialize_with = "or_default")]
    pub inputs: BTreeMap<String, Input>,
    /// What must be in the guest.
    #[serde(default, deserialize_with = "or_default")]
    pub needs: Needs,
    /// A named pipeline to run.
    #[serde(default)]
    pub uses: Option<Text>,
    /// Its inputs.
    #[serde(default, deserialize_with = "or_default")]
    pub with: BTreeMap<String, Text>,
    /// A script for `/bin/sh`.
    #[serde(default)]
    pub runs: Option<Text>,
    /// The steps.
    #[serde(default, deserialize_with = "or_default")]
    pub pipeline: Vec<Step>,
    /// For programs.
    #[serde(default)]
    pub label: Option<Text>,
    /// What must have happened.
    #[serde(default, deserialize_with = "or_default")]
    pub assertions: Assertions,
    /// The folder, beneath the workspace unless absolute.
    #[serde(default)]
    pub working_directory: Option<Text>,
    /// Environment variables.
    #[serde(default, deserialize_with = "or_default")]
    pub environment: BTreeMap<String, Text>,
    /// Tests of the pipeline itself, for those who maintain it.
    #[serde(default)]
    pub test: Option<Test>,
}

impl PipelineFile {
    /// The step it is.
    pub fn into_step(self) -> Step {
        Step {
            condition: self.condition,
            name: self.name,
            description: self.description,
            uses: self.uses,
            with: self.with,
            runs: self.runs,
            pipeline: self.pipeline,
            inputs: self.inputs,
            needs: self.needs,
            label: self.label,
            assertions: self.assertions,
            working_directory: self.working_directory,
            environment: self.environment,
        }
    }
}

/// An input of a pipeline file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// For people.
    #[serde(default)]
    pub description: Option<Text>,
    /// Its value where none is given.
    #[serde(default)]
    pub default: Option<Text>,
    /// Whether one must be given.
    #[serde(default, deserialize_with = "or_default")]
    pub required: bool,
}

/// What must be in the guest.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Packages.
    #[serde(default, deserialize_with = "or_default")]
    pub packages: Vec<Text>,
}

/// What must have happened within a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Assertions {
    /// How many of its steps must run.
    #[serde(default, deserialize_with = "or_default")]
    pub required_steps: Spanned<u32>,
}
