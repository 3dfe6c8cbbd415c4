//! `boltworks store verify`: every blob hashed.

use std::process::ExitCode;

use serde_json::json;

use crate::arguments::Arguments;
use crate::commands::session;
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(crate) fn verify(arguments: &Arguments, output: &Output) -> Result<ExitCode, Failure> {
    let home = session::open_home(arguments, None)?;
    let report = home
        .store
        .verify(&mut |_, _| Ok(()))
        .map_err(boltworks_factory::Error::from)?;
    let bad: Vec<String> = report
        .bad
        .iter()
        .map(|bad| format!("{}: {}", bad.digest, bad.problem))
        .collect();
    output.text(&format!(
        "{} blobs are what their names say",
        report.checked.saturating_sub(bad.len() as u64)
    ));
    for line in &bad {
        output.note(&format!("✗ {line}"));
    }
    output.json(&json!({"checked": report.checked, "bad": bad, "stray": report.stray}));
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}
