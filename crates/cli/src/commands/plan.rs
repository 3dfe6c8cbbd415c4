//! `boltworks plan`: what is stale and why.

use std::process::ExitCode;

use boltworks_plan::inputs::told;
use boltworks_plan::{Item, State};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::commands::session;
use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::terminal::hung_out;

pub(crate) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode, Failure> {
    let line = session::open(arguments, None)?;
    let (plan, has_stage0) = line.plan()?;
    let unread = &line.loaded.catalog.unread;
    if !has_stage0 {
        output.text("stage 0 is not made yet: `boltworks up` makes it first, then everything:");
        let lines: Vec<String> = plan
            .items
            .iter()
            .map(|item| {
                if unread.contains_key(&item.subject) {
                    describe(item)
                } else {
                    format!("* {}", item.subject)
                }
            })
            .collect();
        output.text(&lines.join("\n"));
    } else if plan.is_done() {
        output.text(&format!(
            "nothing is stale: {} recipes and images",
            plan.items.len()
        ));
    } else {
        let lines: Vec<String> = plan.items.iter().map(describe).collect();
        output.text(&lines.join("\n"));
    }
    output.json(&json!({
        "done": plan.is_done(),
        "stage0": has_stage0,
        "items": plan.items.iter().map(document).collect::<Vec<_>>(),
    }));
    let is_blocked = |item: &Item| matches!(item.state, State::Blocked(_));
    let is_sound = unread.is_empty() && !(has_stage0 && plan.items.iter().any(is_blocked));
    Ok(if is_sound {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

fn describe(item: &Item) -> String {
    let subject = item.subject.to_string();
    match &item.state {
        State::Fresh(_) => format!("  {subject:<28} fresh"),
        State::Stale(_, reasons) => hung_out(&format!("* {subject:<28} {}", told(reasons))),
        State::Pending(on) => {
            let names: Vec<String> = on.iter().map(ToString::to_string).collect();
            format!("? {subject:<28} waits for {}", names.join(", "))
        }
        State::Blocked(why) => hung_out(&format!("✗ {subject:<28} {why}")),
    }
}

fn document(item: &Item) -> Value {
    let subject = item.subject.to_string();
    match &item.state {
        State::Fresh(action) => json!({"subject": subject, "state": "fresh", "action": action}),
        State::Stale(action, reasons) => {
            json!({"subject": subject, "state": "stale", "action": action, "reasons": reasons})
        }
        State::Pending(on) => {
            let on: Vec<String> = on.iter().map(ToString::to_string).collect();
            json!({"subject": subject, "state": "pending", "on": on})
        }
        State::Blocked(why) => json!({"subject": subject, "state": "blocked", "why": why}),
    }
}
