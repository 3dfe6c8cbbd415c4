//! What every program has: `version` and `completion`.

use std::process::ExitCode;

use serde_json::json;

use super::flag::Words;
use super::{Dialect, usage};
use crate::failure::Failure;
use crate::output::Output;

/// The version of this program.
pub(crate) fn version(
    dialect: &Dialect,
    words: &Words<'_>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if words.is_on("json") {
        output.raw(&serde_json::to_string_pretty(&json!({
            "gitVersion": version,
            "program": "boltworks",
        }))?);
    } else {
        output.text(&format!("boltworks {version}, as {}", dialect.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// A completion script for the shell that is named.
pub(crate) fn completion(
    dialect: &Dialect,
    words: &Words<'_>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let name = words.operands().into_iter().next().unwrap_or_default();
    let name = name.to_string_lossy();
    let shell = match name.as_ref() {
        "bash" => clap_complete::Shell::Bash,
        "zsh" => clap_complete::Shell::Zsh,
        "fish" => clap_complete::Shell::Fish,
        "powershell" => clap_complete::Shell::PowerShell,
        _ => {
            return Err(usage(
                format!("there is no completion for '{name}'"),
                "there is one for bash, zsh, fish and powershell",
            ));
        }
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut dialect.parser(), dialect.name, &mut script);
    output.text(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
