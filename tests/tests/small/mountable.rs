//! An image of EROFS in a factory: made, tested, released, served, and read by other programs.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::Path;

use anyhow::{Result, ensure};
use boltworks_tests::factory::names;
use boltworks_tests::layout::Layout;
use boltworks_tests::small::{Small, writes};
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Server};

const IMAGE: &str = "\
contents:
  packages: [one, two, three]
paths:
  - {path: /srv/kept, type: directory, uid: 7, gid: 8, permissions: 0o1770}
archs: [x86_64]
format: erofs
";

const TEST: &str = "\
check:
  files:
    - {path: /usr/share/one, mode: 0o644, uid: 0, contains: one}
    - {path: /srv/kept, type: directory, mode: 0o1770, uid: 7, gid: 8}
    - {path: /usr/share/four, absent: true}
";

/// Brings what is released to a folder, as skopeo does, and reads its one layer with erofs-utils: the
/// image, and what is in `/usr/share/one`.
fn pulled(small: &Small, folder: &Path) -> Result<(Layout, String)> {
    let server = Server::of(small)?;
    let to = folder.join("layout");
    std::fs::create_dir(folder)?;
    Command::new(need("skopeo")?)
        .args(["copy", "--src-tls-verify=false"])
        .arg(format!("docker://{}/small:1", server.address))
        .arg(format!("oci:{}:1", to.display()))
        .ok()?;
    let image = Layout::read(&to)?;
    let layers = image.layers()?;
    let [layer] = layers.as_slice() else {
        anyhow::bail!("there should be one layer: {}", image.manifest);
    };
    let files = folder.join("files");
    Command::new(need("fsck.erofs")?)
        .arg(format!("--extract={}", files.display()))
        .arg(layer)
        .ok()?;
    let one = std::fs::read_to_string(files.join("usr/share/one"))?;
    Ok((image, one))
}

#[test]
fn an_image_of_erofs_is_released_and_read() -> Result<()> {
    let small = Small::new()?;
    small.write("images/small.yaml", IMAGE)?;
    small.write("images/small.test.yaml", TEST)?;
    let folder = small.folder().path();
    small.up()?;
    let (first, one) = pulled(&small, &folder.join("first"))?;
    ensure!(one == "one\n", "{one}");
    let layer = &first.manifest["layers"][0];
    ensure!(
        layer["mediaType"] == "application/vnd.erofs",
        "{}",
        first.manifest
    );
    ensure!(
        first.config["rootfs"]["diff_ids"][0] == layer["digest"],
        "{}",
        first.config
    );
    ensure!(
        first.config["os.features"][0] == "erofs",
        "{}",
        first.config
    );

    // A changed package makes another layer; its reversal makes none, and is the first again.
    small.command(["plan"])?.ok()?.says("nothing is stale")?;
    small.recipe(
        "one",
        "",
        &writes("one").replace("echo one", "echo one more"),
    )?;
    let report = small.up()?;
    ensure!(
        report.with("made") == names(&["recipe one", "image small"]),
        "{}",
        report.document()
    );
    let (second, one) = pulled(&small, &folder.join("second"))?;
    ensure!(one == "one more\n", "{one}");
    ensure!(second.digest != first.digest);
    small.recipe("one", "", &writes("one"))?;
    let report = small.up()?;
    ensure!(report.with("made").is_empty(), "{}", report.document());
    let (again, _) = pulled(&small, &folder.join("again"))?;
    ensure!(again.digest == first.digest);

    // An image that is other than its tests want is not released.
    small.edit("images/small.test.yaml", "contains: one", "contains: four")?;
    small
        .command(["up"])?
        .fails(1)?
        .says("test of image small failed at step 'check'")?;
    let (still, _) = pulled(&small, &folder.join("still"))?;
    ensure!(still.digest == first.digest);
    Ok(())
}
