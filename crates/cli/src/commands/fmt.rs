//! `boltworks recipe fmt`: recipes in their usual form.

use std::process::ExitCode;

use boltworks_factory::texts::{self, Formed, reason};
use serde_json::{Value, json};

use crate::arguments::Fmt;
use crate::difference::difference;
use crate::failure::{Failure, USAGE, exit};
use crate::output::{Output, shown};
use crate::table::{count, indented};

pub(crate) fn run(fmt: &Fmt, output: &Output) -> Result<ExitCode, Failure> {
    let is_trial = fmt.check || fmt.diff;
    let (mut others, mut usual, mut unread) = (Vec::new(), 0, Vec::new());
    for (file, formed) in texts::usual_forms(&fmt.paths)? {
        match formed {
            Ok(formed) if formed.is_usual() => usual += 1,
            Ok(formed) => others.push(formed),
            Err(error) => unread.push((file, error)),
        }
    }
    if !is_trial {
        for formed in &others {
            formed.write()?;
        }
    }
    if fmt.diff {
        let all: Vec<String> = others.iter().map(changes).collect();
        output.text_if_any(&all.concat());
    } else {
        let files: Vec<_> = others.iter().map(|formed| shown(&formed.file)).collect();
        output.text_if_any(&files.join("\n"));
    }
    for (file, error) in &unread {
        output.note(&format!("! {}", indented(&reason(file, error))));
    }
    let verb = if is_trial { "to change" } else { "changed" };
    output.text_note(&format!(
        "{} {verb}, {usual} in the usual form, {} not understood",
        count(others.len(), "recipe"),
        unread.len()
    ));
    let unread_documents = unread
        .iter()
        .map(|(file, error)| json!({"file": shown(file), "why": reason(file, error)}));
    output.json(&json!({
        "changed": others.iter().map(|formed| document(formed, fmt.diff)).collect::<Vec<_>>(),
        "usual": usual,
        "unread": unread_documents.collect::<Vec<_>>(),
        "written": !is_trial,
    }));
    Ok(if !unread.is_empty() {
        ExitCode::from(USAGE)
    } else if is_trial && !others.is_empty() {
        exit::FAILED
    } else {
        ExitCode::SUCCESS
    })
}

fn changes(formed: &Formed) -> String {
    difference(&shown(&formed.file), &formed.before, &formed.now)
}

fn document(formed: &Formed, with_diff: bool) -> Value {
    let mut document = json!({"file": shown(&formed.file)});
    if with_diff && let Value::Object(map) = &mut document {
        map.insert("diff".to_owned(), changes(formed).into());
    }
    document
}
