//! `boltworks image publish` and `push`, and apko's `publish`: images brought to registries; and
//! `pull`, the way back.

use std::path::Path;
use std::process::ExitCode;

use boltworks_factory::Home;
use boltworks_factory::files::Place;
use boltworks_factory::single::{self, PublishOrder, Published};
use serde_json::json;

use crate::arguments::{Arguments, ImagePublish, ImagePull, ImagePush};
use crate::commands::{given, image, session};
use crate::failure::Failure;
use crate::host;
use crate::output::{Output, shown};
use crate::table::{count, size};

pub(crate) fn run(
    arguments: &Arguments,
    publish: &ImagePublish,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let name = publish.tags.first().ok_or_else(|| Failure::Usage {
        what: "nothing says where the image goes".to_owned(),
        help: "name a tag like registry.example/team/web:1".to_owned(),
    })?;
    let out = host::temporary().join("image");
    let home = given::home_if_any(arguments)?;
    let order = PublishOrder {
        image: image::order(&publish.file, &publish.contents, name, (home.as_ref(), out))?,
        architectures: publish.arch.clone(),
        tags: publish.tags.clone(),
        with_sboms: publish.attach_sboms,
    };
    let refs = publish.image_refs.as_deref();
    carry_out((arguments.offline, home.as_ref()), &order, refs, output)
}

/// Assembles an image, brings it to registries and tells of it. `refs` is the file for the names by
/// digest. Whether nothing may be fetched comes with the factory, which need not be there.
pub(crate) fn carry_out(
    (offline, home): (bool, Option<&Home>),
    order: &PublishOrder,
    refs: Option<&Path>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let host = host::host(None, offline);
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let published = single::publish(home, &host, order, &ambient)?;
    drop(watcher);
    tell(&published, refs, output)
}

pub(crate) fn run_push(
    arguments: &Arguments,
    push: &ImagePush,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = given::home_if_any(arguments)?;
    let host = host::host(None, arguments.offline);
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let from = (push.image.as_path(), push.attach_sboms);
    let published = single::push_image(home.as_ref(), &host, from, &push.tags, &ambient)?;
    drop(watcher);
    tell(&published, push.image_refs.as_deref(), output)
}

pub(crate) fn run_pull(
    arguments: &Arguments,
    pull: &ImagePull,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let host = host::host(None, arguments.offline);
    let machine = session::machine()?;
    let watcher = session::watcher(false);
    let ambient = machine.ambient(watcher.as_ref());
    let pulled = single::pull_image(&host, &pull.name, pull.arch, &pull.out, &ambient)?;
    drop(watcher);
    output.text(&pulled.prefixed());
    output.json(&json!({"digest": pulled.prefixed(), "out": shown(&pull.out)}));
    Ok(ExitCode::SUCCESS)
}

/// Prints the name by digest and nothing else, for scripts; what a person wants to know goes beside it.
fn tell(published: &Published, refs: Option<&Path>, output: &Output) -> Result<ExitCode, Failure> {
    if let Some(file) = refs {
        let images = published.images.iter().map(|(_, reference)| reference);
        let mut text = String::new();
        for reference in images.chain([&published.reference]) {
            text.push_str(reference);
            text.push('\n');
        }
        Place::of(file)?.write(text.as_bytes(), 0o644)?;
    }
    for (name, pushed) in &published.repositories {
        output.text_note(&format!(
            "{name}: {} pushed ({}), {} there{}",
            count(pushed.sent, "blob"),
            size(pushed.bytes),
            pushed.there,
            match pushed.mounted {
                0 => String::new(),
                mounted => format!(", {mounted} taken over"),
            }
        ));
    }
    for note in &published.notes {
        output.note(&format!("! {note}"));
    }
    output.text(&published.reference);
    output.json(&json!({
        "digest": published.digest.prefixed(),
        "reference": published.reference,
        "images": published.images.iter().map(|(architecture, reference)| json!({
            "arch": architecture,
            "reference": reference,
        })).collect::<Vec<_>>(),
        "repositories": published.repositories.iter().map(|(name, pushed)| json!({
            "name": name,
            "pushed": pushed.sent,
            "bytes": pushed.bytes,
            "taken_over": pushed.mounted,
            "there": pushed.there,
        })).collect::<Vec<_>>(),
        "sboms": published.sboms.iter().map(|sbom| shown(sbom)).collect::<Vec<_>>(),
        "notes": published.notes,
    }));
    Ok(ExitCode::SUCCESS)
}
