//! `boltworks explain`: why an artifact was made, and from what.

use std::process::ExitCode;

use boltworks_factory::explain::Explanation;

use crate::arguments::{Arguments, Explain};
use crate::commands::session;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(
    arguments: &Arguments,
    explain: &Explain,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = session::open_home(arguments, None)?;
    let explanations = home.explain(&explain.artifact, explain.all)?;
    let texts: Vec<String> = explanations.iter().map(Explanation::text).collect();
    output.text(&texts.join("\n"));
    output.json(
        &explanations
            .iter()
            .map(Explanation::document)
            .collect::<Vec<_>>(),
    );
    Ok(ExitCode::SUCCESS)
}
