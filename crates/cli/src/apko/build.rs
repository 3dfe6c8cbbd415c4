//! `apko build`, `build-minirootfs` and `build-cpio`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::single::image::Shape;
use boltworks_factory::single::{self, ImageOrder, Lock};
use boltworks_model::Architecture;
use boltworks_recipe::parsed::Text;
use boltworks_version::apk::Dependency;

use super::given;
use crate::commands::{image, session};
use crate::dialect::flag::Words;
use crate::dialect::{self, usage};
use crate::failure::Failure;
use crate::output::Output;

/// What the files of no image are called while they are made.
const NAME: &str = "rootfs:latest";

/// `apko build`
pub(super) fn run(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [_, tag, out] = operands.as_slice() else {
        return Err(usage(
            "apko build takes an image file, a name and where the image goes",
            "apko build IMAGE.yaml NAME:TAG OUT.tar, or a folder that is there",
        ));
    };
    let lock = words.path("lockfile");
    let mut order = ImageOrder {
        lock: lock.as_deref().map(Lock::load).transpose()?,
        annotations: annotations(words)?,
        sboms: sboms(words)?,
        ..order(words, &tag.to_string_lossy(), out)?
    };
    set_format(words, &mut order.configuration)?;
    carry_out(words, &order, &given::architectures(words)?, output)
}

/// `apko build-minirootfs` and `build-cpio`
pub(super) fn files(words: &Words<'_>, shape: Shape, output: &Output) -> Result<ExitCode, Failure> {
    let operands = words.operands();
    let [_, out] = operands.as_slice() else {
        return Err(usage(
            "an image file and an archive are taken, and nothing else",
            "apko build-minirootfs IMAGE.yaml OUT.tar.gz, or build-cpio IMAGE.yaml OUT.cpio",
        ));
    };
    let arch = words.text("build-arch");
    let arch = dialect::architecture(arch.as_deref().unwrap_or("host"))?;
    let mut order = ImageOrder {
        architecture: Some(arch),
        shape,
        ..order(words, NAME, out)?
    };
    let named = order.configuration.image.archs.len();
    if named > 0 {
        output.note(&format!(
            "! only for {arch}: what the file says of archs is not looked at"
        ));
        order.configuration.image.archs.clear();
    }
    if let Some(folder) = words.path("sbom-path") {
        order.sboms.folder = Some(folder);
        order.sboms.spdx = true;
    }
    carry_out(words, &order, &[], output)
}

/// What is common to all that is built.
pub(super) fn order(words: &Words<'_>, name: &str, out: &Path) -> Result<ImageOrder, Failure> {
    Ok(ImageOrder {
        configuration: given::configuration(words)?,
        lock: None,
        as_apko: true,
        name: name.parse().map_err(|error: boltworks_oci::Error| {
            usage(error.to_string(), "name the image like web:1.4")
        })?,
        out: out.to_owned(),
        shape: Shape::Image,
        compression: single::image::Compression::Gzip,
        architecture: None,
        host: dialect::architecture("host")?,
        given: given::packages(words),
        packages: packages(words)?,
        annotations: BTreeMap::new(),
        created: given::created(words)?,
        sboms: single::image::Sboms::default(),
        laying: Some(given::laying(words)?),
        together: Vec::new(),
    })
}

fn carry_out(
    words: &Words<'_>,
    order: &ImageOrder,
    architectures: &[Architecture],
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = given::home(words)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let built = single::image(Some(&home), order, architectures, &ambient)?;
    drop(watcher);
    image::report(order, &built, output);
    Ok(ExitCode::SUCCESS)
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

pub(super) fn annotations(words: &Words<'_>) -> Result<BTreeMap<String, String>, Failure> {
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

pub(super) fn sboms(words: &Words<'_>) -> Result<single::image::Sboms, Failure> {
    let mut formats = words.texts("sbom-formats");
    if formats.is_empty() {
        formats.push("spdx".to_owned());
    }
    let known = ["spdx", "spdx3", "cyclonedx"];
    if let Some(other) = formats.iter().find(|form| !known.contains(&form.as_str())) {
        return Err(usage(
            format!("'{other}' is no form of SBOMs"),
            "there are spdx, spdx3 and cyclonedx",
        ));
    }
    let wants = |form: &str| words.is_on("sbom") && formats.iter().any(|one| one == form);
    Ok(single::image::Sboms {
        folder: words.path("sbom-path"),
        spdx: wants("spdx"),
        spdx3: wants("spdx3"),
        cyclonedx: wants("cyclonedx"),
    })
}

/// Sets what layers are, whatever the file says.
pub(super) fn set_format(
    words: &Words<'_>,
    configuration: &mut single::Configuration,
) -> Result<(), Failure> {
    match words.text("format") {
        None => Ok(()),
        Some(form) if matches!(form.as_str(), "tar" | "erofs") => {
            configuration.image.format = Some(Text::unplaced(form));
            Ok(())
        }
        Some(other) => Err(usage(
            format!("'{other}' is no form of layers"),
            "there are tar and erofs",
        )),
    }
}
