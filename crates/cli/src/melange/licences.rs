//! `melange license-check`.

use std::process::ExitCode;

use boltworks_factory::single::Reading;
use clap::ValueEnum;

use super::flag::Words;
use super::{given, usage};
use crate::arguments::{LicenseForm, ScanType};
use crate::commands::licences::{Check, carry_out};
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let file = given::recipe(words, output)?;
    let depth: Option<ScanType> = chosen(words, "scan-type", "scan type")?;
    let form: Option<LicenseForm> = chosen(words, "format", "form of licences")?;
    let form = form.unwrap_or(LicenseForm::Flat).into();
    let check = Check {
        file: &file,
        depth: depth.unwrap_or(ScanType::Shallow).into(),
        fix: words.is_on("fix").then_some(form),
    };
    carry_out(&given::home(words)?, check, &Reading::default(), output)
}

/// What a flag says, of what can be said.
fn chosen<T: ValueEnum>(words: &Words<'_>, flag: &str, what: &str) -> Result<Option<T>, Failure> {
    let Some(text) = words.text(flag) else {
        return Ok(None);
    };
    T::from_str(&text, false).map(Some).map_err(|_| {
        let known = T::value_variants().iter().filter_map(T::to_possible_value);
        let known: Vec<String> = known.map(|known| known.get_name().to_owned()).collect();
        usage(
            format!("'{text}' is no {what}"),
            format!("there are {}", known.join(" and ")),
        )
    })
}
