//! `boltworks image`: being written.

use std::process::ExitCode;

use crate::arguments::{Arguments, Image};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(_g: &Arguments, _a: &Image, _output: &Output) -> Result<ExitCode, Failure> {
    Err(Failure::Usage {
        what: "not there yet".to_owned(),
        help: "wait".to_owned(),
    })
}
