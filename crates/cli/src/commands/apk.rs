//! `boltworks apk`: being written.

use std::process::ExitCode;

use crate::arguments::Apk;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(_a: &Apk, _output: &Output) -> Result<ExitCode, Failure> {
    Err(Failure::Usage {
        what: "not there yet".to_owned(),
        help: "wait".to_owned(),
    })
}
