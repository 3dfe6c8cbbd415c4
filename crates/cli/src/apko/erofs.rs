//! `apko erofs mount`, `umount` and `ls`.

use std::process::ExitCode;

use boltworks_factory::single::erofs::{self, Line, MountOrder, Source, Way};
use boltworks_model::{is_unseen, visible_path};
use serde_json::json;

use crate::commands::session;
use crate::dialect::flag::Words;
use crate::dialect::{architecture, usage};
use crate::failure::Failure;
use crate::output::{Output, shown};
use crate::table::table;

/// `apko erofs mount`
pub(super) fn mount(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [source, folder] = operands.as_slice() else {
        return Err(usage(
            "apko erofs mount takes an image, or a file that is one layer, and a folder",
            "apko erofs mount IMAGE FOLDER",
        ));
    };
    let way = match words.text("mode").as_deref() {
        None | Some("auto") => None,
        Some("kernel") => Some(Way::Kernel),
        Some("fuse") => Some(Way::Fuse),
        Some(other) => {
            return Err(usage(
                format!("'{other}' is no mode"),
                "there are auto, kernel and fuse",
            ));
        }
    };
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let order = MountOrder {
        source: source.as_os_str().to_owned(),
        folder: folder.clone(),
        architecture: architecture(words.text("arch").as_deref().unwrap_or("host"))?,
        way,
        is_writable: words.is_on("rw"),
        now: machine.ambient(watcher.as_ref()).clock.now(),
    };
    let place = erofs::mount(&order)?;
    output.text(&format!("mounted at {}", visible_path(&place)));
    output.json(&json!({ "mounted": shown(&place) }));
    Ok(ExitCode::SUCCESS)
}

/// `apko erofs umount`
pub(super) fn unmount(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [folder] = operands.as_slice() else {
        return Err(usage(
            "apko erofs umount takes a folder",
            "apko erofs umount FOLDER",
        ));
    };
    let left = erofs::unmount(folder)?;
    if let Some(left) = &left {
        output.note(&format!(
            "what was written is left in {}",
            visible_path(left)
        ));
    }
    output.json(&json!({ "left": left.as_deref().map(shown) }));
    Ok(ExitCode::SUCCESS)
}

/// `apko erofs ls`
pub(super) fn list(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [source] = operands.as_slice() else {
        return Err(usage(
            "apko erofs ls takes an image, or a file that is one layer",
            "apko erofs ls IMAGE",
        ));
    };
    let arch = architecture(words.text("arch").as_deref().unwrap_or("host"))?;
    let lines = erofs::listed(&Source::open(source.as_os_str(), arch)?)?;
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    output.text_if_any(&table(&rows).join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// A line as apko prints it: the time to the minute, and signs that would change a terminal written out.
fn row(line: &Line) -> Vec<String> {
    let printable = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if text.contains(is_unseen) {
            text.escape_debug().to_string()
        } else {
            text
        }
    };
    let time = line.time.to_string();
    let time = match (time.get(..10), time.get(11..16)) {
        (Some(day), Some(minute)) if time.ends_with('Z') && time.len() == 20 => {
            format!("{day} {minute}")
        }
        _ => time,
    };
    let mut path = printable(&line.path);
    if let Some(target) = &line.target {
        path = format!("{path} -> {}", printable(target));
    }
    let (owner, group) = line.owner;
    let owner = format!("{owner}/{group}");
    vec![line.mode.clone(), owner, line.size.clone(), time, path]
}

#[cfg(test)]
mod tests {
    use boltworks_model::Timestamp;

    use super::*;

    #[test]
    fn a_line_is_what_apko_prints() {
        let line = Line {
            mode: "-rwsr-xr-x".to_owned(),
            owner: (13, 15),
            size: "178528".to_owned(),
            time: Timestamp(1_776_453_420),
            path: b"usr/bin/su\x1bdo".to_vec(),
            target: Some(b"a b".to_vec()),
        };
        assert_eq!(
            table(&[row(&line)]),
            ["-rwsr-xr-x  13/15  178528  2026-04-17 19:17  usr/bin/su\\u{1b}do -> a b"]
        );
        let odd = Line {
            time: Timestamp(i64::MAX),
            ..line
        };
        assert_eq!(row(&odd)[3], format!("@{}", i64::MAX));
    }
}
