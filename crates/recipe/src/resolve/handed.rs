//! How much a step hands to the programs that it starts: Linux takes no longer texts.

use std::collections::BTreeMap;

use super::scope::Scope;
use crate::parsed::Text;
use crate::{Error, Problem};

/// The most bytes of a script, or of a variable with its name. Linux takes 128 KiB in one piece
/// (`MAX_ARG_STRLEN`); the folder and what stops a script at its first failure go with it.
const MAX_PIECE: usize = 120 * 1024;

/// The most bytes of a list of variables with their names. A program is started with those of the
/// recipe and of the step, and Linux takes 2 MiB of everything together (a quarter of the stack).
const MAX_VARIABLES: usize = 512 * 1024;

/// Checks a script.
pub(super) fn verify_script(scope: &Scope<'_>, at: &Text, script: &str) -> Result<(), Error> {
    verify(
        scope,
        at,
        || "the script".to_owned(),
        script.len(),
        MAX_PIECE,
    )
}

/// Checks variables: those written, each and together with those around them.
pub(super) fn verify_variables(
    scope: &Scope<'_>,
    written: &BTreeMap<String, Text>,
    all: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let size = |name: &str, value: &str| name.len() + value.len();
    for (name, text) in written {
        let what = || {
            format!(
                "the variable '{}'",
                boltworks_model::visible_start(name, 80)
            )
        };
        let value = all.get(name).map_or("", String::as_str);
        verify(scope, text, what, size(name, value), MAX_PIECE)?;
    }
    let Some(at) = written.values().next() else {
        return Ok(());
    };
    let together = all.iter().map(|(name, value)| size(name, value)).sum();
    let what = || "the list of all variables".to_owned();
    verify(scope, at, what, together, MAX_VARIABLES)
}

fn verify(
    scope: &Scope<'_>,
    at: &Text,
    what: impl Fn() -> String,
    size: usize,
    limit: usize,
) -> Result<(), Error> {
    if size <= limit {
        return Ok(());
    }
    let what = what();
    Err(scope.problem(at, Problem::TooLong { what, size, limit }))
}
