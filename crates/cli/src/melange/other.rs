//! `melange version`, `completion` and `bump`.

use std::process::ExitCode;

use boltworks_factory::single::{BumpOrder, Reading};
use serde_json::json;

use super::flag::Words;
use super::given;
use super::{NAME, parser, usage};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn version(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if words.is_on("json") {
        output.raw(&serde_json::to_string_pretty(&json!({
            "gitVersion": version,
            "program": "boltworks",
        }))?);
    } else {
        output.text(&format!("boltworks {version}, as {NAME}"));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn completion(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
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
    clap_complete::generate(shell, &mut parser(), NAME, &mut script);
    output.text(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn bump(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [file, version] = operands.as_slice() else {
        return Err(usage(
            "melange bump takes a recipe and a version",
            "melange bump RECIPE.yaml VERSION",
        ));
    };
    let order = BumpOrder {
        file: file.into(),
        version: version.to_string_lossy().into_owned(),
        commit: words
            .text("expected-commit")
            .filter(|commit| !commit.is_empty()),
        reading: Reading::default(),
    };
    crate::commands::bump::run(&given::home(words)?, &order, output)
}
