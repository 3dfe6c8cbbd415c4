//! `boltworks test`: the tests of one recipe.

use std::collections::BTreeMap;
use std::process::ExitCode;

use boltworks_factory::Home;
use boltworks_factory::single::{self, CheckOrder, Checked, Subjects};
use boltworks_factory::tested::Used;
use boltworks_factory::testing::Tested;
use boltworks_model::visible_path;
use serde_json::{Value, json};

use crate::arguments::{Arguments, Test};
use crate::commands::given;
use crate::commands::session::{self, Chair, Shown};
use crate::failed;
use crate::failure::{Failure, exit};
use crate::output::{Output, shown};
use crate::table::count;
use crate::terminal::hung_out;

pub(crate) fn run(
    arguments: &Arguments,
    test: &Test,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = given::home(arguments, &test.reading)?;
    let order = CheckOrder {
        file: test.file.clone(),
        subjects: test.package.clone().map_or(Subjects::All, Subjects::One),
        reading: given::reading(&test.reading, output)?,
        given: given::packages(&test.packages),
        unsolvable: BTreeMap::new(),
    };
    let machine = session::machine()?;
    let (chair, watcher) = session::attended(&Shown {
        interactive: test.interactive,
        every_line: test.reading.log,
    })?;
    let attendant = chair.as_ref().map(Chair::attendant);
    let ambient = machine.ambient(watcher.as_ref());
    let checked = single::check(&home, &order, attendant, &ambient)?;
    drop(watcher);
    output.text(&text(&home, &checked));
    let tests: Vec<Value> = checked.tests.iter().map(document).collect();
    let passed = has_passed(&checked);
    output.json(&json!({
        "passed": passed,
        "report": checked.report,
        "report-file": checked.report.map(|report| home.blob_path(&report)).as_deref().map(shown),
        "tests": tests,
    }));
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

/// Whether all of them did.
pub(crate) fn has_passed(checked: &Checked) -> bool {
    checked.tests.iter().all(Tested::has_passed)
}

pub(crate) fn text(home: &Home, checked: &Checked) -> String {
    let mut lines = Vec::new();
    lines.extend(
        checked
            .tests
            .iter()
            .flat_map(|test| told(test, "", hung_out)),
    );
    let failed = checked.tests.iter().filter(|test| !test.has_passed());
    let failed = failed.count();
    let report = checked.report.map(|report| home.blob_path(&report));
    lines.extend(report.map(|report| format!("the packages of each: {}", visible_path(&report))));
    lines.push(match (checked.tests.len(), failed) {
        (0, _) => "the recipe has no tests".to_owned(),
        (all, 0) => format!("{} passed", count(all, "test")),
        (all, failed) => format!("{failed} of {} failed", count(all, "test")),
    });
    lines.join("\n")
}

/// What became of a test, for people.
pub(crate) fn told(test: &Tested, indent: &str, hung: fn(&str) -> String) -> Vec<String> {
    let package = &test.package;
    let mut lines = Vec::new();
    if let Some(why) = &test.unready {
        lines.push(format!("{indent}✗ {package}: it could not be run"));
        lines.extend(why.lines().map(|line| hung(&format!("{indent}  {line}"))));
    } else if let Some(failed) = &test.failed {
        let stopped = &failed.stopped;
        lines.push(hung(&format!(
            "{indent}✗ {package}: step '{}': {}",
            stopped.step, stopped.how
        )));
        lines.extend(failed::lines(failed, &format!("{indent}  "), hung));
        lines.push(format!(
            "{indent}  a shell there: {}",
            failed::shell(failed)
        ));
    } else {
        let how = if test.by_hand { ", by hand" } else { "" };
        lines.push(format!("{indent}✓ {package}{how}"));
    }
    lines
}

/// The same for machines.
pub(crate) fn document(test: &Tested) -> Value {
    let packages: Vec<Used> = test.used.packages.iter().map(Used::from).collect();
    json!({
        "package": test.package,
        "passed": test.has_passed(),
        "by-hand": test.by_hand,
        "fault": test.failed.as_ref().map(failed::document),
        "unready": test.unready,
        "log": test.log,
        "packages": packages,
    })
}
