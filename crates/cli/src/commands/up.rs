//! `boltworks up`: everything stale is made, judged and released.

use std::process::ExitCode;

use boltworks_factory::released::Released;
use boltworks_factory::up::RowOutcome;
use boltworks_factory::{Report, Row};
use boltworks_plan::inputs::told;
use serde_json::{Value, json};

use crate::arguments::{Arguments, Up};
use crate::commands::{session, test};
use crate::failed;
use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::terminal::hung_out;

pub(crate) fn run(arguments: &Arguments, up: &Up, output: &Output) -> Result<ExitCode, Failure> {
    let line = session::open(arguments, up.jobs)?;
    let machine = session::machine()?;
    let watcher = session::watcher(up.log);
    let (report, released) = line.up(&machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    output.text(&text(&report, &released));
    output.json(&document(&report, &released));
    Ok(if report.is_complete() && released.is_complete() {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

fn text(report: &Report, released: &Released) -> String {
    let mut lines = Vec::new();
    if report.was_fresh() {
        lines.push(format!(
            "nothing is stale: {} recipes and images are as their files say",
            report.rows.len()
        ));
    } else {
        lines.extend(report.rows.iter().map(row));
        lines.extend(failures(report));
        let fault = report.fault.iter();
        lines.extend(fault.map(|why| format!("✗ the rest was not tried: {why}")));
        lines.extend(
            report
                .confinement
                .iter()
                .map(|means| format!("steps ran in: {means}")),
        );
    }
    lines.extend(released.lines());
    lines.join("\n")
}

fn row(row: &Row) -> String {
    let subject = row.subject.to_string();
    match &row.outcome {
        RowOutcome::Fresh => format!("  {subject:<28} fresh"),
        RowOutcome::Made {
            reasons,
            changed,
            seconds,
        } => {
            let what = if *changed {
                "made"
            } else {
                "made, bytes unchanged"
            };
            format!("✓ {subject:<28} {what} in {seconds} s: {}", told(reasons))
        }
        RowOutcome::Failed { reason, .. } => {
            format!("✗ {subject:<28} failed: {}", first_line(reason))
        }
        RowOutcome::Skipped { reason } => {
            format!("- {subject:<28} not made: {}", first_line(reason))
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// For each failure the last lines it printed, and where the whole log is.
fn failures(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for Row { subject, outcome } in &report.rows {
        let (reason, step, tests) = match outcome {
            RowOutcome::Failed {
                reason,
                step,
                tests,
            } => (reason, step.as_deref(), tests.as_slice()),
            RowOutcome::Skipped { reason } if reason.contains('\n') => (reason, None, &[][..]),
            _ => continue,
        };
        lines.push(format!("\n{}", hung_out(&format!("{subject}: {reason}"))));
        lines.extend(
            tests
                .iter()
                .flat_map(|test| test::told(test, "  ", hung_out)),
        );
        if let Some(step) = step.filter(|_| tests.is_empty()) {
            lines.extend(failed::lines(step, "  ", hung_out));
            if step.has_shell {
                lines.push(format!("  a shell there: {}", failed::shell(step)));
            }
        }
    }
    lines
}

fn document(report: &Report, released: &Released) -> Value {
    let rows: Vec<Value> = report
        .rows
        .iter()
        .map(|Row { subject, outcome }| {
            let mut value = match outcome {
                RowOutcome::Fresh => json!({"outcome": "fresh"}),
                RowOutcome::Made { reasons, changed, seconds } => {
                    json!({"outcome": "made", "reasons": reasons, "changed": changed, "seconds": seconds})
                }
                RowOutcome::Failed { reason, step, tests } => json!({
                    "outcome": "failed",
                    "reason": reason,
                    "tail": step.as_ref().map_or(&[][..], |step| &step.tail),
                    "log": step.as_ref().map(|step| step.log),
                    "step": step.as_deref().map(failed::document),
                    "tests": tests.iter().map(test::document).collect::<Vec<_>>(),
                }),
                RowOutcome::Skipped { reason } => json!({"outcome": "skipped", "reason": reason}),
            };
            value["subject"] = json!(subject.to_string());
            value
        })
        .collect();
    json!({
        "complete": report.is_complete(),
        "confinement": report.confinement,
        "fault": report.fault,
        "rows": rows,
        "released": released.document(),
    })
}
