//! `boltworks status`: what is released, and what failed last.

use std::process::ExitCode;

use serde_json::json;

use crate::arguments::Arguments;
use crate::commands::session;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode, Failure> {
    let home = session::open_home(arguments, None)?;
    let channels = home
        .records()
        .channels()
        .map_err(boltworks_factory::Error::from)?;
    let mut lines = Vec::new();
    for release in &channels {
        lines.push(format!(
            "{:<20} {} since {}",
            release.channel.to_string(),
            release.artifact.digest.prefixed(),
            release.at
        ));
    }
    if channels.is_empty() {
        lines.push("nothing is released yet: `boltworks up` makes and releases".to_owned());
    }
    output.text(&lines.join("\n"));
    let document: Vec<_> = channels
        .iter()
        .map(|release| {
            json!({
                "channel": release.channel,
                "digest": release.artifact.digest.prefixed(),
                "sequence": release.sequence,
                "at": release.at.to_string(),
            })
        })
        .collect();
    output.json(&json!({"channels": document}));
    Ok(ExitCode::SUCCESS)
}
