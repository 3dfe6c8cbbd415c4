//! A step that failed, as people and machines are shown it: where its script ended, what it printed
//! last, where the whole log is, and how to be where it stood.

use boltworks_factory::home::log_of;
use boltworks_model::visible_path;
use boltworks_package::Failed;
use boltworks_package::steps::Command;
use serde_json::{Value, json};

use crate::host;
use crate::output::shown;

/// What is said beside the error itself, put in so far, each line as wide as there is room.
pub(crate) fn lines(failed: &Failed, indent: &str, hung: fn(&str) -> String) -> Vec<String> {
    let stopped = &failed.stopped;
    let mut lines = vec![format!("{indent}step {} of {}", stopped.number, stopped.of)];
    lines.extend(stopped.command.as_ref().map(|command| {
        let Command { line, text } = command;
        hung(&format!(
            "{indent}at or after line {line} of its script: {text}"
        ))
    }));
    let tail = failed.tail.iter();
    lines.extend(tail.map(|line| hung(&format!("{indent}    {line}"))));
    // A path that is copied stays whole.
    lines.extend(log_of(failed).map(|log| format!("{indent}log: {}", visible_path(&log))));
    lines
}

/// What to do next: what is known of the reason, where it is to be seen, and how to be there.
pub(crate) fn advice(failed: &Failed) -> String {
    if !failed.has_shell {
        return "correct the image or its test".to_owned();
    }
    let shell = format!("A shell where it stands: {}", shell(failed));
    let last = failed.tail.iter().rev().take(LAST);
    let is_refused = |line: &String| REFUSALS.iter().any(|words| line.contains(words));
    if !last.into_iter().any(is_refused) {
        return format!("correct the recipe. {shell}");
    }
    format!(
        "a step has no privileges: it writes a file of its own only where the file's mode lets it \
         (`chmod u+w FILE` before), and gives files to nobody. Correct the recipe; one that is inside a \
         package can be taken out (`tar -xzOf FILE.apk .melange.yaml`), corrected and built. {shell}"
    )
}

/// What programs print where the kernel refuses them something, in so many of the last lines.
const REFUSALS: [&str; 2] = ["ermission denied", "peration not permitted"];
const LAST: usize = 5;

/// What gives a person a shell where the step failed.
pub(crate) fn shell(failed: &Failed) -> String {
    let workspace = failed.workspace.as_os_str();
    format!("{} shell {}", host::program(), host::word(workspace))
}

/// The same for machines.
pub(crate) fn document(failed: &Failed) -> Value {
    let stopped = &failed.stopped;
    let command = stopped.command.as_ref().map(|command| {
        json!({
            "line": command.line,
            "text": command.text,
        })
    });
    json!({
        "step": stopped.step,
        "number": stopped.number,
        "of": stopped.of,
        "how": stopped.how,
        "code": stopped.code,
        "command": command,
        "script": stopped.script,
        "tail": failed.tail,
        "log": failed.log,
        "log-file": log_of(failed).as_deref().map(shown),
        "workspace": shown(&failed.workspace),
        "shell": failed.has_shell.then(|| shell(failed)),
    })
}
