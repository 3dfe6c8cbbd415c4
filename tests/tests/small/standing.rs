//! Images that stand upon others: variants and overlays.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::factory::names;
use boltworks_tests::layout::Layout;
use boltworks_tests::small::{Small, writes};
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Server};
use serde_json::Value;

/// A factory whose images have a variant with a shell.
fn varied() -> Result<Small> {
    let small = Small::new()?;
    for name in ["busybox", "apk-tools"] {
        small.recipe(name, "", &writes(name))?;
    }
    small.edit(
        "boltworks.yaml",
        "channels:\n",
        "variants: { dev: {} }\nchannels:\n",
    )?;
    Ok(small)
}

/// The digests of a released image's layers, the lowest first.
fn layers(small: &Small, channel: &str) -> Result<Vec<String>> {
    let channels = small.channels()?;
    let digest = channels
        .get(channel)
        .with_context(|| format!("{channel} is not released"))?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(small.blob(digest))?)?;
    let layers = manifest["layers"].as_array().context("no layers")?;
    let digest = |layer: &Value| layer["digest"].as_str().map(str::to_owned);
    layers
        .iter()
        .map(|layer| digest(layer).context("no digest"))
        .collect()
}

/// The same after seeing that the layers of one are the first ones of the other.
fn prefix(small: &Small, below: &str, above: &str) -> Result<(Vec<String>, Vec<String>)> {
    let (below, above) = (layers(small, below)?, layers(small, above)?);
    ensure!(
        above.starts_with(&below) && above.len() == below.len() + 1,
        "{below:?} {above:?}"
    );
    Ok((below, above))
}

/// A released image, pulled by skopeo and unpacked by umoci.
fn unpacked(small: &Small, channel: &str) -> Result<(Layout, PathBuf)> {
    let place = small.folder().path().join(channel.replace(':', "-"));
    let server = Server::of(small)?;
    let source = format!("docker://{}/{channel}", server.address);
    let oci = format!("{}:it", place.display());
    let copy = Command::new(need("skopeo")?).args(["copy", "--src-tls-verify=false"]);
    copy.args([source, format!("oci:{oci}")]).ok()?;
    server.stop()?;
    let bundle = place.join("bundle");
    let mut umoci = Command::new(need("umoci")?).arg("unpack");
    if !rustix::process::geteuid().is_root() {
        umoci = umoci.arg("--rootless");
    }
    umoci.args(["--image", &oci]).arg(&bundle).ok()?;
    Ok((Layout::read(&place)?, bundle.join("rootfs")))
}

#[test]
fn a_variant_begins_with_the_layers_of_its_image() -> Result<()> {
    let small = varied()?;
    let report = small.up()?;
    ensure!(
        report.with("made").contains("image small-dev"),
        "{:?}",
        report.with("made")
    );
    let (below, _) = prefix(&small, "small:1", "small:1-dev")?;
    let (layout, root) = unpacked(&small, "small:1-dev")?;
    for name in ["one", "two", "three", "busybox", "apk-tools"] {
        let text = std::fs::read_to_string(root.join("usr/share").join(name))?;
        ensure!(text == format!("{name}\n"), "{name}: {text}");
    }
    let installed = std::fs::read_to_string(root.join("usr/lib/apk/db/installed"))?;
    let packages = installed.lines().filter(|line| line.starts_with("P:"));
    ensure!(packages.count() == 5, "{installed}");
    let world = std::fs::read_to_string(root.join("etc/apk/world"))?;
    ensure!(
        world.contains("busybox") && !world.contains('='),
        "the world is not what is asked for: {world}"
    );
    let digest = small.channels()?["small:1"].clone();
    let base = &layout.manifest["annotations"]["org.opencontainers.image.base.digest"];
    ensure!(*base == digest, "{base} is not {digest}");
    ensure!(
        small.fresh()?.contains("image small-dev"),
        "it is made once"
    );

    // What is only in the variant makes only the variant stale.
    small.recipe("busybox", "", &writes("busybox").replace("echo ", "echo new "))?;
    let report = small.up()?;
    let made = names(&["recipe busybox", "image small-dev"]);
    ensure!(report.with("made") == made, "{:?}", report.with("made"));
    ensure!(prefix(&small, "small:1", "small:1-dev")?.0 == below);

    // What is in the image makes both stale.
    small.recipe("two", "", &writes("two").replace("echo ", "echo new "))?;
    let report = small.up()?;
    let made = names(&["recipe two", "image small", "image small-dev"]);
    ensure!(report.with("made") == made, "{:?}", report.with("made"));
    ensure!(prefix(&small, "small:1", "small:1-dev")?.0 != below);
    small.verify_store()
}

#[test]
fn a_variant_of_several_layers() -> Result<()> {
    let small = varied()?;
    small.edit(
        "images/small.yaml",
        "archs:",
        "layering: { strategy: origin, budget: 3 }\narchs:",
    )?;
    small.up()?;
    let (below, _) = prefix(&small, "small:1", "small:1-dev")?;
    ensure!(below.len() > 1, "{below:?}");
    let (_, root) = unpacked(&small, "small:1-dev")?;
    let installed = std::fs::read_to_string(root.join("usr/lib/apk/db/installed"))?;
    ensure!(installed.contains("P:apk-tools"), "{installed}");
    Ok(())
}

#[test]
fn what_a_variant_cannot_be_is_told() -> Result<()> {
    let small = varied()?;
    small.edit("boltworks.yaml", "dev: {}", "dev: { images: [smal] }")?;
    let output = small.command(["plan"])?.fails(2)?;
    output.says("there is no image 'smal' to make a variant of")?;
    output.says("did you mean 'small'?")?;
    small.edit("boltworks.yaml", "images: [smal]", "packages: [nobody]")?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("nobody")?;
    output.says("it stands upon image small")?;
    // The image itself is released.
    ensure!(small.channels()?.contains_key("small:1"));
    // A file of the same name leaves open which one is meant.
    small.write("images/small-dev.yaml", "contents: { packages: [one] }\n")?;
    let output = small.command(["plan"])?.run()?;
    output.says("it is made by two files")
}
