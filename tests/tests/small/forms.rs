//! Other forms than the usual ones: layers of zstd, one form of SBOM alone.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::layout::Layout;
use boltworks_tests::program::program;
use boltworks_tests::small::Small;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Server};
use serde_json::Value;

use crate::melange::Desk;

const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// An image file of packages that lie in a folder.
const IMAGE: &str = "\
contents:
  keyring: [local.rsa.pub]
  repositories: [packages]
  packages: [echo]
archs: [x86_64]
";

fn boltworks(folder: &Path, words: &str) -> Result<Command> {
    let command = Command::new(program()?).dir(folder).env("HOME", folder);
    Ok(command.args(words.split_whitespace()))
}

/// Sees that every layer is of zstd, and that skopeo unpacks them and finds the image's files.
fn is_zstd(layout: &Path, tag: &str, file: &str) -> Result<()> {
    let layers = Layout::read(layout)?.manifest["layers"].clone();
    let layers = layers.as_array().context("no layers")?;
    let is_zstd = |layer: &Value| layer["mediaType"] == ZSTD;
    ensure!(
        !layers.is_empty() && layers.iter().all(is_zstd),
        "{layers:?}"
    );
    let folder = layout.with_extension("plain");
    let copy = Command::new(need("skopeo")?).args(["copy", "--dest-decompress"]);
    let copy = copy.arg(format!("oci:{}:{tag}", layout.display()));
    copy.arg(format!("dir:{}", folder.display())).ok()?;
    let mut found = false;
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        // Manifest, configuration and version lie beside the layers.
        let list = Command::new(need("tar")?).arg("tf").arg(&path).run()?;
        found |= list.stdout.lines().any(|line| line == file);
    }
    ensure!(found, "{file} is in no layer");
    Ok(())
}

#[test]
fn layers_of_zstd_and_one_sbom_alone() -> Result<()> {
    let desk = Desk::new()?;
    let here = desk.path(".");
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    let build = "build recipes/echo.yaml --signing-key local.rsa --out-dir packages";
    desk.with_os(build).ok()?;
    std::fs::write(desk.path("web.yaml"), IMAGE)?;
    std::fs::create_dir(desk.path("layout"))?;
    std::fs::create_dir(desk.path("sboms"))?;
    let build = "image build web.yaml web:1 layout -r packages -k local.rsa.pub --compression zstd \
                 --sbom-formats spdx3 --sbom-path sboms";
    boltworks(&here, build)?.ok()?;
    is_zstd(&desk.path("layout"), "1", "usr/share/echo")?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(desk.path("sboms"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(name.ends_with(".spdx3.json"), "{name} was not asked for");
        names.push(name);
    }
    ensure!(
        names.contains(&"sbom-x86_64.spdx3.json".to_owned()),
        "{names:?}"
    );
    let text = std::fs::read(desk.path("sboms/sbom-x86_64.spdx3.json"))?;
    let document: Value = serde_json::from_slice(&text)?;
    ensure!(document["@graph"].is_array(), "no SPDX 3 document");
    let build = "image build web.yaml web:1 layout -r packages --compression lzma";
    let output = boltworks(&here, build)?.fails(2)?;
    output.says("gzip")?;
    output.says("zstd")
}

#[test]
fn a_factory_whose_layers_are_of_zstd() -> Result<()> {
    let small = Small::new()?;
    small.edit(
        "boltworks.yaml",
        "channels:\n",
        "compression: zstd\nchannels:\n",
    )?;
    small.up()?;
    let server = Server::of(&small)?;
    let layout = small.folder().path().join("pulled");
    let copy = Command::new(need("skopeo")?).args(["copy", "--src-tls-verify=false"]);
    let copy = copy.arg(format!("docker://{}/small:1", server.address));
    copy.arg(format!("oci:{}:it", layout.display())).ok()?;
    server.stop()?;
    is_zstd(&layout, "it", "usr/share/one")?;
    // Another form is another image.
    let before = small.channels()?;
    small.edit("boltworks.yaml", "compression: zstd", "compression: gzip")?;
    let report = small.up()?;
    ensure!(
        report.with("made").contains("image small"),
        "{:?}",
        report.with("made")
    );
    ensure!(small.channels()?["small:1"] != before["small:1"]);
    small.verify_store()
}
