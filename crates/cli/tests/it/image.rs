//! `boltworks image build` without a factory: packages from a folder, files out.

use serde_json::json;

use crate::kit::{Desk, signer};

const IMAGE: &str = "contents:
  packages: [web]
entrypoint:
  command: /usr/bin/web --serve
archs: [amd64]
annotations:
  org.example.kept: yes
";

const REPO: &[&str] = &[
    "web 1.4-r0 needs so:libz.so.1",
    "zlib 1.3-r0 provides so:libz.so.1=1.3",
];

fn desk() -> Desk {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    desk.write("web.yaml", IMAGE);
    desk
}

#[test]
fn an_archive_and_its_sboms_come_out() {
    let desk = desk();
    let before = desk.names();
    let built = desk.run("image build --json web.yaml web:1.4 web.tar -r repo -k web.rsa.pub");
    let document = built.with_code(0).json();
    assert_eq!(document["name"], "web:1.4");
    assert_eq!(document["packages"], 2);
    assert_eq!(document["form"], "archive");
    assert_eq!(
        document["sboms"],
        json!([
            "sbom-x86_64.spdx.json",
            "sbom-x86_64.spdx3.json",
            "sbom-x86_64.cdx.json"
        ])
    );
    let new: Vec<String> = desk
        .names()
        .into_iter()
        .filter(|name| !before.contains(name))
        .collect();
    assert_eq!(
        new,
        [
            "sbom-x86_64.cdx.json",
            "sbom-x86_64.spdx.json",
            "sbom-x86_64.spdx3.json",
            "web.tar"
        ]
    );
    let spdx: serde_json::Value =
        serde_json::from_slice(&desk.read("sbom-x86_64.spdx.json")).unwrap();
    assert_eq!(spdx["spdxVersion"], "SPDX-2.3");
    // These packages bring no SBOM of their own, and that is said.
    assert_eq!(document["gaps"].as_array().unwrap().len(), 2);
}

#[test]
fn the_machine_decides_where_the_file_names_no_architecture() {
    let desk = desk();
    desk.write("web.yaml", IMAGE.replace("archs: [amd64]\n", ""));
    // The packages are for this machine's processor, and for no other.
    let flags = "web.yaml web:1.4 web.tar -r repo -k web.rsa.pub";
    let built = desk.run(&format!("image build --json {flags}"));
    let sboms = &built.with_code(0).json()["sboms"];
    assert_eq!(sboms[0], "sbom-x86_64.spdx.json");
    // apko makes all that there are, and begins with this.
    let built = desk.run(&format!("apko build {flags}")).with_code(2);
    assert!(built.err.contains("repo/x86/APKINDEX.tar.gz"), "{built:?}");
    desk.write("web.yaml", IMAGE.replace("amd64", "arm64, s390x"));
    let built = desk.run(&format!("image build {flags}")).with_code(2);
    assert!(
        built.err.contains("repo/aarch64/APKINDEX.tar.gz"),
        "{built:?}"
    );
}

#[test]
fn a_folder_becomes_a_layout() {
    let desk = desk();
    std::fs::create_dir(desk.path("layout")).unwrap();
    let flags =
        "-r repo -k web.rsa.pub --annotations org.example.a:b:c,org.example.d:e --sbom-path sboms";
    let built = desk.run(&format!(
        "image build web.yaml reg.example/x/web:9 layout {flags} --sbom-formats spdx"
    ));
    let built = built.with_code(0);
    assert!(
        built
            .out
            .starts_with("reg.example/x/web:9 (x86_64): 2 packages, "),
        "{built:?}"
    );
    let index: serde_json::Value = serde_json::from_slice(&desk.read("layout/index.json")).unwrap();
    let manifest = &index["manifests"][0];
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.ref.name"],
        "9"
    );
    let digest = manifest["digest"]
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&desk.read(&format!("layout/blobs/sha256/{digest}"))).unwrap();
    assert_eq!(manifest["annotations"]["org.example.a"], "b:c");
    assert_eq!(manifest["annotations"]["org.example.d"], "e");
    assert_eq!(manifest["annotations"]["org.example.kept"], "yes");
    assert!(
        desk.names()
            .contains(&"sboms/sbom-x86_64.spdx.json".to_owned())
    );
    assert!(
        !desk
            .names()
            .contains(&"sboms/sbom-x86_64.cdx.json".to_owned())
    );
}

#[test]
fn several_architectures_are_in_one_layout_or_archive() {
    let desk = desk();
    let other = REPO.iter().map(|line| format!("{line} arch aarch64"));
    let other: Vec<String> = other.collect();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    desk.repository_for("aarch64", "repo", "web", &other);
    desk.write("web.yaml", IMAGE.replace("[amd64]", "[amd64, arm64]"));
    std::fs::create_dir(desk.path("layout")).unwrap();
    let build = |words: &str| desk.run(&format!("{words} -r repo -k web.rsa.pub"));
    let both = "--json web.yaml web:9 layout --arch arm64,amd64";
    let built = build(&format!("image build {both}")).with_code(0).json();
    let arches = |document: &serde_json::Value| -> Vec<String> {
        let images = document["images"].as_array().unwrap().iter();
        let arches = images.map(|image| image["arch"].as_str().unwrap().to_owned());
        arches.collect()
    };
    assert_eq!(arches(&built), ["aarch64", "x86_64"]);
    let index: serde_json::Value = serde_json::from_slice(&desk.read("layout/index.json")).unwrap();
    let platforms = index["manifests"].as_array().unwrap().iter();
    let platforms: Vec<_> = platforms
        .map(|manifest| manifest["platform"]["architecture"].clone())
        .collect();
    assert_eq!(platforms, ["arm64", "amd64"]);
    // apko builds all that the file names, and tags each in an archive.
    build("apko build web.yaml web:9 web.tar").with_code(0);
    let archive = desk.read("web.tar");
    let text = String::from_utf8_lossy(&archive);
    for tag in ["web:9-amd64", "web:9-arm64"] {
        assert!(text.contains(&format!(r#"["{tag}"]"#)), "{tag}");
    }
    // One that cannot be built leaves nothing.
    let run = build("apko build web.yaml web:9 none.tar --arch amd64,riscv64");
    assert!(run.with_code(2).err.contains("riscv64"));
    assert!(!desk.path("none.tar").exists());
}

#[test]
fn equal_input_gives_equal_bytes_and_time_is_an_input() {
    let desk = desk();
    let command = "image build --json web.yaml web a.tar -r repo -k web.rsa.pub --sbom=false";
    let digest = |flags: &str, variables: &[(&str, &str)]| {
        let built = desk
            .run_with(&format!("{command} {flags}"), variables)
            .with_code(0);
        built.json()["digest"].as_str().unwrap().to_owned()
    };
    let first = digest("", &[("TZ", "Asia/Tokyo"), ("LANG", "de_DE.UTF-8")]);
    assert_eq!(digest("", &[]), first);
    // The newest package is of this very time.
    assert_eq!(digest("--build-date 2026-01-01T00:00:00Z", &[]), first);
    let later = digest("", &[("SOURCE_DATE_EPOCH", "1800000000")]);
    assert_ne!(later, first);
    // The command line goes before the environment.
    let both = digest(
        "--build-date 2026-01-01T00:00:00Z",
        &[("SOURCE_DATE_EPOCH", "1800000000")],
    );
    assert_eq!(both, first);
    assert!(!desk.names().iter().any(|name| name.starts_with("sbom")));
}

#[test]
fn the_files_own_repositories_and_keys_are_used() {
    let desk = desk();
    let own = "  repositories: [repo, \"https://os.example/x\"]\n  keyring: [web.rsa.pub]\n";
    desk.write(
        "web.yaml",
        IMAGE.replace("contents:\n", &format!("contents:\n{own}")),
    );
    let built = desk.run("image build web.yaml web web.tar").with_code(0);
    assert!(
        built
            .err
            .contains("! no packages are fetched from https://os.example/x"),
        "{built:?}"
    );
    let more = desk
        .run("image build web.yaml web web.tar -p zlib=1.3-r0 -p nonesuch")
        .with_code(1);
    assert!(more.err.contains("no repository has nonesuch"), "{more:?}");
}

/// Whatever is wrong with a repository, the image is not made and nothing is left.
#[test]
fn a_repository_that_is_not_sound_gives_nothing() {
    let desk = desk();
    let refused = |what: &str| {
        let before = desk.names();
        let failed = desk
            .run("image build web.yaml web:1 web.tar -r repo -k web.rsa.pub")
            .with_code(1);
        assert!(failed.err.contains(what), "{failed:?}");
        assert!(failed.err.contains("help: "), "{failed:?}");
        assert_eq!(desk.names(), before);
    };
    let zlib = "repo/x86_64/zlib-1.3-r0.apk";
    let sound = desk.read(zlib);

    // A byte of the data section.
    let mut bytes = sound.clone();
    let place = bytes.len() - 30;
    bytes[place] ^= 4;
    desk.write(zlib, &bytes);
    refused(&format!("error: {zlib}: "));
    // Its end.
    desk.write(zlib, &sound[..sound.len() / 2]);
    refused(&format!("error: {zlib}: "));
    // The right package, vouched for by somebody else.
    desk.package(zlib, "stranger", REPO[1]);
    refused("it is by stranger.rsa.pub, which is not trusted");
    // Another package under its name, signed by the right key.
    desk.package(zlib, "web", "zlib 1.3-r0 provides so:libz.so.1=1.4");
    refused("the index lists zlib-1.3-r0 Q1");
    // Listed and gone: what can do without it does, but nothing can here.
    std::fs::remove_file(desk.path(zlib)).unwrap();
    refused("is listed and not there: the package is left out");
    // The whole index by another key.
    desk.write(zlib, &sound);
    let index = boltworks_apk::Index::default()
        .write(&signer("stranger"), 0)
        .unwrap();
    desk.write("repo/x86_64/APKINDEX.tar.gz", index);
    refused("it is by stranger.rsa.pub, which is not trusted");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_made() {
    let desk = desk();
    let usage = |words: &str, what: &str| {
        let failed = desk.run(&format!("image build {words}")).with_code(2);
        assert!(failed.err.contains(what), "{failed:?}");
    };
    usage("web.yaml web web.tar", "no factory here and no repository");
    usage("web.yaml We.b: web.tar -r repo", "We.b:");
    usage(
        "web.yaml web web.tar -r repo --arch arm64 -k web.rsa.pub",
        "the image is not for aarch64",
    );
    usage(
        "web.yaml web web.tar -r repo --arch amd64,arm64 -k web.rsa.pub",
        "the image is not for aarch64",
    );
    usage(
        "web.yaml web web.tar -r repo --annotations loose",
        "write KEY:VALUE",
    );
    usage(
        "web.yaml web web.tar -r repo --build-date soon",
        "'soon' is not a time",
    );
    usage(
        "web.yaml web nowhere/web.tar -r repo -k web.rsa.pub",
        "nowhere",
    );
    desk.write("web.yaml", "contents:\n  packges: [web]\n");
    usage("web.yaml web web.tar -r repo", "did you mean 'packages'?");
}

/// What counts in a repository is what the bytes are, wherever they lie.
#[test]
fn a_repository_may_be_made_of_links() {
    let desk = desk();
    let link = |target: &str, name: &str| {
        std::fs::create_dir_all(desk.path("linked/x86_64")).unwrap();
        std::os::unix::fs::symlink(target, desk.path(&format!("linked/x86_64/{name}"))).unwrap();
    };
    for name in ["APKINDEX.tar.gz", "web-1.4-r0.apk"] {
        link(&format!("../../repo/x86_64/{name}"), name);
    }
    let zlib = desk.path("repo/x86_64/zlib-1.3-r0.apk");
    link(&zlib.display().to_string(), "once");
    link("once", "zlib-1.3-r0.apk");
    let build = |repository: &str| {
        let words = format!(
            "image build --json web.yaml web:1.4 {repository}.tar -r {repository} -k web.rsa.pub"
        );
        desk.run(&words)
    };
    let digest = |repository| build(repository).with_code(0).json()["digest"].clone();
    assert_eq!(digest("linked"), digest("repo"));
    std::fs::remove_file(desk.path("linked/x86_64/web-1.4-r0.apk")).unwrap();
    link("zlib-1.3-r0.apk", "web-1.4-r0.apk");
    let other = build("linked").with_code(1);
    assert!(other.out.contains("web-1.4-r0.apk"), "{other:?}");
    std::fs::remove_file(&zlib).unwrap();
    let gone = build("linked");
    assert!(
        gone.err.contains("zlib-1.3-r0.apk is listed and not there"),
        "{gone:?}"
    );
}

#[test]
fn whoever_looks_away_stops_no_work() {
    let desk = desk();
    let words = "-v image build web.yaml web:1.4 web.tar -r repo -k web.rsa.pub";
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_boltworks"))
        .args(words.split_whitespace())
        .current_dir(desk.path("."))
        .env("BOLTWORKS_LOG", "trace")
        .stdout(gone())
        .stderr(gone())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    assert!(desk.path("web.tar").exists());
}
