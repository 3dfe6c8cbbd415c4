//! `melange bump`.

use std::process::ExitCode;

use boltworks_factory::single::{BumpOrder, Reading};

use super::flag::Words;
use super::given;
use super::usage;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [file, version] = operands.as_slice() else {
        return Err(usage(
            "melange bump takes a recipe and a version",
            "melange bump RECIPE.yaml VERSION",
        ));
    };
    let order = BumpOrder {
        file: file.into(),
        version: version.to_string_lossy().into_owned(),
        commit: words
            .text("expected-commit")
            .filter(|commit| !commit.is_empty()),
        reading: Reading::default(),
    };
    crate::commands::bump::run(&given::home(words)?, &order, output)
}
