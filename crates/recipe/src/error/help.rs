//! What to write instead.

use boltworks_model::PackageName;

use super::Problem;

impl Problem {
    /// What to do next, where nothing is suggested.
    pub(super) fn help(&self) -> String {
        let fixed = match self {
            Self::BadPackageName { .. } => {
                let rule = PackageName::OWN_RULE;
                return format!("write a name that {rule}");
            }
            Self::MissingInput { name, .. } => {
                return format!("add it under `with` of this step: `{name}: …`");
            }
            Self::NoCommit { command, .. } => {
                return format!(
                    "add `expected-commit: …` under `with` of this step: tags and branches can be \
                     moved. `{command}` tells it"
                );
            }
            Self::UnknownPipeline { name, .. } => {
                return format!(
                    "'{name}.yaml' is looked for in the folders given with --pipeline-dir, in \
                     `pipelines` beside the recipe, and among the built-in pipelines"
                );
            }
            Self::RefusedPipeline { .. } => {
                "put the file itself there, or name the folder it lies in with --pipeline-dir, or under \
                 `pipelines` in boltworks.yaml"
            }
            Self::BadValue { help, .. } => help,
            Self::UnknownVariable { .. } => {
                "`vars`, `data` with `range`, and a pipeline's `inputs` define variables; \
                 docs/recipes.md lists the others"
            }
            Self::UnknownInput { .. } => "take it away, or correct its name",
            Self::UnknownWord { .. } => "write one of those that are known",
            Self::BadInput { .. } => "correct it under `with`",
            Self::PipelineCycle { .. } | Self::VariableCycle { .. } => {
                "take one of them out of the circle"
            }
            Self::BadVariable { .. } => {
                "a name is of letters, digits and . _ -: `${{package.version}}`"
            }
            Self::BadCondition { expected, .. } if expected.contains("fewer") => {
                "take parentheses away: only those around && or || change anything"
            }
            Self::BadCondition { .. } => {
                "compare with == or !=, on each side ${{name}} or text in quotes; join by && and \
                 ||, from left to right; put together with ( )"
            }
            Self::TooLong { .. } => {
                "lay it beside the recipe as a file of its own, and use that in the step"
            }
            Self::LongFileName { .. } => "shorten the name, or the version",
            Self::TooMuch { what, .. } => too_much_help(what),
            Self::OtherArchitecture { .. } => {
                "ask for another with --arch, or add this one to `target-architecture`"
            }
            Self::RequiredSteps { .. } => {
                "correct the conditions of its steps, or `required-steps`"
            }
            Self::Unfetchable { .. } => {
                "correct the address, or say under `sources` in boltworks.yaml where else it is"
            }
            Self::Version(_) => {
                "write digits and dots, then perhaps _alpha, _beta, _pre, _rc, _p or _git with \
                 digits: 1.2.3_rc1"
            }
            Self::Dependency(_) => "write name, name=1.2-r0, name>=1.2, name~1.2 or !name",
            Self::BadPattern { rule, .. } if rule.contains("too") => {
                "make it smaller: numbers of repetitions within each other multiply"
            }
            Self::BadPattern { .. } => "patterns are Go's, RE2: no look-around, no back-references",
            Self::UnknownData { .. } => "add an entry of that `name` with `items` under `data`",
            Self::TwicePackage { .. } => "give one of them another name",
            Self::NotSupported { .. } => "take it away",
            Self::BadDocument { .. } => Self::ANOTHER_PROGRAM,
            Self::Unchangeable { .. } => "change it by hand",
            Self::Name(_) => "write letters, digits and + - . _, with a letter or a digit first",
            Self::ObjectId(_) => "write the commit's name in full, as `git rev-parse` tells it",
            Self::RefName(_) => "write the name as `git branch` or `git tag` has it: v1.2.3",
        };
        fixed.to_owned()
    }

    /// What to write instead.
    pub fn suggestion(&self) -> Option<&str> {
        match self {
            Self::UnknownVariable { suggestion, .. }
            | Self::UnknownData { suggestion, .. }
            | Self::UnknownPipeline { suggestion, .. }
            | Self::UnknownInput { suggestion, .. }
            | Self::UnknownWord { suggestion, .. } => suggestion.as_deref(),
            _ => None,
        }
    }
}

/// What to do about too much of something.
fn too_much_help(what: &str) -> &'static str {
    let says = |part: &str| what.contains(part);
    if says("nested") {
        "nest less deeply"
    } else if says("chain") {
        "write out some of the variables"
    } else if says("var-transforms") || says("transform") {
        "transform less text, and repeat nothing within repetitions in `match`"
    } else if says("variables") {
        "write less text into variables, or use them less often"
    } else {
        "make several recipes of it, or range over fewer items"
    }
}
