//! `boltworks apk scan`: what packages need and offer, read off their files again.

use std::process::ExitCode;

use boltworks_factory::Error;
use boltworks_factory::single::scanning::{self, Scanned};
use boltworks_model::visible_path;
use serde_json::json;

use crate::arguments::Scan;
use crate::commands::apk::difference_text;
use crate::failure::{Failure, exit};
use crate::host;
use crate::output::{Output, shown};

/// What is shown of packages that were looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// How they differ from what they say, instead of what they would say.
    pub differences: bool,
    /// Whether comments count.
    pub comments: bool,
}

pub(crate) fn run(scan: &Scan, output: &Output) -> Result<ExitCode, Failure> {
    let scanned = scanning::files(&scan.files, &host::temporary(), |missing| {
        output.note(&format!(
            "! {} is not there, or of another build: links into it lead nowhere",
            visible_path(missing)
        ));
    })?;
    let what = Shown {
        differences: scan.diff,
        comments: scan.comments,
    };
    show(&scanned, what, output)
}

/// Prints what was found.
pub(crate) fn show(scanned: &[Scanned], what: Shown, output: &Output) -> Result<ExitCode, Failure> {
    let differences: Vec<_> = scanned
        .iter()
        .map(|one| one.difference(what.comments))
        .collect();
    let is_equal = differences.iter().all(boltworks_apk::Difference::is_empty);
    let mut lines = Vec::new();
    let mut documents = Vec::new();
    for (one, difference) in scanned.iter().zip(&differences) {
        if what.differences {
            let name = one.said.file_name();
            if difference.is_empty() {
                lines.push(format!("{name}: as it says"));
            } else {
                lines.push(format!("{name}: - only as it says, + only as it is now"));
                lines.extend(difference_text(difference));
            }
        } else {
            let text = one.found.to_pkginfo();
            lines.push(text.map_err(|error| Error::from(error).of_file(&one.file))?);
        }
        documents.push(json!({
            "file": shown(&one.file),
            "equal": difference.is_empty(),
            "said": one.said,
            "found": one.found,
            "difference": difference,
        }));
    }
    output.text(lines.join("\n").trim_end());
    output.json(&json!({"equal": is_equal, "packages": documents}));
    Ok(if is_equal || !what.differences {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}
