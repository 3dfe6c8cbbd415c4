//! `boltworks status`: what is released, what failed last, and what the state takes.

use std::process::ExitCode;

use boltworks_factory::{Error, Line};
use boltworks_plan::State;
use boltworks_records::{FailureRecord, ReleaseRecord};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::commands::session;
use crate::failure::Failure;
use crate::output::Output;
use crate::table;

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode, Failure> {
    let home = session::open_home(arguments, None)?;
    let channels = home.records().channels().map_err(Error::from)?;
    let failures = home.records().unresolved_failures().map_err(Error::from)?;
    let refusals = home.refusals()?;
    let usage = home.store.usage().map_err(Error::from)?;
    let failures = if failures.is_empty() {
        failures
    } else {
        still_failing(arguments, failures)
    };
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
    for failure in &failures {
        let reason = failure.reason.lines().next().unwrap_or_default();
        lines.push(format!(
            "✗ {:<18} failed at {}: {reason}",
            failure.subject, failure.at
        ));
    }
    for (channel, why) in &refusals {
        let why = why.replace('\n', "\n    ");
        lines.push(format!("✗ {channel} was not moved: {why}"));
    }
    let size = table::size(usage.bytes);
    lines.push(format!("store: {} blobs, {size}", usage.blobs));
    output.text(&lines.join("\n"));
    output.json(&json!({
        "channels": channels.iter().map(release).collect::<Vec<_>>(),
        "refused": refusals,
        "failures": failures.iter().map(failure).collect::<Vec<_>>(),
        "store": {"blobs": usage.blobs, "bytes": usage.bytes},
    }));
    Ok(ExitCode::SUCCESS)
}

/// A failure is over, too, where the files say again what was made before, or no longer name it.
/// Where the files cannot be read, what the records say stands.
fn still_failing(arguments: &Arguments, failures: Vec<FailureRecord>) -> Vec<FailureRecord> {
    let plan = session::open(arguments, None)
        .ok()
        .and_then(|line: Line| line.plan().ok());
    let Some((plan, _)) = plan else {
        return failures;
    };
    let is_unmade = |failure: &FailureRecord| {
        plan.items.iter().any(|item| {
            item.subject.to_string() == failure.subject && !matches!(item.state, State::Fresh(_))
        })
    };
    failures.into_iter().filter(is_unmade).collect()
}

fn release(release: &ReleaseRecord) -> Value {
    json!({
        "channel": release.channel,
        "digest": release.artifact.digest.prefixed(),
        "sequence": release.sequence,
        "at": release.at.to_string(),
    })
}

fn failure(failure: &FailureRecord) -> Value {
    json!({
        "subject": failure.subject,
        "reason": failure.reason,
        "log": failure.log,
        "at": failure.at.to_string(),
    })
}
