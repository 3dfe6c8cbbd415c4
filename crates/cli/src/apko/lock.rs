//! `apko lock`, which was called `resolve`.

use std::path::PathBuf;
use std::process::ExitCode;

use boltworks_factory::files::Place;
use boltworks_factory::single;
use boltworks_model::visible_path;

use super::given;
use crate::commands::session;
use crate::dialect::flag::Words;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::count;

/// The mode of a lock file.
const MODE: u32 = 0o644;

pub(super) fn run(
    words: &Words<'_>,
    extension: &str,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let order = given::resolve_order(words)?;
    let path = words.path("output");
    let path = path.unwrap_or_else(|| beside(&order.configuration.file, extension));
    let home = given::home(words)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let lock = single::lock(&home, &order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    Place::of(&path)?.write(lock.to_text().as_bytes(), MODE)?;
    output.text(&format!(
        "{}: {}",
        visible_path(&path),
        count(lock.contents.packages.len(), "package")
    ));
    Ok(ExitCode::SUCCESS)
}

/// The file beside an image file, with another end.
fn beside(file: &std::path::Path, extension: &str) -> PathBuf {
    file.with_extension(extension)
}
