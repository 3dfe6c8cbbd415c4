//! `boltworks recipe bump`, and `melange bump`: a recipe moved to another version.

use std::process::ExitCode;

use boltworks_factory::Home;
use boltworks_factory::single::{self, BumpOrder, Bumped, Renewed};
use boltworks_model::visible_path;
use serde_json::{Value, json};

use crate::commands::session;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(home: &Home, order: &BumpOrder, output: &Output) -> Result<ExitCode, Failure> {
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let bumped = single::bump(home, order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    output.text(&text(order, &bumped));
    output.json(&document(&bumped));
    Ok(ExitCode::SUCCESS)
}

fn text(order: &BumpOrder, bumped: &Bumped) -> String {
    let Bumped {
        before,
        version,
        renewed,
        left,
    } = bumped;
    let mut lines = vec![format!(
        "{}: {before} -> {version}, epoch 0",
        visible_path(&order.file)
    )];
    lines.extend(renewed.iter().map(|one| {
        let Renewed {
            input, now, from, ..
        } = one;
        let from = from.as_ref().map(|from| format!(" (of {from})"));
        format!("  {input}: {now}{}", from.unwrap_or_default())
    }));
    lines.extend(
        left.iter().map(|digest| {
            format!("  {digest} stays: its address is the same, or no step fetches it")
        }),
    );
    lines.join("\n")
}

fn document(bumped: &Bumped) -> Value {
    let renewed = |one: &Renewed| json!({"input": one.input, "before": one.before, "now": one.now, "from": one.from});
    json!({
        "before": bumped.before,
        "version": bumped.version,
        "epoch": 0,
        "renewed": bumped.renewed.iter().map(renewed).collect::<Vec<_>>(),
        "left": bumped.left,
    })
}
