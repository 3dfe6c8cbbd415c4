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
use boltworks_tests::{Command, Report, Server};
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
    small.recipe(
        "busybox",
        "",
        &writes("busybox").replace("echo ", "echo new "),
    )?;
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

#[test]
fn an_overlay_adds_to_an_image_and_goes_with_it() -> Result<()> {
    let small = varied()?;
    small.recipe("more", "", &writes("more"))?;
    small.write(
        "images/site.yaml",
        "overlay: small\ncontents: { packages: [more] }\nenvironment: { SITE: here }\n\
         paths: [{ path: /srv/site, type: directory, permissions: 0o755 }]\n",
    )?;
    small.edit(
        "boltworks.yaml",
        "channels:\n",
        "channels:\n  \"site:1\": { image: site }\n",
    )?;
    small.up()?;
    let (below, _) = prefix(&small, "small:1", "site:1")?;
    prefix(&small, "site:1", "site:1-dev")?;
    let (layout, root) = unpacked(&small, "site:1")?;
    ensure!(root.join("srv/site").is_dir() && root.join("usr/share/one").is_file());
    let environment = layout.config["config"]["Env"].to_string();
    ensure!(environment.contains("SITE=here"), "{environment}");
    // Built by itself it is the same, upon what the factory would make now.
    let built = |more: &[&str]| -> Result<(Vec<String>, Layout)> {
        let place = small.folder().path().join("alone");
        std::fs::create_dir_all(&place)?;
        small
            .command(["image", "build", "images/site.yaml", "site:1"])?
            .arg(&place)
            .args(more)
            .ok()?;
        let layout = Layout::read(&place)?;
        let layers = layout.manifest["layers"].as_array().context("layers")?;
        let digests = layers
            .iter()
            .map(|layer| Ok(layer["digest"].as_str().context("a digest")?.to_owned()));
        Ok((digests.collect::<Result<_>>()?, layout.clone()))
    };
    let (alone, _) = built(&[])?;
    ensure!(alone == layers(&small, "site:1")?, "{alone:?}");
    let (more, layout) = built(&["-p", "three"])?;
    ensure!(more.starts_with(&below) && more.len() == alone.len() && more != alone);
    let environment = layout.config["config"]["Env"].to_string();
    ensure!(environment.contains("SITE=here"), "{environment}");
    small
        .command(["image", "build", "images/site.yaml", "site:1", "alone"])?
        .args(["--layers", "compatible"])
        .fails(1)?
        .says("it cannot stand upon another and be laid as apko lays images")?;
    // It is stale when its image is.
    small.recipe("two", "", &writes("two").replace("echo ", "echo new "))?;
    let report = small.up()?;
    let made = report.with("made");
    for image in ["small", "small-dev", "site", "site-dev"] {
        ensure!(
            made.contains(&format!("image {image}")),
            "{image}: {made:?}"
        );
    }
    ensure!(prefix(&small, "small:1", "site:1")?.0 != below);
    // By the channel, and upon a variant.
    small.edit(
        "images/site.yaml",
        "overlay: small",
        "overlay: \"small:1-dev\"",
    )?;
    small.up()?;
    prefix(&small, "small:1-dev", "site:1")?;

    small.edit("images/site.yaml", "\"small:1-dev\"", "smal")?;
    let output = small.command(["plan"])?.run()?;
    output.says("images/site.yaml:1:10: there is no image 'smal' to stand upon")?;
    small.edit("images/site.yaml", "smal", "site")?;
    let output = small.command(["plan"])?.run()?;
    output.says("is included by what it includes itself")?;
    let build = ["image", "build", "images/site.yaml", "site:1", "."];
    let output = small.command(build)?.fails(2)?;
    output.says("is included by what it includes itself")
}

/// A package with bash and all it needs: it is not released, but it can be run.
const SHELL: &str = "\
package:
  name: aside
  version: \"1\"
  epoch: 0
  description: bash from where it is built
  copyright: [{ license: Apache-2.0 }]
  options: { no-depends: true, no-provides: true }
  checks: { disabled: [usrmerge] }
environment:
  contents: { packages: [shell] }
pipeline:
  - runs: |
      to=${{targets.destdir}}
      mkdir -p $to/bin $to/lib64 $to/lib/x86_64-linux-gnu
      cp -L /bin/bash $to/bin/
      cp -L /lib64/ld-linux-x86-64.so.2 $to/lib64/
      cp -L /lib/x86_64-linux-gnu/libtinfo.so.6 /lib/x86_64-linux-gnu/libc.so.6 $to/lib/x86_64-linux-gnu/
";

#[test]
fn an_image_is_tested_before_it_is_released() -> Result<()> {
    let small = Small::new()?;
    small.write("recipes/aside.yaml", SHELL)?;
    let image = "contents: { packages: [aside] }\naccounts: { run-as: 7 }\narchs: [x86_64]\n\
                 entrypoint: { command: '/bin/bash -c \"echo uid $UID; exit 3\"' }\n";
    small.write("images/aside.yaml", image)?;
    let test = "check:\n  user: 7\n  shell: true\n  packages: { present: [aside], absent: [one] }\n  \
                files: [{ path: /bin/bash, mode: 0o755, uid: 0 }]\nrun: { ends: 3, prints: [uid 7] }\n";
    small.write("images/aside.test.yaml", test)?;
    let report = Report::of(&small.command(["up", "--json"])?.run()?)?;
    let row = report.row("image aside")?.to_string();
    ensure!(row.contains("\"made\""), "{row}");
    small
        .command(["image", "test", "images/aside.yaml"])?
        .ok()?;

    // A test that changed is run, on the same bytes.
    small.edit("images/aside.test.yaml", "uid 7]", "uid 8]")?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("test of image aside failed at step 'run': it does not print 'uid 8'")?;
    output.says("      uid 7")?;
    ensure!(!small.fresh()?.contains("image aside"));
    let output = small.command(["image", "test", "aside"])?.fails(1)?;
    output.says("log: ")?;

    // What must be so is told, all of it.
    small.edit("images/aside.test.yaml", "shell: true", "shell: false")?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("test of image aside failed at step 'check': there is a shell, /bin/bash")?;

    // A script beside it: the same user, the same loopback, another root.
    let script = "check: { user: 7 }\nrun:\n  packages: [shell]\n  script: |\n    test $(id -u) = 7\n    \
                  test -e /usr/bin/od\n    test ! -e /etc/apko.json\n";
    small.write("images/aside.test.yaml", script)?;
    small.edit("images/aside.yaml", "exit 3", "read")?;
    let report = Report::of(&small.command(["up", "--json"])?.run()?)?;
    let row = report.row("image aside")?.to_string();
    ensure!(row.contains("\"made\""), "{row}");

    // A port that nobody listens at.
    small.write(
        "images/aside.test.yaml",
        "run: { ports: [8080], patience: 1s }\n",
    )?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("before it listened at port 8080")
}

#[test]
fn a_released_image_has_passed_its_tests() -> Result<()> {
    let small = Small::new()?;
    let test = "check: { shell: false, packages: { present: [one] } }\n";
    small.write("images/small.test.yaml", test)?;
    let output = small.command(["up"])?.ok()?;
    output.says("judged: materials, sbom, signature, origin, tests")?;
    let known = small.explain("small")?;
    ensure!(
        known
            .iter()
            .any(|one| one["evidence"].to_string().contains("tests")),
        "{known:?}"
    );
    small.write("images/small.test.yaml", &test.replace("one", "four"))?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("package four is not in it")?;
    small.write("images/other.test.yaml", test)?;
    let output = small.command(["plan"])?.run()?;
    output.says("images/other.test.yaml has tests of it, and there is no such image")
}
