//! `boltworks recipe`: being written.

use std::process::ExitCode;

use crate::arguments::Recipe;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(_a: &Recipe, _output: &Output) -> Result<ExitCode, Failure> {
    Err(Failure::Usage {
        what: "not there yet".to_owned(),
        help: "wait".to_owned(),
    })
}
