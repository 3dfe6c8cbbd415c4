//! `boltworks stage0`: the packages the first compiler comes from.

use std::process::ExitCode;

use boltworks_model::visible_path;
use serde_json::json;

use crate::arguments::{Arguments, Stage0};
use crate::commands::session;
use crate::failure::Failure;
use crate::output::{Output, shown};

pub(crate) fn run(
    arguments: &Arguments,
    asked: &Stage0,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let line = session::open(arguments, None)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let stage0 = line.stage0(&machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    let written = asked.out_dir.as_deref();
    let written = written.map(|out| line.write_stage0(&stage0, out));
    let index = written.transpose()?;
    let packages = &stage0.index.entries;
    let size: u64 = packages.iter().map(|entry| entry.installed_size).sum();
    output.text(&format!(
        "stage 0: {} packages of Debian {}, {} MB installed. They build; they never ship.",
        packages.len(),
        line.home.config.stage0.debian.suite,
        size / 1_000_000
    ));
    if let Some(index) = &index {
        output.text(&format!("listed in {}", visible_path(index)));
    }
    output.json(&json!({
        "packages": packages
            .iter()
            .map(|entry| json!({
                "name": entry.name.as_str(),
                "version": entry.version.to_string(),
                "description": entry.description,
            }))
            .collect::<Vec<_>>(),
        "index": index.as_deref().map(shown),
    }));
    Ok(ExitCode::SUCCESS)
}
