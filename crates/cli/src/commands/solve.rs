//! `boltworks solve`: being written.

use std::process::ExitCode;

use crate::arguments::{Arguments, Solve};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(_g: &Arguments, _a: &Solve, _output: &Output) -> Result<ExitCode, Failure> {
    Err(Failure::Usage {
        what: "not there yet".to_owned(),
        help: "wait".to_owned(),
    })
}
