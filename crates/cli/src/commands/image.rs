//! `boltworks image build`: one image as files. The others of `boltworks image` are in [`publish`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use boltworks_factory::Home;
use boltworks_factory::single::{self, Assembly, ImageOrder, ImageOut, Laying, Lock};
use boltworks_image::BuiltImage;
use boltworks_model::{Timestamp, visible_path};
use boltworks_oci::Reference;
use serde_json::{Value, json};

use crate::arguments::{
    Arguments, Compression, Image, ImageBuild, ImageContents, ImageTest, Layers, SbomForm,
};
use crate::commands::{given, publish, session};
use crate::dialect;
use crate::failure::Failure;
use crate::host;
use crate::output::{Output, shown};
use crate::table::{count, size};

/// The variable that sets the time in images, unless the command line does (reproducible-builds.org).
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

pub(crate) fn run(
    arguments: &Arguments,
    image: &Image,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match image {
        Image::Build(build) => run_build(arguments, build, output),
        Image::Test(test) => run_test(arguments, test, output),
        Image::Publish(order) => publish::run(arguments, order, output),
        Image::Push(order) => publish::run_push(arguments, order, output),
        Image::Pull(order) => publish::run_pull(arguments, order, output),
    }
}

/// Tests an image of the factory.
fn run_test(arguments: &Arguments, test: &ImageTest, output: &Output) -> Result<ExitCode, Failure> {
    let file = test.image.rsplit('/').next().unwrap_or_default();
    let name = file.strip_suffix(".yaml").unwrap_or(file);
    let name = name.strip_suffix(".test").unwrap_or(name);
    let line = session::open(arguments, None)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let tested = line.test_image(name, &machine.ambient(watcher.as_ref()))?;
    drop(watcher);
    let log = line.home.blob_path(&tested.report.log);
    output.text(&format!(
        "✓ image {name} passed its tests\n  log: {}",
        visible_path(&log)
    ));
    output.json(&json!({
        "image": name,
        "passed": true,
        "digest": tested.report.image.prefixed(),
        "log-file": shown(&log),
        "packages": tested.report.packages,
    }));
    Ok(ExitCode::SUCCESS)
}

fn run_build(
    arguments: &Arguments,
    build: &ImageBuild,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = given::home_if_any(arguments)?;
    let place = (home.as_ref(), build.out.clone());
    let order = order(&build.file, &build.contents, &build.tag, place)?;
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let out = single::image(
        home.as_ref(),
        &order,
        &build.arch,
        &machine.ambient(watcher.as_ref()),
    )?;
    drop(watcher);
    report(&order, &out, output);
    Ok(ExitCode::SUCCESS)
}

/// The image that a command line describes, for whatever architecture.
pub(crate) fn order(
    file: &Path,
    contents: &ImageContents,
    name: &Reference,
    (home, out): (Option<&Home>, PathBuf),
) -> Result<ImageOrder, Failure> {
    let mut given = given::packages(&contents.packages);
    let further = contents.build_repository_append.iter().cloned();
    given.repositories.extend(further);
    let wants = |form| contents.sbom && contents.sbom_formats.contains(&form);
    Ok(ImageOrder {
        configuration: single::configuration_of(home, file)?,
        lock: contents.lockfile.as_deref().map(Lock::load).transpose()?,
        as_apko: false,
        name: name.clone(),
        out,
        shape: single::image::Shape::Image,
        compression: match contents.compression {
            Compression::Gzip => single::image::Compression::Gzip,
            Compression::Zstd => single::image::Compression::Zstd,
        },
        architecture: None,
        host: dialect::architecture("host")?,
        given,
        packages: contents.package_append.clone(),
        annotations: contents.annotations.iter().cloned().collect(),
        created: match contents.build_date {
            Some(date) => Some(date),
            None => source_date_epoch()?,
        },
        sboms: single::image::Sboms {
            folder: contents.sbom_path.clone(),
            spdx: wants(SbomForm::Spdx),
            spdx3: wants(SbomForm::Spdx3),
            cyclonedx: wants(SbomForm::Cyclonedx),
        },
        laying: (contents.layers == Layers::Compatible)
            .then(|| laying(contents))
            .transpose()?,
        together: Vec::new(),
    })
}

/// What decides layers as apko lays them.
fn laying(contents: &ImageContents) -> Result<Laying, Failure> {
    let asked = source_date_epoch()?;
    Ok(Laying {
        repositories: contents.packages.repository_append.clone(),
        build_repositories: contents.build_repository_append.clone(),
        keys: contents.packages.keyring_append.clone(),
        time: contents.build_date.or(asked),
        is_exact: contents.build_date.is_none() && asked.is_some(),
    })
}

/// The time that the environment asks for.
pub(crate) fn source_date_epoch() -> Result<Option<Timestamp>, Failure> {
    let Some(text) = host::environment().remove(SOURCE_DATE_EPOCH) else {
        return Ok(None);
    };
    match text.parse().map(Timestamp) {
        Ok(time) if time.is_packable() => Ok(Some(time)),
        _ => Err(Failure::Usage {
            what: format!("{SOURCE_DATE_EPOCH} is '{text}'"),
            help: format!(
                "set it to seconds since 1970, from 0 to {}, or unset it",
                Timestamp::LAST.0
            ),
        }),
    }
}

/// Tells of an image that was made.
pub(crate) fn report(order: &ImageOrder, out: &ImageOut, output: &Output) {
    let form = if out.is_layout { "layout" } else { "archive" };
    let mut lines: Vec<String> = out.images.iter().map(|made| line(order, made)).collect();
    lines.push(format!("  digest   {}", out.digest.prefixed()));
    lines.push(format!("  {form:<7}  {}", visible_path(&order.out)));
    let sboms = out.sboms.iter();
    lines.extend(sboms.map(|sbom| format!("  sbom     {}", visible_path(sbom))));
    output.text(&lines.join("\n"));
    for note in &out.notes {
        output.note(&format!("! {note}"));
    }
    for Assembly { built, .. } in &out.images {
        for note in built.warnings.iter().cloned().chain(gaps(built)) {
            output.note(&format!("! {note}"));
        }
    }
    let mut document = json!({
        "name": order.name.to_string(),
        "digest": out.digest.prefixed(),
        "form": form,
        "out": shown(&order.out),
        "sboms": out.sboms.iter().map(|sbom| shown(sbom)).collect::<Vec<_>>(),
        "notes": out.notes,
    });
    let images: Vec<Value> = out.images.iter().map(described).collect();
    if let (Value::Object(document), [Value::Object(one)]) = (&mut document, images.as_slice()) {
        for (key, value) in one.iter().filter(|(key, _)| *key != "digest") {
            document.insert(key.clone(), value.clone());
        }
    }
    if let Value::Object(document) = &mut document {
        document.insert("images".to_owned(), images.into());
    }
    output.json(&document);
}

fn line(
    order: &ImageOrder,
    Assembly {
        architecture,
        built,
    }: &Assembly,
) -> String {
    format!(
        "{} ({architecture}): {}, {}",
        order.name,
        count(built.packages, "package"),
        size(built.parts.size())
    )
}

/// What `--json` says of the image for one architecture.
fn described(
    Assembly {
        architecture,
        built,
    }: &Assembly,
) -> Value {
    json!({
        "arch": architecture,
        "digest": built.artifact.digest.prefixed(),
        "size": built.parts.size(),
        "unpacked": built.unpacked,
        "packages": built.packages,
        "layers": built.parts.layers.len(),
        "gaps": gaps(built).collect::<Vec<_>>(),
        "warnings": built.warnings,
    })
}

fn gaps(built: &BuiltImage) -> impl Iterator<Item = String> {
    built.gaps.iter().map(ToString::to_string)
}
