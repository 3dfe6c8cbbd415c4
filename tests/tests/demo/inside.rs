//! What is in the images, and what is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::layout::{hashes, listing, unpack};
use boltworks_tests::{Command, Folder};
use serde_json::Value;

use crate::once::Demo;

/// What the assembly of an image writes itself, beside what packages bring.
const ASSEMBLED: &[&str] = &[
    "etc/ssl/certs/.ca-certificates.crt.sha256",
    "dev",
    "proc",
    "sys",
    "etc/apko.json",
    "etc/shadow",
    "var/cache/apk",
    "etc/apk",
    "etc/apk/arch",
    "etc/apk/keys",
    "etc/apk/repositories",
    "etc/apk/world",
    "lib/apk",
    "lib/apk/db",
    "lib/apk/db/installed",
    "lib/apk/db/lock",
    "lib/apk/db/scripts.tar",
    "lib/apk/db/triggers",
    "usr/lib/apk",
    "usr/lib/apk/db",
    "usr/lib/apk/db/installed",
    "usr/lib/apk/db/lock",
    "usr/lib/apk/db/scripts.tar",
    "usr/lib/apk/db/triggers",
    "var/lib/db/sbom",
    "home/nonroot",
];

/// Names that a shell goes by.
const SHELLS: &[&str] = &[
    "sh", "ash", "bash", "dash", "busybox", "toybox", "zsh", "ksh", "mksh",
];

/// The digests of all files of stage 0 that are not empty.
fn stage0(demo: &Demo) -> Result<BTreeMap<String, String>> {
    let lock = Command::new("cat")
        .arg(demo.factory.state().join("stage0/lock.json"))
        .ok()?
        .json()?;
    let made = lock["made"]
        .as_array()
        .context("stage 0 names no packages")?;
    let folder = Folder::new()?;
    let mut files = BTreeMap::new();
    for package in made {
        let digest = package["sha256"]
            .as_str()
            .context("a package without a digest")?;
        let place = folder.path().join(digest);
        unpack(&demo.factory.blob(digest), &place)?;
        for (name, hash) in hashes(&place)? {
            files.insert(hash, format!("{} of {}", name, package["name"]));
        }
        Command::new("rm").arg("-rf").arg(&place).ok()?;
    }
    ensure!(
        files.len() > 1000,
        "only {} files are in stage 0",
        files.len()
    );
    files.remove(EMPTY);
    Ok(files)
}

/// The digest of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn no_file_of_stage0_is_in_an_image() -> Result<()> {
    let demo = Demo::get()?;
    let stage0 = stage0(demo)?;
    for (name, tag) in [("web", "1.4"), ("static", "1")] {
        let files = hashes(&demo.pulled(name, tag)?.root())?;
        ensure!(files.len() > 5, "{name} holds {} files", files.len());
        let same: Vec<_> = files
            .iter()
            .filter_map(|(file, hash)| Some(format!("{file} is {}", stage0.get(hash)?)))
            .collect();
        ensure!(same.is_empty(), "{name} has files of stage 0: {same:?}");
    }
    Ok(())
}

#[test]
fn every_file_comes_from_a_package_of_the_factory() -> Result<()> {
    let demo = Demo::get()?;
    let mut known: BTreeSet<String> = ASSEMBLED.iter().map(|&name| name.to_owned()).collect();
    for package in demo.packages()?.values() {
        known.extend(listing(package)?);
    }
    for (name, tag) in [("web", "1.4"), ("static", "1")] {
        let layers = demo.pulled(name, tag)?.layout()?.layers()?;
        let mut files = BTreeSet::new();
        for layer in &layers {
            files.extend(listing(layer)?);
        }
        let strange: Vec<_> = files
            .into_iter()
            .filter(|file| !known.contains(file) && !file.starts_with("etc/apk/keys/"))
            .filter(|file| !file.starts_with("var/lib/db/sbom/"))
            .collect();
        ensure!(
            strange.is_empty(),
            "{name} has files of nobody's: {strange:?}"
        );
    }
    Ok(())
}

#[test]
fn programs_are_those_of_the_server_and_there_is_no_shell() -> Result<()> {
    let demo = Demo::get()?;
    let root = demo.pulled("web", "1.4")?.root();
    let programs = executables(&root)?;
    let wanted = ["usr/bin/lighttpd", "usr/bin/lighttpd-angel"];
    ensure!(
        programs == boltworks_tests::factory::names(&wanted),
        "{programs:?}"
    );
    for pulled in [&root, &demo.pulled("static", "1")?.root()] {
        let names = find(pulled, &[])?;
        let shell = names.iter().find(|path| {
            let name = Path::new(path.as_str()).file_name().unwrap_or_default();
            SHELLS.iter().any(|&shell| name == shell)
        });
        ensure!(shell.is_none(), "there is a shell: {shell:?}");
    }
    Ok(())
}

/// Programs beneath folders where programs are.
fn executables(root: &Path) -> Result<BTreeSet<String>> {
    let found = find(root, &["-type", "f", "-perm", "/111"])?;
    let is_program = |path: &String| path.split('/').any(|part| part == "bin" || part == "sbin");
    Ok(found.into_iter().filter(is_program).collect())
}

fn find(root: &Path, what: &[&str]) -> Result<BTreeSet<String>> {
    let found = Command::new("find")
        .args([".", "-mindepth", "1"])
        .args(what)
        .dir(root)
        .ok()?;
    Ok(found
        .stdout
        .lines()
        .map(|line| line.trim_start_matches("./").to_owned())
        .collect())
}

#[test]
fn libraries_are_ours_and_programs_are_hardened() -> Result<()> {
    let demo = Demo::get()?;
    let root = demo.pulled("web", "1.4")?.root();
    let server = read_elf(&root.join("usr/bin/lighttpd"))?;
    for word in [
        "/lib/ld-musl-x86_64.so.1",
        "libc.musl-x86_64.so.1",
        "libpcre2-8.so.0",
    ] {
        ensure!(
            server.contains(word),
            "the server does not need {word}: {server}"
        );
    }
    ensure!(
        server.contains("BIND_NOW") || server.contains("NOW"),
        "late binding: {server}"
    );
    ensure!(server.contains("GNU_RELRO"), "no RELRO: {server}");
    ensure!(
        server.contains("DYN (Position-Independent Executable file)"),
        "no PIE: {server}"
    );
    let deflate = read_elf(&root.join("usr/lib/lighttpd/mod_deflate.so"))?;
    ensure!(
        deflate.contains("libz.so.1"),
        "mod_deflate does not need zlib: {deflate}"
    );
    ensure!(
        !server.contains("libc.so.6") && !deflate.contains("libc.so.6"),
        "glibc is needed"
    );
    Ok(())
}

fn read_elf(path: &PathBuf) -> Result<String> {
    let readelf = boltworks_tests::tools::need("readelf")?;
    let output = Command::new(readelf).args(["--wide", "--file-header", "--segments", "--dynamic"]);
    Ok(output.arg(path).ok()?.stdout)
}

#[test]
fn the_static_image_has_no_libc_and_an_ordinary_user() -> Result<()> {
    let pulled = Demo::get()?.pulled("static", "1")?;
    let config = pulled.layout()?.config;
    ensure!(
        config["config"]["User"] == "65532",
        "it runs as {}",
        config["config"]["User"]
    );
    let root = pulled.root();
    ensure!(executables(&root)?.is_empty(), "there are programs");
    let files = find(
        &root,
        &[
            "-name", "*.so*", "-o", "-name", "*musl*", "-o", "-name", "*.a",
        ],
    )?;
    let files: Vec<_> = files
        .iter()
        .filter(|file| !file.ends_with(".spdx.json"))
        .collect();
    ensure!(files.is_empty(), "there are libraries: {files:?}");
    let certificates = Command::new("grep")
        .args(["--count", "BEGIN CERTIFICATE"])
        .arg(root.join("etc/ssl/certs/ca-certificates.crt"))
        .ok()?;
    ensure!(
        certificates.stdout.trim().parse::<u32>()? > 100,
        "{certificates}"
    );
    Ok(())
}

#[test]
fn the_image_says_what_it_is() -> Result<()> {
    let layout = Demo::get()?.pulled("web", "1.4")?.layout()?;
    let config = &layout.config;
    ensure!(
        config["architecture"] == "amd64" && config["os"] == "linux",
        "{config}"
    );
    ensure!(config["config"]["User"] == "65532", "{config}");
    let entrypoint = &config["config"]["Entrypoint"];
    ensure!(entrypoint[0] == "/usr/bin/lighttpd", "{entrypoint}");
    ensure!(config["created"] == "2026-01-01T00:00:00Z", "{config}");
    let annotations = &layout.manifest["annotations"];
    ensure!(
        annotations["org.opencontainers.image.title"] == "web",
        "{annotations}"
    );
    let size: u64 = sizes(&layout.manifest["layers"]);
    ensure!(size < 8_000_000, "the image is {size} bytes large");
    Ok(())
}

fn sizes(layers: &Value) -> u64 {
    layers
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|layer| layer["size"].as_u64())
        .sum()
}
