//! `boltworks recipe fmt`: recipes in their usual form.

use std::process::ExitCode;

use boltworks_factory::texts::{self, Formed};
use boltworks_model::visible_path;
use serde_json::{Value, json};

use crate::arguments::Fmt;
use crate::commands::unread::Unread;
use crate::difference::difference;
use crate::failure::{Failure, exit};
use crate::output::{Output, shown};
use crate::table::count;

pub(crate) fn run(fmt: &Fmt, output: &Output) -> Result<ExitCode, Failure> {
    let is_trial = fmt.check || fmt.diff;
    let (read, unread) = Unread::part(texts::usual_forms(&fmt.paths)?);
    let (usual, others): (Vec<_>, Vec<_>) = read.into_iter().partition(Formed::is_usual);
    let usual = usual.len();
    if !is_trial {
        for formed in &others {
            formed.write()?;
        }
    }
    if fmt.diff {
        let all: Vec<String> = others.iter().map(changes).collect();
        output.text_if_any(&all.concat());
    } else {
        let files = others.iter().map(|formed| visible_path(&formed.file));
        let files: Vec<_> = files.collect();
        output.text_if_any(&files.join("\n"));
    }
    unread.tell(output);
    let verb = if is_trial { "to change" } else { "changed" };
    output.text_note(&format!(
        "{} {verb}, {usual} in the usual form, {} not understood",
        count(others.len(), "recipe"),
        unread.len()
    ));
    output.json(&json!({
        "changed": others.iter().map(|formed| document(formed, fmt.diff)).collect::<Vec<_>>(),
        "usual": usual,
        "unread": unread.document(),
        "written": !is_trial,
    }));
    Ok(if let Some(code) = unread.code() {
        code
    } else if is_trial && !others.is_empty() {
        exit::FAILED
    } else {
        ExitCode::SUCCESS
    })
}

fn changes(formed: &Formed) -> String {
    difference(&visible_path(&formed.file), &formed.before, &formed.now)
}

fn document(formed: &Formed, with_diff: bool) -> Value {
    let mut document = json!({"file": shown(&formed.file)});
    if with_diff && let Value::Object(map) = &mut document {
        map.insert("diff".to_owned(), changes(formed).into());
    }
    document
}
