//! `boltworks init`: a new factory, with a recipe and an image to start from.

use std::process::ExitCode;

use boltworks_fsx::{RelPath, Root};

use crate::arguments::Init;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;

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

pub(crate) fn run(init: &Init, output: &Output) -> Result<ExitCode, Failure> {
    let path = host::absolute(&init.folder);
    let root = Root::create(&path)?;
    if root.exists(&RelPath::try_from("boltworks.yaml")?)? {
        return Err(Failure::Usage {
            what: format!("{} holds a factory already", init.folder.display()),
            help: format!(
                "go there and run `boltworks plan`, or choose another folder than {}",
                init.folder.display()
            ),
        });
    }
    let name = factory_name(&path);
    for (file, text) in FILES {
        let file = RelPath::try_from(*file)?;
        if let Some(parent) = file.parent() {
            root.make_dir(&parent)?;
        }
        let text = text.replacen("factory: web", &format!("factory: {name}"), 1);
        root.write(&file, text.as_bytes(), 0o644)?;
    }
    root.write(
        &RelPath::try_from(".gitignore")?,
        b".boltworks/\nkeys/*.rsa\n",
        0o644,
    )?;
    output.text(&format!(
        "made the factory '{name}' in {0}: six recipes, two images.\nnext: cd {0} && boltworks up",
        init.folder.display()
    ));
    output.json(&serde_json::json!({"factory": name, "folder": path}));
    Ok(ExitCode::SUCCESS)
}

/// The folder's name, as a factory may be called.
fn factory_name(path: &std::path::Path) -> String {
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
