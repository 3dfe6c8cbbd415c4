//! A step that failed, as people and machines are shown it: where its script ended, what it printed
//! last, where the whole log is, and how to be where it stood.

use boltworks_factory::home::log_of;
use boltworks_package::Failed;
use boltworks_package::steps::Command;
use serde_json::{Value, json};

use crate::host;
use crate::output::shown;

/// What is said beside the error itself.
pub(crate) fn lines(failed: &Failed) -> Vec<String> {
    let stopped = &failed.stopped;
    let mut lines = vec![format!("step {} of {}", stopped.number, stopped.of)];
    lines.extend(stopped.command.as_ref().map(|command| {
        let Command { line, text } = command;
        format!("at or after line {line} of its script: {text}")
    }));
    lines.extend(failed.tail.iter().map(|line| format!("    {line}")));
    lines.extend(log_of(failed).map(|log| format!("log: {}", log.display())));
    lines
}

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
        "shell": shell(failed),
    })
}
