//! `boltworks solve`: which packages, and why.

use std::process::ExitCode;

use boltworks_factory::single::{self, Choice, Solver, Wish};
use boltworks_solver::{Chosen, explain};
use serde_json::{Value, json};

use crate::arguments::{self, Arguments, Solve};
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
        solver: match solve.solver {
            arguments::Solver::Boltworks => Solver::Boltworks,
            arguments::Solver::Apko => Solver::Apko,
        },
        compare: solve.explain,
        memory: crate::commands::session::cache_folder().ok(),
    };
    let choice = single::choose(home.as_ref(), &wish)?;
    let Choice {
        solution,
        differences,
        notes,
    } = choice;
    for note in notes {
        output.note(&format!("! {note}"));
    }
    if solve.explain {
        output.text(&explain(&solution));
        if !differences.is_empty() {
            let lines = differences.iter().map(|line| format!("  {line}\n"));
            let lines: String = lines.collect();
            output.text(&format!(
                "Boltworks' own choice and apko's differ:\n{lines}"
            ));
        }
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
    output.json(&json!({"packages": packages, "differences": differences}));
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
