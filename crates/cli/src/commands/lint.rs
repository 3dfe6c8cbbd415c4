//! `boltworks recipe lint`: what is wrong with recipes.

use std::process::ExitCode;

use boltworks_factory::texts::{self, LintOrder};
use boltworks_model::visible_line;
use boltworks_recipe::lint::{Finding, Level};
use serde_json::{Value, json};

use crate::arguments::Lint;
use crate::commands::given;
use crate::commands::unread::Unread;
use crate::failure::{Failure, exit};
use crate::output::Output;
use crate::table::count;

pub(crate) fn run(lint: &Lint, output: &Output) -> Result<ExitCode, Failure> {
    let order = LintOrder {
        paths: lint.paths.clone(),
        pipelines: given::pipelines(&lint.pipelines.pipeline_dir, output),
        architecture: lint.arch,
        skipped: lint.skip_rule.iter().cloned().collect(),
        fix: lint.fix,
    };
    let (linted, unread) = Unread::part(texts::lint_recipes(&order)?);
    let findings: Vec<&Finding> = linted.iter().flat_map(|one| &one.findings).collect();
    let fixed: Vec<&Finding> = linted.iter().flat_map(|one| &one.fixed).collect();
    let lines: Vec<String> = findings.iter().map(|finding| line(finding)).collect();
    output.text_if_any(&lines.join("\n"));
    for finding in &fixed {
        output.text_note(&format!("put right: {}", line(finding)));
    }
    unread.tell(output);
    let of = |level| {
        let all = findings.iter();
        all.filter(|finding| finding.level == level).count()
    };
    let (errors, warnings) = (of(Level::Error), of(Level::Warning));
    let summary = format!(
        "{}: {}, {}",
        count(linted.len(), "recipe"),
        count(errors, "error"),
        count(warnings, "warning")
    );
    output.text_note(&summary);
    output.json(&json!({
        "recipes": linted.len(),
        "findings": findings.into_iter().map(document).collect::<Vec<_>>(),
        "fixed": fixed.into_iter().map(document).collect::<Vec<_>>(),
        "unread": unread.document(),
    }));
    Ok(if let Some(code) = unread.code() {
        code
    } else if errors > 0 {
        exit::FAILED
    } else {
        ExitCode::SUCCESS
    })
}

/// `zlib.yaml:3:12: warning: … [version]; write: …`
fn line(finding: &Finding) -> String {
    visible_line(&told(finding)).into_owned()
}

fn told(finding: &Finding) -> String {
    let spot = &finding.spot;
    let what = format!(
        "{}: {}: {} [{}]",
        spot.at,
        finding.level.word(),
        spot.what,
        finding.rule
    );
    match &spot.instead {
        Some(instead) => format!("{what}; write {instead}"),
        None if finding.advice.is_empty() => what,
        None => format!("{what}; {}", finding.advice),
    }
}

fn document(finding: &Finding) -> Value {
    let spot = &finding.spot;
    json!({
        "rule": finding.rule,
        "level": finding.level.word(),
        "file": spot.at.file,
        "line": spot.at.line,
        "column": spot.at.column,
        "what": spot.what,
        "instead": spot.instead,
        "advice": &*finding.advice,
        "fixable": spot.fix.is_some(),
    })
}
