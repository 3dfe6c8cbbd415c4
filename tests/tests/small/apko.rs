//! A link named `apko`, in a folder that is no factory: an image of a small repository, locked, built and
//! unpacked by umoci.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Result, ensure};
use boltworks_tests::Command;
use boltworks_tests::program::program;
use boltworks_tests::small::Small;
use boltworks_tests::tools::need;

use crate::melange::Desk;
use crate::offline::upstream;

const BASE: &str = "\
contents:
  keyring: [local.rsa.pub]
  repositories: [packages]
paths:
  - {path: /srv/web, type: directory, uid: 7, gid: 8, permissions: 0o750}
";

const IMAGE: &str = "\
include: base.yaml
contents:
  packages: [echo]
cmd: say hello
archs: [x86_64]
";

/// A folder with a repository of one package, its key, and an image file.
fn desk() -> Result<Desk> {
    let desk = Desk::new()?;
    std::os::unix::fs::symlink(program()?, desk.path("apko"))?;
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    let build = "build recipes/echo.yaml --signing-key local.rsa --out-dir packages";
    desk.with_os(build).ok()?;
    std::fs::write(desk.path("base.yaml"), BASE)?;
    std::fs::write(desk.path("web.yaml"), IMAGE)?;
    std::fs::create_dir(desk.path("layout"))?;
    Ok(desk)
}

fn apko(desk: &Desk, words: &str) -> Command {
    Command::new(desk.path("apko"))
        .dir(desk.path("."))
        .env("XDG_CACHE_HOME", desk.path("cache"))
        .args(words.split_whitespace())
}

#[test]
fn an_image_of_apkos_is_locked_built_and_unpacked() -> Result<()> {
    let desk = desk()?;
    let chosen = apko(&desk, "show-packages web.yaml --format name=version-source").ok()?;
    chosen.says("echo=1-r0 packages/x86_64/echo-1-r0.apk")?;
    apko(&desk, "lock web.yaml").ok()?;
    let lock = std::fs::read_to_string(desk.path("web.lock.json"))?;
    ensure!(
        lock.contains("\"url\": \"packages/x86_64/echo-1-r0.apk\""),
        "{lock}"
    );
    let build = "build web.yaml web:1 layout --lockfile web.lock.json";
    let built = apko(&desk, build).ok()?;

    let bundle = desk.path("bundle");
    let image = format!("{}:web:1", desk.path("layout").display());
    let mut umoci = Command::new(need("umoci")?).arg("unpack");
    if !rustix::process::geteuid().is_root() {
        umoci = umoci.arg("--rootless");
    }
    umoci
        .args(["--image", &image.replace("web:1", "1")])
        .arg(&bundle)
        .ok()?;
    let text = std::fs::read_to_string(bundle.join("rootfs/usr/share/echo"))?;
    ensure!(text == "echo\n", "{text}");
    ensure!(bundle.join("rootfs/srv/web").is_dir());
    let config = std::fs::read_to_string(bundle.join("config.json"))?;
    ensure!(config.contains("\"say\""), "{config}");

    // Without the lock it is the same image, and with a lock of another text it is none.
    built.says("digest")?;
    std::fs::write(desk.path("base.yaml"), BASE.replace("0o750", "0o755"))?;
    apko(&desk, build)
        .fails(2)?
        .says("the lock was made from another text")?;
    // A package that is another is not taken.
    std::fs::write(desk.path("base.yaml"), BASE)?;
    let other = lock.replace("\"checksum\": \"Q1", "\"checksum\": \"Q1x");
    std::fs::write(desk.path("web.lock.json"), other)?;
    apko(&desk, build).fails(2)?.says("and the lock says Q1x")?;
    Ok(())
}

#[test]
fn what_is_pinned_to_a_tag_comes_from_an_address_too() -> Result<()> {
    let desk = desk()?;
    let (_server, port) = upstream(&desk.path("."))?;
    let address = format!("http://127.0.0.1:{port}/packages");
    for repository in [address.as_str(), "packages"] {
        let base = BASE.replace("[packages]", &format!("['@edge {repository}']"));
        std::fs::write(desk.path("base.yaml"), base)?;
        let image = IMAGE.replace("[echo]", "[echo@edge]");
        std::fs::write(desk.path("web.yaml"), &image)?;
        let run = |words: &str| apko(&desk, words).env("no_proxy", "127.0.0.1");
        let chosen = run("show-packages web.yaml --format name=version-source").ok()?;
        chosen.says(&format!("echo=1-r0 {repository}/x86_64/echo-1-r0.apk"))?;
        run("lock web.yaml").ok()?;
        run("build web.yaml web:1 layout --lockfile web.lock.json").ok()?;
        let pinned = image.replace("@edge", "@other");
        std::fs::write(desk.path("web.yaml"), pinned)?;
        run("build web.yaml web:1 layout")
            .fails(1)?
            .says("@other")?;
    }
    Ok(())
}

#[test]
fn an_image_of_a_factory_includes_a_file_of_it() -> Result<()> {
    let small = Small::new()?;
    small.write("base.yaml", "contents: { packages: [one] }\n")?;
    let image = "include: base.yaml\ncontents: { packages: [two] }\narchs: [x86_64]\n";
    small.write("images/small.yaml", image)?;
    small.up()?;
    let explained = small.command(["explain", "small:1"])?.ok()?;
    explained.says("base.yaml")?;
    explained.says("one-1-r0")?;
    ensure!(small.plan()?.values().all(|state| state == "fresh"));
    // What is included makes the image stale, and nothing outside of the factory is included.
    small.write("base.yaml", "contents: { packages: [three] }\n")?;
    ensure!(!small.plan()?.values().all(|state| state == "fresh"));
    small.write(
        "images/small.yaml",
        &image.replace("base.yaml", "../base.yaml"),
    )?;
    small.command(["plan"])?.run()?.says("../base.yaml")?;
    Ok(())
}
