//! `boltworks shell`: a shell in the workspace of a failed build or test.

use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::single::{self, KeptWorkspace};
use boltworks_sandbox::End;
use serde_json::json;

use crate::arguments::{Arguments, Shell};
use crate::commands::session;
use crate::failure::Failure;
use crate::host;
use crate::output::{Output, shown};
use crate::table::table;

pub(crate) fn run(
    arguments: &Arguments,
    shell: &Shell,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let Some(named) = &shell.workspace else {
        return list(arguments, output);
    };
    let is_path = named.components().count() > 1 || named.is_absolute();
    let path = if is_path {
        host::absolute(named)
    } else {
        session::home_or_makeshift(arguments)?.workspace(&named.to_string_lossy())
    };
    single::kept(&path)?;
    let chair = session::chair("boltworks shell")?;
    let machine = session::machine()?;
    let watcher = session::watcher(true);
    let ambient = machine.ambient(watcher.as_ref());
    let exe = host::host(None, true).exe;
    let exit = single::shell(&path, &exe, chair.attendant(), &ambient)?;
    Ok(match exit.end {
        End::Code(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        _ => ExitCode::FAILURE,
    })
}

fn list(arguments: &Arguments, output: &Output) -> Result<ExitCode, Failure> {
    let kept = session::home_or_makeshift(arguments)?.kept_workspaces()?;
    let row = |workspace: &KeptWorkspace| {
        let kept = &workspace.kept;
        vec![
            workspace.name.clone(),
            format!("step '{}': {}", kept.step, kept.how),
        ]
    };
    let rows: Vec<Vec<String>> = kept.iter().map(row).collect();
    output.text(&if rows.is_empty() {
        "no failed build or test left a workspace".to_owned()
    } else {
        table(&rows).join("\n")
    });
    let document = |workspace: &KeptWorkspace| {
        let kept = &workspace.kept;
        json!({
            "name": workspace.name,
            "path": shown(Path::new(&workspace.path)),
            "what": kept.what,
            "step": kept.step,
            "how": kept.how,
        })
    };
    output.json(&kept.iter().map(document).collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}
