//! `boltworks recipe license-check`: what a recipe declares, beside what its sources show.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::single::licences::{self, Depth, Finding, Form, Licences, Match, What};
use boltworks_factory::single::{Inside, Reading};
use boltworks_factory::{Home, files};
use boltworks_model::visible_path;
use boltworks_recipe::resolved::Recipe;
use serde_json::{Value, json};

use crate::arguments::{Arguments, LicenseCheck, LicenseForm, ScanType};
use crate::commands::{given, session};
use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::table::table;

/// What is looked into, and what is done about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check<'a> {
    /// A recipe, a package, or a folder.
    pub file: &'a Path,
    /// How deep.
    pub depth: Depth,
    /// How what is missing is written into the recipe; not at all, where it is absent.
    pub fix: Option<Form>,
}

impl From<LicenseForm> for Form {
    fn from(form: LicenseForm) -> Self {
        match form {
            LicenseForm::Flat => Self::Flat,
            LicenseForm::Simple => Self::Simple,
        }
    }
}

impl From<ScanType> for Depth {
    fn from(scan: ScanType) -> Self {
        match scan {
            ScanType::Shallow => Self::Shallow,
            ScanType::Deep => Self::Deep,
        }
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    check: &LicenseCheck,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = session::home_or_makeshift(arguments)?;
    let reading = Reading {
        pipelines: given::pipelines(&check.pipelines.pipeline_dir, output),
        ..Reading::default()
    };
    let what = Check {
        file: &check.file,
        depth: check.scan_type.into(),
        fix: check.fix.then_some(check.format.into()),
    };
    carry_out(&home, what, &reading, output)
}

/// Looks, corrects the recipe where that is asked for, and says what was found.
pub(crate) fn carry_out(
    home: &Home,
    check: Check<'_>,
    reading: &Reading,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let is_package = check.file.extension().is_some_and(|ending| ending == "apk");
    let is_folder = files::Place::of(check.file)?.is_folder()?;
    if check.fix.is_some() && (is_package || is_folder) {
        return Err(Failure::Usage {
            what: format!(
                "{} is no recipe that could be corrected",
                visible_path(check.file)
            ),
            help: "leave --fix out, or name the recipe".to_owned(),
        });
    }
    let found = if is_folder {
        licences::of_folder(check.file, check.depth)?
    } else if is_package {
        of_recipe(home, Inside::open(check.file)?.recipe(), check.depth)?
    } else {
        let recipe = reading.recipe_not_to_run(check.file, home.architecture())?;
        of_recipe(home, &recipe, check.depth)?
    };
    let fixed = match check.fix {
        Some(form) => licences::correct(check.file, &found, form)?,
        None => false,
    };
    output.text(&text(&found, is_folder));
    if fixed {
        output.text(&format!("{}: corrected", visible_path(check.file)));
    }
    output.json(&document(&found, fixed));
    Ok(if is_folder || fixed || found.is_good() {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

fn of_recipe(home: &Home, recipe: &Recipe, depth: Depth) -> Result<Licences, Failure> {
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let found = licences::of_recipe(home, recipe, depth, &ambient)?;
    drop(watcher);
    Ok(found)
}

fn text(found: &Licences, is_folder: bool) -> String {
    let mut sources = found.files.iter().map(|file| &file.source);
    let first = sources.next();
    let several = sources.any(|source| Some(source) != first);
    let files = found.files.iter();
    let rows: Vec<Vec<String>> = files
        .flat_map(|file| {
            let path = if several {
                format!("{}: {}", file.source, file.path)
            } else {
                file.path.clone()
            };
            rows(&path, &file.what, is_folder)
        })
        .collect();
    let mut lines = table(&rows);
    if lines.is_empty() {
        lines.push("no licence was found".to_owned());
    }
    let absent = found.absent.iter();
    lines.extend(absent.map(|name| format!("declared, and found in no file: {name}")));
    let unread = found.unread.iter();
    lines.extend(unread.map(|(source, why)| format!("{source} was not looked into: {why}")));
    lines.extend(notes(found));
    lines.join("\n")
}

/// What a file shows, a row for each licence.
fn rows(path: &str, what: &What, is_folder: bool) -> Vec<Vec<String>> {
    let verdict = |is_declared: bool| match (is_folder, is_declared) {
        (true, _) => "",
        (false, true) => "declared",
        (false, false) => "NOT DECLARED",
    };
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    match what {
        What::Texts(texts) => texts
            .iter()
            .map(|(licence, is_declared)| {
                let (name, alike) = (licence.licence.as_str(), percent(licence));
                row([path, name, &alike, verdict(*is_declared)])
            })
            .collect(),
        What::Tag {
            expression,
            files,
            is_declared,
        } => {
            let path = match files.saturating_sub(1) {
                0 => path.to_owned(),
                more => format!("{path} and {more} more"),
            };
            vec![row([&path, expression, "says so", verdict(*is_declared)])]
        }
        What::Unknown {
            nearest,
            is_declared,
        } => {
            let nearest = nearest.as_ref();
            let nearest = nearest.map(|one| format!("nearest {} {}", one.licence, percent(one)));
            let verdict = if *is_declared { "declared" } else { "" };
            vec![row([
                path,
                "unknown",
                &nearest.unwrap_or_default(),
                verdict,
            ])]
        }
    }
}

/// Which of the licences that are not declared share their texts with others.
fn notes(found: &Licences) -> BTreeSet<String> {
    let texts = found.files.iter().flat_map(|file| match &file.what {
        What::Texts(texts) => texts.as_slice(),
        What::Tag { .. } | What::Unknown { .. } => &[],
    });
    texts
        .filter(|(licence, is_declared)| !is_declared && !licence.others.is_empty())
        .map(|(licence, _)| {
            let others = licence.others.join(", ");
            format!("the text of {} is that of {others} too", licence.licence)
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 100"
)]
fn percent(licence: &Match) -> String {
    format!("{} %", (licence.confidence * 100.0) as u8)
}

fn document(found: &Licences, fixed: bool) -> Value {
    let like = |licence: &Match| {
        json!({
            "licence": licence.licence,
            "same-text": licence.others,
            "confidence": licence.confidence,
        })
    };
    let text = |(licence, is_declared): &(Match, bool)| {
        let mut document = like(licence);
        document["declared"] = (*is_declared).into();
        document
    };
    let file = |file: &Finding| {
        let mut document = match &file.what {
            What::Texts(texts) => json!({
                "kind": "text",
                "licences": texts.iter().map(text).collect::<Vec<_>>(),
            }),
            What::Tag {
                expression,
                files,
                is_declared,
            } => json!({
                "kind": "tag",
                "files": files,
                "licences": [{"licence": expression, "declared": is_declared}],
            }),
            What::Unknown {
                nearest,
                is_declared,
            } => json!({
                "kind": "unknown",
                "nearest": nearest.as_ref().map(like),
                "declared": is_declared,
            }),
        };
        document["source"] = file.source.as_str().into();
        document["path"] = file.path.as_str().into();
        document
    };
    let unread = found.unread.iter();
    let unread = unread.map(|(source, why)| json!({"source": source, "why": why}));
    json!({
        "good": found.is_good(),
        "corrected": fixed,
        "declared": found.declared,
        "absent": found.absent,
        "files": found.files.iter().map(file).collect::<Vec<_>>(),
        "unread": unread.collect::<Vec<_>>(),
    })
}
