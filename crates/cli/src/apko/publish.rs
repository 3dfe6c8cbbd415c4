//! `apko publish` and `login`.

use std::process::ExitCode;

use boltworks_factory::registries::{self, Login};
use boltworks_factory::single::{ImageOrder, Lock, PublishOrder};
use boltworks_model::visible_path;
use boltworks_oci::Reference;

use super::build::{annotations, order, sboms, set_format};
use super::given;
use crate::commands;
use crate::dialect::flag::Words;
use crate::dialect::usage;
use crate::failure::Failure;
use crate::host;
use crate::output::{Output, shown};

/// No password is longer.
const MAX_PASSWORD: u64 = 64 * 1024;

/// `apko publish`
pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let tags: Vec<Reference> = operands
        .iter()
        .skip(1)
        .map(|tag| {
            let tag = tag.to_string_lossy();
            tag.parse().map_err(|error: boltworks_oci::Error| {
                usage(error.to_string(), "write a tag like registry.example/web:1")
            })
        })
        .collect::<Result<_, _>>()?;
    let Some(first) = tags.first() else {
        return Err(usage(
            "apko publish takes an image file and where the image goes",
            "apko publish IMAGE.yaml REGISTRY/NAME:TAG",
        ));
    };
    let lock = words.path("lockfile");
    let out = host::temporary().join("image");
    let mut image = ImageOrder {
        lock: lock.as_deref().map(Lock::load).transpose()?,
        annotations: annotations(words)?,
        sboms: sboms(words)?,
        ..order(words, &first.to_string(), &out)?
    };
    set_format(words, &mut image.configuration)?;
    let order = PublishOrder {
        image,
        architectures: given::architectures(words)?,
        tags,
        with_sboms: false,
    };
    let home = given::home(words)?;
    let refs = words.path("image-refs");
    let place = (words.is_on("offline"), Some(&home));
    commands::publish::carry_out(place, &order, refs.as_deref(), output)
}

/// `apko login`
pub(super) fn log_in(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let registry = operands.first().map(|name| name.to_string_lossy());
    let (Some(registry), Some(user)) = (registry, words.text("username")) else {
        return Err(usage(
            "a login needs a registry and a name",
            "apko login REGISTRY -u NAME --password-stdin",
        ));
    };
    let password = match words.text("password") {
        Some(password) => password,
        None if words.is_on("password-stdin") => host::standard_input(MAX_PASSWORD)?,
        None => {
            return Err(usage(
                "a login needs a password",
                "give it on standard input: apko login REGISTRY -u NAME --password-stdin",
            ));
        }
    };
    let login = Login::new(user, password.trim_end_matches(['\r', '\n']));
    let file = registries::log_in(&host::host(None, false), &registry, &login)?;
    output.text(&format!("logged in via {}", visible_path(&file)));
    output.json(&serde_json::json!({"registry": registry, "file": shown(&file)}));
    Ok(ExitCode::SUCCESS)
}
