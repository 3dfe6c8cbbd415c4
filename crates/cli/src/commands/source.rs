//! `boltworks source`: the sources of recipes, fetched or hashed.

use std::process::ExitCode;

use boltworks_factory::sources::{SourceRow, SourceState};
use serde_json::{Value, json};

use crate::arguments::{Arguments, Source};
use crate::commands::session;
use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::table::{count, size, table};

/// How many digits of a digest are shown.
const SHORT: usize = 12;

pub(crate) fn run(
    arguments: &Arguments,
    source: &Source,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let line = session::open(arguments, None)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let rows = match source {
        Source::Fetch { recipes } => line.fetch_sources(recipes, &ambient)?,
        Source::Verify { recipes } => line.verify_sources(recipes, &ambient)?,
    };
    drop(watcher);
    let bad = rows.iter().filter(|row| !row.state.is_good()).count();
    output.text(&text(&rows, bad));
    output.json(&json!({
        "good": bad == 0,
        "sources": rows.iter().map(document).collect::<Vec<_>>(),
    }));
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

fn text(rows: &[SourceRow], bad: usize) -> String {
    let mut lines = table(&rows.iter().map(row).collect::<Vec<_>>());
    lines.push(match bad {
        0 => format!("{}, all of them good", count(rows.len(), "source")),
        bad => format!("{bad} of {} missing or bad", count(rows.len(), "source")),
    });
    if rows.iter().any(|row| row.state == SourceState::Missing) {
        lines.push("help: `boltworks source fetch` brings what is missing".to_owned());
    }
    lines.join("\n")
}

fn row(row: &SourceRow) -> Vec<String> {
    let mark = if row.state.is_good() { "✓" } else { "✗" };
    let short = |digest: &boltworks_model::Sha256| -> String {
        digest
            .prefixed()
            .chars()
            .take("sha256:".len() + SHORT)
            .collect()
    };
    let state = match &row.state {
        SourceState::Kept {
            sha256,
            size: bytes,
            is_new,
            from,
            ..
        } => {
            let how = if *is_new { "fetched" } else { "in the store" };
            let from = from.as_ref().map(|from| format!(" from {from}"));
            format!(
                "{how}, {}, {}{}",
                size(*bytes),
                short(sha256),
                from.unwrap_or_default()
            )
        }
        SourceState::Good { sha256 } => format!("good, {}", short(sha256)),
        SourceState::Missing => "not in the store".to_owned(),
        SourceState::Bad { reason } => reason.clone(),
    };
    vec![format!("{mark} {}", row.recipe), row.uri.clone(), state]
}

fn document(row: &SourceRow) -> Value {
    let mut value = match &row.state {
        SourceState::Kept {
            sha256,
            size,
            is_new,
            kind,
            from,
        } => json!({
            "state": if *is_new { "fetched" } else { "kept" },
            "digest": sha256.prefixed(),
            "size": size,
            "kind": kind,
            "fetched-from": from,
        }),
        SourceState::Good { sha256 } => json!({"state": "good", "digest": sha256.prefixed()}),
        SourceState::Missing => json!({"state": "missing"}),
        SourceState::Bad { reason } => json!({"state": "bad", "reason": reason}),
    };
    value["recipe"] = json!(row.recipe);
    value["uri"] = json!(row.uri);
    value
}
