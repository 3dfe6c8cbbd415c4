//! `boltworks init`: a new factory, with a recipe and an image to start from.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use boltworks_fsx::{FileKind, Limit, RelPath, Root};
use boltworks_model::visible_path;
use serde_json::json;

use crate::arguments::Init;
use crate::failure::Failure;
use crate::host;
use crate::output::{Output, shown};

/// The files of a new factory: those of the demo, which is built by every test run.
const FILES: &[(&str, &str)] = &[
    (
        "recipes/musl.yaml",
        include_str!("../../../../examples/web/recipes/musl.yaml"),
    ),
    (
        "recipes/zlib.yaml",
        include_str!("../../../../examples/web/recipes/zlib.yaml"),
    ),
    (
        "recipes/pcre2.yaml",
        include_str!("../../../../examples/web/recipes/pcre2.yaml"),
    ),
    (
        "recipes/lighttpd.yaml",
        include_str!("../../../../examples/web/recipes/lighttpd.yaml"),
    ),
    (
        "recipes/lighttpd/lighttpd.conf",
        include_str!("../../../../examples/web/recipes/lighttpd/lighttpd.conf"),
    ),
    (
        "recipes/lighttpd/index.html",
        include_str!("../../../../examples/web/recipes/lighttpd/index.html"),
    ),
    (
        "recipes/baselayout.yaml",
        include_str!("../../../../examples/web/recipes/baselayout.yaml"),
    ),
    (
        "recipes/baselayout/os-release",
        include_str!("../../../../examples/web/recipes/baselayout/os-release"),
    ),
    (
        "recipes/ca-certificates.yaml",
        include_str!("../../../../examples/web/recipes/ca-certificates.yaml"),
    ),
    (
        "images/web.yaml",
        include_str!("../../../../examples/web/images/web.yaml"),
    ),
    (
        "images/static.yaml",
        include_str!("../../../../examples/web/images/static.yaml"),
    ),
    (
        "boltworks.yaml",
        include_str!("../../../../examples/web/boltworks.yaml"),
    ),
];

/// What git is to leave alone: the state, and the private keys.
const IGNORED: &[&str] = &[".boltworks/", "keys/*.rsa"];

/// Far above any of the files, and any `.gitignore`.
const FILE_LIMIT: Limit = Limit::mib(1);

/// Looks at every place before it writes to any, and writes `boltworks.yaml` last: what is there of
/// a run that was broken off is whole, and the next run adds the rest.
pub(crate) fn run(init: &Init, output: &Output) -> Result<ExitCode, Failure> {
    let path = host::absolute(&init.folder);
    let root = Root::create(&path)?;
    let folder = visible_path(&init.folder);
    if root.exists(&RelPath::try_from("boltworks.yaml")?)? {
        return Err(Failure::Usage {
            what: format!("{folder} holds a factory already"),
            help: format!(
                "go there and run `boltworks plan`, or choose another folder than {folder}"
            ),
        });
    }
    let name = factory_name(&path);
    let files = files(&name)?;
    let in_the_way = in_the_way(&root, &files)?;
    if !in_the_way.is_empty() {
        return Err(Failure::Usage {
            what: format!(
                "in {folder} these are in the way of a new factory: {}",
                in_the_way.into_iter().collect::<Vec<_>>().join(", ")
            ),
            help: "move them away, or choose another folder: nothing was written".to_owned(),
        });
    }
    let unignored = ignore(&root)?;
    for (file, text) in &files {
        write_new(&root, file, text.as_bytes())?;
    }
    let go_there = if path == host::absolute(Path::new("")) {
        String::new()
    } else {
        format!("cd {} && ", host::word(init.folder.as_os_str()))
    };
    output.text(&format!(
        "made the factory '{name}' in {folder}: six recipes, two images.\nnext: {go_there}{} up",
        host::program()
    ));
    if !unignored.is_empty() {
        output.note(&format!(
            "! {folder}/.gitignore is yours and stays as it is; it should say, each on a line of \
             its own: {}",
            unignored.join(" ")
        ));
    }
    output.json(&json!({
        "factory": name, "folder": shown(&path), "missing-in-gitignore": unignored,
    }));
    Ok(ExitCode::SUCCESS)
}

/// The files of a factory of this name.
fn files(name: &str) -> Result<Vec<(RelPath, String)>, Failure> {
    let named = |text: &str| text.replacen("factory: web", &format!("factory: {name}"), 1);
    FILES
        .iter()
        .map(|(file, text)| Ok((RelPath::try_from(*file)?, named(text))))
        .collect()
}

/// What stands where a file or its folder is to be. A file that says the same already does not.
fn in_the_way(root: &Root, files: &[(RelPath, String)]) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for (file, text) in files {
        if let Some(place) = first_in_the_way(root, file, text)? {
            found.insert(place.to_string());
        }
    }
    Ok(found)
}

fn first_in_the_way(root: &Root, file: &RelPath, text: &str) -> Result<Option<RelPath>, Failure> {
    for folder in file.ancestors() {
        match root.stat(&folder)? {
            None => return Ok(None),
            Some(stat) if stat.kind == FileKind::Dir => {}
            Some(_) => return Ok(Some(folder)),
        }
    }
    Ok((!is_free(root, file, text)?).then(|| file.clone()))
}

/// Whether nothing is there, or just what is to be there.
fn is_free(root: &Root, file: &RelPath, text: &str) -> Result<bool, Failure> {
    Ok(match root.stat(file)? {
        None => true,
        Some(stat) if stat.kind == FileKind::File && stat.size == text.len() as u64 => {
            root.read_vec(file, FILE_LIMIT)? == text.as_bytes()
        }
        Some(_) => false,
    })
}

/// Writes `.gitignore`, or gives the lines that the one which is there should have.
fn ignore(root: &Root) -> Result<Vec<&'static str>, Failure> {
    let file = RelPath::try_from(".gitignore")?;
    let there = match root.stat(&file)? {
        None => {
            write_new(root, &file, format!("{}\n", IGNORED.join("\n")).as_bytes())?;
            return Ok(Vec::new());
        }
        Some(stat) if stat.kind == FileKind::File => root.read_vec(&file, FILE_LIMIT)?,
        Some(_) => Vec::new(),
    };
    let lines: Vec<&[u8]> = there.split(|byte| *byte == b'\n').collect();
    let is_missing = |wanted: &&&str| {
        !lines
            .iter()
            .any(|line| line.trim_ascii() == wanted.as_bytes())
    };
    Ok(IGNORED.iter().filter(is_missing).copied().collect())
}

/// Writes a file whose name is free, with the folders above it. One that came meanwhile stays.
fn write_new(root: &Root, file: &RelPath, bytes: &[u8]) -> Result<(), Failure> {
    if root.exists(file)? {
        return Ok(());
    }
    if let Some(parent) = file.parent() {
        root.make_dir(&parent)?;
    }
    let mut draft = root.draft(file, 0o644)?;
    draft.write_all(bytes)?;
    draft.commit_new()?;
    Ok(())
}

/// The folder's name, as a factory may be called.
fn factory_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let safe: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let safe = safe.trim_matches('-');
    if safe.is_empty() {
        "factory".to_owned()
    } else {
        safe.to_owned()
    }
}
