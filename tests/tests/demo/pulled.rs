//! What other people's clients make of the image: skopeo, umoci, runc, podman, curl.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use boltworks_tests::program::repository;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Folder, Running};
use rustix::process::Signal;

use crate::once::Demo;

/// The server in the container answers within this time.
const STARTING: Duration = Duration::from_secs(30);

#[test]
fn skopeo_pulls_the_same_by_tag_and_by_digest() -> Result<()> {
    let demo = Demo::get()?;
    let pulled = demo.pulled("web", "1.4")?;
    Command::new(need("diff")?)
        .args(["--recursive", "--brief"])
        .args([pulled.by_tag(), pulled.by_digest()])
        .ok()?;
    let inspected = Command::new(need("skopeo")?)
        .arg("inspect")
        .arg(format!("oci:{}:{}", pulled.by_tag().display(), pulled.tag))
        .ok()?
        .json()?;
    ensure!(
        inspected["Digest"] == demo.factory.channels()?["web:1.4"],
        "{inspected}"
    );
    ensure!(inspected["Architecture"] == "amd64", "{inspected}");
    Ok(())
}

#[test]
fn umoci_unpacks_what_tar_does() -> Result<()> {
    let pulled = Demo::get()?.pulled("web", "1.4")?;
    let folder = Folder::new()?;
    let bundle = folder.path().join("bundle");
    let mut umoci = Command::new(need("umoci")?).arg("unpack");
    if !rustix::process::geteuid().is_root() {
        umoci = umoci.arg("--rootless");
    }
    let image = format!("{}:{}", pulled.by_digest().display(), pulled.tag);
    umoci.args(["--image", &image]).arg(&bundle).ok()?;
    Command::new(need("diff")?)
        .args(["--recursive", "--no-dereference", "--brief"])
        .args([bundle.join("rootfs"), pulled.root()])
        .ok()?;
    Ok(())
}

#[test]
fn podman_runs_it_without_capabilities() -> Result<()> {
    let pulled = Demo::get()?.pulled("web", "1.4")?;
    let folder = Folder::new()?;
    let place = |name: &str| folder.path().join(name).display().to_string();
    let image = format!("oci:{}:{}", pulled.by_tag().display(), pulled.tag);
    let output = Command::new(need("podman")?)
        .args([
            "--root",
            &place("root"),
            "--runroot",
            &place("run"),
            "--tmpdir",
            &place("tmp"),
        ])
        .args([
            "--runtime",
            "runc",
            "--cgroup-manager=cgroupfs",
            "--events-backend=none",
        ])
        .args([
            "run",
            "--rm",
            "--network",
            "none",
            "--read-only",
            "--cap-drop",
            "all",
        ])
        .args([
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=1000:1000",
        ])
        .args(["--entrypoint", "/usr/bin/lighttpd", &image, "-V"])
        .run();
    // Its storage holds mounts that only it can undo.
    let cleaned = Command::new(need("podman")?)
        .args([
            "--root",
            &place("root"),
            "--runroot",
            &place("run"),
            "--tmpdir",
            &place("tmp"),
        ])
        .args(["--events-backend=none", "rmi", "--all", "--force"])
        .run()?;
    let output = output?;
    ensure!(output.status.success(), "{output}");
    ensure!(cleaned.status.success(), "{cleaned}");
    for word in ["lighttpd/1.4.79", "+ PCRE support", "+ zlib support"] {
        output.says(word)?;
    }
    Ok(())
}

#[test]
fn a_page_comes_from_the_container_with_gzip() -> Result<()> {
    let demo = Demo::get()?;
    let pulled = demo.pulled("web", "1.4")?;
    let folder = Folder::new()?;
    // In a network of its own, so that a port of this machine's matters to nobody.
    let run = "ip link set lo up && exec \"$0\" \"$@\"";
    let container = Container(
        Command::new(need("unshare")?)
            .args(["--net", "sh", "-c", run])
            .arg(repository().join("scripts/run-image"))
            .args([
                pulled.by_tag().as_os_str(),
                pulled.tag.as_ref(),
                folder.path().as_os_str(),
            ])
            .limit(Duration::from_mins(2))
            .start()?,
    );
    let page = fetch(&container, folder.path())?;
    let wanted = std::fs::read_to_string(demo.factory.path().join("recipes/lighttpd/index.html"))?;
    ensure!(page == wanted, "another page came: {page}");
    let headers = std::fs::read_to_string(folder.path().join("headers"))?.to_lowercase();
    ensure!(headers.contains("content-encoding: gzip"), "{headers}");
    confined(&server_in(&container.0)?)?;
    drop(container);
    ensure!(
        containers(folder.path())?.is_empty(),
        "something is left of the container"
    );
    Ok(())
}

/// A running `scripts/run-image`, which is given the time to clean up.
struct Container(Running);

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.0.signal(Signal::TERM));
        let since = Instant::now();
        while self.0.is_running().unwrap_or(false) && since.elapsed() < STARTING {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Fetches the page from inside the container's network, once the server answers.
fn fetch(container: &Container, folder: &Path) -> Result<String> {
    let target = format!("--target={}", container.0.pid()?.as_raw_nonzero());
    let since = Instant::now();
    loop {
        let output = Command::new(need("curl")?)
            .args([
                "--silent",
                "--show-error",
                "--fail",
                "--compressed",
                "--dump-header",
            ])
            .arg(folder.join("headers"))
            .arg("http://127.0.0.1:8080/")
            .through([
                need("nsenter")?.as_os_str(),
                target.as_ref(),
                "--net".as_ref(),
            ])
            .run()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        ensure!(
            since.elapsed() < STARTING,
            "{output}{}",
            container.0.said()?
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What the kernel says of the server's process: the one of its name in the container's network.
fn server_in(container: &Running) -> Result<String> {
    let network = |process: &Path| std::fs::read_link(process.join("ns/net")).ok();
    let ours = network(&Path::new("/proc").join(container.pid()?.as_raw_nonzero().to_string()));
    for entry in std::fs::read_dir("/proc")? {
        let process = entry?.path();
        let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
        if name.trim() == "lighttpd" && network(&process) == ours {
            return std::fs::read_to_string(process.join("status")).context("it is gone");
        }
    }
    bail!("there is no server in the container")
}

fn confined(status: &str) -> Result<()> {
    let line = |name: &str| {
        let lines = status.lines().filter_map(|line| line.split_once(':'));
        let value = lines
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.trim())
            .next();
        value.unwrap_or_default().to_owned()
    };
    ensure!(
        line("Uid").split_whitespace().all(|id| id == "65532"),
        "{status}"
    );
    ensure!(
        line("Gid").split_whitespace().all(|id| id == "65532"),
        "{status}"
    );
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        ensure!(line(set) == "0000000000000000", "{set}: {status}");
    }
    ensure!(line("NoNewPrivs") == "1", "{status}");
    Ok(())
}

/// What `scripts/run-image` keeps in a folder while it runs.
fn containers(folder: &Path) -> Result<Vec<std::ffi::OsString>> {
    let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<Result<_>>()?;
    let is_ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("run-image.");
    Ok(names.into_iter().filter(is_ours).collect())
}
