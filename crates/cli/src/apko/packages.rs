//! `apko show-packages`.

use std::process::ExitCode;

use boltworks_factory::single;

use super::given;
use crate::commands::session;
use crate::dialect::flag::Words;
use crate::dialect::template::{self, Data};
use crate::dialect::usage;
use crate::failure::Failure;
use crate::output::Output;

/// Templates that have names.
const FORMATS: [(&str, &str); 8] = [
    ("name-version", "{{ .Name }} {{ .Version }}"),
    (
        "name-version-source",
        "{{ .Name }} {{ .Version }} {{ .Source }}",
    ),
    ("name=version", "{{ .Name }}={{ .Version }}"),
    (
        "name=version-source",
        "{{ .Name }}={{ .Version }} {{ .Source }}",
    ),
    ("name-(version)", "{{ .Name }} ({{ .Version }})"),
    (
        "name-(version)-source",
        "{{ .Name }} ({{ .Version }}) {{ .Source }}",
    ),
    ("packagelock", "- {{ .Name }}={{ .Version }}"),
    (
        "packagelock-source",
        "- {{ .Name }}={{ .Version }} # {{ .Source }}",
    ),
];

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let format = words.text("format").unwrap_or_default();
    let named = FORMATS.iter().find(|(name, _)| *name == format);
    let format = named.map_or(format.as_str(), |(_, template)| template);
    let order = given::resolve_order(words)?;
    let home = given::home(words)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let all = single::resolved(&home, &order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    for resolved in &all {
        if all.len() > 1 {
            output.note(&format!("packages for {}", resolved.architecture));
        }
        for note in &resolved.notes {
            output.note(&format!("! {note}"));
        }
        for chosen in &resolved.solution.packages {
            let data = Data::fields([
                ("Name", chosen.entry.name.to_string()),
                ("Version", chosen.entry.version.to_string()),
                ("Source", resolved.url(chosen)),
            ]);
            let line = template::fill(format, &data).map_err(|what| {
                usage(
                    format!("the format cannot be filled in: {what}"),
                    "docs/from-apko.md lists formats, and docs/from-melange.md what templates can say",
                )
            })?;
            output.text(&line);
        }
    }
    Ok(ExitCode::SUCCESS)
}
