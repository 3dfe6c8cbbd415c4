//! `melange license-check`.

use std::process::ExitCode;

use boltworks_factory::single::Reading;
use boltworks_factory::single::licences::{Depth, Form};

use super::flag::Words;
use super::{given, usage};
use crate::commands::licences::{Check, carry_out};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let file = given::recipe(words, output)?;
    let depth = match words.text("scan-type").as_deref() {
        None | Some("shallow") => Depth::Shallow,
        Some("deep") => Depth::Deep,
        Some(other) => {
            return Err(usage(
                format!("'{other}' is no scan type"),
                "there are shallow and deep",
            ));
        }
    };
    let form = match words.text("format").as_deref() {
        None | Some("flat") => Form::Flat,
        Some("simple") => Form::Simple,
        Some(other) => {
            return Err(usage(
                format!("'{other}' is no form of licences"),
                "there are flat and simple",
            ));
        }
    };
    let check = Check {
        file: &file,
        depth,
        fix: words.is_on("fix").then_some(form),
    };
    carry_out(&given::home(words)?, check, &Reading::default(), output)
}
