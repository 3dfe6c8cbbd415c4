//! What is generated from the code: the schema of `boltworks.yaml`, completions, manual pages.

use std::path::Path;
use std::process::ExitCode;

use boltworks_fsx::{RelPath, Root};
use boltworks_model::visible_path;
use clap::CommandFactory;
use serde_json::json;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::host;
use crate::output::{Output, shown};

/// `boltworks schema`
pub(crate) fn schema(output: &Output) -> Result<ExitCode, Failure> {
    output.raw(&serde_json::to_string_pretty(&boltworks_config::schema())?);
    Ok(ExitCode::SUCCESS)
}

/// `boltworks completion SHELL`
pub(crate) fn completion(shell: clap_complete::Shell, output: &Output) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "boltworks", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.text(&script);
    output.json(&json!({"shell": shell.to_string(), "script": script}));
    ExitCode::SUCCESS
}

/// `boltworks man FOLDER`
pub(crate) fn manual(folder: &Path, output: &Output) -> Result<ExitCode, Failure> {
    let root = Root::create(&host::absolute(folder))?;
    let mut command = Arguments::command();
    command.build();
    let count = write_pages(&root, &command, "boltworks")?;
    output.text(&format!("{count} manual pages in {}", visible_path(folder)));
    output.json(&json!({"folder": shown(folder), "pages": count}));
    Ok(ExitCode::SUCCESS)
}

fn write_pages(root: &Root, command: &clap::Command, name: &str) -> Result<usize, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(name.to_owned())
        .render(&mut page)?;
    root.write(
        &RelPath::try_from(format!("{name}.1").as_str())?,
        &page,
        0o644,
    )?;
    let mut count = 1;
    for below in command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
    {
        count += write_pages(root, below, &format!("{name}-{}", below.get_name()))?;
    }
    Ok(count)
}
