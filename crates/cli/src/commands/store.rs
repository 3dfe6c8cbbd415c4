//! `boltworks store verify`: every blob hashed, and everything that the records refer to looked for.

use std::collections::BTreeMap;
use std::process::ExitCode;

use boltworks_factory::{Error, Home};
use boltworks_model::Sha256;
use boltworks_store::Report;
use serde_json::json;

use crate::arguments::Arguments;
use crate::commands::session;
use crate::failure::{Failure, exit};
use crate::output::Output;

/// So many of what refers to a missing blob are named for people.
const SHOWN: usize = 3;

pub(crate) fn verify(
    arguments: &Arguments,
    set_aside: bool,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = session::open_home(arguments, None)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    // Nobody makes anything while blobs are moved.
    let lock = if set_aside {
        Some(home.lock(&machine.ambient(watcher.as_ref()))?)
    } else {
        None
    };
    let report = home
        .store
        .verify(&mut |_, _| machine.cancel().check())
        .map_err(Error::from)?;
    let moved = if set_aside {
        move_bad(&home, &report)?
    } else {
        Vec::new()
    };
    let missing = missing(&home)?;
    drop(lock);
    let good = report.checked.saturating_sub(report.bad.len() as u64);
    output.text(&format!("{good} blobs are what their names say"));
    for line in bad(&report) {
        output.note(&format!("✗ {line}"));
    }
    for digest in &moved {
        output.text(&format!("set aside: store/damaged/{digest}"));
    }
    for (digest, by) in &missing {
        output.note(&format!("✗ {digest}: missing: {}", shown(by)));
    }
    let is_good = report.is_good() && missing.is_empty();
    if !is_good {
        output.note(if report.bad.len() > moved.len() {
            "help: `boltworks store verify --set-aside` moves bad blobs out of the way; then `boltworks up` makes them anew"
        } else {
            "help: `boltworks up` makes anew what the factory's files describe"
        });
    }
    output.json(&json!({
        "checked": report.checked,
        "bad": bad(&report),
        "missing": missing
            .iter()
            .map(|(digest, by)| json!({"digest": digest, "referred-to-by": by}))
            .collect::<Vec<_>>(),
        "set-aside": moved,
        "stray": report.stray,
    }));
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

fn bad(report: &Report) -> Vec<String> {
    let line = |bad: &boltworks_store::Bad| format!("{}: {}", bad.digest, bad.problem);
    report.bad.iter().map(line).collect()
}

fn move_bad(home: &Home, report: &Report) -> Result<Vec<Sha256>, Error> {
    let mut moved = Vec::new();
    for bad in &report.bad {
        if home.store.set_aside(&bad.digest)? {
            moved.push(bad.digest);
        }
    }
    Ok(moved)
}

/// What the records refer to and the store does not have.
fn missing(home: &Home) -> Result<BTreeMap<Sha256, Vec<String>>, Error> {
    let mut missing = home.records().references()?;
    let digests: Vec<Sha256> = missing.keys().copied().collect();
    for digest in digests {
        if home.store.has(&digest)? {
            missing.remove(&digest);
        }
    }
    Ok(missing)
}

fn shown(by: &[String]) -> String {
    let first: Vec<&str> = by.iter().take(SHOWN).map(String::as_str).collect();
    match by.len().saturating_sub(SHOWN) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}
