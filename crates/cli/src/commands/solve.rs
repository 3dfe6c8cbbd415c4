//! `boltworks solve`: which packages, and why.

use std::process::ExitCode;

use boltworks_factory::single::{self, Wish};
use boltworks_solver::{Chosen, explain};
use serde_json::{Value, json};

use crate::arguments::{Arguments, Solve};
use crate::commands::given;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::table;

pub(crate) fn run(
    arguments: &Arguments,
    solve: &Solve,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = if solve.packages.repository_append.is_empty() {
        Some(crate::commands::session::open_home(arguments, None)?)
    } else {
        given::home_if_any(arguments)?
    };
    let wish = Wish {
        wanted: solve.wanted.clone(),
        for_image: solve.image,
        architecture: solve.arch,
        given: given::packages(&solve.packages),
    };
    let solution = single::choose(home.as_ref(), &wish)?;
    if solve.explain {
        output.text(&explain(&solution));
    } else {
        let row = |chosen: &Chosen| {
            let entry = &chosen.entry;
            vec![
                format!("{}-{}", entry.name, entry.version),
                chosen.repository.clone(),
            ]
        };
        let rows: Vec<_> = solution.packages.iter().map(row).collect();
        output.text(&table(&rows).join("\n"));
    }
    let packages: Vec<Value> = solution.packages.iter().map(document).collect();
    output.json(&json!({"packages": packages}));
    Ok(ExitCode::SUCCESS)
}

fn document(chosen: &Chosen) -> Value {
    let entry = &chosen.entry;
    json!({
        "name": entry.name,
        "version": entry.version,
        "repository": chosen.repository,
        "identity": entry.identity.to_q1(),
        "size": entry.size,
        "because": chosen.because,
    })
}
