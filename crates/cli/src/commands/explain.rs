//! `boltworks explain`: why an artifact was made, and from what.

use std::process::ExitCode;

use boltworks_factory::explain::Explanation;

use boltworks_factory::{Error, Line};
use boltworks_plan::State;
use boltworks_plan::inputs::told;

use crate::arguments::{Arguments, Explain};
use crate::commands::session;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(
    arguments: &Arguments,
    explain: &Explain,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = session::open_home(arguments, None)?;
    let explanations = match home.explain(&explain.artifact, explain.all) {
        Err(missing @ Error::Missing { .. }) => {
            return Err(unmade(arguments, &explain.artifact)
                .unwrap_or(missing)
                .into());
        }
        other => other?,
    };
    let texts: Vec<String> = explanations.iter().map(Explanation::text).collect();
    output.text(&texts.join("\n"));
    output.json(
        &explanations
            .iter()
            .map(Explanation::document)
            .collect::<Vec<_>>(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Why a recipe or image of this name was never made, if there is one.
fn unmade(arguments: &Arguments, name: &str) -> Option<Error> {
    let line: Line = session::open(arguments, None).ok()?;
    let (plan, _) = line.plan().ok()?;
    let is_it = |subject: &str| subject == name || subject.ends_with(&format!(" {name}"));
    let mut items = plan.items.into_iter();
    let item = items.find(|item| is_it(&item.subject.to_string()))?;
    let why = match item.state {
        State::Blocked(why) => why,
        State::Stale(_, reasons) => told(&reasons),
        State::Pending(on) => {
            let on: Vec<String> = on.iter().map(ToString::to_string).collect();
            format!("it waits for {}", on.join(", "))
        }
        State::Fresh(_) => return None,
    };
    Some(Error::Blocked {
        subject: item.subject.to_string(),
        why,
    })
}
