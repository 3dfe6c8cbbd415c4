//! `apko build`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use boltworks_factory::single::{self, ImageOrder, Lock};
use boltworks_version::apk::Dependency;

use super::given;
use crate::commands::{image, session};
use crate::dialect::flag::Words;
use crate::dialect::usage;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [_, tag, out] = operands.as_slice() else {
        return Err(usage(
            "apko build takes an image file, a name and where the image goes",
            "apko build IMAGE.yaml NAME:TAG OUT.tar, or a folder that is there",
        ));
    };
    let tag = tag.to_string_lossy();
    let lock = words.path("lockfile");
    let order = ImageOrder {
        configuration: given::configuration(words)?,
        lock: lock.as_deref().map(Lock::load).transpose()?,
        fetches: true,
        name: tag.parse().map_err(|error: boltworks_oci::Error| {
            usage(error.to_string(), "name the image like web:1.4")
        })?,
        out: out.clone(),
        architecture: architecture(words)?,
        given: given::packages(words),
        packages: packages(words)?,
        annotations: annotations(words)?,
        created: given::created(words)?,
        sboms: sboms(words)?,
    };
    format(words)?;
    let home = given::home(words)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let built = single::image(Some(&home), &order, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    image::report(&order, &built, output);
    Ok(ExitCode::SUCCESS)
}

fn architecture(words: &Words<'_>) -> Result<Option<boltworks_model::Architecture>, Failure> {
    match given::architectures(words)?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(usage(
            "several architectures are asked for at once: there is one in an image yet",
            "build them one by one, with --arch x86_64 and the like",
        )),
    }
}

fn packages(words: &Words<'_>) -> Result<Vec<Dependency>, Failure> {
    let asked = words.texts("package-append").into_iter();
    asked
        .map(|text| {
            text.parse().map_err(|_| {
                usage(
                    format!("'{text}' is no package"),
                    "write it like zlib or zlib>=1.3",
                )
            })
        })
        .collect()
}

fn annotations(words: &Words<'_>) -> Result<BTreeMap<String, String>, Failure> {
    let given = words.texts("annotations").into_iter();
    given
        .map(|text| {
            let pair = text.split_once(':');
            let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
            pair.ok_or_else(|| {
                usage(
                    format!("'{text}' is no annotation"),
                    "write it like key:value",
                )
            })
        })
        .collect()
}

fn sboms(words: &Words<'_>) -> Result<single::image::Sboms, Failure> {
    let mut formats = words.texts("sbom-formats");
    if formats.is_empty() {
        formats.push("spdx".to_owned());
    }
    let known = ["spdx", "cyclonedx"];
    if let Some(other) = formats.iter().find(|form| !known.contains(&form.as_str())) {
        return Err(usage(
            format!("'{other}' is no form of SBOMs"),
            "there are spdx and cyclonedx",
        ));
    }
    let wants = |form: &str| words.is_on("sbom") && formats.iter().any(|one| one == form);
    Ok(single::image::Sboms {
        folder: words.path("sbom-path"),
        spdx: wants("spdx"),
        cyclonedx: wants("cyclonedx"),
    })
}

fn format(words: &Words<'_>) -> Result<(), Failure> {
    match words.text("format").as_deref() {
        None | Some("tar") => Ok(()),
        Some("erofs") => Err(usage(
            "--format erofs is not taken: there are no EROFS layers here yet",
            "leave it out: layers are of tar",
        )),
        Some(other) => Err(usage(
            format!("'{other}' is no form of layers"),
            "leave it out: layers are of tar",
        )),
    }
}
