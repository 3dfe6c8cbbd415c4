//! `boltworks test`: the tests of one recipe.

use std::process::ExitCode;

use boltworks_factory::Home;
use boltworks_factory::single::{self, CheckOrder, Checked};
use serde_json::{Value, json};

use crate::arguments::{Arguments, Test};
use crate::commands::{given, session};
use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::table::count;

pub(crate) fn run(
    arguments: &Arguments,
    test: &Test,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = given::home(arguments, &test.reading)?;
    let order = CheckOrder {
        file: test.file.clone(),
        package: test.package.clone(),
        reading: given::reading(&test.reading)?,
        given: given::packages(&test.packages),
    };
    let machine = session::machine()?;
    let watcher = session::watcher(test.reading.log);
    let checked = single::check(&home, &order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    output.text(&text(&home, &checked));
    let tests: Vec<Value> = checked.iter().map(document).collect();
    let passed = checked.iter().all(|checked| checked.fault.is_none());
    output.json(&json!({"passed": passed, "tests": tests}));
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

pub(crate) fn text(home: &Home, checked: &[Checked]) -> String {
    let mut lines = Vec::new();
    for Checked {
        package,
        log,
        fault,
    } in checked
    {
        let Some(fault) = fault else {
            lines.push(format!("✓ {package}"));
            continue;
        };
        lines.push(format!("✗ {package}: step '{}': {}", fault.step, fault.how));
        lines.extend(fault.tail.iter().map(|line| format!("    {line}")));
        lines.push(format!("  log: {}", home.blob_path(log).display()));
    }
    let failed = checked
        .iter()
        .filter(|checked| checked.fault.is_some())
        .count();
    lines.push(match (checked.len(), failed) {
        (0, _) => "the recipe has no tests".to_owned(),
        (all, 0) => format!("{} passed", count(all, "test")),
        (all, failed) => format!("{failed} of {} failed", count(all, "test")),
    });
    lines.join("\n")
}

fn document(checked: &Checked) -> Value {
    let fault = checked
        .fault
        .as_ref()
        .map(|fault| json!({"step": fault.step, "how": fault.how, "tail": fault.tail}));
    json!({
        "package": checked.package,
        "passed": checked.fault.is_none(),
        "fault": fault,
        "log": checked.log,
    })
}
