//! `melange source get` and `source pop`.

use std::process::ExitCode;

use boltworks_factory::Home;
use boltworks_factory::single::{self, Reading, WorktreeOrder};
use boltworks_model::visible_path;

use super::flag::Words;
use super::given;
use crate::commands::session;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;
use crate::table::count;

pub(super) fn get(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let (home, order) = order(words, output)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let laid_out = single::lay_out(&home, &order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    output.text(&format!(
        "{}: commit {}, {} applied on top",
        visible_path(&laid_out.path),
        laid_out.commit,
        count(laid_out.applied, "change"),
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn pop(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let (home, order) = order(words, output)?;
    let written = single::write_back(&home, &order)?;
    for patch in &written.patches {
        output.text(&visible_path(written.folder.join(patch)));
    }
    output.text(&format!(
        "{}: {} applied by git-am",
        given::recipe(words, output)?.display(),
        count(written.patches.len(), "change"),
    ));
    Ok(ExitCode::SUCCESS)
}

fn order(words: &Words<'_>, output: &Output) -> Result<(Home, WorktreeOrder), Failure> {
    let file = given::recipe(words, output)?;
    let folder = words.path("output").unwrap_or_default();
    let order = WorktreeOrder {
        file: host::absolute(&file),
        reading: Reading::default(),
        output: host::absolute(&folder),
        patches: words.path("source-dir").map(|path| host::absolute(&path)),
    };
    Ok((given::home(words)?, order))
}
