//! What steps use, run, and where.

use boltworks_yaml::closest;

use super::{MOST, Part, Spot, Subject};
use crate::parsed::{Step, Text};
use crate::resolve::leaves;

/// A step uses a pipeline that there is not, or gives it what it does not take.
pub(super) fn inputs(subject: &Subject<'_>) -> Vec<Spot> {
    let steps = subject.steps().into_iter();
    let used = steps.filter_map(|(_, step)| Some((step, step.uses.as_ref()?)));
    used.filter(|(_, uses)| !uses.is_empty() && !uses.contains("${{"))
        .flat_map(|(step, uses)| wrong_inputs(subject, step, uses))
        .take(MOST)
        .collect()
}

fn wrong_inputs(subject: &Subject<'_>, step: &Step, uses: &Text) -> Vec<Spot> {
    let Some(file) = subject.library.get(uses) else {
        let spot = subject.spot(uses, format!("there is no pipeline '{}'", cut(uses)));
        let near = subject.library.meant_by(uses);
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
        let place = subject.recipe.origin.place_of_key(name, value);
        near.into_iter()
            .fold(subject.spot_at(place, what), Spot::instead)
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
    unknown.chain(missing).take(MOST).collect()
}

fn cut(text: &str) -> String {
    boltworks_model::visible_start(text, 160)
}

/// A step of the build calls a program that needs the network.
pub(super) fn network(subject: &Subject<'_>) -> Vec<Spot> {
    let build = subject.steps().into_iter();
    let build = build.filter(|(part, _)| *part == Part::Build);
    let scripts = build.filter_map(|(_, step)| step.runs.as_ref());
    let calls = scripts.flat_map(|script| {
        let calls = script.lines().filter_map(call);
        calls.map(move |(program, command)| (script, program, command))
    });
    calls
        .take(MOST)
        .map(|(script, program, command)| {
            let what = format!("'{program}' needs the network");
            subject.spot_of(script, command, what)
        })
        .collect()
}

/// The program and its call, if a line of a script begins or goes on with one that needs the
/// network.
fn call(line: &str) -> Option<(&'static str, &str)> {
    const CALLS: [&str; 6] = [
        "curl",
        "wget",
        "git clone",
        "git fetch",
        "git submodule update",
        "pip download",
    ];
    const BEFORE: [&str; 5] = ["if ", "then ", "do ", "else ", "while "];
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let commands = line.split_inclusive(['|', ';', '&', '(', '`', '!']);
    commands.map(str::trim).find_map(|command| {
        let stripped = |command, word: &&str| str::strip_prefix(command, word).unwrap_or(command);
        let command = BEFORE.iter().fold(command, stripped);
        CALLS.iter().find_map(|program| {
            let rest = command.strip_prefix(program)?;
            let is_word = rest.is_empty() || rest.starts_with([' ', '\t']);
            // Its version and its help need no network, nor does what lies here already.
            let near = ["--version", "--help", ".", "/"];
            let is_near = near.iter().any(|near| rest.trim_start().starts_with(near));
            (is_word && !is_near).then_some((*program, command))
        })
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
        .take(MOST)
        .collect()
}

/// No package of the recipe is tested.
pub(super) fn test(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let is_tested = recipe.tests().any(|test| !test.pipeline.is_empty());
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
            assert_eq!(call(line).map(|(program, _)| program), expected, "{line}");
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
        check("git clone . ../other", None);
        check("git submodule update", Some("git submodule update"));
        check("curlew x", None);
    }
}
