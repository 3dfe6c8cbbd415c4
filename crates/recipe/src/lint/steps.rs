//! What steps use, run, and where.

use boltworks_yaml::closest;

use super::{Part, Spot, Subject};
use crate::parsed::{Step, Text};
use crate::resolve::leaves;

/// A step uses a pipeline that there is not, or gives it what it does not take.
pub(super) fn inputs(subject: &Subject<'_>) -> Vec<Spot> {
    let steps = subject.steps().into_iter();
    let used = steps.filter_map(|(_, step)| Some((step, step.uses.as_ref()?)));
    used.filter(|(_, uses)| !uses.is_empty() && !uses.contains("${{"))
        .flat_map(|(step, uses)| wrong_inputs(subject, step, uses))
        .collect()
}

fn wrong_inputs(subject: &Subject<'_>, step: &Step, uses: &Text) -> Vec<Spot> {
    let Some(file) = subject.library.get(uses) else {
        let spot = subject.spot(uses, format!("there is no pipeline '{}'", cut(uses)));
        let near = closest(uses, subject.library.names());
        return vec![near.into_iter().fold(spot, Spot::instead)];
    };
    let Ok(document) = file.document() else {
        return Vec::new();
    };
    let inputs = &document.step.inputs;
    let unknown = step
        .with
        .iter()
        .filter(|(name, _)| !inputs.contains_key(*name));
    let unknown = unknown.map(|(name, value)| {
        let what = format!("the pipeline '{}' has no input '{}'", cut(uses), cut(name));
        let near = closest(name, inputs.keys().map(String::as_str));
        near.into_iter()
            .fold(subject.spot(value, what), Spot::instead)
    });
    let is_missing = |name: &str| step.with.get(name).is_none_or(|value| value.is_empty());
    let missing = inputs.iter().filter(|(name, declared)| {
        let default = declared.default.as_deref().unwrap_or_default();
        declared.required && default.is_empty() && is_missing(name)
    });
    let missing = missing.map(|(name, _)| {
        let what = format!("the pipeline '{}' needs the input '{name}'", cut(uses));
        subject.spot(uses, what)
    });
    unknown.chain(missing).collect()
}

fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}

/// A step of the build calls a program that needs the network.
pub(super) fn network(subject: &Subject<'_>) -> Vec<Spot> {
    let build = subject.steps().into_iter();
    let build = build.filter(|(part, _)| *part == Part::Build);
    let scripts = build.filter_map(|(_, step)| step.runs.as_ref());
    scripts
        .flat_map(|script| {
            let calls = script.lines().filter_map(call);
            calls
                .map(|part| {
                    subject.spot_of(script, part, format!("'{}' needs the network", part.trim()))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The call of a program that needs the network, if a line of a script begins or goes on with one.
fn call(line: &str) -> Option<&str> {
    const CALLS: [&str; 6] = [
        "curl ",
        "wget ",
        "git clone ",
        "git fetch ",
        "git submodule update",
        "pip download ",
    ];
    let line = line.trim_start();
    if line.starts_with('#') {
        return None;
    }
    let commands = line.split_inclusive(['|', ';', '&', '(', '`', '!']);
    commands.map(str::trim_start).find_map(|command| {
        let words = ["if ", "then ", "do ", "else ", "while "];
        let command = words.iter().fold(command, |command, word| {
            command.strip_prefix(word).unwrap_or(command)
        });
        let called = CALLS.iter().find(|call| command.starts_with(**call))?;
        // That a program shows its version, or its help, needs no network.
        let rest = command.get(called.len()..).unwrap_or_default();
        let is_shown = rest.starts_with("--version") || rest.starts_with("--help");
        (!is_shown).then(|| command.get(..called.len()))?
    })
}

/// A step's folder leads out of the workspace.
pub(super) fn directory(subject: &Subject<'_>) -> Vec<Spot> {
    let steps = subject.steps().into_iter();
    let folders = steps.filter_map(|(_, step)| step.working_directory.as_ref());
    let outside = folders.filter(|folder| !folder.starts_with('/') && leaves(folder));
    outside
        .map(|folder| {
            let what = format!("the folder '{}' is not in the workspace", cut(folder));
            subject.spot(folder, what)
        })
        .collect()
}

/// No package of the recipe is tested.
pub(super) fn test(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let split = recipe.subpackages.iter();
    let mut tests = split.filter_map(|package| package.test.as_ref());
    let mut tests = recipe.test.iter().chain(tests.by_ref());
    let is_tested = tests.any(|test| !test.pipeline.is_empty());
    let name = &recipe.package.name;
    (!is_tested)
        .then(|| subject.spot(name, format!("'{}' has no test", &**name)))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::call;

    #[test]
    fn calls_are_found_where_a_command_begins() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(call(line).map(str::trim), expected, "{line}");
        };
        check("curl -O https://a.example/x", Some("curl"));
        check("  x=$(wget -qO- y)", Some("wget"));
        check("cd x && git clone https://a.example/x", Some("git clone"));
        check("if curl x; then", Some("curl"));
        check("# curl x", None);
        check("install -m755 curl /usr/bin", None);
        check("./curl --version", None);
        check("curl --version", None);
        check("echo 'use curl x'", None);
    }
}
