//! `boltworks build`: the packages of one recipe.

use std::process::ExitCode;

use boltworks_factory::Home;
use boltworks_factory::single::{self, BuildOrder, Delivered, Made, Signing};
use boltworks_model::visible_path;
use boltworks_plan::inputs::told;
use serde_json::{Value, json};

use crate::arguments::{Arguments, Build};
use crate::commands::given;
use crate::commands::session::{self, Chair, Shown};
use crate::failure::Failure;
use crate::output::{Output, shown};
use crate::table::{size, table};

pub(crate) fn run(
    arguments: &Arguments,
    build: &Build,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = given::home(arguments, &build.reading)?;
    let order = BuildOrder {
        file: build.file.clone(),
        reading: given::reading(&build.reading, output)?,
        given: given::packages(&build.packages),
        signing: Signing::with(build.signing_key.clone(), &home),
        tests: true,
        // What a person may finish by hand is not what the recipe makes.
        apart: build.interactive,
        epoch: build.date,
        out: build.out_dir.clone(),
        index: build.generate_index,
    };
    let machine = session::machine()?;
    let (chair, watcher) = session::attended(&Shown {
        interactive: build.interactive,
        every_line: build.reading.log,
    })?;
    let attendant = chair.as_ref().map(Chair::attendant);
    let ambient = machine.ambient(watcher.as_ref());
    let made = single::build(&home, &order, attendant, &ambient)?;
    drop(watcher);
    output.text(&text(&home, &made));
    output.json(&document(&home, &made));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn text(home: &Home, made: &Made) -> String {
    let record = &made.record;
    let first = if made.reasons.is_empty() {
        format!("{}: made before, from the same inputs", record.subject)
    } else {
        let seconds = record.finished.0.saturating_sub(record.started.0);
        let reasons = told(&made.reasons);
        format!(
            "{}: made; build and tests took {seconds} s: {reasons}",
            record.subject
        )
    };
    let row = |package: &Delivered| {
        let coordinate = &package.artifact.coordinate;
        vec![
            format!("  {}-{}", coordinate.name, coordinate.version),
            size(package.artifact.size),
            visible_path(&package.path),
        ]
    };
    let mut lines = vec![first];
    lines.extend(table(&made.packages.iter().map(row).collect::<Vec<_>>()));
    if let Some(index) = &made.index {
        lines.push(format!("listed in {}", visible_path(index)));
    }
    if let Some(log) = &record.log {
        lines.push(format!("log: {}", visible_path(home.blob_path(log))));
    }
    lines.join("\n")
}

fn document(home: &Home, made: &Made) -> Value {
    let record = &made.record;
    let package = |package: &Delivered| {
        let coordinate = &package.artifact.coordinate;
        json!({
            "name": coordinate.name,
            "version": coordinate.version,
            "arch": coordinate.architecture,
            "size": package.artifact.size,
            "installed-size": package.installed_size,
            "digest": package.artifact.digest.prefixed(),
            "path": shown(&package.path),
        })
    };
    json!({
        "subject": record.subject,
        "action": record.id,
        "fresh": made.reasons.is_empty(),
        "reasons": made.reasons,
        "packages": made.packages.iter().map(package).collect::<Vec<_>>(),
        "index": made.index.as_deref().map(shown),
        "log": record.log,
        "log-file": record.log.map(|log| home.blob_path(&log)).as_deref().map(shown),
    })
}
